"""Services that echo: in every text of every answer they say the key that they were asked with, in some spelling."""

from __future__ import annotations

import base64
import io
import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from indexer import providers
from indexer.domain.errors import CaptionaryError
from indexer.domain.job import Job, JobState
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question, Request
from indexer.providers.door import behind_door
from indexer.providers.options import defaults
from indexer.providers.redaction import secrets_of
from indexer.providers.seam import BatchFile, Catalogue, Provider
from indexer.providers.spec import Opening
from tests.attack.tally import Tally
from tests.support.hostile import saved, scene

KEY = "Echoed+key/0123456789abcdef"
_LIKE_A_KEY = "sk-proj-abcdef0123456789abcd"
SPELLINGS: dict[str, str] = {
    "as it is": KEY,
    "in an address": quote(KEY, safe=""),
    "in base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "in other letters": KEY.upper(),
    "as another key": _LIKE_A_KEY,
    "escaped": KEY,
}
_STATUSES = (200, 200, 200, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 302)
_SHOPS = {
    "gemini": ("GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "mistral": ("MISTRAL_API_KEY", "MISTRAL_BASE_URL"),
    "deepseek": ("DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
    "openrouter": ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"),
    "compatible": ("CAPTIONARY_COMPATIBLE_API_KEY", "CAPTIONARY_COMPATIBLE_URL"),
}
_LINE = "00000000000000000001-0a1b2c-1"
_OTHERS: tuple[Any, ...] = (None, True, 0, -1, 1.5, 1e308, 10**30, "", "x", "9" * 5000, [], [None], [[]], {}, {"a": {}})
_OTHERS += ("\ud800", "2026-13-45T99:99:99Z", float("nan"), float("inf"), [1], "\x00")
_JOBS = {"gemini": "batches/abc123", "openai": "batch_abc123", "anthropic": "msgbatch_abc123", "mistral": "abc123"}


def _answer(words: str) -> dict[str, Any]:
    """Every field of every service at once: whoever reads it finds its own, full of `words`."""
    told = json.dumps({"description": words, "tags": [words], "visible_text": words, "more": {words: [words]}})
    text = [{"type": "text", "text": told}]
    error = {"message": words, "code": words, "type": words, "status": words, "details": [{"reason": words}]}
    choice = {"message": {"content": told, "refusal": words}, "finish_reason": words, "error": error}
    parts = {"parts": [{"text": told}]}
    candidate = {"content": parts, "finishReason": words, "finishMessage": words}
    return {
        **dict.fromkeys(("model", "modelVersion", "status", "display_name", "displayName", "message"), words),
        **dict.fromkeys(("detail", "stop_reason", "state", "processing_status", "type", "object"), words),
        "id": "abc123",
        "name": "batches/abc123",
        "file": {"name": "files/abc123", "state": words, "displayName": words},
        "done": True,
        "error": error,
        "errors": {"data": [error]},
        "choices": [choice],
        "candidates": [candidate],
        "promptFeedback": {"blockReason": words, "blockReasonMessage": words},
        "content": text,
        "metadata": {"state": words, "displayName": words, "output": {"responsesFile": "files/abc123"}, "label": words},
        "output_file_id": "file-abc123",
        "created_at": 1_764_000_000,
        "createTime": "2026-11-26T20:00:00Z",
        "ended_at": "2026-11-26T20:00:00Z",
        "completed_at": 1_764_000_000,
        "expires_at": "2026-11-26T20:00:00Z",
        "request_counts": {"total": 1, "completed": 1, "failed": 0, "succeeded": 1, "errored": 0, "processing": 0},
        "batchStats": {"requestCount": "1", "successfulRequestCount": "1"},
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "promptTokensDetails": [{"tokenCount": 1}]},
        "total_requests": 1,
        "succeeded_requests": 1,
        "input_files": ["file-abc123"],
        "results_url": "/results",
        "sizeBytes": "1",
        "size_bytes": 1,
        "output_file": "file-abc123",
        "error_file": "file-abc123",
        "pricing": {"prompt": "0.1", "completion": "0.1"},
        "architecture": {"input_modalities": ["image"]},
        "supported_parameters": ["structured_outputs"],
        "context_length": 1,
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "input_tokens": 1, "output_tokens": 1},
    }


def _lines(words: str) -> Iterator[dict[str, Any]]:
    """Result lines of every service, answers and errors."""
    answer = _answer(words)
    for key in ({"key": _LINE}, {"custom_id": _LINE}):
        yield {**key, "response": answer}
        yield {**key, "response": {"status_code": 200, "body": answer}, "error": None}
        yield {**key, "response": {"status_code": 500, "body": answer}}
        yield {**key, "response": None, "error": answer["error"]}
        yield {**key, "result": {"type": "succeeded", "message": {**answer, "content": answer["content"]}}}
        yield {**key, "result": {"type": "errored", "error": {"type": words, "error": answer["error"]}}}
        yield {**key, "response": {"promptFeedback": answer["promptFeedback"]}}


