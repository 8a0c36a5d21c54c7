"""Batch prediction jobs in their virtual time: rows from a bucket, predictions to it, in shards and in no order."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.fakes.faults import Fault
from tests.fakes.gemini import protojson, rowfaults
from tests.fakes.gemini.generate import Brain
from tests.fakes.gemini.generate import Served as Answered
from tests.fakes.gemini.models import MODELS, Model
from tests.fakes.gemini.wire import ApiError
from tests.fakes.service import Json, Refusal, Served

if TYPE_CHECKING:
    from tests.fakes.vertex.service import FakeVertex

_WORDS = "status_words"
LINE_FAULTS = frozenset([_WORDS, "missing_row", "duplicate_line", "torn_line", "no_label", "foreign"])
ROW_FAULTS = rowfaults.ANSWER_KINDS | LINE_FAULTS
JOB_FAULTS = frozenset(
    ["fail", "queue_full", "expire", "stuck_pending", "stuck_running", "cancel_race", "partial", "no_output_info"]
)
ENDED = frozenset(f"JOB_STATE_{end}" for end in ("SUCCEEDED", "PARTIALLY_SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED"))
NUMBER = "1234567890"
"""Jobs are named by the project's number, whatever they were created under."""

_FIELDS = frozenset({"displayName", "model", "inputConfig", "outputConfig", "labels"})
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_LABEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_DAY = 86_400.0


