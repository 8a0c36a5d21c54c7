"""The way to a service over HTTP: one pool, explicit time-outs, the key for its own host only, no hidden retries.

Nothing is retried unless the caller says that it may be repeated (`patiently`). A redirect is followed for downloads
only, and the key stays behind when it leads elsewhere: neither a picture nor a key travels to a host that nobody named.
Every exception of the client becomes one of our errors, raised outside its handler, because the client's exceptions
hold the request with the key in its headers.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from indexer.domain.errors import (
    BadSetting,
    KeyRefused,
    NoCredit,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    Unreachable,
)
from indexer.providers.bounded import PACKED, STREAMED, bounding
from indexer.providers.patience import patiently
from indexer.providers.rates import pause_asked
from indexer.providers.redaction import redacted_line

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("captionary.http")
Result = TypeVar("Result")
_MOST_OF_AN_ERROR = 1 << 16
_MOST_REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_CREDIT = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|credit balance is too low|exceeded your current quota"
    r"|billing[_ ]hard[_ ]limit|payment required|spend(?:ing)? limit"
    r"|requires billing|billing (?:account|to be enabled)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: `connect`, `call` for short questions, `ask` for a description, `upload`, `stall` between two pieces."""

    connect: float = 15.0
    call: float = 60.0
    ask: float = 180.0
    upload: float = 600.0
    stall: float = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """Which service, where, and how it knows us; `headers` carry the key, `hint` says how to get one.

    Where the key is one that runs out, `headers` is called for each request; it raises our errors.
    """

    name: str
    base_url: str
    key: str = field(default="", repr=False)
    headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = field(default_factory=dict, repr=False)
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, what: str) -> dict[str, Any]:
        """Return the JSON object in the body; raises `Unreachable` when it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unreachable(
                f"could not {what}: what came is not JSON", hint="check for a proxy that answers by itself"
            )
        return found


def checked_url(variable: str, told: str, usual: str) -> str:
    """Return the base address without a slash at its end; raises `BadSetting` when it is not a web address."""
    url = told.strip() or usual
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSetting(
            f"{variable} is {url!r}, which is not a web address", hint="leave it unset, or give https://HOST"
        )
    return url.rstrip("/")


def checked_key(name: str, key: str, hint: str) -> str:
    """Return the key; one that no header can carry would be quoted in the error of whoever tried."""
    if not key.isascii() or not key.isprintable() or " " in key:
        raise KeyRefused(f"the {name} key has characters that no key has", hint=hint)
    return key


class Http:
    """A connection that is made when first used; safe to share between threads."""

    def __init__(self, service: Service, timeouts: Timeouts, sleep: Callable[[float], None]) -> None:
        self.service = service
        self.timeouts = timeouts
        self._sleep = sleep
        self._lock = threading.Lock()
        self._pool: httpx.Client | None = None
        self._shown = ""
        self._origin = _origin(service.base_url)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def redact(self, text: str) -> str:
        """Return `text` on one line, with the key and whatever looks like one struck out."""
        return redacted_line(text, self.service.key, self._shown)

    def patiently(self, call: Callable[[], Result], *, also: tuple[type[ProviderError], ...] = ()) -> Result:
        """Return `call()`, tried up to four times; only for steps that may be repeated."""
        return patiently(call, self._sleep, also)

    def get(self, what: str, path: str) -> dict[str, Any]:
        """Return the JSON object at `path`; tried a few times."""
        return self.patiently(lambda: self.send(what, "GET", path).json(what))

    def names(self, path: str = "models") -> list[str]:
        """Return the names in the list of models at `path`."""
        entries = self.get("list the models", path).get("data")
        found = entries if isinstance(entries, list) else []
        return [str(entry["id"]) for entry in found if isinstance(entry, dict) and entry.get("id")]

    def post(self, what: str, path: str, body: object = None, *, timeout: float | None = None) -> Reply:
        """Send JSON to `path`, once, and return the answer."""
        content = b"" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        return self.send(what, "POST", path, content=content, timeout=timeout)

    def send(
        self, what: str, method: str, path: str, *, content: bytes | Iterator[bytes] | None = None, **more: Any
    ) -> Reply:
        """Send one request, once; raises our errors for whatever is not a success.

        `more` may hold `timeout` in seconds, further `headers`, `data` and `files` of a form, or `accept`: statuses
        that are no failure either.
        """
        form = {name: more[name] for name in ("data", "files") if name in more}
        headers = {**self._headers(path), **more.get("headers", {})}
        if content is not None and not form:
            headers.setdefault("Content-Type", "application/json")
        timeout = self._timeout(more.get("timeout") or self.timeouts.call)

        def exchange() -> Reply:
            answer = self._client().request(
                method, self._url(path), content=content, headers=headers, timeout=timeout, **form
            )
            return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

        said = self.calling(what, exchange)
        if not 200 <= said.status < 300 and said.status not in more.get("accept", ()):
            raise self.as_error(what, said)
        return said

    @contextmanager
    def download(self, what: str, path: str) -> Iterator[Iterator[bytes]]:
        """Yield the body at `path` in pieces; one that ends before its announced length is a fault."""
        answer = self.calling(what, lambda: self._open(path))
        try:
            if not 200 <= answer.status_code < 300:
                body = self.calling(what, lambda: next(answer.iter_bytes(_MOST_OF_AN_ERROR), b""))
                raise self.as_error(what, Reply(answer.status_code, dict(answer.headers), body))
            yield self._pieces(what, answer)
        finally:
            answer.close()

    def _open(self, path: str) -> httpx.Response:
        """Ask for a body; where it lies elsewhere, go there, without the key unless that is the service's own host."""
        client, url = self._client(), self._url(path)
        timeout = self._timeout(self.timeouts.stall)
        for _ in range(_MOST_REDIRECTS):
            headers = {**self._headers(url), "Accept-Encoding": "identity"}
            request = client.build_request("GET", url, headers=headers, timeout=timeout, extensions=dict(STREAMED))
            answer = client.send(request, stream=True)
            if not answer.has_redirect_location:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["location"])
        return answer

    def _pieces(self, what: str, answer: httpx.Response) -> Iterator[bytes]:
        pieces = answer.iter_bytes(1 << 20)
        while piece := self.calling(what, lambda: next(pieces, b"")):
            yield piece

    def as_error(self, what: str, said: Reply) -> ProviderError:
        """Return what an unsuccessful answer means, in the service's own words without the key."""
        code, message = _told(said.body)
        words = self.redact(message or code) or "no reason given"
        text = f"could not {what}: {words} (HTTP {said.status})"
        hint = self.service.hint
        if said.status == 402 or _CREDIT.search(f"{code} {message}"):
            return NoCredit(text, hint=f"add credit to the {self.service.name} account, then run again")
        if said.status in (401, 403):
            return KeyRefused(text, hint=hint or "check the key")
        if said.status in (404, 410):
            return NotFound(text, hint="check the model's name and the key's project")
        if said.status == 429:
            return RateLimited(text, hint="wait, then run again", retry_after=pause_asked(said.headers))
        if said.status == 408 or said.status >= 500 or said.status < 400:
            return Unreachable(text, hint="try again later")
        return Refused(text, hint="see what the service says")

    def _headers(self, path: str) -> Mapping[str, str]:
        """The key goes to the service's own host, wherever an address in an answer points."""
        if _origin(self._url(path)) != self._origin:
            return {}
        told = self.service.headers
        if not callable(told):
            return told
        signed = told()
        self._shown = signed.get("Authorization", "").removeprefix("Bearer ")
        return signed

    def _url(self, path: str) -> str:
        return path if path.startswith(("http://", "https://")) else f"{self.service.base_url}/{path.lstrip('/')}"

    def _timeout(self, seconds: float) -> httpx.Timeout:
        import httpx

        return httpx.Timeout(seconds, connect=min(self.timeouts.connect, seconds))

    def _client(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._pool is None:
                limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
                try:
                    self._pool = httpx.Client(
                        follow_redirects=False,
                        headers={"Accept-Encoding": PACKED},
                        limits=limits,
                        event_hooks={"response": [bounding(httpx)]},
                    )
                except (ImportError, OSError, ValueError, httpx.InvalidURL) as fault:
                    # Proxies and certificates are the environment's, which says nothing secret in such an error.
                    raise BadSetting(
                        f"cannot set up the way to {self.service.name}: {self.redact(str(fault))}",
                        hint="check HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE",
                    ) from None
                weakref.finalize(self, self._pool.close)
            return self._pool

    def calling(self, what: str, call: Callable[[], Result]) -> Result:
        """Return `call()`; whatever the client raises in it becomes one of our errors."""
        import httpx

        try:
            return call()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as fault:
            error = self._unreachable(what, fault, sent=not _never_sent(fault))
        except (OSError, UnicodeError) as fault:
            error = self._unreachable(what, fault, sent=True)
        raise error

    def _unreachable(self, what: str, fault: Exception, *, sent: bool) -> Unreachable:
        words = self.redact(str(fault)) or type(fault).__name__
        where = urlsplit(self.service.base_url).hostname
        if not sent:
            return Unreachable(
                f"{self.service.name} cannot be reached at {where}: {words}; nothing was sent",
                hint="check the network, then run again",
                sent=False,
            )
        return Unreachable(f"could not {what}: no answer from {where} ({words})", hint="try again later")


def _never_sent(fault: Exception) -> bool:
    """Whether the request cannot have reached anybody: no connection was made for it, or the client refused it."""
    import httpx

    before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    ours = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
    return isinstance(fault, (*before, *ours))


def _origin(url: str) -> tuple[str, str, int | None]:
    """The scheme, host and port of an address: what a key may travel to."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme.lower(), (parts.hostname or "").lower(), port or _PORTS.get(parts.scheme.lower())


def _told(body: bytes) -> tuple[str, str]:
    """Return (code, message) of an error body, whatever its shape: an object, a text in JSON, plain text."""
    text = body[:_MOST_OF_AN_ERROR].decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "", text[:500]
    if isinstance(found, str):
        return "", found
    if not isinstance(found, dict):
        return "", ""
    error = found.get("error", found)
    if not isinstance(error, dict):
        return "", str(error)
    message = error.get("message", error.get("detail", ""))
    code = error.get("code") or error.get("type") or ""
    return str(code), message if isinstance(message, str) else json.dumps(message)[:500]
