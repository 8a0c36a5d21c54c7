"""Single calls, keys, and what an error may say: never the key."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.answer import Answer, Failure, Reason
from indexer.domain.errors import (
    BadSetting,
    CaptionaryError,
    KeyMissing,
    KeyRefused,
    NoCredit,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    Unreachable,
)
from indexer.domain.job import Job, JobState
from indexer.domain.mode import Mode
from indexer.providers.gemini.adapter import Gemini, GeminiTimeouts, open_gemini
from indexer.providers.google.faults import as_error, read_refusal
from indexer.providers.redaction import redacted_line
from indexer.providers.spec import Opening
from tests.fakes.gemini import Emulator
from tests.support.gemini_rig import (
    KEY,
    NAME,
    Open,
    create,
    find,
    finished,
    request,
    rows,
    upload,
    write_batch,
)
from tests.support.gemini_rig import gemini as gemini
from tests.support.gemini_rig import open_provider as open_provider


def test_an_ordinary_call_sends_what_a_batch_line_would(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The same bytes go either way, so the same answer comes back."""
    asked = gemini.ask(request(0))
    (call,) = emulator.requests("generate")
    assert json.loads(call["body"]) == json.loads(gemini.batches.encode(request(0)))["request"]
    gemini.batches.fetch(finished(gemini, emulator, tmp_path, 1), tmp_path / "results.jsonl")
    assert rows(gemini, tmp_path / "results.jsonl") == [asked]
    assert isinstance(asked.outcome, Answer)
    assert asked.usage is not None


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("401", KeyRefused),
        ("403", KeyRefused),
        ("404", NotFound),
        ("429", RateLimited),
        ("499", Unreachable),
        ("500", Unreachable),
        ("503", Unreachable),
        ("504", Unreachable),
        ("html", Unreachable),
        ("garbage", Unreachable),
        ("empty", Unreachable),
        ("drop", Unreachable),
        ("hang", Unreachable),
    ],
)
def test_a_call_that_fails_is_raised_after_one_try(
    gemini: Gemini, emulator: Emulator, kind: str, error: type[ProviderError]
) -> None:
    """Whether to ask again is the caller's to decide: the photo may have been paid for."""
    emulator.fault("generate", kind, seconds=2)
    with pytest.raises(error) as caught:
        gemini.ask(request(0))
    assert type(caught.value) is error
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert len(emulator.requests("generate")) == 1


def test_a_call_is_told_how_long_to_wait(gemini: Gemini, emulator: Emulator) -> None:
    """The delay stands in the details of a 429."""
    emulator.fault("generate", "quota", retry_seconds=13.5)
    with pytest.raises(RateLimited) as caught:
        gemini.ask(request(0))
    assert caught.value.retry_after == 13.5


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("400", Reason.REJECTED),
        ("block", Reason.BLOCKED),
        ("finish", Reason.BLOCKED),
        ("max_tokens", Reason.TRUNCATED),
        ("half_json", Reason.MALFORMED),
        ("empty_candidates", Reason.MALFORMED),
    ],
)
def test_a_refusal_of_one_photo_is_its_failure(gemini: Gemini, emulator: Emulator, kind: str, reason: Reason) -> None:
    """Other photos may fare better."""
    emulator.fault("generate", kind)
    row = gemini.ask(request(0))
    assert isinstance(row.outcome, Failure)
    assert (row.key, row.outcome.reason) == ("k0", reason)


@pytest.mark.parametrize(
    ("message", "raised"),
    [
        ("Unable to process input image. Please retry or report in https://example.org", False),
        ("Request contains an invalid argument.", False),
        ("Image type image/x is not supported.", False),
        ("User location is not supported for the API use.", True),
        ("Thinking level MINIMAL is not supported for this model.", True),
        ("* GenerateContentRequest.generation_config.response_schema: invalid", True),
    ],
)
def test_what_every_photo_would_meet_is_no_fault_of_one(
    gemini: Gemini, emulator: Emulator, message: str, raised: bool
) -> None:
    """A setting that the model does not take must not fail ten thousand photos one by one."""
    emulator.fault("generate", "400", message=message)
    if raised:
        with pytest.raises(Refused):
            gemini.ask(request(0))
    else:
        assert isinstance(gemini.ask(request(0)).outcome, Failure)


@pytest.mark.parametrize("kind", ["server_field", "fenced", "split_text", "thought", "no_usage"])
def test_an_odd_answer_is_an_answer(gemini: Gemini, emulator: Emulator, kind: str) -> None:
    """The SDK's own models would refuse some of these."""
    emulator.fault("generate", kind)
    row = gemini.ask(request(0))
    assert isinstance(row.outcome, Answer)
    assert (row.usage is None) == (kind == "no_usage")


