"""The way to the service: one SDK client, one connection pool, explicit time-outs, no hidden retries.

The SDK uploads, creates, cancels and deletes. Reading goes beside it, over the same pool: the SDK drops a
job's failure reason, counts and input file, and its models refuse answers with fields they do not know.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.domain.errors import ProviderError, Refused, Unreachable
from indexer.providers.bounded import PACKED, STREAMED, bounding
from indexer.providers.google.faults import as_error, read_refusal
from indexer.providers.patience import patiently
from indexer.providers.redaction import redacted_line

if TYPE_CHECKING:
    import httpx2
    from google import genai

API_VERSION = "v1beta"
BASE_URL = "https://generativelanguage.googleapis.com"
_CHUNK = 1 << 20

log = logging.getLogger("indexer.providers.gemini")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class GeminiTimeouts:
    """How long to wait for the service, in seconds.

    `call` is for short questions, `ask` for a description, `upload` for one chunk of 8 MiB; a download may take as
    long as it likes while no `stall` lies between two pieces.
    """

    call: float = 60.0
    ask: float = 180.0
    upload: float = 300.0
    stall: float = 60.0


class GeminiService:
    """A connection that is made when first used; safe to share between threads."""

    def __init__(self, api_key: str, base_url: str, timeouts: GeminiTimeouts, sleep: Callable[[float], None]) -> None:
        self.timeouts = timeouts
        self._key = api_key
        self._base_url = base_url.rstrip("/")
        self._sleep = sleep
        self._lock = threading.Lock()
        self._http: httpx2.Client | None = None
        self._sdk: genai.Client | None = None

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            pool, self._http, self._sdk = self._http, None, None
        if pool is not None:
            pool.close()

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._sleep(seconds)

    def http(self) -> httpx2.Client:
        """Return the connection pool."""
        with self._lock:
            if self._http is None:
                self._http = _open_pool(self._base_url)
                weakref.finalize(self, self._http.close)
            return self._http

    def sdk(self) -> genai.Client:
        """Return the SDK's client; it is kept, because one that nobody holds closes under its own calls."""
        pool = self.http()
        with self._lock:
            if self._sdk is None:
                from google import genai
                from google.genai import types

                # The SDK warns of values that it does not know, with their text, past every door for keys.
                warnings.filterwarnings("ignore", category=UserWarning, module=r"google\.genai\._common")
                options = types.HttpOptions(
                    base_url=self._base_url,
                    api_version=API_VERSION,
                    timeout=milliseconds(self.timeouts.call),
                    retry_options=types.HttpRetryOptions(attempts=1),
                    httpx_client=pool,
                )
                self._sdk = genai.Client(api_key=self._key, vertexai=False, http_options=options)
            return self._sdk

    def calling(self, what: str, call: Callable[[], Result]) -> Result:
        """Return `call()`, a call into the SDK or the pool; whatever it raises becomes one of our errors.

        The error is raised outside the handler: the exceptions of SDK and pool hold the request with the key
        in its headers, and must not hang on as context.
        """
        try:
            return call()
        except _faults() as fault:
            error = self._translate(what, fault)
        raise error

    def patiently(self, call: Callable[[], Result], *, also: tuple[type[ProviderError], ...] = ()) -> Result:
        """Return `call()`, tried up to four times; only for steps that may be repeated."""
        return patiently(call, self._sleep, also)

    def get(self, what: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the JSON object at `path`."""
        return _as_object(what, self._send(what, "GET", path, self.timeouts.call, query=query))

    def post(self, what: str, path: str, body: bytes) -> bytes:
        """Send the JSON `body` to `path`, once, and return the answer's bytes, which are a JSON object."""
        answer = self._send(what, "POST", path, self.timeouts.ask, content=body)
        _as_object(what, answer)
        return answer

    @contextmanager
    def download(self, what: str, handle: str) -> Iterator[Iterator[bytes]]:
        """Yield the file `handle` in pieces; one that ends before its announced length is a fault.

        Only a stall is timed, not the whole: an X-Server-Timeout would cut a long download short. Without
        compression the pool itself counts the bytes.
        """
        headers = {**self._headers(), "Accept-Encoding": "identity"}
        url = f"{self._base_url}/{API_VERSION}/{handle}:download"
        pool = self.http()
        timeout, extensions = self.timeouts.stall, dict(STREAMED)
        request = pool.build_request(
            "GET", url, params={"alt": "media"}, headers=headers, timeout=timeout, extensions=extensions
        )
        response = self.calling(what, lambda: pool.send(request, stream=True))
        try:
            self._check(what, response)
            yield self._pieces(what, response)
        finally:
            response.close()

    def _pieces(self, what: str, response: httpx2.Response) -> Iterator[bytes]:
        pieces = response.iter_bytes(_CHUNK)
        while piece := self.calling(what, lambda: next(pieces, b"")):
            yield piece

    def _send(
        self,
        what: str,
        method: str,
        path: str,
        seconds: float,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> bytes:
        headers = {**self._headers(), "X-Server-Timeout": str(math.ceil(seconds))}
        url, pool = f"{self._base_url}/{API_VERSION}/{path}", self.http()
        response = self.calling(
            what,
            lambda: pool.request(method, url, params=query, content=content, headers=headers, timeout=seconds),
        )
        self._check(what, response)
        return bytes(response.content)

    def _headers(self) -> dict[str, str]:
        return {"x-goog-api-key": self._key, "Content-Type": "application/json"}

    def _check(self, what: str, response: httpx2.Response) -> None:
        if response.status_code == 200:
            return
        body = self.calling(what, response.read)
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            payload = response.reason_phrase
        raise as_error(what, read_refusal(response.status_code, payload), self._key)

    def _translate(self, what: str, fault: BaseException) -> ProviderError:
        from google.genai import errors

        if isinstance(fault, errors.APIError):
            return as_error(what, read_refusal(fault.code, fault.details), self._key)
        words = redacted_line(str(fault), self._key)
        if _was_never_made(fault):
            return Unreachable(
                f"could not {what}: {self._base_url} cannot be reached{': ' if words else ''}{words}; nothing was sent",
                hint="check the network, then run again",
                sent=False,
            )
        kind = type(fault).__name__
        return Unreachable(
            f"could not {what}: {kind}{': ' if words else ''}{words}",
            hint=f"check the way to {self._base_url} and run again; nothing is paid for twice",
        )


def _was_never_made(fault: BaseException) -> bool:
    """Whether the connection itself failed, so that nothing left the machine."""
    import httpx2

    return isinstance(fault, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol)


def milliseconds(seconds: float) -> int:
    """The SDK's unit of time-outs."""
    return int(seconds * 1000)


def _is_googles(home: httpx2.Origin, url: httpx2.URL) -> bool:
    """Upload addresses may lie on another host of the service itself."""
    own = ".googleapis.com"
    return str(home.host).endswith(own) and url.scheme == "https" and f".{url.host}".endswith(own)


def _open_pool(base_url: str) -> httpx2.Client:
    import httpx2

    home = httpx2.URL(base_url).origin

    def keep_key_home(request: httpx2.Request) -> None:
        """The pool drops only `Authorization` when a redirect leads to another host, and would carry pictures there."""
        if request.url.origin == home:
            return
        request.headers.pop("x-goog-api-key", None)
        if request.method not in ("GET", "HEAD") and not _is_googles(home, request.url):
            raise Refused(
                f"the service sends pictures on to another host, {request.url.host}; nothing went there",
                hint="check for a proxy that redirects, and GOOGLE_GEMINI_BASE_URL",
            )

    return httpx2.Client(
        follow_redirects=True,
        headers={"Accept-Encoding": PACKED},
        event_hooks={"request": [keep_key_home], "response": [bounding(httpx2)]},
    )


def _faults() -> tuple[type[Exception], ...]:
    """What the SDK and the pool are known to raise.

    The SDK lets the pool's errors through, and stumbles with plain Python errors over answers that are not
    JSON, not whole, or not in its enums.
    """
    import httpx2
    from google.genai import errors

    return (
        errors.APIError,
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.StreamError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        UserWarning,
    )


def _as_object(what: str, answer: bytes) -> dict[str, Any]:
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreachable(f"could not {what}: the answer is not a JSON object", hint="try again later")
    return found
