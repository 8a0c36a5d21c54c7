"""The service: its files, its jobs in their virtual time, its calls. Errors in batches come as JSON texts."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

from tests.fakes.mistral.chat import ANSWER_FAULTS, MODELS, Chat, check
from tests.fakes.service import FakeService, Json, Refusal, Route, Served
from tests.fakes.wire import Call, Reply

ROW_FAULTS = ANSWER_FAULTS | {"status", "error_text", "missing", "duplicate", "foreign", "torn"}
JOB_FAULTS = frozenset(["fail", "expire", "stuck", "cancel_race", "slow"])
ENDED = ("SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED")
_CREATE = frozenset({"endpoint", "input_files", "requests", "model", "metadata", "timeout_hours"})
_MOST_BYTES = 512_000_000


class FakeMistral(FakeService):
    """Mistral's files, batch jobs and chat completions."""

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state, **settings)
        self.chat = Chat(self)

    def kinds(self) -> dict[str, frozenset[str]]:
        """Name the faults that only this service has."""
        return {
            "row": ROW_FAULTS,
            "job": JOB_FAULTS,
            "ask": ANSWER_FAULTS,
            "get": frozenset({"unknown_state"}),
            "list": frozenset({"lag", "empty_page"}),
        }

    def routes(self) -> tuple[Route, ...]:
        """Every call, by the names that rules and books use."""
        jobs = "/v1/batch/jobs"
        return (
            Route("upload", "POST", "/v1/files", self._upload),
            Route("download", "GET", "/v1/files/{id}/content", self._content),
            Route("file_delete", "DELETE", "/v1/files/{id}", self._delete),
            Route("create", "POST", jobs, self._create),
            Route("list", "GET", jobs, self._list),
            Route("get", "GET", jobs + "/{id}", self._get),
            Route("cancel", "POST", jobs + "/{id}/cancel", self._cancel),
            Route("ask", "POST", "/v1/chat/completions", self._ask),
        )

    def refusal(self, fault: Refusal) -> Reply:
        """Word an error as Mistral does: an object for calls."""
        told = {"object": "error", "message": fault.message, "type": "invalid_request_error", "code": fault.code}
        return Reply(fault.status, told)

    def new_id(self, head: str) -> str:
        """Names are UUIDs."""
        return str(uuid.uuid4())

    def _ask(self, call: Call) -> Reply:
        body = call.json()
        model = str(body.get("model")) if isinstance(body, dict) else ""
        fault = next((each for each in call.faults if each.kind in ANSWER_FAULTS), None)
        made, served = self.chat.complete(body, model, batch=False, fault=fault)
        self.book(served)
        return Reply(200, made, {"x-ratelimit-remaining-req-minute": "59"})

    # Files

    def _upload(self, call: Call) -> Reply:
        form = call.form()
        purpose = form.get("purpose", ("", b""))[1].decode()
        name, content = form.get("file", ("", b""))
        if purpose not in ("batch", "fine-tune", "ocr") or not name or form.keys() - {"purpose", "file", "visibility"}:
            raise Refusal(422, "Invalid form")
        if len(content) > _MOST_BYTES:
            raise Refusal(413, "File too large")
        if purpose == "batch":
            _check_file(content)
        return Reply(200, self._keep(content, name, purpose))

    def _keep(self, content: bytes, name: str, purpose: str) -> Json:
        made = {
            "id": self.new_id(""),
            "object": "file",
            "bytes": len(content),
            "created_at": int(self.clock.now()),
            "filename": name,
            "purpose": purpose,
            "sample_type": "batch_request",
            "source": "upload",
            "num_lines": content.count(b"\n"),
        }
        self.blob(made["id"]).write_bytes(content)
        return self.put("file", made)

    def _file(self, name: str) -> Json:
        found = self.get("file", name)
        if found is None:
            raise Refusal(404, f"No file matches the given query: {name}")
        return found

    def _content(self, call: Call) -> Reply:
        found = self._file(*call.names)
        return Reply(200, self.blob(found["id"]), {"Content-Type": "application/octet-stream"})

    def _delete(self, call: Call) -> Reply:
        name = self._file(*call.names)["id"]
        self.drop("file", name)
        self.blob(name).unlink()
        return Reply(200, {"id": name, "object": "file", "deleted": True})

    # Jobs

    def _create(self, call: Call) -> Reply:
        told = call.json()
        if not isinstance(told, dict) or told.keys() - _CREATE:
            raise Refusal(422, json.dumps({"detail": "Extra inputs are not permitted"}))
        hours = told.get("timeout_hours", 24)
        if not isinstance(hours, int) or not 1 <= hours < 168:
            raise Refusal(422, "timeout_hours must be between 1 and 168")
        metadata = told.get("metadata")
        if metadata is not None and not all(isinstance(value, str) for value in metadata.values()):
            raise Refusal(422, "metadata must be strings")
        if told.get("model") not in MODELS or told.get("endpoint") != "/v1/chat/completions":
            raise Refusal(422, f"Invalid model {told.get('model')} or endpoint")
        inputs = told.get("input_files") or []
        if told.get("requests"):
            content = "\n".join(json.dumps(row) for row in told["requests"]).encode()
            _check_file(content)
            inputs = [self._keep(content, "inline.jsonl", "batch")["id"]]
        for name in inputs:
            self._file(name)
        if not inputs:
            raise Refusal(422, "input_files or requests is required")
        return Reply(200, self._new(told, inputs, hours, inline=bool(told.get("requests"))))

    def _new(self, told: Json, inputs: list[str], hours: int, *, inline: bool) -> Json:
        now = self.clock.now()
        fate = next(iter(self.faults.take("job", "")), None)
        pending = float(fate.params.get("pending", self.pending)) if fate else self.pending
        name = self.new_id("")
        copy = self.blob(f"{name}-input")
        copy.write_bytes(b"".join(self.blob(each).read_bytes() for each in inputs))
        job = {
            "id": name,
            "object": "batch",
            "input_files": [] if inline else inputs,
            "metadata": told.get("metadata"),
            "endpoint": told["endpoint"],
            "model": told["model"],
            "agent_id": None,
            "output_file": None,
            "error_file": None,
            "errors": [],
            "outputs": None,
            "status": "QUEUED",
            "created_at": int(now),
            "total_requests": len(copy.read_bytes().splitlines()),
            "completed_requests": 0,
            "succeeded_requests": 0,
            "failed_requests": 0,
            "started_at": None,
            "completed_at": None,
            "_inline": inline,
            "_starts": now + pending,
            "_ends": now + hours * 3600,
            "_fate": fate.kind if fate else "",
            "_good": [],
            "_bad": [],
        }
        return _shown(self.put("job", job))

    def _known(self, call: Call) -> Json:
        job = self.get("job", call.names[0])
        if job is None:
            raise Refusal(404, f"No batch job matches the given query: {call.names[0]}")
        return job

    def _get(self, call: Call) -> Reply:
        job = self._known(call)
        told = _shown(job)
        if call.query.get("inline") == "true" and job["_inline"] and job["status"] in ENDED:
            told["outputs"] = [json.loads(row) for row in (*job["_good"], *job["_bad"])]
        return Reply(200, {**told, "status": "PONDERING"} if call.struck("unknown_state") else told)

    def _list(self, call: Call) -> Reply:
        page, size = int(call.query.get("page", "0")), int(call.query.get("page_size", "100"))
        lag = call.struck("lag")
        until = self.clock.now() - (float(lag.params.get("seconds", 60)) if lag else 0.0)
        found = [job for job in self.all("job")[::-1] if job["created_at"] <= until]
        wanted = {k: v for k, v in call.query.items() if k not in ("page", "page_size", "order_by", "created_by_me")}
        found = [job for job in found if all((job["metadata"] or {}).get(k) == v for k, v in wanted.items())]
        shown = [] if call.struck("empty_page") else [_shown(job) for job in found[page * size : (page + 1) * size]]
        return Reply(200, {"data": shown, "object": "list", "total": len(found)})

    def _cancel(self, call: Call) -> Reply:
        job = self._known(call)
        if job["status"] in ENDED:
            raise Refusal(422, json.dumps(f"Job {job['id']} has ended."))
        if job["status"] == "QUEUED" and job["_fate"] != "cancel_race":
            self._end(job, "CANCELLED")  # nothing had begun, so that is final at once
        elif job["_fate"] != "cancel_race":
            job["status"] = "CANCELLATION_REQUESTED"
        return Reply(200, _shown(self.put("job", job)))

    # Their life

    def settle(self) -> None:
        """Bring every job to where it stands now."""
        for job in self.all("job"):
            if job["status"] not in ENDED:
                self._move(job, self.clock.now())
                self.put("job", job)

    def _move(self, job: Json, now: float) -> None:
        if job["status"] == "CANCELLATION_REQUESTED":
            self._end(job, "CANCELLED")
            return
        if now >= job["_starts"]:
            job["status"], job["started_at"] = "RUNNING", job["started_at"] or int(job["_starts"])
            if job["_fate"] == "fail":
                job["errors"] = [{"message": "Internal server error", "count": job["total_requests"]}]
                self._end(job, "FAILED")
                return
            self._work(job, min(now, job["_ends"]))
        if job["status"] not in ENDED and now >= job["_ends"]:
            self._end(job, "TIMEOUT_EXCEEDED")

    def _work(self, job: Json, now: float) -> None:
        lines = self.blob(f"{job['id']}-input").read_bytes().splitlines()
        share = min(1.0, (now - job["_starts"]) / self.running) if self.running else 1.0
        due = int(len(lines) * share)
        if job["_fate"] in ("expire", "stuck"):
            due = min(due, len(lines) // 2)
        for number in range(job["completed_requests"], due):
            self._serve(job, json.loads(lines[number]))
            job["completed_requests"] += 1
        if job["completed_requests"] == len(lines):
            self._end(job, "SUCCESS")

    def _serve(self, job: Json, line: Json) -> None:
        key = line["custom_id"]
        fault = next(iter(self.faults.take("row", key)), None)
        kind = fault.kind if fault else ""
        row: Json = {"id": self.new_id(""), "custom_id": key, "response": None, "error": None}
        if fault and kind in ("status", "error_text"):
            words = fault.params.get("message", "Internal server error")
            told = {"status_code": int(fault.params.get("code", 500)), "body": json.dumps({"message": words})}
            self._bad(job, {**row, **({"response": told} if kind == "status" else {"error": words})})
            return
        try:
            made, served = self.chat.complete(
                line["body"], job["model"], batch=True, fault=fault if kind in ANSWER_FAULTS else None
            )
        except Refusal as no:
            self.book(Served("batch", job["model"], "error"), job["id"], key)
            body = json.dumps({"object": "error", "message": no.message})
            self._bad(job, {**row, "response": {"status_code": no.status, "body": body}})
            return
        self.book(served, job["id"], key)
        job["succeeded_requests"] += 1
        text = json.dumps({**row, "response": {"status_code": 200, "body": made}})
        rows = {"missing": [], "duplicate": [text, text], "torn": [text[: len(text) // 2]]}.get(kind, [text])
        job["_good"] += rows
        if kind == "foreign":
            job["_good"].append(text.replace(key, "somebody-elses-1"))

    def _bad(self, job: Json, row: Json) -> None:
        job["failed_requests"] += 1
        job["_bad"].append(json.dumps(row))

    def _end(self, job: Json, state: str) -> None:
        job["status"], job["completed_at"] = state, int(self.clock.now())
        for field, rows in (("output_file", job["_good"]), ("error_file", job["_bad"])):
            if rows and not job["_inline"]:
                mixed = sorted(rows, key=lambda row: hashlib.sha256(row.encode()).digest())
                made = self._keep("".join(row + "\n" for row in mixed).encode(), f"{field}.jsonl", "batch")
                job[field] = made["id"]


def _check_file(content: bytes) -> None:
    """One bad line refuses the whole file; `body.model` is ignored, and a key that comes twice is accepted."""
    if not content.strip():
        raise Refusal(422, json.dumps("The file is empty."))
    for number, raw in enumerate(content.splitlines(), start=1):
        try:
            line = json.loads(raw)
            assert isinstance(line, dict)
            assert sorted(line) == ["body", "custom_id"]
            assert isinstance(line["custom_id"], str)
            check(line["body"])
        except (ValueError, AssertionError, KeyError, TypeError, Refusal) as fault:
            raise Refusal(422, json.dumps(f"Invalid file format: line {number}: {fault}")) from None


def _shown(job: Json) -> Json:
    return {name: value for name, value in job.items() if not name.startswith("_")}
