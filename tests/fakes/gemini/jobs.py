"""Batch jobs: how they are made, looked at, listed, stopped and removed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from tests.fakes.gemini.batchlines import Measure, measure, write_inline
from tests.fakes.gemini.clock import stamp
from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.files import Files
from tests.fakes.gemini.models import Model
from tests.fakes.gemini.service import Caller, Service, new_id
from tests.fakes.gemini.store import Row
from tests.fakes.gemini.wire import EXHAUSTED, NO_CREDIT, ApiError, Json, quota_exceeded

_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
ACTIVE = ("PENDING", "RUNNING")
_NEVER = 1e15


class Jobs:
    """All jobs of all projects; `launch` is told of each new one."""

    def __init__(self, service: Service, files: Files, launch: Callable[[str], None]) -> None:
        self._service = service
        self._files = files
        self._launch = launch
        self._home = service.home / "jobs"
        self._home.mkdir(exist_ok=True)

    def create(self, caller: Caller, model: Model, batch: Json) -> Json:
        """Make a job, whatever other job there may be like it, and return its operation."""
        if caller.broke:
            raise ApiError(8, NO_CREDIT)
        if caller.free:
            raise quota_exceeded("batch_enqueued_tokens_free_tier", 0, model.name)
        job_id = new_id(36)
        source = self._input(caller, job_id, batch.get("input_config", {}))
        amount = measure(source, model, self._service.brain)
        doom = self._doom(batch.get("display_name", ""))
        with self._service.store.together():
            self._room_for(caller, model, amount.tokens)
            self._insert(job_id, caller, model, batch, (source, amount, doom))
        self._launch(job_id)
        return self.operation(self.find(caller, job_id))

    def _input(self, caller: Caller, job_id: str, config: Json) -> Path:
        path = self._home / f"{job_id}.in.jsonl"
        if "requests" in config:
            write_inline(config["requests"].get("requests", []), path)
        elif config.get("file_name"):
            row = self._files.usable(config["file_name"], caller.project)
            # The job keeps reading what it was given even when the name is deleted meanwhile.
            os.link(row["path"], path)
        else:
            raise ApiError(3, "* BatchGenerateContentRequest.batch.input_config: input_config is required\n")
        return path

    def _doom(self, display_name: str) -> Json:
        fired = self._service.faults.take("job", display_name)
        return {"kind": fired[0].kind, **fired[0].params} if fired else {}

    def _room_for(self, caller: Caller, model: Model, tokens: int) -> None:
        sql = "SELECT count(*), coalesce(sum(CASE WHEN model = ? THEN tokens END), 0) FROM jobs"
        sql += " WHERE project = ? AND state IN ('PENDING', 'RUNNING')"
        row = self._service.store.rows(sql, model.name, caller.project)[0]
        settings = self._service.settings
        limit = settings.enqueued_tokens.get(model.name, model.queue[settings.tier - 1])
        if row[0] >= settings.max_jobs or row[1] + tokens > limit:
            raise ApiError(8, EXHAUSTED)

    def _insert(self, job_id: str, caller: Caller, model: Model, batch: Json, work: tuple[Path, Measure, Json]) -> None:
        source, amount, doom = work
        service, now = self._service, self._service.clock.now()
        kind = doom.get("kind", "")
        starts = _NEVER if kind in ("stuck_pending", "expire") else now + service.settings.pending_seconds
        starts += doom.get("pending", 0.0) if kind == "slow" else 0.0
        ends = starts + (_NEVER if kind == "stuck_running" else service.settings.running_seconds)
        ends += doom.get("seconds", 3600.0) if kind == "slow" else 0.0
        service.store.insert(
            "jobs",
            id=job_id,
            number=service.store.value("SELECT coalesce(max(number), 0) + 1 FROM jobs"),
            project=caller.project,
            key=caller.key,
            model=model.name,
            display_name=batch.get("display_name"),
            priority=str(batch["priority"]) if batch.get("priority") else None,
            input_file=batch["input_config"].get("file_name"),
            input_path=str(source),
            inline="requests" in batch["input_config"],
            state="PENDING",
            created=now,
            starts=starts,
            ends=ends,
            expires=now + service.settings.job_life,
            updated=now,
            requests=amount.requests,
            tokens=amount.tokens,
            doom=json.dumps(doom),
        )

    def find(self, caller: Caller, job_id: str) -> Row:
        """Return a job of the caller's project; raises 404 for an unknown one and 403 for a foreign one."""
        row = self._service.store.row("SELECT * FROM jobs WHERE id = ? AND deleted = 0", job_id)
        if row is None:
            raise ApiError(5, "Requested entity was not found.")
        if row["project"] != caller.project:
            raise ApiError(7, "The caller does not have permission")
        return row

    def list(self, caller: Caller, size: int, token: str, lag: float = 0.0) -> tuple[list[Json], str]:
        """Return one page of operations, newest first; jobs younger than `lag` seconds are not seen yet."""
        before = int(token) if token.isdigit() else 1 << 60
        youngest = self._service.clock.now() - lag
        sql = "SELECT * FROM jobs WHERE project = ? AND deleted = 0 AND number < ? AND created <= ?"
        rows = self._service.store.rows(
            sql + " ORDER BY number DESC LIMIT ?", caller.project, before, youngest, size + 1
        )
        more = str(rows[size - 1]["number"]) if len(rows) > size else ""
        return [self.operation(row) for row in rows[:size]], more

    def cancel(self, caller: Caller, job_id: str) -> None:
        """Stop a job: before its start it is cancelled, afterwards it ends with what is finished."""
        store, now = self._service.store, self._service.clock.now()
        with store.together():
            row = self.find(caller, job_id)
            if row["state"] == "PENDING":
                error = json.dumps({"code": 13, "message": "Batch was cancelled."})
                store.update("jobs", job_id, state="CANCELLED", cancelled=1, ended=now, updated=now, error=error)
            elif row["state"] == "RUNNING":
                store.update("jobs", job_id, cancelled=1, updated=now)
        self._service.clock.wake()

    def delete(self, caller: Caller, job_id: str) -> None:
        """Remove a job from sight; its result file stays."""
        self.find(caller, job_id)
        self._service.store.update("jobs", job_id, deleted=1)

    def operation(self, row: Row) -> Json:
        """Return the long-running operation that stands for a job."""
        name = f"batches/{row['id']}"
        metadata: Json = {"@type": _TYPE, "model": f"models/{row['model']}"}
        if row["display_name"] is not None:
            metadata["displayName"] = row["display_name"]
        metadata["inputConfig"] = {} if row["inline"] else {"fileName": row["input_file"]}
        output = self._output(row)
        if output:
            metadata["output"] = output
        metadata["createTime"] = stamp(row["created"])
        if row["ended"]:
            metadata["endTime"] = stamp(row["ended"])
        metadata |= {
            "updateTime": stamp(row["updated"]),
            "batchStats": _stats(row),
            "state": f"BATCH_STATE_{row['state']}",
        }
        metadata["name"] = name
        if row["priority"]:
            metadata["priority"] = row["priority"]
        operation: Json = {"name": name, "metadata": metadata}
        if row["state"] not in ACTIVE:
            operation["done"] = True
        if output:
            operation["response"] = {"@type": _TYPE + "Output", **output}
        elif row["error"]:
            operation["error"] = json.loads(row["error"])
        return operation

    def _output(self, row: Row) -> Json | None:
        if row["state"] != "SUCCEEDED":
            return None
        if not row["inline"]:
            return {"responsesFile": f"files/batch-{row['id']}"}
        with Path(row["output_path"]).open("rb") as source:
            return {"inlinedResponses": {"inlinedResponses": [json.loads(line) for line in source]}}


