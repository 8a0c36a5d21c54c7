"""The HTTP client of all services: once means once, the key stays home, every fault is one of our errors."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

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
from indexer.providers.http import Http, Service, Timeouts, checked_key, checked_url
from indexer.providers.rates import pause_asked

KEY = "not-in-any-shape-4711"
SHORT = Timeouts(connect=0.5, call=0.5, ask=0.5, upload=0.5, stall=0.5)


@dataclass
class Host:
    """A service of a few lines: `answers` are (status, headers, body, announced length) in turn, the last one stays."""

    answers: list[tuple[int, dict[str, str], bytes, int | None]] = field(default_factory=list)
    heard: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def says(self, status: int, body: bytes = b"{}", length: int | None = None, **headers: str) -> None:
        """Answer so once, or from now on when it is the last."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, told, body, length))


@contextmanager
def serving() -> Iterator[Host]:
    """Serve on a free port; an answer with status 0 closes the connection without a word."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            heard = {name.lower(): value for name, value in self.headers.items()}
            host.heard.append((self.command, self.path, heard, body))
            status, headers, content, length = host.answers[0] if len(host.answers) == 1 else host.answers.pop(0)
            if not status:
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield host
    server.shutdown()
    server.server_close()


@pytest.fixture
def host() -> Iterator[Host]:
    """The service."""
    with serving() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that were made, in seconds; none takes any time."""
    return []


@pytest.fixture
def way(host: Host, pauses: list[float]) -> Iterator[Http]:
    """A way to the service."""
    opened = client(host.url, pauses.append)
    yield opened
    opened.close()


def client(url: str, sleep: Callable[[float], None] = lambda _: None) -> Http:
    """A way to `url` with the key in a header."""
    return Http(Service("Someone", url, KEY, {"Authorization": f"Bearer {KEY}"}, "get a key"), SHORT, sleep)


def exceptions(kind: type[Exception] = Exception) -> Iterator[type[Exception]]:
    """Every exception that httpx can raise."""
    for name in httpx.__all__:
        found = getattr(httpx, name)
        if isinstance(found, type) and issubclass(found, Exception):
            yield found


NOTHING_SENT = {
    "ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol", "LocalProtocolError",
    "InvalidURL",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(exceptions(), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_client_is_one_of_ours(kind: type[Exception]) -> None:
    """It is raised clean of the request, whose headers hold the key, and says whether anything was sent."""
    made = httpx.Request("POST", "https://someone.example", headers={"Authorization": KEY})

    def fail() -> None:
        if kind is httpx.HTTPStatusError:
            raise httpx.HTTPStatusError(f"no {KEY}", request=made, response=httpx.Response(500))
        if issubclass(kind, httpx.StreamError) and kind is not httpx.StreamError:
            raise kind()
        raise kind(f"no {KEY}")

    with pytest.raises(Unreachable) as caught:
        client("https://someone.example").calling("describe the photo", fail)
    error = caught.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert KEY not in str(error)
    assert error.sent == (kind.__name__ not in NOTHING_SENT)
    assert ("nothing was sent" in str(error)) == (not error.sent)


def test_a_connection_that_was_never_made_says_that_nothing_was_sent() -> None:
    """A closed port: whoever creates a job may do so again without looking for it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="nothing was sent") as caught:
        client(f"http://127.0.0.1:{port}").post("create the batch job", "batches", {})
    assert not caught.value.sent


@pytest.mark.parametrize(("status", "body"), [(0, b""), (503, b"{}"), (200, b"<html>")])
def test_a_post_is_sent_once_whatever_comes_back(host: Host, way: Http, status: int, body: bytes) -> None:
    """A lost, refused or unreadable answer leaves the outcome unknown; nothing is sent again."""
    host.says(status, body)
    with pytest.raises(Unreachable) as caught:
        way.post("create the batch job", "batches", {"a": 1}).json("create the batch job")
    assert caught.value.sent
    assert [(verb, path) for verb, path, _, _ in host.heard] == [("POST", "/batches")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_body_follows_no_redirect(host: Host, way: Http, status: int) -> None:
    """Neither pictures nor keys go where an answer points."""
    with serving() as elsewhere:
        elsewhere.says(200)
        host.says(status, Location=f"{elsewhere.url}/batches")
        with pytest.raises(Unreachable):
            way.post("create the batch job", "batches", {"picture": "..."})
        assert elsewhere.heard == []


@pytest.mark.parametrize("by", ["redirect", "address"])
def test_a_download_from_elsewhere_goes_without_the_key(host: Host, way: Http, by: str) -> None:
    """A result may lie on another host, or behind a redirect to one; the key stays behind."""
    with serving() as elsewhere:
        elsewhere.says(200, b"rows")
        host.says(302, Location=f"{elsewhere.url}/rows")
        with way.download("download the results", "rows" if by == "redirect" else f"{elsewhere.url}/rows") as pieces:
            assert b"".join(pieces) == b"rows"
        ((_, _, headers, _),) = elsewhere.heard
    assert "authorization" not in headers
    assert all(heard[2]["authorization"] == f"Bearer {KEY}" for heard in host.heard)


def test_an_absolute_address_at_the_service_takes_the_key(host: Host, way: Http) -> None:
    """Anthropic's results_url is absolute."""
    host.says(200, b"rows")
    with way.download("download the results", f"{host.url}/v1/results") as pieces:
        assert b"".join(pieces) == b"rows"
    assert host.heard[0][2]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "address", ["http://someone.example/rows", "https://someone.example:8443/rows", "https://a@someone.exampl/rows"]
)
def test_another_scheme_or_port_is_another_host(address: str) -> None:
    """The key is not told in the clear because an answer said http."""
    assert client("https://someone.example/v1")._headers(address) == {}
    assert client("https://someone.example/v1")._headers("https://SOMEONE.example:443/rows")


def test_redirects_in_a_circle_end(host: Host, way: Http) -> None:
    """Three are followed."""
    host.says(302, Location="/again")
    with pytest.raises(Unreachable), way.download("download the results", "rows"):
        pass
    assert len(host.heard) == 3


def test_a_download_that_breaks_off_is_a_fault(host: Host, way: Http) -> None:
    """Half a result file is never taken for a whole one."""
    host.says(200, b"x" * 1000, length=5000)
    with (
        pytest.raises(Unreachable, match="could not download the results"),
        way.download("download the results", "rows") as pieces,
    ):
        b"".join(pieces)


def test_what_may_be_repeated_is_tried_four_times_as_slowly_as_asked(
    host: Host, way: Http, pauses: list[float]
) -> None:
    """The pauses grow, and are those that the service asks for when it asks for more, up to a minute."""
    host.says(503)
    host.says(429, retry_after="7")
    host.says(429, retry_after="3600")
    host.says(200, b'{"id":"batch_1"}')
    assert way.get("look at the batch job", "batches/batch_1") == {"id": "batch_1"}
    assert pauses == [1.0, 7.0, 60.0]


def test_what_stays_broken_is_told_in_the_end(host: Host, way: Http, pauses: list[float]) -> None:
    """The fourth failure is the caller's."""
    host.says(503, b'{"error":{"message":"overloaded"}}')
    with pytest.raises(Unreachable, match=r"could not look at the batch job: overloaded \(HTTP 503\)"):
        way.get("look at the batch job", "batches/batch_1")
    assert (len(host.heard), pauses) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error":{"message":"bad"}}', Refused),
        (401, b'{"error":{"message":"bad"}}', KeyRefused),
        (402, b'{"error":{"message":"bad"}}', NoCredit),
        (403, b'"bad"', KeyRefused),
        (404, b'{"detail":"bad"}', NotFound),
        (408, b"", Unreachable),
        (410, b"bad", NotFound),
        (413, b"bad", Refused),
        (422, b'{"detail":[{"msg":"bad"}]}', Refused),
        (429, b'{"error":{"message":"bad"}}', RateLimited),
        (429, b'{"error":{"message":"bad","code":"insufficient_quota"}}', NoCredit),
        (400, b'{"error":{"message":"Your credit balance is too low"}}', NoCredit),
        (500, b"", Unreachable),
        (529, b'{"error":{"type":"overloaded_error"}}', Unreachable),
    ],
)
def test_a_status_is_one_of_our_errors(
    host: Host, way: Http, status: int, body: bytes, kind: type[ProviderError]
) -> None:
    """The tree says whether to wait, to pay, or to stop."""
    host.says(status, body)
    with pytest.raises(ProviderError) as caught:
        way.post("describe the photo", "chat/completions", {})
    assert type(caught.value) is kind
    assert caught.value.hint


