"""Read the service's long-running operations as jobs.

Everything about a batch stands under `metadata`, numbers come as strings, zeros and `done: false` are left out, and
the result file is named in `metadata.output`, in `response`, or in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from indexer.domain.job import Job, JobState
from indexer.providers.answer import one_line
from indexer.providers.gemini.service import log
from indexer.providers.moments import moment

_STATES = {
    "PENDING": JobState.QUEUED,
    "QUEUED": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "PAUSED": JobState.RUNNING,
    "UPDATING": JobState.RUNNING,
    "CANCELLING": JobState.RUNNING,
    "SUCCEEDED": JobState.FINISHED,
    "PARTIALLY_SUCCEEDED": JobState.FINISHED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "EXPIRED": JobState.EXPIRED,
}
BATCH_NAME = re.compile(r"batches/[A-Za-z0-9_-]{1,80}")
_NAME = re.compile(r"[A-Z][A-Z_]{0,60}")


def read_job(operation: Mapping[str, Any]) -> Job | None:
    """Read a long-running operation as the service tells it; None when it is no job."""
    metadata = _part(operation, "metadata")
    name = operation.get("name") or metadata.get("name")
    if not isinstance(name, str) or not BATCH_NAME.fullmatch(name):
        return None
    error = _part(operation, "error")
    stats = _part(metadata, "batchStats")
    state = _job_state(operation, metadata, error, name)
    return Job(
        name=name,
        state=state,
        display_name=_text(metadata.get("displayName")),
        input_file=_text(_part(metadata, "inputConfig").get("fileName")),
        results=_results(operation, metadata) or ((result_file(name),) if state is JobState.FINISHED else ()),
        requests=_number(stats, "requestCount"),
        succeeded=_number(stats, "successfulRequestCount"),
        failed=_number(stats, "failedRequestCount"),
        error=one_line(_text(error.get("message")) or (f"code {error.get('code')}" if error else "")),
        created_at=moment(metadata.get("createTime")),
        ended_at=moment(metadata.get("endTime")),
    )


def result_file(name: str) -> str:
    """Return the handle under which the service keeps a job's results, where the job itself forgets to say."""
    return "files/batch-" + name.removeprefix("batches/")


def _results(operation: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[str, ...]:
    named = _part(metadata, "output").get("responsesFile") or _part(operation, "response").get("responsesFile")
    return (_text(named),) if _text(named) else ()


def _job_state(
    operation: Mapping[str, Any], metadata: Mapping[str, Any], error: Mapping[str, Any], name: str
) -> JobState:
    state = _text(metadata.get("state"))
    if not state and operation.get("done") is True:
        # Ended without a state: the outcome tells which way.
        return JobState.FAILED if error else JobState.FINISHED
    return state_of(state, name)


def state_of(state: str, name: str) -> JobState:
    """An unknown state is taken for running: believing a job ended would buy its photos twice."""
    bare_state = state.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    known = _STATES.get(bare_state)
    if known is None:
        told = state if _NAME.fullmatch(state) else "(no name of a state)"  # it may be anything, a key too
        log.warning("%s is in the unknown state %s; taken for running", name, told)
        return JobState.RUNNING
    return known


def _part(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = holder.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(stats: Mapping[str, Any], name: str) -> int | None:
    """Numbers come as strings, and zeros are left out wherever there are numbers at all."""
    if not stats:
        return None
    value = stats.get(name, 0)
    return int(value) if re.fullmatch(r"[0-9]{1,12}", str(value)) else None