class _Echo(BaseHTTPRequestHandler):
    """Answers each request as the server's `status` and `spelling` say."""

    server: _Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        words, escaped = f"I know {SPELLINGS[self.server.spelling]}", self.server.spelling == "escaped"
        if any(mark in self.path for mark in ("/content", ":download", "/results")):
            lines = (json.dumps(self._twisted(line)) for line in _lines(words))
            body = "\n".join([*lines, f"not JSON, {words}"])
        else:
            one = _answer(words)
            many = {name: [one] for name in ("data", "models", "operations", "jobs", "batches")}
            body = json.dumps(self._twisted({**one, **many}))
        if escaped:
            body = body.replace(KEY, "".join(f"\\u{ord(sign):04X}" for sign in KEY))
        self.send_response(self.server.status, words if self.server.spelling == "as it is" else None)
        self.send_header("Location", f"{self.path}/again?key={quote(words)}")
        self.send_header("X-Goog-Upload-Url", f"http://{self.headers.get('host')}/upload")
        self.send_header("X-Goog-Upload-Status", "final")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def _twisted(self, value: Any) -> Any:
        """The same with some values of other kinds, when the server is in that mood."""
        if self.server.odd and self.server.dice.random() < self.server.odd:
            return self.server.dice.choice(_OTHERS)
        if isinstance(value, dict):
            return {name: self._twisted(each) for name, each in value.items()}
        return [self._twisted(each) for each in value] if isinstance(value, list) else value

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


class _Server(ThreadingHTTPServer):
    status, spelling, odd = 200, "as it is", 0.0
    dice = random.Random()


@contextmanager
def _echoing() -> Iterator[tuple[_Server, str]]:
    server = _Server(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def echoes(work: Path, rounds: int, seed: int) -> Tally:
    """Ask every provider for everything, so often; nothing that it returns, raises or writes holds the key."""
    tally, dice = Tally("echoes"), random.Random(seed)
    work.mkdir(exist_ok=True)
    with _echoing() as (server, url):
        for name, (variable, address) in _SHOPS.items():
            environ = {variable: KEY, address: url}
            spec = providers.spec(name)
            options = defaults(spec)
            where = {"url": url} if "url" in options else {}
            opened = spec.open(Opening(environ, {**options, **where}, lambda _: None))
            guarded = behind_door(opened, secrets_of(environ))
            for _ in range(rounds):
                server.dice, server.odd = dice, dice.choice((0.0, 0.05, 0.3))
                server.status, server.spelling = dice.choice(_STATUSES), dice.choice(tuple(SPELLINGS))
                for verb, call in _verbs(guarded, work).items():
                    tally.judge(f"{name} {verb}, HTTP {server.status}, {server.spelling}", _leak(call))
            guarded.close()
    return tally


def _leak(call: Callable[[], object]) -> str:
    """What of a key came through, "" for nothing; an error that is not ours came through as well."""
    with _overheard() as said:
        try:
            found = _texts(call())
        except CaptionaryError as fault:
            chain = [fault, fault.__cause__, fault.__context__]
            found = " ".join(f"{each!r} {getattr(each, 'hint', '')}" for each in chain)
        except Exception as fault:  # noqa: BLE001 - the attack tells of every error that is no word for a person
            return f"{type(fault).__name__}: {fault}"[:300]
    found = f"{found} {said.getvalue()}"
    if not found.isascii() and found != found.encode("utf-8", "replace").decode():
        return f"half a letter, which nothing can store: {found[:300]!r}"
    return next((f"{how}: {found[:300]}" for how, each in SPELLINGS.items() if each in found), "")


def _texts(value: object) -> str:
    """Every text in an answer, as it would be stored."""
    if is_dataclass(value) and not isinstance(value, type):
        return " ".join(_texts(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        return " ".join(_texts(each) for pair in value.items() for each in pair)
    if isinstance(value, list | tuple):
        return " ".join(map(_texts, value))
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def _overheard() -> Iterator[io.StringIO]:
    """What a terminal would show beside: warnings, and logs of every kind."""
    said, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(said), root.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    try:
        with redirect_stderr(said), redirect_stdout(said):
            yield said
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _verbs(provider: Provider, work: Path) -> dict[str, Callable[[], object]]:
    question = Question(provider.spec.name, "a-model", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    request = Request(_LINE, question, saved(scene(), "JPEG"), DEFAULT_TEMPLATE)
    verbs: dict[str, Callable[[], object]] = {"ask": lambda: provider.ask(request), "model": provider.model}
    if isinstance(provider, Catalogue):
        verbs["models"] = provider.models
    batches = provider.batches
    if batches is None:
        return verbs
    name = _JOBS[provider.spec.name]
    path, results = work / "4e5f6a7b.jsonl", work / "results.jsonl"
    path.write_bytes(batches.encode(request) + b"\n")
    shard = BatchFile(path, "captionary-0a1b2c3d-4e5f6a7b-1", question, 1, 0.0, "files/abc", ("files/abc",))
    job = Job(name, JobState.FINISHED, results=("files/abc",), requests=1)

    def fetch() -> object:
        results.unlink(missing_ok=True)
        batches.fetch(job, results)
        raw = results.read_bytes()
        return raw, [batches.decode(line) for line in raw.splitlines()]

    verbs |= {"upload": lambda: batches.upload(shard), "create": lambda: batches.create(shard), "fetch": fetch}
    verbs |= {"find": lambda: batches.find(shard), "poll": lambda: batches.poll(name)}
    verbs |= {"cancel": lambda: batches.cancel(name), "discard": lambda: batches.discard("files/abc")}
    return verbs
