"""The service: messages, and batches in their virtual time, which have no label and show no counts before their end."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.anthropic.messages import ANSWER_FAULTS, Messages, dumped
from tests.fakes.service import FakeService, Json, Refusal, Route, Served
from tests.fakes.wire import Call, Reply

ROW_FAULTS = ANSWER_FAULTS | {"errored", "expired", "missing", "duplicate", "foreign", "torn", "credit"}
JOB_FAULTS = frozenset(["expire", "stuck", "cancel_race", "slow"])
_DAY = 86_400.0
_MOST_BYTES, _MOST_LINES = 256_000_000, 100_000
_KEY = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
_ENDS = ("succeeded", "errored", "canceled", "expired")


class FakeAnthropic(FakeService):
    """Anthropic's messages and message batches."""

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state, **settings)
        self.messages = Messages(self)

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
        home = "/v1/messages/batches"
        return (
            Route("create", "POST", home, self._create),
            Route("list", "GET", home, self._list),
            Route("get", "GET", home + "/{id}", self._get),
            Route("delete", "DELETE", home + "/{id}", self._delete),
            Route("cancel", "POST", home + "/{id}/cancel", self._cancel),
            Route("download", "GET", home + "/{id}/results", self._results),
            Route("ask", "POST", "/v1/messages", self._ask),
        )

    def refusal(self, fault: Refusal) -> Reply:
        """Word an error as Anthropic does."""
        told = {"type": fault.code or _KINDS.get(fault.status, "api_error"), "message": fault.message}
        return Reply(fault.status, {"type": "error", "error": told, "request_id": "req_1"})

    def _admit(self, call: Call) -> None:
        key = call.headers.get("x-api-key") or call.headers.get("authorization", "").removeprefix("Bearer ")
        if key in ("", "bad-key"):
            raise Refusal(401, "invalid x-api-key")
        if key == "no-credit":
            raise Refusal(400, "Your credit balance is too low to access the Anthropic API.")
        if not call.headers.get("anthropic-version"):
            raise Refusal(400, "anthropic-version: header is required")

    def _ask(self, call: Call) -> Reply:
        fault = next((each for each in call.faults if each.kind in ANSWER_FAULTS), None)
        made, served = self.messages.answer(call.json(), batch=False, fault=fault)
        self.book(served)
        left = {"anthropic-ratelimit-requests-remaining": "49", "anthropic-ratelimit-requests-limit": "50"}
        return Reply(200, made, left)

    # Batches

    def _create(self, call: Call) -> Reply:
        told = call.json()
        requests = told.get("requests") if isinstance(told, dict) and set(told) == {"requests"} else None
        if len(call.body) > _MOST_BYTES:
            raise Refusal(413, "Request exceeds the maximum size")
        if not isinstance(requests, list) or not 1 <= len(requests) <= _MOST_LINES:
            raise Refusal(400, "requests: List should have at least 1 item")
        seen: set[str] = set()
        for number, request in enumerate(requests):
            key = request.get("custom_id")
            if sorted(request) != ["custom_id", "params"] or not _KEY.fullmatch(str(key)):
                raise Refusal(
                    400, f"requests.{number}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'"
                )
            if key in seen:
                raise Refusal(400, f"requests.{number}.custom_id: Duplicate custom_id '{key}'")
            if request["params"].get("stream"):
                raise Refusal(400, f"requests.{number}.params.stream: not allowed in a batch")
            seen.add(key)
        now = self.clock.now()
        fate = next(iter(self.faults.take("job", "")), None)
        pending = float(fate.params.get("pending", self.pending)) if fate else self.pending
        job = {
            "id": self.new_id("msgbatch_"),
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": {"processing": len(requests), **dict.fromkeys(_ENDS, 0)},
            "created_at": _time(now),
            "expires_at": _time(now + _DAY),
            "ended_at": None,
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": None,
            "_created": now,
            "_starts": now + pending,
            "_fate": fate.kind if fate else "",
            "_done": 0,
            "_rows": [],
            "_counts": dict.fromkeys(_ENDS, 0),
        }
        self.blob(job["id"]).write_bytes("\n".join(map(dumped, requests)).encode())
        return Reply(200, _shown(self.put("job", job)))

    def _known(self, call: Call) -> Json:
        job = self.get("job", call.names[0])
        if job is None:
            raise Refusal(404, f"Message batch {call.names[0]} not found.")
        return job

    def _get(self, call: Call) -> Reply:
        told = _shown(self._known(call))
        return Reply(200, {**told, "processing_status": "pondering"} if call.struck("unknown_state") else told)

    def _list(self, call: Call) -> Reply:
        limit = int(call.query.get("limit", "20"))
        if not 1 <= limit <= 1000:
            raise Refusal(400, "limit: Input should be between 1 and 1000")
        lag = call.struck("lag")
        until = self.clock.now() - (float(lag.params.get("seconds", 60)) if lag else 0.0)
        found = [job for job in self.all("job")[::-1] if job["_created"] <= until]
        names = [job["id"] for job in found]
        if call.query.get("after_id") in names:
            found = found[names.index(call.query["after_id"]) + 1 :]
        page = [] if call.struck("empty_page") else [_shown(job) for job in found[:limit]]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return Reply(200, {"data": page, "has_more": len(found) > len(page) > 0, **ends})

    def _cancel(self, call: Call) -> Reply:
        job = self._known(call)
        if job["processing_status"] == "ended":
            raise Refusal(400, f"Batch {job['id']} has already ended.")
        if job["_fate"] != "cancel_race":
            job["processing_status"] = "canceling"
        job["cancel_initiated_at"] = _time(self.clock.now())
        return Reply(200, _shown(self.put("job", job)))

    def _delete(self, call: Call) -> Reply:
        job = self._known(call)
        if job["processing_status"] != "ended":
            raise Refusal(400, "Only batches that have ended can be deleted.")
        self.drop("job", job["id"])
        return Reply(200, {"id": job["id"], "type": "message_batch_deleted"})

    def _results(self, call: Call) -> Reply:
        job = self._known(call)
        if job["processing_status"] != "ended":
            raise Refusal(404, f"Batch {job['id']} has no results yet.")
        return Reply(200, self.blob(f"{job['id']}-results"), {"Content-Type": "application/x-jsonl"})

    # Their life

    def settle(self) -> None:
        """Bring every batch to where it stands now."""
        for job in self.all("job"):
            if job["processing_status"] != "ended":
                self._move(job, self.clock.now())
                self.put("job", job)

    def _move(self, job: Json, now: float) -> None:
        lines = self.blob(job["id"]).read_bytes().splitlines()
        share = min(1.0, (now - job["_starts"]) / self.running) if self.running else 1.0
        due = int(len(lines) * max(0.0, share))
        if job["_fate"] in ("expire", "stuck"):
            due = min(due, len(lines) // 2)
        if job["processing_status"] == "canceling":
            due = job["_done"]
        for number in range(job["_done"], due):
            self._serve(job, json.loads(lines[number]))
        job["_done"] = max(job["_done"], due)
        rest = [json.loads(line)["custom_id"] for line in lines[job["_done"] :]]
        if job["processing_status"] == "canceling":
            self._end(job, rest, "canceled")
        elif not rest:
            self._end(job, [], "")
        elif now >= job["_created"] + _DAY:
            self._end(job, rest, "expired")

    def _serve(self, job: Json, request: Json) -> None:
        key = request["custom_id"]
        fault = next(iter(self.faults.take("row", key)), None)
        kind = fault.kind if fault else ""
        if fault and kind in ("errored", "credit"):
            told = fault.params
            words = "Your credit balance is too low" if kind == "credit" else told.get("message", "Internal error")
            error = {"type": told.get("code", "api_error" if kind == "errored" else "invalid_request_error")}
            self._row(job, key, "errored", error={"type": "error", "error": {**error, "message": words}})
            return
        if kind == "expired":
            self._row(job, key, "expired")
            return
        try:
            made, served = self.messages.answer(
                request["params"], batch=True, fault=fault if kind in ANSWER_FAULTS else None
            )
        except Refusal as no:
            error = {"type": no.code or _KINDS.get(no.status, "api_error"), "message": no.message}
            self.book(Served("batch", str(request["params"].get("model")), "error"), job["id"], key)
            self._row(job, key, "errored", error={"type": "error", "error": error})
            return
        self.book(served, job["id"], key)
        self._row(job, key, "succeeded", message=made)
        rows = job["_rows"]
        match kind:
            case "missing":
                rows.pop()
            case "duplicate":
                rows.append(rows[-1])
            case "foreign":
                rows.append(rows[-1].replace(key, "somebody-elses-1"))
            case "torn":
                rows[-1] = rows[-1][: len(rows[-1]) // 2]

    def _row(self, job: Json, key: str, kind: str, **more: Any) -> None:
        job["_counts"][kind] += 1
        job["_rows"].append(dumped({"custom_id": key, "result": {"type": kind, **more}}))

    def _end(self, job: Json, rest: list[str], kind: str) -> None:
        for key in rest:
            self._row(job, key, kind)
        rows = sorted(job["_rows"], key=lambda row: hashlib.sha256(row.encode()).digest())
        self.blob(f"{job['id']}-results").write_text("".join(row + "\n" for row in rows))
        job |= {
            "processing_status": "ended",
            "ended_at": _time(self.clock.now()),
            "request_counts": {"processing": 0, **job["_counts"]},
            "results_url": f"{self.url}/v1/messages/batches/{job['id']}/results",
        }


def _shown(job: Json) -> Json:
    return {name: value for name, value in job.items() if not name.startswith("_")}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