class Jobs:
    """The jobs of one service; fields that begin with an underscore are its own."""

    def __init__(self, service: FakeVertex, brain: Brain) -> None:
        self._service = service
        self._brain = brain

    def create(self, told: Any, location: str) -> Json:
        """Take a job in."""
        source, prefix, model = _read_create(told)
        now = self._service.clock.now()
        fate = next(iter(self._service.faults.take("job", "")), None)
        number = str(10**18 + len(self._service.all("job")))
        job = {
            "id": number,
            "name": f"projects/{NUMBER}/locations/{location}/batchPredictionJobs/{number}",
            **told,
            "state": "JOB_STATE_PENDING",
            "createTime": _time(now),
            "updateTime": _time(now),
            "_source": source,
            "_prefix": prefix,
            "_model": model.name,
            "_starts": now + self._service.pending,
            "_fate": fate.kind if fate else "",
            "_done": 0,
            "_good": 0,
            "_rows": [],
        }
        self._service.put("job", job)
        return _shown(job)

    def known(self, number: str) -> Json:
        """Return a job; raises the service's 404."""
        job = self._service.get("job", number)
        if job is None:
            raise Refusal(404, f"The BatchPredictionJob {number} does not exist.", "NOT_FOUND")
        return job

    def shown(self, number: str) -> Json:
        """Return a job as the service shows it."""
        return _shown(self.known(number))

    def cancel(self, number: str) -> None:
        """Stop a job; what is done is kept."""
        job = self.known(number)
        if job["state"] in ENDED:
            raise Refusal(400, f"Cannot cancel a job in state {job['state']}.", "FAILED_PRECONDITION")
        if job["_fate"] != "cancel_race":
            job["state"] = "JOB_STATE_CANCELLING"
        self._service.put("job", job)

    def settle(self) -> None:
        """Bring every job to where it stands now."""
        for job in self._service.all("job"):
            if job["state"] not in ENDED:
                self._move(job, self._service.clock.now())
                self._service.put("job", job)

    def _move(self, job: Json, now: float) -> None:
        fate = job["_fate"]
        if job["state"] == "JOB_STATE_CANCELLING":
            self._end(job, "CANCELLED", whole=False, error={"code": 1, "message": "Job was cancelled."})
            return
        if job["state"] == "JOB_STATE_PENDING" and now >= job["_starts"] and fate != "stuck_pending":
            job["state"], job["startTime"] = "JOB_STATE_RUNNING", _time(now)
            if fate == "queue_full":
                self._end(job, "FAILED", error={"code": 8, "message": "Quota exceeded: resources exhausted."})
            elif fate == "fail":
                self._end(job, "FAILED", error={"code": 13, "message": "Internal error."})
            elif self._service.buckets.read(job["_source"]) is None:
                self._end(job, "FAILED", error={"code": 5, "message": f"cannot read {job['_source']}"})
        if job["state"] == "JOB_STATE_RUNNING":
            self._work(job, now)
        if job["state"] not in ENDED and now >= job["_starts"] + _DAY:
            self._end(job, "EXPIRED", whole=False, error={"code": 4, "message": "Job exceeded its time."})

    def _work(self, job: Json, now: float) -> None:
        lines = (self._service.buckets.read(job["_source"]) or b"").splitlines()
        running = self._service.running
        share = min(1.0, (now - job["_starts"]) / running) if running else 1.0
        due = int(len(lines) * share)
        if job["_fate"] in ("expire", "stuck_running"):
            due = min(due, len(lines) // 2)
        for number in range(job["_done"], due):
            self._serve(job, lines[number])
        job["_done"] = max(job["_done"], due)
        if job["_done"] == len(lines):
            partial = job["_fate"] == "partial"
            self._end(job, "PARTIALLY_SUCCEEDED" if partial else "SUCCEEDED")

    def _serve(self, job: Json, raw: bytes) -> None:
        line, told, labels = _read_line(raw)
        key = labels.get("captionary", "")
        faults = self._service.faults.take("row", key)
        words = next((fault.params.get("words", "Internal error.") for fault in faults if fault.kind == _WORDS), None)
        if words is not None:  # a failure in plain words, which costs nothing
            self._service.book(Served("batch", job["_model"], "error"), job["id"], key)
            job["_rows"].append(json.dumps({"status": words, "request": line["request"], "response": {}}))
            return
        answered, served = self.answer(told, MODELS[job["_model"]], "batch", faults)
        self._service.book(served, job["id"], key)
        made: Json = {"status": "", "processed_time": _time(self._service.clock.now()), "request": line["request"]}
        if answered.error is not None:
            words = json.dumps({"error": answered.error.row()})
            made |= {"status": f"Bad Request: {words}", "response": {}}
        else:
            made |= {"response": answered.response}
            job["_good"] += 1
        job["_rows"] += _spoilt(made, faults)

    def answer(self, told: Json, model: Model, mode: str, faults: list[Fault]) -> tuple[Answered, Served]:
        """Serve one request, with the faults of its answer."""
        answered = self._brain.answer(told, model, _no_file)
        for fault in faults:
            rowfaults.alter(answered, fault)  # type: ignore[arg-type]
        usd = model.usd(mode, answered.input_tokens, answered.output_tokens, self._service.clock.now())
        served = Served(mode, model.name, answered.outcome, answered.input_tokens, answered.output_tokens, usd=usd)
        served.pictures = [picture.sha256 for picture in answered.pictures]
        return answered, served

    def _end(self, job: Json, state: str, *, whole: bool = True, error: Json | None = None) -> None:
        """Write what there is: shards of predictions, or, of a job that was stopped, what it had written so far."""
        now = self._service.clock.now()
        job |= {"state": f"JOB_STATE_{state}", "endTime": _time(now), "updateTime": _time(now)}
        if error:
            job["error"] = error
        rows = sorted(job.pop("_rows"), key=lambda row: hashlib.sha256(row.encode()).digest())
        job["_rows"] = []
        if not rows:
            return
        bucket, _, prefix = job["_prefix"].removeprefix("gs://").partition("/")
        folder = f"{prefix.rstrip('/')}/prediction-model-{_time(now)}"
        count = int(self._service.settings.get("output_shards", 1)) if whole else 1
        for number in range(count):
            content = "".join(row + "\n" for row in rows[number::count]).encode()
            name = f"predictions-{number:05}.jsonl" if whole else "incremental_predictions.jsonl"
            self._service.buckets.put(bucket, f"{folder}/{name}", content)
        if whole and job["_fate"] != "no_output_info":
            job["outputInfo"] = {"gcsOutputDirectory": f"gs://{bucket}/{folder}"}
        if whole:
            stats = {"successfulCount": str(job["_good"]), "failedCount": str(job["_done"] - job["_good"])}
            job["completionStats"] = {**stats, "incompleteCount": "-1"}


def read_request(told: Any) -> tuple[Json, dict[str, str]]:
    """Return a GenerateContentRequest as the brain knows it, and its labels; raises `Refusal`."""
    labels = told.pop("labels", {}) if isinstance(told, dict) else {}
    if not isinstance(labels, dict) or not all(
        _LABEL_NAME.fullmatch(name) and isinstance(value, str) and _LABEL.fullmatch(value)
        for name, value in labels.items()
    ):
        raise Refusal(400, f"Invalid labels: {labels}", "INVALID_ARGUMENT")
    try:
        return protojson.parse(told, "GenerateContentRequest"), labels
    except protojson.Refused as refused:
        raise Refusal(400, str(refused), "INVALID_ARGUMENT") from None


def _read_line(raw: bytes) -> tuple[Json, Json, dict[str, str]]:
    line = json.loads(raw)
    if sorted(line) != ["request"]:
        raise AssertionError(f"a row of Vertex has a request and nothing else, not {sorted(line)}")
    told, labels = read_request(dict(line["request"]))
    return line, told, labels


def _spoilt(made: Json, faults: list[Fault]) -> list[str]:
    rows = [json.dumps(made)]
    for fault in faults:
        match fault.kind:
            case "missing_row":
                rows = []
            case "duplicate_line":
                rows *= 2
            case "torn_line":
                rows = [row[: len(row) // 2] for row in rows]
            case "no_label":
                bare = {name: value for name, value in made["request"].items() if name != "labels"}
                rows = [json.dumps({**made, "request": bare})]
            case "foreign":
                rows.append(json.dumps({**made, "request": {"labels": {"captionary": "somebody-elses-1"}}}))
    return rows


def _no_file(uri: str) -> tuple[bytes, str]:
    raise ApiError(3, f"Cannot fetch content from {uri[:80]}.")


def _read_create(told: Any) -> tuple[str, str, Model]:
    """Return where rows come from, where predictions go, and the model; raises `Refusal`."""
    if not isinstance(told, dict) or not told.keys() <= _FIELDS or not told.get("displayName"):
        odd = sorted(told.keys() - _FIELDS) if isinstance(told, dict) else []
        raise Refusal(400, f'Invalid JSON payload received. Unknown name "{odd[:1]}"', "INVALID_ARGUMENT")
    if len(told["displayName"]) > 128:
        raise Refusal(400, "display_name is longer than 128 characters.", "INVALID_ARGUMENT")
    for name, value in (told.get("labels") or {}).items():
        if not _LABEL_NAME.fullmatch(name) or not _LABEL.fullmatch(value):
            raise Refusal(400, f"Invalid label: {name}={value}", "INVALID_ARGUMENT")
    entered, left = told.get("inputConfig") or {}, told.get("outputConfig") or {}
    uris = (entered.get("gcsSource") or {}).get("uris")
    prefix = (left.get("gcsDestination") or {}).get("outputUriPrefix", "")
    if entered.get("instancesFormat") != "jsonl" or not isinstance(uris, list) or len(uris) != 1:
        raise Refusal(400, "gcs_source.uris must be a list of one JSONL file.", "INVALID_ARGUMENT")
    if left.get("predictionsFormat") != "jsonl" or not prefix.startswith("gs://"):
        raise Refusal(400, "gcs_destination.output_uri_prefix must be set.", "INVALID_ARGUMENT")
    name = str(told.get("model")).removeprefix("publishers/google/models/")
    if name not in MODELS or name == told.get("model"):
        raise Refusal(404, f"Publisher Model `{told.get('model')}` was not found.", "NOT_FOUND")
    return uris[0], prefix, MODELS[name]


def _shown(job: Json) -> Json:
    return {name: value for name, value in job.items() if not name.startswith("_") and name != "id"}


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