SECRETS = ["sk-proj-abcdefghijkl1234", "sk-ant-api03-abcdefghijk_", "AIzaSyA1234567890-abc", "ya29.abcdefghij.k"]


@pytest.mark.parametrize("secret", [KEY, *SECRETS])
def test_no_error_holds_a_key(host: Host, way: Http, secret: str) -> None:
    """Services quote keys in their errors: ours by its bytes, any by its shape."""
    host.says(401, f'{{"error":{{"message":"Incorrect API key provided: {secret}."}}}}'.encode())
    with pytest.raises(KeyRefused) as caught:
        way.post("describe the photo", "chat/completions", {})
    assert secret not in str(caught.value)
    assert "[key]" in str(caught.value)
    assert secret not in repr(way.service)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "Thu, 26 Nov 2026 10:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 26 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "0"}, 360.0),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-remaining-tokens": "12"}, None),
        ({"x-ratelimit-reset-requests": "20ms", "x-ratelimit-remaining-requests": "0"}, 0.02),
        ({"x-ratelimit-reset-requests": "soon", "x-ratelimit-remaining-requests": "0"}, None),
    ],
)
def test_the_pause_that_a_service_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    """In seconds, milliseconds, as a date, or as the reset of a rate that is used up."""
    now = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
    assert pause_asked(headers, now) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("key", ["a b", "ключ-ключ", "a\nb"])
def test_a_key_that_no_header_carries_is_refused_unquoted(key: str) -> None:
    """The client's own error would quote it."""
    with pytest.raises(KeyRefused) as caught:
        checked_key("Someone", key, "get one")
    assert key not in str(caught.value)


def test_an_address_is_checked_before_it_is_called() -> None:
    """A typing error in the variable is named with it."""
    assert checked_url("SOMEONE_BASE_URL", " https://proxy.example/v1/ ", "x") == "https://proxy.example/v1"
    with pytest.raises(BadSetting, match="SOMEONE_BASE_URL"):
        checked_url("SOMEONE_BASE_URL", "proxy.example", "x")


@pytest.mark.parametrize(
    ("variable", "value"), [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("ALL_PROXY", "socks5://127.0.0.1:9")]
)
def test_a_broken_proxy_or_certificate_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """They come from the environment, and their errors are not the client's own."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSetting) as caught:
        client("https://someone.example").post("describe the photo", "chat/completions", {})
    assert variable in caught.value.hint


def test_the_client_is_loaded_when_first_used() -> None:
    """Nobody pays for it who only searches."""
    code = "import sys, indexer.providers.http; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
