"""OpenAI at work: single calls in the chat shape, and batches of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from indexer.domain.answer import Row
from indexer.domain.errors import BadSetting, NotFound, Unreachable
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.mode import Mode
from indexer.domain.question import Question, Request
from indexer.providers import chat, job_calls, jsonl
from indexer.providers.chat_calls import ask, decode, upload
from indexer.providers.http import Http
from indexer.providers.keyed import open_keyed
from indexer.providers.openai import SPEC
from indexer.providers.openai.check import check_file
from indexer.providers.openai.strictness import schema_faults
from indexer.providers.seam import BatchFile, Match, oldest_first
from indexer.providers.spec import Opening
from indexer.providers.strict_schema import strict

BASE_URL = "https://api.openai.com/v1"
_ENDPOINT = "/v1/chat/completions"
_KEY_PAGE = "https://platform.openai.com/api-keys"
_FLEX_PATIENCE = 900.0
_MARGIN = 0.9
_BYTES, _LINES = 200_000_000, 50_000
_QUEUED_TOKENS = 2_000_000  # of a new account; a full queue is found out and waited for
_LABEL = "captionary"
_FORM = {"purpose": "batch", "expires_after[anchor]": "created_at", "expires_after[seconds]": str(14 * 86_400)}
_CLOCKS_APART = 3600.0  # our clock and the service's
_MOST_PAGES = 500
_FILE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_STATES = {
    "validating": JobState.QUEUED,
    "in_progress": JobState.RUNNING,
    "finalizing": JobState.RUNNING,
    "cancelling": JobState.RUNNING,
    "completed": JobState.FINISHED,
    "failed": JobState.FAILED,
    "expired": JobState.EXPIRED,
    "cancelled": JobState.CANCELLED,
}


class OpenAI:
    """The OpenAI provider; see `indexer.providers.seam` for what each verb promises."""

    spec = SPEC

    def __init__(self, http: Http) -> None:
        self._http = http
        self.batches = OpenAIBatches(http)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names()

    def check(self, question: Question) -> str:
        """Return why every request would be refused, "" when nothing is known against it."""
        try:
            schema = strict(question.schema)
        except BadSetting as fault:
            return str(fault)
        faults = schema_faults(schema, "the answer schema")
        return next((f"{at} {problem}; {fix}" for at, problem, fix in faults), "")

    def ask(self, request: Request) -> Row:
        """Ask one call, at the flex or the standard tier."""
        flex = request.mode is Mode.FLEX
        timeout = _FLEX_PATIENCE if flex else self._http.timeouts.ask
        body = chat.body(request, _dialect(request))
        return ask(self._http, request.key, body, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class OpenAIBatches:
    """OpenAI's batches: an uploaded file, a job with metadata, a file of answers and one of errors."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def limits(self, model: str) -> Limits:
        """What one batch may hold, less ten percent."""
        return Limits(int(_BYTES * _MARGIN), _LINES, _QUEUED_TOKENS)

    def encode(self, request: Request) -> bytes:
        """Return the request as a batch line."""
        key = json.dumps(request.key).encode("ascii")
        body = chat.body(request, _dialect(request))
        return b"".join(
            (b'{"custom_id":', key, b',"method":"POST","url":"', _ENDPOINT.encode(), b'","body":', body, b"}")
        )

    def decode(self, line: bytes) -> Row:
        """Read a line of the output or the error file; never raises."""
        return decode(line)

    def upload(self, shard: BatchFile) -> str:
        """Send the batch file and return its id."""
        job_calls.refuse_faults(shard, check_file(shard.path))
        found = self._http.patiently(lambda: upload(self._http, shard, _FORM))
        size = found.get("bytes")
        if size not in (None, shard.path.stat().st_size):
            raise Unreachable(
                f"the service holds {size} bytes of the batch file, not all of it", hint="try again later"
            )
        return _handle(found)

    def create(self, shard: BatchFile) -> Job:
        """Create the job, once."""
        body = {
            "input_file_id": shard.handle,
            "endpoint": _ENDPOINT,
            "completion_window": "24h",
            "metadata": {_LABEL: shard.label},
        }
        made = self._http.post("create the batch job", "batches", body).json("create the batch job")
        return job_calls.created(read_job(made))

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the jobs whose metadata carry the shard's label, oldest first."""
        found: dict[str, Job] = {}
        after = ""
        for _ in range(_MOST_PAGES):
            page = self._http.get("list the batch jobs", f"batches?limit=100{after}")
            entries = page.get("data")
            entries = entries if isinstance(entries, list) else []
            jobs = [job for job in map(read_job, entries) if job is not None]
            found |= {job.name: job for job in jobs if job.display_name == shard.label}
            if jobs and (jobs[-1].created_at or math.inf) < (shard.earliest_create or 0.0) - _CLOCKS_APART:
                break  # newest first: what follows is older than the shard
            last = entries[-1].get("id") if entries and isinstance(entries[-1], dict) else None
            if not page.get("has_more") or not last:
                break
            after = f"&after={last}"
        return [Match(job) for job in oldest_first(found.values())]

    def poll(self, name: str) -> Job:
        """Return the job as it stands."""
        return job_calls.polled(read_job(self._http.get("look at the batch job", f"batches/{_checked(name)}")), name)

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the job; one that has ended already is fine."""
        return job_calls.cancel(self._http, f"batches/{_checked(name)}/cancel", lambda: self.poll(name))

    def fetch(self, job: Job, target: Path) -> None:
        """Stream answers and errors into one file."""
        files = [f"files/{_checked(each)}/content" for each in job.results]
        whole = job.state in (JobState.FINISHED, JobState.EXPIRED)  # a cancelled one lacks what it did not come to
        jsonl.download(self._http, files, target, requests=job.requests if whole else None)

    def discard(self, handle: str) -> None:
        """Delete an uploaded file; one that is gone already is fine."""
        if handle:
            job_calls.delete_file(self._http, f"files/{_checked(handle)}")


def read_job(found: object) -> Job | None:
    """Read a batch object; None where it is none. A state that nobody knows yet counts as running."""
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        return None
    counts, metadata = _part(found, "request_counts"), _part(found, "metadata")
    state = _STATES.get(str(found.get("status")), JobState.RUNNING)
    codes, words = _errors(found.get("errors"))
    files = (found.get("output_file_id"), found.get("error_file_id"))
    return Job(
        name=found["id"],
        state=state,
        display_name=str(metadata.get(_LABEL) or ""),
        input_file=str(found.get("input_file_id") or ""),
        results=tuple(each for each in files if isinstance(each, str) and each),
        requests=chat.count(counts.get("total")) or None,
        succeeded=chat.count(counts.get("completed")),
        failed=chat.count(counts.get("failed")),
        error=words,
        created_at=_moment(found.get("created_at")),
        ended_at=next(filter(None, (_moment(found.get(f"{end}_at")) for end in _ENDS)), None),
        queue_full=state is JobState.FAILED and "token_limit_exceeded" in codes,
    )


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


_ENDS = ("completed", "failed", "expired", "cancelled")


def _errors(errors: object) -> tuple[set[str], str]:
    told = errors.get("data") if isinstance(errors, dict) else None
    entries = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    words = "; ".join(
        f"{each.get('message') or each.get('code')}" + (f" (line {each['line']})" if each.get("line") else "")
        for each in entries[:3]
    )
    return {str(each.get("code")) for each in entries}, words[:500]


def _dialect(request: Request) -> chat.Dialect:
    low = request.question.settings.media_resolution == "low"
    thinks = request.question.model.startswith(("gpt-5", "gpt-6", "o"))
    return chat.Dialect(
        room="max_completion_tokens", detail="low" if low else "high", temperature=not thinks, extra=_extra
    )


def _extra(request: Request) -> dict[str, Any]:
    model, thinking = request.question.model, request.question.settings.thinking
    extra: dict[str, Any] = {}
    if model.startswith(("gpt-5", "gpt-6", "o")) and thinking != "default":
        least = "minimal" if re.match(r"gpt-5(?:-|$)", model) else "none"
        extra["reasoning_effort"] = least if thinking == "minimal" else thinking
    if request.mode is Mode.FLEX:
        extra["service_tier"] = "flex"
    return extra


def _handle(found: Mapping[str, Any]) -> str:
    handle = found.get("id")
    if not isinstance(handle, str) or not handle:
        raise Unreachable("could not upload the batch file: the answer names no file", hint="try again later")
    return handle


def _checked(name: str) -> str:
    """A name from a result or a ledger becomes part of an address only when it is a plain one."""
    if not _FILE_ID.fullmatch(name):
        raise NotFound(f"{name[:90]!r} is not a name that the service gives")
    return name


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def open_openai(opening: Opening) -> OpenAI:
    """Return the provider that the environment describes: OPENAI_API_KEY, OPENAI_BASE_URL (with /v1)."""
    return OpenAI(open_keyed(opening, SPEC, ("OpenAI", BASE_URL, _KEY_PAGE)))
