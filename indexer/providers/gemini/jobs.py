"""The verbs of a Gemini batch: upload, create, find, poll, fetch, cancel, discard.

Steps that change nothing when repeated are tried a few times; `create` is sent exactly once. Jobs are read
from the raw operation: the SDK drops the reason of a failure, the counts and the input file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.domain.errors import NotFound, Refused, Unreachable
from indexer.domain.job import Job
from indexer.providers.answer import one_line
from indexer.providers.bounded import LastLine
from indexer.providers.gemini.operations import BATCH_NAME, read_job, result_file, state_of
from indexer.providers.gemini.service import GeminiService, log, milliseconds
from indexer.providers.google.models import bare
from indexer.providers.seam import oldest_first
from indexer.storage.atomic import whole_file

_PAGE_SIZE = "100"
_MOST_PAGES = 1000
_SAME_TOKEN = 3
_FILE_READY_SECONDS = 120
_AGREEING_DOWNLOADS = 3


def upload(service: GeminiService, path: Path, display_name: str) -> str:
    """Send a batch file and return its handle, `files/...`, once the service holds it whole."""
    return service.patiently(lambda: _upload_once(service, path, display_name))


def _upload_once(service: GeminiService, path: Path, display_name: str) -> str:
    size = path.stat().st_size
    config = {
        "mime_type": "application/jsonl",
        "display_name": display_name,
        "http_options": {"timeout": milliseconds(service.timeouts.upload)},
    }
    # A stream, not a path: the SDK would put the file's name into a header, which must be ASCII.
    with path.open("rb") as stream:
        held = service.calling(
            "upload the batch file",
            lambda: service.sdk().files.upload(file=stream, config=config),  # type: ignore[arg-type]
        )
    if not held.name:
        raise Unreachable("could not upload the batch file: the answer names no file", hint="try again later")
    if held.size_bytes not in (None, size):
        raise Unreachable(
            f"the service holds {held.size_bytes} of the {size} bytes of the batch file",
            hint="try again later",
        )
    if held.state is not None and held.state.value != "ACTIVE":
        _wait_until_active(service, held.name)
    return held.name


def _wait_until_active(service: GeminiService, handle: str) -> None:
    for _ in range(_FILE_READY_SECONDS // 2):
        state = service.get("look at the uploaded file", handle).get("state")
        if state == "FAILED":
            raise Unreachable("the service could not take in the batch file", hint="try again later")
        if state != "PROCESSING":
            return
        service.pause(2.0)
    raise Unreachable("the service is still taking in the batch file", hint="try again later")


def create(service: GeminiService, model: str, input_file: str, display_name: str) -> Job:
    """Create the job with one request; unless this returns, whether it exists is unknown."""
    made = service.calling(
        "create the batch job",
        lambda: service.sdk().batches.create(model=bare(model), src=input_file, config={"display_name": display_name}),
    )
    if not made.name or not BATCH_NAME.fullmatch(made.name):
        raise Unreachable(
            "could not create the batch job: the answer names no job, so whether it exists is unknown",
            hint="run again: the job is looked for before another one is created",
        )
    state = state_of(made.state.value if made.state else "", made.name)
    return Job(made.name, state, display_name=display_name, input_file=input_file)


def find(service: GeminiService, display_name: str) -> list[Job]:
    """Return the jobs of exactly this display name, oldest first, each once."""
    found: dict[str, Job] = {}
    token, seen = "", Counter[str]()
    while seen.total() < _MOST_PAGES:
        page = _page(service, token)
        operations = page.get("operations")
        for operation in operations if isinstance(operations, list) else ():
            job = read_job(operation) if isinstance(operation, dict) else None
            if job is not None and job.display_name == display_name:
                found[job.name] = job
        seen[token] += 1
        token = str(page.get("nextPageToken") or "")
        # An empty page with a token goes on; a token that keeps coming would go round for ever.
        if not token or seen[token] >= _SAME_TOKEN:
            break
    return oldest_first(found.values())


def _page(service: GeminiService, token: str) -> Mapping[str, Any]:
    query = {"pageSize": _PAGE_SIZE} | ({"pageToken": token} if token else {})
    return service.patiently(lambda: service.get("list the batch jobs", "batches", query))


def poll(service: GeminiService, name: str) -> Job:
    """Return the job as it stands; NotFound when the service does not know it, or not yet."""
    job = read_job(service.patiently(lambda: service.get("look at the batch job", _job_path(name))))
    if job is None:
        raise Unreachable(f"could not look at {name}: the answer is not a job", hint="try again later")
    return job


def cancel(service: GeminiService, name: str) -> None:
    """Ask the service to stop the job; a job that has ended already is fine."""
    path = _job_path(name)
    try:
        service.patiently(
            lambda: service.calling("cancel the batch job", lambda: service.sdk().batches.cancel(name=path))
        )
    except NotFound:
        raise
    except Refused as refusal:
        if not poll(service, name).state.ended:
            raise refusal from None


def discard(service: GeminiService, input_file: str) -> None:
    """Delete an uploaded file; one that is gone already is fine."""
    if not input_file:
        return
    try:
        service.patiently(
            lambda: service.calling(
                "delete the uploaded batch file", lambda: service.sdk().files.delete(name=input_file)
            )
        )
    except NotFound:
        log.debug("%s was gone already", input_file)


@dataclass(frozen=True, slots=True)
class _Download:
    """What one download brought."""

    size: int
    lines: int
    torn: bool


def fetch(service: GeminiService, job: Job, target: Path) -> None:
    """Stream the job's result lines to `target`.

    A download that breaks off or falls short of its announced length counts for nothing. One that is whole
    but has a torn last line or fewer lines than requests is taken again, and believed when it comes the same
    three times: then it is what the service has, and the lines it lacks are for the caller to miss.
    """
    handle = job.results[0] if job.results else result_file(job.name)
    doubted: list[_Download] = []

    def attempt() -> None:
        with whole_file(target) as stream:
            got = _receive(service, handle, stream.write)
            if got.torn or (job.requests is not None and got.lines < job.requests):
                doubted.append(got)
                if doubted[-_AGREEING_DOWNLOADS:] != [got] * _AGREEING_DOWNLOADS:
                    raise Unreachable(
                        f"the results of {job.name} look incomplete: {got.lines} lines of {job.requests}",
                        hint="try again later; results are kept by the service",
                    )
                log.warning("the results of %s have %d lines of %s", job.name, got.lines, job.requests)

    service.patiently(attempt, also=(NotFound,))


def _receive(service: GeminiService, handle: str, write: Callable[[bytes], int]) -> _Download:
    size = lines = 0
    head, last = b"", LastLine()
    with service.download("download the results", handle) as pieces:
        for piece in pieces:
            write(piece)
            head = head or piece.lstrip()[:1]
            size += len(piece)
            lines += piece.count(b"\n")
            last.add(piece)
    if head not in (b"", b"{"):
        raise Unreachable("the answer is not a result file", hint="check for a proxy that answers by itself")
    tail = bytes(last)
    return _Download(size, lines + bool(tail), torn=not _is_whole(tail))


def _is_whole(line: bytes) -> bool:
    """Whether a last line without its newline is all there."""
    try:
        return not line.strip() or bool(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _job_path(name: str) -> str:
    if not BATCH_NAME.fullmatch(name):
        raise NotFound(f"{one_line(name, 90)!r} is not the name of a Gemini batch job")
    return name
