"""The services on one port: storage, jobs, calls, and the sign-in before them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.gemini import rowfaults
from tests.fakes.gemini.generate import Brain
from tests.fakes.gemini.models import MODELS
from tests.fakes.service import FakeService, Refusal, Route
from tests.fakes.vertex.accounts import Tokens, write_credentials
from tests.fakes.vertex.buckets import PERMISSIONS, Buckets
from tests.fakes.vertex.jobs import JOB_FAULTS, ROW_FAULTS, Jobs, read_request
from tests.fakes.wire import Call, Reply

BUCKET, PROJECT = "captionary-test", "test-project"
_FILTER = re.compile(r'(?:display_name|displayName)="([^"]*)"')
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


class FakeVertex(FakeService):
    """Vertex AI and Cloud Storage.

    Settings: `buckets`, permissions by the name of a bucket; `page`, how many objects a page of a list has;
    `output_shards`, in how many files predictions come.
    """

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state, **settings)
        self.buckets = Buckets(self, settings.get("buckets", {BUCKET: PERMISSIONS}))
        self.jobs = Jobs(self, Brain(self._gallery))
        self.tokens = Tokens()
        self.credentials = write_credentials(state / "credentials.json", f"{self.url}/token", PROJECT)

    def kinds(self) -> dict[str, frozenset[str]]:
        """Name the faults that only this service has."""
        return {
            "row": ROW_FAULTS,
            "job": JOB_FAULTS,
            "ask": rowfaults.ANSWER_KINDS,
            "get": frozenset({"unknown_state"}),
            "list": frozenset({"lag", "empty_page"}),
            "object_list": frozenset({"empty_page"}),
            "upload_piece": frozenset({"gone", "short", "wrong_size"}),
        }

    def routes(self) -> tuple[Route, ...]:
        """Every call, by the names that rules and books use."""
        home = "/v1/projects/{id}/locations/{id}"
        return (
            *self.buckets.routes(),
            Route("create", "POST", home + "/batchPredictionJobs", self._create),
            Route("list", "GET", home + "/batchPredictionJobs", self._list),
            Route("get", "GET", home + "/batchPredictionJobs/{id}", self._get),
            Route("cancel", "POST", home + "/batchPredictionJobs/{id}", self._cancel),
            Route("ask", "POST", home + "/publishers/google/models/{id}", self._ask),
        )

    def settle(self) -> None:
        """Bring every job to where it stands now."""
        self.jobs.settle()

    def refusal(self, fault: Refusal) -> Reply:
        """Word an error as Google does."""
        told = {"code": fault.status, "message": fault.message, "status": fault.code or _STATUS.get(fault.status, "")}
        return Reply(fault.status, {"error": told})

    def answer(self, call: Call) -> tuple[Reply, list[Fault]]:
        """Answer one call; signing in meets no faults and stands in no books."""
        return (self.tokens.give(call), []) if call.path == "/token" else super().answer(call)

    def _admit(self, call: Call) -> None:
        if "upload_id" not in call.query:  # whoever knows the address of an upload may send to it
            self.tokens.admit(call)

    def _create(self, call: Call) -> Reply:
        return Reply(200, self.jobs.create(call.json(), call.names[1]))

    def _get(self, call: Call) -> Reply:
        told = self.jobs.shown(call.names[2])
        return Reply(200, {**told, "state": "JOB_STATE_PONDERING"} if call.struck("unknown_state") else told)

    def _list(self, call: Call) -> Reply:
        wanted = _FILTER.fullmatch(call.query.get("filter", ""))
        if "filter" in call.query and wanted is None:
            raise Refusal(400, "Invalid filter.", "INVALID_ARGUMENT")
        lag = call.struck("lag")
        late = float(lag.params.get("seconds", 60)) if lag else 0.0
        found = [job for job in self.all("job")[::-1] if wanted is None or job["displayName"] == wanted[1]]
        found = [job for job in found if job["_starts"] - self.pending <= self.clock.now() - late]
        start, size = int(call.query.get("pageToken") or 0), int(call.query.get("pageSize") or 100)
        if call.struck("empty_page"):
            return Reply(200, {"nextPageToken": str(start)})
        page = [self.jobs.shown(job["id"]) for job in found[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        return Reply(200, {**({"batchPredictionJobs": page} if page else {}), **more})

    def _cancel(self, call: Call) -> Reply:
        number, _, verb = call.names[2].partition(":")
        if verb != "cancel":
            raise Refusal(404, "no such method")
        self.jobs.cancel(number)
        return Reply(200, {})

    def _ask(self, call: Call) -> Reply:
        name, _, verb = call.names[2].partition(":")
        if verb != "generateContent" or name not in MODELS:
            raise Refusal(404, f"Publisher Model `{name}` was not found.", "NOT_FOUND")
        told, _ = read_request(call.json())
        answered, served = self.jobs.answer(told, MODELS[name], "interactive", call.faults)
        self.book(served)
        if answered.error is not None:
            return Reply(answered.error.http, answered.error.body())
        return Reply(200, answered.response)
