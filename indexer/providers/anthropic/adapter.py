"""Anthropic at work. Its batches have no label: a lost one is found by time and size and proven by its results."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.domain.answer import Answer, Failure, Handling, Reason, Row, Usage
from indexer.domain.errors import BadSetting, NotFound, Refused, Unsendable
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.prompts import facts_asked
from indexer.domain.question import Question, Request
from indexer.providers import job_calls, jsonl
from indexer.providers.answer import one_line, read_answer
from indexer.providers.anthropic import SPEC
from indexer.providers.anthropic.check import check_file
from indexer.providers.chat import count
from indexer.providers.http import Http
from indexer.providers.keyed import open_keyed
from indexer.providers.moments import moment
from indexer.providers.rates import room_left
from indexer.providers.seam import BatchFile, Inline, Unlabelled
from indexer.providers.spec import Opening
from indexer.providers.strict_schema import strict
from indexer.providers.tokens import text_tokens

BASE_URL = "https://api.anthropic.com"
_VERSION = "2023-06-01"
_KEY_PAGE = "https://platform.claude.com/settings/keys"
_MARGIN = 0.9
_BYTES, _LINES = 256_000_000, 100_000
_QUEUED_TOKENS, _QUEUED = 2**50, 200_000  # requests are what queues, so many of a new account; 429 tells it is full
_SKEW = 900.0  # seconds by which the service's clock may differ from ours
_MOST_PAGES = 100
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_CACHED_FROM = (("claude-haiku-4", 4096), ("claude-opus-4", 4096), ("claude-haiku", 2048), ("claude", 1024))
_TEMPERED = re.compile(r"-4(?:-|$)")  # later models choose it themselves: the API's own client knows no such field
_CREDIT = "credit balance is too low"
_REFUSED = ("invalid_request_error", "not_found_error", "request_too_large")


class Anthropic:
    """The Anthropic provider; see `indexer.providers.seam` for what each verb promises."""

    spec = SPEC

    def __init__(self, http: Http) -> None:
        self._http = http
        self.batches = AnthropicBatches(http)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names("v1/models?limit=1000")

    def check(self, question: Question) -> str:
        """Return why every request would be refused, "" when nothing is known against it."""
        try:
            strict(question.schema)
        except BadSetting as fault:
            return str(fault)
        return ""

    def ask(self, request: Request) -> Row:
        """Ask one call; a refusal of this photo is a `Failure`, what all would meet is raised."""
        what = "describe the photo"
        try:
            said = self._http.send(
                what, "POST", "v1/messages", content=params(request), timeout=self._http.timeouts.ask
            )
        except (NotFound, Unsendable):
            raise
        except Refused as refusal:
            if "image" not in str(refusal):
                raise
            return Row(request.key, Failure(Reason.REJECTED, str(refusal)))
        outcome, usage = _read_message(said.json(what))
        return Row(request.key, outcome, usage, room_left(said.headers, usage))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class AnthropicBatches(Inline, Unlabelled):
    """Anthropic's message batches: the requests travel with the creation, the results come from an address."""

    def __init__(self, http: Http) -> None:
        super().__init__()
        self._http = http

    def limits(self, model: str) -> Limits:
        """What one batch may hold, less ten percent."""
        return Limits(int(_BYTES * _MARGIN), _LINES, _QUEUED_TOKENS, _QUEUED)

    def encode(self, request: Request) -> bytes:
        """Return the request as a batch line."""
        key = json.dumps(request.key).encode("ascii")
        return b"".join((b'{"custom_id":', key, b',"params":', params(request), b"}"))

    def decode(self, line: bytes) -> Row:
        """Read a result line; never raises."""
        key, found = jsonl.read_line(line)
        result = found.get("result") if found else None
        if not isinstance(result, dict):
            return Row(key, Failure(Reason.MALFORMED, "the result line cannot be read"))
        kind, message = result.get("type"), result.get("message")
        if kind == "succeeded" and isinstance(message, dict):
            outcome, usage = _read_message(message)
            return Row(key, outcome, usage)
        if kind == "expired":
            return Row(key, Failure(Reason.EXPIRED, "the batch expired before this photo's turn"))
        if kind == "canceled":
            return Row(key, Failure(Reason.MISSING, "the batch was cancelled before this photo's turn", Handling.AGAIN))
        return Row(key, _read_error(result.get("error")))

    def create(self, shard: BatchFile) -> Job:
        """Create the batch, once; its requests are streamed from the file."""
        job_calls.refuse_faults(shard, check_file(shard.path))
        what = "create the batch job"
        length = shard.path.stat().st_size + len(_HEAD) + len(_TAIL) - 1
        said = self._http.send(
            what,
            "POST",
            "v1/messages/batches",
            content=_requests(shard.path),
            headers={"Content-Length": str(length)},
            timeout=self._http.timeouts.upload,
        )
        return job_calls.created(_read_job(said.json(what)))

    def candidates(self, shard: BatchFile) -> Iterator[Job]:
        """Yield the batches of this size made since the creation that was lost."""
        if shard.earliest_create is not None:
            found = self._since(shard.earliest_create - _SKEW)
            yield from (job for job in found if job.requests in (None, shard.requests))

    def poll(self, name: str) -> Job:
        """Return the batch as it stands."""
        found = self._http.get("look at the batch job", f"v1/messages/batches/{_checked(name)}")
        return job_calls.polled(_read_job(found), name)

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the batch; one that has ended already is fine."""
        return job_calls.cancel(self._http, f"v1/messages/batches/{_checked(name)}/cancel", lambda: self.poll(name))

    def fetch(self, job: Job, target: Path) -> None:
        """Stream the results; every request of an ended batch has one."""
        addresses = job.results or (f"v1/messages/batches/{_checked(job.name)}/results",)
        jsonl.download(self._http, addresses, target, requests=job.requests)

    def _since(self, since: float) -> Iterator[Job]:
        """The batches made since then, the newest first."""
        after = ""
        for _ in range(_MOST_PAGES):
            page = self._http.get("list the batches", f"v1/messages/batches?limit=100{after}")
            entries = page.get("data")
            entries = entries if isinstance(entries, list) else []
            for job in filter(None, map(_read_job, entries)):
                if job.created_at is not None and job.created_at < since:
                    return
                yield job
            last = page.get("last_id")
            if not page.get("has_more") or not last:
                return
            after = f"&after_id={last}"


_HEAD, _TAIL = b'{"requests":[', b"]}"


def _requests(path: Path) -> Iterator[bytes]:
    """The body of a creation: the lines of the file with commas between them."""
    yield _HEAD
    with path.open("rb") as stream:
        before = next(stream, b"").rstrip(b"\n")
        for line in stream:
            yield before + b","
            before = line.rstrip(b"\n")
        yield before
    yield _TAIL


def params(request: Request) -> bytes:
    """Return the parameters of one message. A prompt that all photos share stands in `system`, where it is cached."""
    question = request.question
    settings = question.settings
    image = {"type": "image", "source": {"type": "base64", "media_type": request.mime_type, "data": "@picture@"}}
    shared = not facts_asked(question.template)
    text: dict[str, Any] = {"type": "text", "text": request.prompt}
    if shared and text_tokens(request.prompt + question.schema) >= _cached_from(question.model):
        text["cache_control"] = {"type": "ephemeral", "ttl": "1h"}
    asked = {"type": "text", "text": "Describe this picture." if shared else request.prompt}
    told: dict[str, Any] = {
        "model": question.model,
        "max_tokens": request.max_output_tokens or settings.max_output_tokens,
        **({"temperature": settings.temperature} if _TEMPERED.search(question.model) else {}),
        **({"system": [text]} if shared else {}),
        "messages": [{"role": "user", "content": [image, asked]}],
        "output_config": {"format": {"type": "json_schema", "schema": strict(question.schema)}},
    }
    before, _, after = json.dumps(told, separators=(",", ":")).encode("ascii").rpartition(b"@picture@")
    return b"".join((before, binascii.b2a_base64(request.image, newline=False), after))


def _cached_from(model: str) -> int:
    """The least tokens of a prefix that this model caches."""
    return next(least for start, least in _CACHED_FROM if model.startswith(start) or start == "claude")


def _read_message(found: Mapping[str, Any]) -> tuple[Answer | Failure, Usage | None]:
    usage = _read_usage(found.get("usage"))
    stop = found.get("stop_reason")
    parts = found.get("content")
    texts = [
        part["text"]
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
    ]
    if stop == "refusal":
        return Failure(Reason.BLOCKED, "the model refused to describe it"), usage
    model = found.get("model")
    try:
        return read_answer("".join(texts), model if isinstance(model, str) else ""), usage
    except ValueError as problem:
        if stop == "max_tokens":
            return Failure(Reason.TRUNCATED, "the answer was cut off at the output limit"), usage
        return Failure(Reason.MALFORMED, one_line(str(problem))), usage


def _read_usage(usage: object) -> Usage | None:
    told = usage if isinstance(usage, dict) else {}
    asked = count(told.get("input_tokens"))
    if asked is None:
        return None
    read, written, output = (
        count(told.get(name)) or 0
        for name in ("cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    )
    return Usage(asked + read + written, output, cached_tokens=read, cache_write_tokens=written)


def _read_error(error: object) -> Failure:
    inner = error.get("error", error) if isinstance(error, dict) else {}
    inner = inner if isinstance(inner, dict) else {}
    kind, words = str(inner.get("type") or ""), one_line(str(inner.get("message") or ""))
    detail = f"{words or 'the service gave no reason'} ({kind or 'error'})"
    if _CREDIT in words or kind in ("authentication_error", "billing_error"):
        return Failure(Reason.REJECTED, detail, Handling.PAUSE)
    return Failure(Reason.REJECTED if kind in _REFUSED else Reason.SERVER_ERROR, detail)


def _read_job(found: object) -> Job | None:
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        return None
    counts = found.get("request_counts")
    told = {name: n for name, n in counts.items() if count(n) is not None} if isinstance(counts, dict) else {}
    served = told.get("succeeded", 0) + told.get("errored", 0)
    state = JobState.RUNNING
    if found.get("processing_status") == "ended":
        lost = {told.get("expired", 0): JobState.EXPIRED, told.get("canceled", 0): JobState.CANCELLED}
        state = JobState.FINISHED if served or not any(lost) else lost[max(lost)]
    address = found.get("results_url")
    return Job(
        name=found["id"],
        state=state,
        results=(address,) if address and isinstance(address, str) else (),
        requests=sum(told.values()) or None,
        succeeded=told.get("succeeded"),
        failed=told.get("errored"),
        created_at=moment(found.get("created_at")),
        ended_at=moment(found.get("ended_at")),
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotFound(f"{name[:90]!r} is not the name of a batch")
    return name


def open_anthropic(opening: Opening) -> Anthropic:
    """Return the provider that the environment describes: ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL (without /v1)."""
    return Anthropic(open_keyed(opening, SPEC, ("Anthropic", BASE_URL, _KEY_PAGE), _headers))


def _headers(key: str) -> dict[str, str]:
    return {"x-api-key": key, "anthropic-version": _VERSION}
