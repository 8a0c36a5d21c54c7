"""Mistral at work: single calls in the chat shape, and batch jobs that carry a label."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from indexer.domain.answer import Row
from indexer.domain.errors import BadSetting, NotFound, Unreachable
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.question import Question, Request
from indexer.providers import chat, job_calls, jsonl
from indexer.providers.chat_calls import ask, decode, upload
from indexer.providers.http import Http
from indexer.providers.keyed import open_keyed
from indexer.providers.mistral import SPEC
from indexer.providers.mistral.check import check_file
from indexer.providers.seam import BatchFile, Match, oldest_first
from indexer.providers.spec import Opening
from indexer.providers.strict_schema import strict

BASE_URL = "https://api.mistral.ai"
_KEY_PAGE = "https://console.mistral.ai/api-keys"
_ENDPOINT = "/v1/chat/completions"
_MARGIN = 0.9
_BYTES, _LINES = 512_000_000, 1_000_000
_QUEUED_TOKENS, _QUEUED = 2**50, 1_000_000  # requests are what queues; a full queue is told with 429
_LABEL = "captionary"
_MOST_HOURS = 7 * 24 - 1
_USUAL_HOURS = 24
_PAGE, _MOST_PAGES = 100, 500
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_STATES = {
    "QUEUED": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "CANCELLATION_REQUESTED": JobState.RUNNING,
    "SUCCESS": JobState.FINISHED,
    "FAILED": JobState.FAILED,
    "TIMEOUT_EXCEEDED": JobState.EXPIRED,
    "CANCELLED": JobState.CANCELLED,
}
_DIALECT = chat.Dialect()


class Mistral:
    """The Mistral provider; see `indexer.providers.seam` for what each verb promises."""

    spec = SPEC

    def __init__(self, http: Http) -> None:
        self._http = http
        self.batches = MistralBatches(http)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def models(self) -> list[str]:
        """Return the names of the models on offer."""
        return self._http.names("v1/models")

    def check(self, question: Question) -> str:
        """Return why every request would be refused, "" when nothing is known against it."""
        try:
            strict(question.schema)
        except BadSetting as fault:
            return str(fault)
        return ""

    def ask(self, request: Request) -> Row:
        """Ask one call."""
        body = chat.body(request, _DIALECT)
        return ask(self._http, request.key, body, path="v1/chat/completions", timeout=self._http.timeouts.ask)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


class MistralBatches:
    """Mistral's batch jobs: an uploaded file, a job with metadata, a file of answers and one of errors."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def limits(self, model: str) -> Limits:
        """What one batch may hold, less ten percent."""
        return Limits(int(_BYTES * _MARGIN), _LINES, _QUEUED_TOKENS, _QUEUED)

    def encode(self, request: Request) -> bytes:
        """Return the request as a batch line; the model stands on the job."""
        key = json.dumps(request.key).encode("ascii")
        return b"".join((b'{"custom_id":', key, b',"body":', chat.body(request, _DIALECT, model=False), b"}"))

    def decode(self, line: bytes) -> Row:
        """Read a line of the output or the error file; never raises."""
        return decode(line)

    def upload(self, shard: BatchFile) -> str:
        """Send the batch file and return its id."""
        job_calls.refuse_faults(shard, check_file(shard.path))
        found = self._http.patiently(lambda: upload(self._http, shard, {"purpose": "batch"}, "v1/files"))
        handle = found.get("id")
        if not isinstance(handle, str) or not handle:
            raise Unreachable("could not upload the batch file: the answer names no file", hint="try again later")
        return handle

    def create(self, shard: BatchFile) -> Job:
        """Create the job, once."""
        # An hour more than wished: at the deadline the job is cancelled and what it lacks is asked by call; a job that
        # timed out before would have failed.
        hours = _USUAL_HOURS if shard.deadline is None else math.ceil(shard.deadline / 3600) + 1
        body = {
            "endpoint": _ENDPOINT,
            "input_files": [shard.handle],
            "model": shard.question.model,
            "metadata": {_LABEL: shard.label},
            "timeout_hours": min(max(hours, 1), _MOST_HOURS),
        }
        made = self._http.post("create the batch job", "v1/batch/jobs", body).json("create the batch job")
        return job_calls.created(_read_job(made))

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the jobs whose metadata carry the shard's label, oldest first."""
        found: dict[str, Job] = {}
        for page in range(_MOST_PAGES):
            told = self._http.get("list the batch jobs", f"v1/batch/jobs?page={page}&page_size={_PAGE}")
            entries = told.get("data")
            entries = entries if isinstance(entries, list) else []
            for job in filter(None, map(_read_job, entries)):
                if job.display_name == shard.label:
                    found[job.name] = job
            if len(entries) < _PAGE:
                break
        return [Match(job) for job in oldest_first(found.values())]

    def poll(self, name: str) -> Job:
        """Return the job as it stands."""
        found = self._http.get("look at the batch job", f"v1/batch/jobs/{_checked(name)}")
        return job_calls.polled(_read_job(found), name)

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the job; one that has ended already is fine."""
        return job_calls.cancel(self._http, f"v1/batch/jobs/{_checked(name)}/cancel", lambda: self.poll(name))

    def fetch(self, job: Job, target: Path) -> None:
        """Stream answers and errors into one file."""
        jsonl.download(self._http, [f"v1/files/{_checked(each)}/content" for each in job.results], target)

    def discard(self, handle: str) -> None:
        """Delete an uploaded file; one that is gone already is fine."""
        if handle:
            job_calls.delete_file(self._http, f"v1/files/{_checked(handle)}")


def _read_job(found: object) -> Job | None:
    """Read a job; a state that nobody knows yet counts as running."""
    if not isinstance(found, dict) or not isinstance(found.get("id"), str):
        return None
    metadata, inputs, errors = found.get("metadata"), found.get("input_files"), found.get("errors")
    told = errors[:3] if isinstance(errors, list) else []
    words = "; ".join(str(each.get("message")) for each in told if isinstance(each, dict))
    files = (found.get("output_file"), found.get("error_file"))
    return Job(
        name=found["id"],
        state=_STATES.get(str(found.get("status")), JobState.RUNNING),
        display_name=str(metadata.get(_LABEL) or "") if isinstance(metadata, dict) else "",
        input_file=str(inputs[0]) if inputs and isinstance(inputs, list) else "",
        results=tuple(each for each in files if isinstance(each, str) and each),
        requests=chat.count(found.get("total_requests")) or None,
        succeeded=chat.count(found.get("succeeded_requests")),
        failed=chat.count(found.get("failed_requests")),
        error=words[:500],
        created_at=_moment(found.get("created_at")),
        ended_at=_moment(found.get("completed_at")),
    )


def _moment(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else None


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotFound(f"{name[:90]!r} is not a name that the service gives")
    return name


def open_mistral(opening: Opening) -> Mistral:
    """Return the provider that the environment describes: MISTRAL_API_KEY, MISTRAL_BASE_URL (without /v1)."""
    return Mistral(open_keyed(opening, SPEC, ("Mistral", BASE_URL, _KEY_PAGE)))