def test_a_free_key_may_call_until_its_minute_is_full(open_provider: Open, emulator: Emulator) -> None:
    """A free tier's limit by the minute is a wait, not a lack of credit."""
    emulator.change(free_requests=1)
    free = open_provider("free-tier")
    assert isinstance(free.ask(request(0)).outcome, Answer)
    with pytest.raises(RateLimited) as caught:
        free.ask(request(1))
    assert caught.value.retry_after is not None


@pytest.mark.parametrize(
    ("key", "error"), [("bad-key", KeyRefused), ("leaked-key", KeyRefused), ("no-credit", NoCredit)]
)
def test_what_is_wrong_with_a_key_or_its_account_is_told_apart(
    open_provider: Open, key: str, error: type[ProviderError]
) -> None:
    """One needs another key, the other a payment."""
    with pytest.raises(error) as caught:
        open_provider(key).ask(request(0))
    assert caught.value.hint


def test_many_threads_share_one_provider(gemini: Gemini, emulator: Emulator) -> None:
    """The client is made once, and every answer belongs to its question."""
    with ThreadPoolExecutor(8) as pool:
        answered = list(pool.map(lambda index: gemini.ask(request(index)), range(16)))
    assert [row.key for row in answered] == [f"k{index}" for index in range(16)]
    assert all(isinstance(row.outcome, Answer) for row in answered)


def test_a_provider_that_was_closed_opens_again(gemini: Gemini) -> None:
    """Closing lets connections go, not the provider."""
    gemini.ask(request(0))
    gemini.close()
    assert isinstance(gemini.ask(request(0)).outcome, Answer)


SECRET = "very-secret-0123456789"

Step = Callable[[Gemini, Path], object]
JOB = Job("batches/" + "x" * 36, JobState.FINISHED)
STEPS: dict[str, tuple[str, Step]] = {
    "upload": ("upload_start", lambda it, folder: upload(it, write_batch(it, folder / "a.jsonl", 1), NAME)),
    "create": ("create", lambda it, folder: create(it, "files/abc", NAME)),
    "find": ("list", lambda it, folder: find(it, NAME)),
    "poll": ("get", lambda it, folder: it.batches.poll(JOB.name)),
    "fetch": ("download", lambda it, folder: it.batches.fetch(JOB, folder / "results.jsonl")),
    "cancel": ("cancel", lambda it, folder: it.batches.cancel(JOB.name)),
    "discard": ("file_delete", lambda it, folder: it.batches.discard("files/abc")),
    "ask": ("generate", lambda it, folder: it.ask(request(0))),
}
ECHO = f"Consumer 'api_key:{SECRET}' with the key {SECRET} has been suspended."


LEAKS = [
    (step, kind)
    for step in STEPS
    for kind in ("403", "503", "garbage", "drop", "unreachable")
    # The answer to a cancellation says nothing, so nothing is read from it.
    if (step, kind) != ("cancel", "garbage")
]


@pytest.mark.parametrize(("step", "kind"), LEAKS)
def test_no_error_holds_the_key(
    open_provider: Open,
    emulator: Emulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    step: str,
    kind: str,
) -> None:
    """Neither text nor representation, chain, traceback nor log, even when the service itself repeats the key."""
    route, act = STEPS[step]
    if kind == "unreachable":
        provider = Gemini(SECRET, "http://127.0.0.1:9", timeouts=GeminiTimeouts(1, 1, 1, 1), sleep=lambda _: None)
    else:
        emulator.fault(route, kind, message=ECHO)
        provider = open_provider(SECRET)
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as caught:
        act(provider, tmp_path)
    provider.close()
    error = caught.value
    said = [str(error), repr(error), error.hint, repr(error.args), repr(vars(error)), repr(provider)]
    said += traceback.format_exception(error)
    said += [record.getMessage() for record in caplog.records]
    assert not [text for text in said if SECRET in text]
    assert error.__cause__ is None
    assert error.__context__ is None or isinstance(error.__context__, CaptionaryError)


