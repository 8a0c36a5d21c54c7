"""OpenAI: files, batches, chat completions at three tiers."""

from __future__ import annotations

import json
import math
from typing import Any

from tests.fakes.services.base import Answer, Call, Json
from tests.fakes.services.chat import FakeChat

_ENDED = ("completed", "failed", "expired", "cancelled")


class FakeOpenAI(FakeChat):
    """Jobs are worked when they are looked at after `seconds`; answers and errors lie in two files."""

    prefix = "/v1"
    price = (0.10, 0.50)
    schemas = True

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.jobs: dict[str, Json] = {}
        self.lines_fault: dict[int, Json] = {}
        self.end_as = "completed"
        self.queue_full = 0

    def rate(self, body: Json) -> tuple[float, float]:
        """Flex and batch cost half."""
        half = body.get("service_tier") == "flex" or self._batching
        return (self.price[0] / 2, self.price[1] / 2) if half else self.price

    _batching = False

    def picture_tokens(self, width: int, height: int) -> int:
        """1.2 tokens a patch of 32 pixels."""
        return math.ceil(1.2 * min(2500, math.ceil(width / 32) * math.ceil(height / 32)))

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        path = call.path.removeprefix(self.prefix)
        match call.method, path.strip("/").split("/"):
            case "POST", ["files"]:
                return self._upload(call)
            case "GET", ["files", name, "content"]:
                return Answer(body=self.files[name]) if name in self.files else _missing(name)
            case "DELETE", ["files", name]:
                if self.files.pop(name, None) is None:
                    return _missing(name)
                self.deleted.append(name)
                return Answer(body={"id": name, "object": "file", "deleted": True})
            case "POST", ["batches"]:
                return self._create(call.json())
            case "GET", ["batches"]:
                return self._list(call)
            case "GET", ["batches", name]:
                return Answer(body=self._job(name)) if name in self.jobs else _missing(name)
            case "POST", ["batches", name, "cancel"]:
                job = self.jobs[name]
                if job["status"] in _ENDED:
                    return Answer(409, {"error": {"message": f"Cannot cancel a {job['status']} batch."}})
                job["status"] = "cancelled"
                return Answer(body=job)
        return super().answer(call)

    def _upload(self, call: Call) -> Answer:
        form = call.form()
        name, content = form["file"]
        if form["purpose"][1] != b"batch" or not name.endswith(".jsonl"):
            return Answer(400, {"error": {"message": "Invalid file format for Batch API. Must be .jsonl"}})
        made = f"file-{len(self.files) + len(self.deleted) + 1}"
        self.files[made] = content
        return Answer(body={"id": made, "object": "file", "bytes": len(content), "purpose": "batch"})

    def _create(self, told: Json) -> Answer:
        if told["input_file_id"] not in self.files:
            return Answer(400, {"error": {"message": "Invalid file id", "param": "input_file_id"}})
        made = f"batch_{len(self.jobs) + 1}"
        lines = self.files[told["input_file_id"]].splitlines()
        self.jobs[made] = {
            "id": made,
            "object": "batch",
            "endpoint": told["endpoint"],
            "status": "validating",
            "input_file_id": told["input_file_id"],
            "completion_window": told["completion_window"],
            "metadata": told.get("metadata"),
            "created_at": int(self.now),
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        return Answer(body=self.jobs[made])

    def _list(self, call: Call) -> Answer:
        names = sorted(self.jobs, key=lambda name: -int(name.split("_")[1]))
        start = names.index(call.query["after"]) + 1 if call.query.get("after") in names else 0
        size = int(call.query.get("limit", "20"))
        page = [self.jobs[name] for name in names[start : start + size]]
        return Answer(body={"object": "list", "data": page, "has_more": start + size < len(names)})

    def _job(self, name: str) -> Json:
        job = self.jobs[name]
        if job["status"] in _ENDED or self.now < job["created_at"] + self.seconds:
            return job
        if self.queue_full:
            self.queue_full -= 1
            job["status"] = "failed"
            told = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached", "line": None}
            job["errors"] = {"object": "list", "data": [told]}
            return job
        job["status"] = self.end_as
        job[f"{self.end_as}_at"] = int(self.now)
        if self.end_as != "failed":
            self._work(job)
        return job

    def _work(self, job: Json) -> None:
        good, bad = [], []
        lines = [json.loads(line) for line in self.files[job["input_file_id"]].splitlines()]
        for number, line in reversed(list(enumerate(lines))):
            served: Any = self.lines_fault.get(number)
            if served is None:
                self._batching = True
                done = self.complete(line["body"], key=line["custom_id"])
                self._batching = False
                served = {"response": {"status_code": done.status, "request_id": "r", "body": done.body}, "error": None}
            row = {"id": f"batch_req_{number}", "custom_id": line["custom_id"], **served}
            whole = isinstance(row["response"], dict) and row["response"]["status_code"] == 200
            (good if whole else bad).append(json.dumps(row))
        job["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        for field, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                name = f"file-{job['id']}-{field.split('_')[0]}"
                self.files[name] = ("\n".join(rows) + "\n").encode()
                job[field] = name


def _missing(name: str) -> Answer:
    return Answer(404, {"error": {"message": f"No such object: {name}", "code": "not_found"}})