def _stats(row: Row) -> Json:
    pending = row["requests"] - row["succeeded"] - row["failed"] if row["state"] in ACTIVE else 0
    counts = {
        "requestCount": row["requests"],
        "successfulRequestCount": row["succeeded"],
        "failedRequestCount": row["failed"],
        "pendingRequestCount": pending,
    }
    return {name: str(count) for name, count in counts.items() if count}


def alter_operation(operation: Json, fault: Fault) -> Json:
    """Return the operation as a faulty answer shows it."""
    altered: Json = json.loads(json.dumps(operation))
    metadata = altered["metadata"]
    if fault.kind in ("no_output", "response_only"):
        metadata.pop("output", None)
        if fault.kind == "no_output":
            altered.pop("response", None)
    elif fault.kind == "missing_state":
        metadata.pop("state")
        _set_outcome(altered, {})
    elif fault.kind in _SHOWN_STATES:
        metadata["state"] = fault.params.get("state", _SHOWN_STATES[fault.kind])
        _set_outcome(altered, fault.params)
    return altered


_SHOWN_STATES = {
    "flap": "BATCH_STATE_PENDING",
    "unknown_state": "BATCH_STATE_REHEATING",
    "state": "BATCH_STATE_RUNNING",
}


def _set_outcome(operation: Json, params: Json) -> None:
    """Let only what `params` says stand as the end of the operation: `done`, `error`."""
    for name in ("done", "response", "error"):
        operation.pop(name, None)
    operation["metadata"].pop("output", None)
    operation |= {name: params[name] for name in ("done", "error") if name in params}