class _Elsewhere(BaseHTTPRequestHandler):
    """A host that a redirect leads to; it writes down what it is told."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        """Answer with an empty file."""
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Another host, and the headers that it was sent."""
    handler = type("Handler", (_Elsewhere,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", handler.seen  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_a_redirect_to_another_host_does_not_take_the_key_along(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, elsewhere: tuple[str, list[dict[str, str]]]
) -> None:
    """The connection pool strips only `Authorization` by itself."""
    url, seen = elsewhere
    job = finished(gemini, emulator, tmp_path)
    emulator.fault("download", "status", status=302)
    emulator.fault("download", "headers", Location=url)
    gemini.batches.fetch(job, tmp_path / "results.jsonl")
    assert seen
    assert all("x-goog-api-key" not in headers for headers in seen)
    assert all(KEY not in str(headers) for headers in seen)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"GEMINI_API_KEY": "two"}, "two"),
        ({"GOOGLE_API_KEY": "one", "GEMINI_API_KEY": "two"}, "one"),
        ({"GOOGLE_API_KEY": "  ", "GEMINI_API_KEY": " two\n"}, "two"),
    ],
)
def test_the_key_comes_from_the_environment(emulator: Emulator, environ: dict[str, str], key: str) -> None:
    """GOOGLE_API_KEY wins, blanks do not count, and the other host is heeded."""
    provider = open_gemini(Opening({**environ, "GOOGLE_GEMINI_BASE_URL": emulator.url + "/"}))
    provider.ask(request(0))
    provider.close()
    assert list(emulator.books()["keys"]) == [Emulator.fingerprint(key)]


@pytest.mark.parametrize("environ", [{}, {"GEMINI_API_KEY": ""}, {"GOOGLE_API_KEY": " "}])
def test_without_a_key_the_variable_is_named(environ: dict[str, str]) -> None:
    """And so is the page where keys are made."""
    with pytest.raises(KeyMissing) as caught:
        open_gemini(Opening(environ))
    assert "GEMINI_API_KEY" in str(caught.value)
    assert "https://aistudio.google.com/apikey" in caught.value.hint


@pytest.mark.parametrize("key", ["ke y", "schlüssel", "line\nbreak", "tab\there"])
def test_a_key_that_no_header_can_carry_is_refused_unsaid(key: str) -> None:
    """Whoever tried to send it would quote it."""
    with pytest.raises(KeyRefused) as caught:
        open_gemini(Opening({"GEMINI_API_KEY": key}))
    assert key not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host/", "https://", "file:///etc"])
def test_a_base_that_is_no_web_address_is_refused(url: str) -> None:
    """The message names the variable."""
    with pytest.raises(BadSetting, match="GOOGLE_GEMINI_BASE_URL"):
        open_gemini(Opening({"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url}))


def test_opening_loads_no_sdk_and_opens_no_socket() -> None:
    """A keyless or dry run must stay light and silent."""
    code = """
import socket, sys
def refuse(*args, **kwargs): raise AssertionError("a socket was opened")
socket.socket = refuse
from indexer.providers.gemini.adapter import open_gemini
from indexer.providers.spec import Opening
provider = open_gemini(Opening({"GEMINI_API_KEY": "k"}))
provider.batches.limits(provider.spec.default_model)
provider.batches.decode(b"{}")
print(sorted(name for name in sys.modules if name.split(".")[0] in ("google", "httpx2", "pydantic", "numpy")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("code", "payload", "error"),
    [
        (429, "You exceeded your current quota, please check your plan and billing details.", RateLimited),
        (429, "Quota exceeded for metric: x/free_tier_requests, limit: 10", RateLimited),
        (429, "Quota exceeded for metric: x/batch_free_tier, limit: 0", NoCredit),
        (429, "Your prepayment credits are depleted.", NoCredit),
        (400, "Gemini API free tier is not available in your country. Please enable billing.", NoCredit),
        (403, "This API method requires billing to be enabled.", NoCredit),
        (400, "API key not valid. Please pass a valid API key.", KeyRefused),
        (400, "API key expired. Please renew the API key.", KeyRefused),
        (403, "Your API key was reported as leaked.", KeyRefused),
        (403, "You do not have permission to access the File abc or it may not exist.", NotFound),
        (408, "", Unreachable),
        (204, "", Unreachable),
    ],
)
def test_the_words_of_the_service_decide(code: int, payload: str, error: type[ProviderError]) -> None:
    """Quota, credit and keys share codes, and every plain quota mentions billing."""
    made = as_error("ask", read_refusal(code, {"error": {"code": code, "message": payload}}), "key")
    assert type(made) is error
    assert f"HTTP {code}" in str(made)


@pytest.mark.parametrize("payload", [None, [], [7], "text", {"error": "text"}, {"error": {"details": [1, {}]}}, 5])
def test_error_bodies_of_any_shape_are_read(payload: object) -> None:
    """Proxies answer what they like."""
    assert "HTTP 502" in str(as_error("ask", read_refusal(502, payload), "key"))


def test_what_looks_like_a_key_is_struck_out() -> None:
    """Ours, and that of somebody else in the same message; control characters go as well."""
    text = redacted_line("key k-1 and AIzaSyA1234567890abc\n\x1b[31m and api_key:xyz.", "k-1")
    assert text == "key [key] and [key] [31m and api_key:[key]"


def test_the_lanes_are_batch_then_interactive() -> None:
    """The first is the default."""
    assert Gemini.spec.modes == (Mode.BATCH, Mode.INTERACTIVE)
