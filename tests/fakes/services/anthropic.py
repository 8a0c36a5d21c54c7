"""Anthropic: messages, and message batches that carry no label."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from datetime import UTC, datetime

from PIL import Image

from tests.fakes.services.base import Answer, Call, Json, Service, caption
from tests.fakes.services.chat import strictness

_FIELDS = frozenset({"model", "max_tokens", "temperature", "system", "messages", "output_config"})
_KEY = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class FakeAnthropic(Service):
    """Prices are dollars per million tokens; a cached prompt is read for a tenth and written for twice."""

    price = (0.10, 0.50)

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds
        self.jobs: dict[str, Json] = {}
        self.requests: dict[str, list[Json]] = {}
        self.results: dict[str, bytes] = {}
        self.rows: dict[int, Json] = {}
        self.cached: set[str] = set()

    def allowed(self, call: Call) -> bool:
        """The key travels in a header of its own."""
        return call.headers.get("x-api-key") == self.key and "anthropic-version" in call.headers

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["v1", "messages"]:
                return self.message(call.json(), half=False)
            case "POST", ["v1", "messages", "batches"]:
                return self._create(call.json())
            case "GET", ["v1", "messages", "batches"]:
                return self._list(call)
            case "GET", ["v1", "messages", "batches", name]:
                return Answer(body=self._job(name)) if name in self.jobs else _missing(name)
            case "GET", ["v1", "messages", "batches", name, "results"]:
                return Answer(body=self.results[name]) if name in self.results else _missing(name)
            case "POST", ["v1", "messages", "batches", name, "cancel"]:
                job = self.jobs[name]
                if job["processing_status"] == "ended":
                    return _refused("the batch has ended")
                self._end(name, {"type": "canceled"})
                return Answer(body=job)
        return _missing(call.path)

    def message(self, params: Json, *, half: bool, key: str = "") -> Answer:
        """Answer one message, or say why not."""
        unknown = sorted(params.keys() - _FIELDS)
        if unknown:
            return _refused(f"{unknown[0]}: Extra inputs are not permitted")
        fault = strictness(params["output_config"]["format"]["schema"])
        if fault:
            return _refused(fault)
        parts = params["messages"][0]["content"]
        raw = base64.b64decode(parts[0]["source"]["data"])
        with Image.open(io.BytesIO(raw)) as picture:
            width, height = picture.size
        said = caption(raw)
        texts = [part["text"] for part in parts if part["type"] == "text"]
        system = params.get("system") or []
        cacheable = sum(math.ceil(len(part["text"]) / 4) for part in system if part.get("cache_control"))
        entered = sum(math.ceil(len(text) / 4) for text in texts)
        entered += sum(math.ceil(len(part["text"]) / 4) for part in system if not part.get("cache_control"))
        entered += min(4000, math.ceil(width / 28) * math.ceil(height / 28))
        left = math.ceil(len(json.dumps(said)) / 4)
        prefix = json.dumps(system)
        read, written = (cacheable, 0) if prefix in self.cached else (0, cacheable)
        if cacheable:
            self.cached.add(prefix)
        share = 0.5 if half else 1.0
        dollars = (entered + 0.1 * read + 2 * written) * self.price[0] + left * self.price[1]
        self.billed += share * dollars / 1e6
        self.served[key or said["tags"][1]] += 1
        usage = {
            "input_tokens": entered,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": left,
        }
        return Answer(
            body={
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": params["model"],
                "content": [{"type": "text", "text": json.dumps(said)}],
                "stop_reason": "end_turn",
                "usage": usage,
            }
        )

    def _create(self, told: Json) -> Answer:
        requests = told["requests"]
        keys = [request["custom_id"] for request in requests]
        if len(set(keys)) != len(keys) or not all(map(_KEY.fullmatch, keys)):
            return _refused("custom_id must be unique and match ^[a-zA-Z0-9_-]{1,64}$")
        made = f"msgbatch_{len(self.jobs) + 1}"
        self.requests[made] = requests
        zero = {"processing": len(requests), "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        self.jobs[made] = {
            "id": made,
            "type": "message_batch",
            "processing_status": "in_progress",
            "request_counts": zero,
            "created_at": datetime.fromtimestamp(self.now, UTC).isoformat(),
            "ended_at": None,
            "results_url": None,
        }
        return Answer(body=self.jobs[made])

    def _list(self, call: Call) -> Answer:
        names = sorted(self.jobs, key=lambda name: -int(name.split("_")[1]))
        start = names.index(call.query["after_id"]) + 1 if call.query.get("after_id") in names else 0
        page = [self._job(name) for name in names[start : start + int(call.query.get("limit", "20"))]]
        last = page[-1]["id"] if page else None
        more = start + len(page) < len(names)
        return Answer(
            body={"data": page, "has_more": more, "first_id": page[0]["id"] if page else None, "last_id": last}
        )

    def _job(self, name: str) -> Json:
        job = self.jobs[name]
        begun = datetime.fromisoformat(job["created_at"]).timestamp()
        if job["processing_status"] != "ended" and self.now >= begun + self.seconds:
            self._end(name)
        return job

    def _end(self, name: str, every: Json | None = None) -> None:
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        rows = []
        for number, request in reversed(list(enumerate(self.requests[name]))):
            result = every or self.rows.get(number)
            if result is None:
                done = self.message(request["params"], half=True, key=request["custom_id"])
                kind = "succeeded" if done.status == 200 else "errored"
                result = {"type": kind, ("message" if kind == "succeeded" else "error"): done.body}
            counts[result["type"]] += 1
            rows.append(json.dumps({"custom_id": request["custom_id"], "result": result}))
        self.results[name] = ("\n".join(rows) + "\n").encode()
        self.jobs[name] |= {
            "processing_status": "ended",
            "request_counts": counts,
            "ended_at": datetime.fromtimestamp(self.now, UTC).isoformat(),
            "results_url": f"{self.url}/v1/messages/batches/{name}/results",
        }


def _missing(name: str) -> Answer:
    return Answer(404, {"type": "error", "error": {"type": "not_found_error", "message": f"not found: {name}"}})


def _refused(words: str) -> Answer:
    return Answer(400, {"type": "error", "error": {"type": "invalid_request_error", "message": words}})
