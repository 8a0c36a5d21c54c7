"""The service: its calls, its files, its jobs in their virtual time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.fakes.openai.chat import ANSWER_FAULTS, Chat
from tests.fakes.openai.jobs import JOB_FAULTS, ROW_FAULTS, Jobs
from tests.fakes.openai.models import MODELS
from tests.fakes.service import FakeService, Json, Refusal, Route
from tests.fakes.wire import Call, Reply

DAY = 86_400
_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_MOST_BYTES = 512 << 20
_ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/moderations")
_CREATE = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})


class FakeOpenAI(FakeService):
    """OpenAI's files, batches and chat completions.

    Settings: `enqueued_tokens`, how many prompt tokens of one model may queue; `late_file_check`, True where a missing
    input file makes a failed job instead of a refusal, as both were seen; `no_flex`, True where flex has no capacity.
    """

    prefix = "/v1"

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state, **settings)
        self.chat = Chat(self)
        self.jobs = Jobs(self, self.chat)

    def kinds(self) -> dict[str, frozenset[str]]:
        """Name the faults that only this service has."""
        return {
            "row": ROW_FAULTS | ANSWER_FAULTS,
            "job": JOB_FAULTS,
            "ask": ANSWER_FAULTS | {"downgrade"},
            "get": frozenset({"unknown_state"}),
            "list": frozenset({"lag", "empty_page"}),
            "upload": frozenset({"wrong_size"}),
        }

    def routes(self) -> tuple[Route, ...]:
        """Every call, by the names that rules and books use."""
        return (
            Route("upload", "POST", "/files", self._upload),
            Route("file_list", "GET", "/files", self._files),
            Route("file_get", "GET", "/files/{id}", self._file),
            Route("file_delete", "DELETE", "/files/{id}", self._delete),
            Route("download", "GET", "/files/{id}/content", self._content),
            Route("create", "POST", "/batches", self._create),
            Route("list", "GET", "/batches", self._list),
            Route("get", "GET", "/batches/{id}", self._get),
            Route("cancel", "POST", "/batches/{id}/cancel", self._cancel),
            Route("ask", "POST", "/chat/completions", self._ask),
            Route("model_list", "GET", "/models", self._models),
        )

    def settle(self) -> None:
        """Bring every job to where it stands now."""
        self.jobs.settle()

    # Files

    def _upload(self, call: Call) -> Reply:
        form = call.form()
        purpose = form.get("purpose", ("", b""))[1].decode()
        name, content = form.get("file", ("", b""))
        odd = sorted(form.keys() - {"purpose", "file", "expires_after[anchor]", "expires_after[seconds]"})
        if odd:
            raise Refusal(400, f"Unknown parameter: '{odd[0]}'.", "unknown_parameter", odd[0])
        if purpose not in _PURPOSES:
            raise Refusal(400, f"'{purpose}' is not one of {list(_PURPOSES)} - 'purpose'", param="purpose")
        if not name:
            raise Refusal(400, "'file' is a required property", param="file")
        if len(content) > _MOST_BYTES:
            raise Refusal(413, f"File is too large. Maximum size is {_MOST_BYTES} bytes.")
        if purpose == "batch":
            _check_batch_file(name, content)
        life = form.get("expires_after[seconds]", ("", b""))[1]
        made = self.keep(content, name, purpose, life=int(life) if life else None)
        if call.struck("wrong_size"):
            made = {**made, "bytes": made["bytes"] - 1}
        return Reply(200, made)

    def keep(self, content: bytes, name: str, purpose: str, life: float | None = None) -> Json:
        """Keep a file and return what is told of it."""
        now = int(self.clock.now())
        made = {
            "id": self.new_id("file-"),
            "object": "file",
            "bytes": len(content),
            "created_at": now,
            "expires_at": None if life is None else now + int(life),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "status_details": None,
        }
        self.blob(made["id"]).write_bytes(content)
        return self.put("file", made)

    def file(self, name: str) -> Json:
        """Return a file that is there; raises `Refusal` for one that is not, or not any more."""
        found = self.get("file", name)
        if found is None or (found["expires_at"] is not None and found["expires_at"] < self.clock.now()):
            raise Refusal(404, f"No such File object: {name}", param="id")
        return found

    def _file(self, call: Call) -> Reply:
        return Reply(200, self.file(*call.names))

    def _files(self, call: Call) -> Reply:
        found = [file for file in self.all("file") if call.query.get("purpose") in (None, file["purpose"])]
        return Reply(200, {"object": "list", "data": found[::-1], "has_more": False})

    def _content(self, call: Call) -> Reply:
        found = self.file(*call.names)
        return Reply(200, self.blob(found["id"]), {"Content-Type": "application/octet-stream"})

    def _delete(self, call: Call) -> Reply:
        name = self.file(*call.names)["id"]
        self.drop("file", name)
        self.blob(name).unlink()
        return Reply(200, {"id": name, "object": "file", "deleted": True})

    # Batches

    def _create(self, call: Call) -> Reply:
        told = call.json()
        if not isinstance(told, dict):
            raise Refusal(400, "We could not parse the JSON body of your request.", "invalid_json")
        for name in told:
            if name not in _CREATE:
                raise Refusal(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
        if told.get("endpoint") not in _ENDPOINTS:
            raise Refusal(400, f"Invalid value: '{told.get('endpoint')}'.", "invalid_value", "endpoint")
        if told.get("completion_window") != "24h":
            raise Refusal(400, "Invalid value: only '24h' is supported.", "invalid_value", "completion_window")
        _check_metadata(told.get("metadata"))
        life = (told.get("output_expires_after") or {}).get("seconds", 30 * DAY)
        if not 3_600 <= life <= 30 * DAY:
            raise Refusal(400, "Invalid 'output_expires_after.seconds'.", "invalid_value", "output_expires_after")
        if not self.settings.get("late_file_check"):
            try:
                self.file(str(told.get("input_file_id")))
            except Refusal as gone:
                raise Refusal(400, f"Invalid file id: {told.get('input_file_id')}", param="input_file_id") from gone
        return Reply(200, self.jobs.create(told, life))

    def _get(self, call: Call) -> Reply:
        told = self.jobs.shown(*call.names)
        return Reply(200, {**told, "status": "pondering"} if call.struck("unknown_state") else told)

    def _list(self, call: Call) -> Reply:
        limit = int(call.query.get("limit", "20"))
        if not 1 <= limit <= 100:
            raise Refusal(400, "Invalid 'limit': must be between 1 and 100.", "invalid_value", "limit")
        lag = call.struck("lag")
        until = self.clock.now() - float(lag.params.get("seconds", 60)) if lag else self.clock.now()
        names = [job["id"] for job in reversed(self.all("job")) if job["created_at"] <= until]
        if call.query.get("after"):
            if call.query["after"] not in names:
                raise Refusal(404, f"No batch found with id '{call.query['after']}'.")
            names = names[names.index(call.query["after"]) + 1 :]
        page = [] if call.struck("empty_page") else [self.jobs.shown(name) for name in names[:limit]]
        more = len(names) > len(page)
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return Reply(200, {"object": "list", "data": page, **ends, "has_more": more})

    def _cancel(self, call: Call) -> Reply:
        return Reply(200, self.jobs.cancel(*call.names))

    # Calls

    def _ask(self, call: Call) -> Reply:
        body = call.json()
        tier = body.get("service_tier", "default") if isinstance(body, dict) else "default"
        tier = "flex" if tier == "flex" and not call.struck("downgrade") else "default"
        if tier == "flex" and self.settings.get("no_flex"):
            raise Refusal(429, "Resource unavailable.", "resource_unavailable")
        fault = next((each for each in call.faults if each.kind in ANSWER_FAULTS), None)
        made, served = self.chat.complete(body, tier, fault)
        self.book(served)
        left = {"x-ratelimit-remaining-requests": "4999", "x-ratelimit-reset-requests": "12ms"}
        return Reply(200, made, left)

    def _models(self, call: Call) -> Reply:
        data = [{"id": name, "object": "model", "created": 1790000000, "owned_by": "system"} for name in MODELS]
        return Reply(200, {"object": "list", "data": data})


def _check_batch_file(name: str, content: bytes) -> None:
    first = content.split(b"\n", 1)[0]
    try:
        whole = isinstance(json.loads(first), dict)
    except ValueError:
        whole = False
    if not name.endswith(".jsonl") or not whole:
        raise Refusal(400, "Invalid file format for Batch API. Must be .jsonl", param="file")


def _check_metadata(told: Any) -> None:
    if told is None:
        return
    fits = isinstance(told, dict) and len(told) <= 16
    if not fits or not all(isinstance(v, str) and len(k) <= 64 and len(v) <= 512 for k, v in told.items()):
        raise Refusal(400, "Invalid 'metadata': up to 16 pairs of strings.", "invalid_value", "metadata")
