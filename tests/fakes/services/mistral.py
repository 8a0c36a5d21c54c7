"""Mistral: files, batch jobs with metadata, chat completions; errors come as a JSON text."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.services.base import Answer, Call, Json
from tests.fakes.services.chat import FakeChat

_ENDED = ("SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED")


class FakeMistral(FakeChat):
    """Jobs are worked when they are looked at after `seconds`."""

    price = (0.15, 0.60)

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.files: dict[str, bytes] = {}
        self.deleted: list[str] = []
        self.jobs: dict[str, Json] = {}
        self.lines_fault: dict[int, Json] = {}
        self.end_as = "SUCCESS"
        self._batching = False

    def rate(self, body: Json) -> tuple[float, float]:
        """A batch costs half."""
        return (self.price[0] / 2, self.price[1] / 2) if self._batching else self.price

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["v1", "chat", "completions"]:
                return self.complete(call.json())
            case "POST", ["v1", "files"]:
                return self._upload(call)
            case "GET", ["v1", "files", name, "content"]:
                return Answer(body=self.files[name]) if name in self.files else _missing(name)
            case "DELETE", ["v1", "files", name]:
                self.deleted.append(name)
                return Answer(body={"deleted": True}) if self.files.pop(name, None) is not None else _missing(name)
            case "POST", ["v1", "batch", "jobs"]:
                return self._create(call.json())
            case "GET", ["v1", "batch", "jobs"]:
                page, size = int(call.query.get("page", "0")), int(call.query.get("page_size", "100"))
                jobs = list(self.jobs.values())[::-1]
                return Answer(body={"data": jobs[page * size : (page + 1) * size], "total": len(jobs)})
            case "GET", ["v1", "batch", "jobs", name]:
                return Answer(body=self._job(name)) if name in self.jobs else _missing(name)
            case "POST", ["v1", "batch", "jobs", name, "cancel"]:
                job = self.jobs[name]
                if job["status"] not in _ENDED:
                    job["status"] = "CANCELLED"
                return Answer(body=job)
        return _missing(call.path)

    def _upload(self, call: Call) -> Answer:
        form = call.form()
        lines = form["file"][1].splitlines()
        if form["purpose"][1] != b"batch" or any(set(json.loads(line)) != {"custom_id", "body"} for line in lines):
            return Answer(422, json.dumps("Invalid batch file"))
        made = f"00000000-0000-4000-8000-{len(self.files) + len(self.deleted):012d}"
        self.files[made] = form["file"][1]
        return Answer(body={"id": made, "object": "file", "bytes": len(form["file"][1]), "purpose": "batch"})

    def _create(self, told: Json) -> Answer:
        handle = told["input_files"][0]
        if handle not in self.files or not 1 <= told["timeout_hours"] < 168:
            return Answer(422, json.dumps("input file not found, or a timeout that is out of bounds"))
        made = f"10000000-0000-4000-8000-{len(self.jobs):012d}"
        self.jobs[made] = {
            "id": made,
            "object": "batch",
            "status": "QUEUED",
            "input_files": told["input_files"],
            "metadata": told.get("metadata"),
            "model": told["model"],
            "endpoint": told["endpoint"],
            "errors": [],
            "created_at": int(self.now),
            "total_requests": len(self.files[handle].splitlines()),
            "succeeded_requests": 0,
            "failed_requests": 0,
            "output_file": None,
            "error_file": None,
            "timeout_hours": told["timeout_hours"],
        }
        return Answer(body=self.jobs[made])

    def _job(self, name: str) -> Json:
        job = self.jobs[name]
        if job["status"] in _ENDED or self.now < job["created_at"] + self.seconds:
            return job
        job["status"], job["completed_at"] = self.end_as, int(self.now)
        if self.end_as == "FAILED":
            return job
        good, bad = [], []
        for number, text in reversed(list(enumerate(self.files[job["input_files"][0]].splitlines()))):
            line = json.loads(text)
            served: Any = self.lines_fault.get(number)
            if served is None:
                self._batching = True
                done = self.complete({"model": job["model"], **line["body"]}, key=line["custom_id"])
                self._batching = False
                served = {"response": {"status_code": done.status, "body": done.body}, "error": None}
            row = {"id": f"r-{number}", "custom_id": line["custom_id"], **served}
            whole = isinstance(row["response"], dict) and row["response"]["status_code"] == 200
            (good if whole else bad).append(json.dumps(row))
        job["succeeded_requests"], job["failed_requests"] = len(good), len(bad)
        for number, (field, rows) in enumerate((("output_file", good), ("error_file", bad))):
            if rows:
                made = name[:-2] + f"f{number}"
                self.files[made] = "\n".join(rows).encode()
                job[field] = made
        return job


def _missing(name: str) -> Answer:
    return Answer(404, json.dumps(f"not found: {name}"))
