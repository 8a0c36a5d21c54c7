"""Batches in their virtual time: validated when they start, worked line by line, ended in one of four ways."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.fakes.faults import Fault
from tests.fakes.openai.chat import ANSWER_FAULTS, Chat
from tests.fakes.openai.models import MODELS
from tests.fakes.service import Json, Refusal, Served

if TYPE_CHECKING:
    from tests.fakes.openai.service import FakeOpenAI

ROW_FAULTS = frozenset(["status", "expired", "missing", "duplicate", "foreign", "torn"])
"""Faults of one line; a "status" (of `code`, 500 by default) and an expired one are free, the others are served."""

JOB_FAULTS = frozenset(
    [
        "fail",
        "token_limit",
        "expire",
        "stuck_validating",
        "stuck_in_progress",
        "stuck_finalizing",
        "cancel_race",
        "slow",
    ]
)
"""What becomes of a job, decided when it is created."""

ENDED = ("completed", "failed", "expired", "cancelled")
_DAY = 86_400
_MOST_BYTES, _MOST_LINES = 200_000_000, 50_000
_TOLD_ERRORS = 10


class Jobs:
    """The batches of one service; fields that begin with an underscore are its own."""

    def __init__(self, service: FakeOpenAI, chat: Chat) -> None:
        self._service = service
        self._chat = chat

    def create(self, told: Json, life: float) -> Json:
        """Take a job in; whether it is worth anything shows later."""
        now = self._service.clock.now()
        fate = next(iter(self._service.faults.take("job", "")), None)
        pending = float(fate.params.get("pending", self._service.pending)) if fate else self._service.pending
        job = {
            "id": self._service.new_id("batch_"),
            "object": "batch",
            "endpoint": told["endpoint"],
            "model": None,
            "errors": None,
            "input_file_id": told["input_file_id"],
            "completion_window": told["completion_window"],
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": int(now),
            **{f"{state}_at": None for state in ("in_progress", "finalizing", "cancelling", *ENDED)},
            "expires_at": int(now) + _DAY,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "usage": None,
            "metadata": told.get("metadata"),
            "_starts": now + pending,
            "_fate": fate.kind if fate else "",
            "_life": life,
            "_done": 0,
            "_tokens": 0,
        }
        self._service.put("job", job)
        return _public(job)

    def shown(self, name: str) -> Json:
        """Return a job as the service shows it."""
        return _public(self._known(name))

    def cancel(self, name: str) -> Json:
        """Stop a job; what is done is kept."""
        job = self._known(name)
        if job["status"] in ENDED:
            raise Refusal(409, f"Cannot cancel a batch with status '{job['status']}'.")
        if job["_fate"] != "cancel_race":
            job["status"] = "cancelling"
        job["cancelling_at"] = int(self._service.clock.now())
        self._service.put("job", job)
        return _public(job)

    def settle(self) -> None:
        """Bring every job to where it stands now."""
        for job in self._service.all("job"):
            if job["status"] not in ENDED:
                self._move(job, self._service.clock.now())
                self._service.put("job", job)

    def _known(self, name: str) -> Json:
        job = self._service.get("job", name)
        if job is None:
            raise Refusal(404, f"No batch found with id '{name}'.")
        return job

    def _move(self, job: Json, now: float) -> None:
        if job["status"] == "validating" and now >= job["_starts"] and job["_fate"] != "stuck_validating":
            self._validate(job)
        if job["status"] == "cancelling":
            self._end(job, "cancelled")
            return
        if job["status"] in ENDED:
            return
        if job["status"] == "in_progress":
            self._work(job, min(now, job["expires_at"]))
        stuck = job["_fate"] == "stuck_finalizing" and now < job["_starts"] + _DAY / 2
        if job["status"] == "finalizing" and not stuck:
            self._end(job, "completed")
        elif now >= job["expires_at"]:
            self._end(job, "expired", rest="batch_expired")

    def _validate(self, job: Json) -> None:
        if job["_fate"] == "token_limit":
            self._fail(job, [_error("token_limit_exceeded", _QUEUE_FULL.format(model="this model", limit=0))])
            return
        try:
            self._service.file(job["input_file_id"])
        except Refusal:
            self._fail(job, [_error("invalid_request", "The input file does not exist.", param="file_id")])
            return
        content = self._service.blob(job["input_file_id"]).read_bytes()
        errors = list(_faults_of(content, job))[:_TOLD_ERRORS]
        if job["_fate"] == "fail":
            errors = [_error("invalid_json_line", "This line is not parseable as valid JSON.", line=1)]
        lines = content.splitlines()
        if not errors:
            job["model"] = json.loads(lines[0])["body"]["model"]
            errors = self._queue(job, lines)
        if errors:
            self._fail(job, errors)
            return
        self._input(job).hardlink_to(self._service.blob(job["input_file_id"]))
        job["status"] = "in_progress"
        job["in_progress_at"] = int(job["_starts"])
        job["request_counts"]["total"] = len(lines)

    def _input(self, job: Json) -> Path:
        """The lines of a running job, which needs its file no more."""
        return self._service.blob(f"{job['id']}-input")

    def _queue(self, job: Json, lines: list[bytes]) -> list[Json]:
        limit = self._service.settings.get("enqueued_tokens")
        if limit is None:
            return []
        job["_tokens"] = sum(self._chat.count(json.loads(line)["body"]) for line in lines)
        others = (each for each in self._service.all("job") if each["status"] in ("in_progress", "finalizing"))
        queued = sum(each["_tokens"] for each in others if each["model"] == job["model"])
        if queued + job["_tokens"] <= limit:
            return []
        return [_error("token_limit_exceeded", _QUEUE_FULL.format(model=job["model"], limit=limit))]

    def _fail(self, job: Json, errors: list[Json]) -> None:
        job["status"] = "failed"
        job["failed_at"] = int(self._service.clock.now())
        job["errors"] = {"object": "list", "data": errors}

    def _work(self, job: Json, now: float) -> None:
        """Serve the lines whose turn has come."""
        total, running = job["request_counts"]["total"], self._service.running
        share = min(1.0, (now - job["_starts"]) / running) if running else 1.0
        due = int(total * share)
        if job["_fate"] in ("expire", "stuck_in_progress"):
            due = min(due, total // 2)
        if due > job["_done"]:
            lines = self._input(job).read_bytes().splitlines()
            for number in range(job["_done"], due):
                self._serve(job, json.loads(lines[number]))
            job["_done"] = due
        if job["_done"] == total:
            job["status"] = "finalizing"
            job["finalizing_at"] = int(now)

    def _serve(self, job: Json, line: Json) -> None:
        key = line["custom_id"]
        fault = next(iter(self._service.faults.take("row", key)), None)
        kind = fault.kind if fault else ""
        if kind == "expired":
            self._line(job, key, None, {"code": "batch_expired", "message": _EXPIRED}, good=False)
            return
        if fault and kind == "status":
            self._line(job, key, *_failed(fault), good=False)
            return
        try:
            body, served = self._chat.complete(line["body"], "batch", fault if kind in ANSWER_FAULTS else None)
        except Refusal as no:
            told = {
                "error": {"message": no.message, "type": "invalid_request_error", "param": no.param, "code": no.code}
            }
            self._service.book(Served("batch", line["body"]["model"], "error"), job["id"], key)
            self._line(job, key, {"status_code": no.status, "request_id": "req", "body": told}, None, good=False)
            return
        self._service.book(served, job["id"], key)
        job["usage"] = _added(job["usage"], body.get("usage"))
        response = {"status_code": 200, "request_id": self._service.new_id("req_"), "body": body}
        if kind != "missing":
            self._line(job, key, response, None, good=True, torn=kind == "torn")
        if kind == "duplicate":
            self._line(job, key, response, None, good=True)
        if kind == "foreign":
            self._line(job, "somebody-elses-1", response, None, good=True)

    def _line(self, job: Json, key: str, response: Any, error: Any, *, good: bool, torn: bool = False) -> None:
        line = {"id": self._service.new_id("batch_req_"), "custom_id": key, "response": response, "error": error}
        text = json.dumps(line)
        zero = isinstance(response, dict) and response["status_code"] == 0
        job["request_counts"]["completed" if good or zero else "failed"] += 1
        with self._service.blob(f"{job['id']}-{'output' if good else 'error'}").open("a") as rows:
            rows.write((text[: len(text) // 2] if torn else text) + "\n")

    def _end(self, job: Json, state: str, rest: str = "") -> None:
        if rest:
            self._expire(job, rest)
        job["status"] = state
        job[f"{state}_at"] = int(self._service.clock.now())
        for field in ("output", "error"):
            rows = self._service.blob(f"{job['id']}-{field}")
            if rows.exists():
                lines = sorted(rows.read_bytes().splitlines(), key=lambda line: hashlib.sha256(line).digest())
                name = f"{job['id']}_{field}.jsonl"
                made = self._service.keep(b"\n".join(lines) + b"\n", name, "batch_output", job["_life"])
                job[f"{field}_file_id"] = made["id"]
                rows.unlink()

    def _expire(self, job: Json, code: str) -> None:
        """Lines that never had their turn stand in the error file."""
        if job["status"] == "validating":
            return
        lines = self._input(job).read_bytes().splitlines()
        for line in lines[job["_done"] :]:
            self._line(job, json.loads(line)["custom_id"], None, {"code": code, "message": _EXPIRED}, good=False)


_EXPIRED = "This request could not be executed before the completion window expired."
_QUEUE_FULL = (
    "Enqueued token limit reached for {model} in organization org-test. Limit: {limit} enqueued tokens. Please try "
    "again once some in_progress batches have been completed."
)


def _public(job: Json) -> Json:
    return {name: value for name, value in job.items() if not name.startswith("_")}


def _error(code: str, message: str, line: int | None = None, param: str | None = None) -> Json:
    return {"code": code, "message": message, "param": param, "line": line}


def _failed(fault: Fault) -> tuple[Json, None]:
    """A line that was tried and failed: the error lies in the body, and beside it stands null."""
    status = int(fault.params.get("code", 500))
    told = {"message": fault.params.get("message", "The server had an error."), "type": "server_error"}
    body = {"error": {**told, "param": None, "code": fault.params.get("error_code")}} if status else {}
    return {"status_code": status, "request_id": "", "body": body}, None


def _added(known: Json | None, usage: Json | None) -> Json:
    known = known or {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    usage = usage or {}
    entered, left = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return {
        "input_tokens": known["input_tokens"] + entered,
        "output_tokens": known["output_tokens"] + left,
        "total_tokens": known["total_tokens"] + entered + left,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


def _faults_of(content: bytes, job: Json) -> Any:
    """Yield what makes the service refuse a whole file."""
    if len(content) > _MOST_BYTES:
        yield _error("file_too_large", "Batch input file is larger than the 200MB maximum.")
        return
    seen: dict[str, int] = {}
    first = None
    for number, raw in enumerate(content.splitlines(), start=1):
        if number > _MOST_LINES:
            yield _error("request_limit_exceeded", f"This file has more than {_MOST_LINES} requests.")
            return
        try:
            line = json.loads(raw)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            yield _error("invalid_json_line", "This line is not parseable as valid JSON.", line=number)
            continue
        key, body = line.get("custom_id"), line.get("body")
        model = body.get("model") if isinstance(body, dict) else None
        first = first or model
        if sorted(line) != ["body", "custom_id", "method", "url"] or not isinstance(key, str) or not key:
            yield _error("missing_required_parameter", "Each line needs custom_id, method, url, body.", line=number)
        elif seen.setdefault(key, number) != number:
            yield _error("duplicate_custom_id", f"The custom_id '{key}' is used by line {seen[key]}.", line=number)
        elif line["method"] != "POST" or line["url"] != job["endpoint"]:
            yield _error("invalid_url", "The URL provided for this request does not match the endpoint.", line=number)
        elif model != first:
            yield _error("mismatched_model", f"All requests must use the model {first}.", line=number)
        elif model not in MODELS or not MODELS[model].batches:
            yield _error("model_not_found", f"The model '{model}' is not available in the Batch API.", line=number)
    if not content.strip():
        yield _error("empty_file", "The input file is empty.")
