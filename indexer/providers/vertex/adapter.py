"""Vertex AI at work: Gemini's wire, a bucket for what goes in and out, and jobs with a name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from indexer.domain.answer import Failure, Reason, Row
from indexer.domain.errors import BadSetting, KeyMissing, NotFound, Refused
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.question import Question, Request
from indexer.providers import job_calls, jsonl
from indexer.providers.answer import one_line
from indexer.providers.google.faults import is_every_photos
from indexer.providers.google.models import bare, thinking_config
from indexer.providers.google.schema import SchemaField, answer_schema
from indexer.providers.google.wire import read_response
from indexer.providers.http import Http, Service, Timeouts, checked_url
from indexer.providers.moments import moment
from indexer.providers.seam import BatchFile, Match, oldest_first
from indexer.providers.spec import Opening
from indexer.providers.vertex import SPEC, VertexOptions, storage
from indexer.providers.vertex.check import check_file
from indexer.providers.vertex.credentials import LOGIN, Credentials
from indexer.providers.vertex.lines import LABEL, RESULT, decode_line, encode_call, encode_line
from indexer.providers.vertex.storage import BucketPlace, Storage

_MARGIN = 0.9
_BYTES, _LINES = 1_000_000_000, 200_000
_QUEUED_TOKENS = 2**50  # no quota of a queue is known: it is worked as room comes
_MOST_PAGES = 500
_NAME = re.compile(r"projects/[\w.:-]{1,100}/locations/[\w-]{1,40}/batchPredictionJobs/[0-9]{1,30}")
_INPUT, _OUTPUT = "requests.jsonl", "out"
_QUEUE_FULL = 8
_STATES = {
    "QUEUED": JobState.QUEUED,
    "PENDING": JobState.QUEUED,
    "SUCCEEDED": JobState.FINISHED,
    "PARTIALLY_SUCCEEDED": JobState.FINISHED,
    "FAILED": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "EXPIRED": JobState.EXPIRED,
}


class Vertex:
    """The Vertex provider; see `indexer.providers.seam` for what each verb promises.

    `home` is "projects/P/locations/L"; `bucket` is where batches go, "" where none is set.
    """

    spec = SPEC

    def __init__(self, http: Http, store: Storage, home: str, bucket: str = "") -> None:
        self._http = http
        self._store = store
        self._home = home
        self.batches = VertexBatches(http, store, home, bucket)

    def model(self) -> str:
        """Return the default model."""
        return SPEC.default_model

    def check(self, question: Question) -> str:
        """Return why every request would be refused, "" when nothing is known against it."""
        try:
            answer_schema(question.schema, SchemaField.OPENAPI)
            thinking_config(question.model, question.settings.thinking)
        except BadSetting as fault:
            return str(fault)
        return ""

    def ask(self, request: Request) -> Row:
        """Ask one call; a refusal of this photo is a `Failure`, what all would meet is raised."""
        what = "describe the photo"
        path = f"v1/{self._home}/publishers/google/models/{bare(request.question.model)}:generateContent"
        try:
            said = self._http.send(what, "POST", path, content=encode_call(request), timeout=self._http.timeouts.ask)
        except NotFound:
            raise
        except Refused as refusal:
            if is_every_photos(str(refusal)):
                raise
            return Row(request.key, Failure(Reason.REJECTED, str(refusal)))
        return Row(request.key, *read_response(said.json(what)))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._store.http.close()


class VertexBatches:
    """Vertex's batch prediction jobs: a file in a bucket, a job with a name, files of answers in the bucket."""

    def __init__(self, http: Http, store: Storage, home: str, bucket: str) -> None:
        self._http = http
        self._store = store
        self._home = home
        self._bucket = bucket

    def limits(self, model: str) -> Limits:
        """What one batch may hold, less ten percent."""
        return Limits(int(_BYTES * _MARGIN), _LINES, _QUEUED_TOKENS)

    def prepare(self) -> None:
        """Raise unless the bucket is set, is there, and may be written, read and emptied."""
        self._store.require(self._place())

    def _place(self) -> BucketPlace:
        if not self._bucket:
            raise BadSetting(
                "vertex sends batches through a bucket of yours, and none is set",
                hint='put bucket = "gs://NAME" under [vertex] in captionary.toml, or set CAPTIONARY_VERTEX_BUCKET; '
                "or use --mode interactive",
            )
        return storage.place(self._bucket)

    def encode(self, request: Request) -> bytes:
        """Return the request as a batch line."""
        return encode_line(request)

    def decode(self, line: bytes) -> Row:
        """Read a result line; never raises."""
        return decode_line(line)

    def upload(self, shard: BatchFile) -> str:
        """Send the batch file to the bucket and return its address there."""
        job_calls.refuse_faults(shard, check_file(shard.path))
        where = self._place().within(shard.label, _INPUT)
        self._store.put(shard.path, where)
        return where.address

    def create(self, shard: BatchFile) -> Job:
        """Create the job, once."""
        body = {
            "displayName": shard.label,
            "model": f"publishers/google/models/{bare(shard.question.model)}",
            "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [shard.handle]}},
            "outputConfig": {
                "predictionsFormat": "jsonl",
                "gcsDestination": {"outputUriPrefix": _folder(shard.handle).within(_OUTPUT).address + "/"},
            },
            "labels": {LABEL: shard.label},
        }
        what = "create the batch job"
        return job_calls.created(_read_job(self._http.post(what, self._jobs(), body).json(what)))

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the jobs of exactly this name and of one of the shard's files, oldest first."""
        found: dict[str, Job] = {}
        token = ""
        for _ in range(_MOST_PAGES):
            query = {"filter": f'display_name="{shard.label}"', "pageSize": "100"}
            query |= {"pageToken": token} if token else {}
            page = self._http.get("list the batch jobs", f"{self._jobs()}?{urlencode(query)}")
            entries = page.get("batchPredictionJobs")
            for job in filter(None, map(_read_job, entries if isinstance(entries, list) else ())):
                if job.display_name == shard.label and job.input_file in ("", *shard.handles):
                    found[job.name] = job
            token = str(page.get("nextPageToken") or "")
            if not token:
                break
        return [Match(job) for job in oldest_first(found.values())]

    def poll(self, name: str) -> Job:
        """Return the job as it stands; one that ended early is credited with what it left in the bucket."""
        found = self._http.get("look at the batch job", f"v1/{_checked(name)}")
        job = job_calls.polled(_read_job(found), name)
        if job.results and not _part(found, "outputInfo") and not self._results(job):
            return _without_results(job)
        return job

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the job; one that has ended already is fine."""
        return job_calls.cancel(self._http, f"v1/{_checked(name)}:cancel", lambda: self.poll(name), {})

    def fetch(self, job: Job, target: Path) -> None:
        """Stream all files of answers, in whatever order, into one."""
        places = self._results(job)
        if not places:
            raise NotFound(f"{job.name} left no results in {', '.join(job.results)}", hint="look into the bucket")
        addresses = [self._store.address_of(each) for each in places]
        whole = job.requests if job.state is JobState.FINISHED else None
        jsonl.download(self._store.http, addresses, target, requests=whole, proof=RESULT)

    def discard(self, handle: str) -> None:
        """Delete a batch file and the predictions beside it; what is gone already is fine."""
        if handle:
            folder = _folder(handle)
            self._store.delete(BucketPlace(folder.bucket, folder.name + "/"))

    def _results(self, job: Job) -> list[BucketPlace]:
        """The objects with answers: whole files of predictions where there are any, else what a stopped job wrote."""
        where = storage.place(" ".join(job.results))
        found = [name for name, size in self._store.names(BucketPlace(where.bucket, where.name + "/")) if size]
        names = [name for name in found if not name.rpartition("/")[2].startswith("prediction.errors")]
        whole = [name for name in names if name.rpartition("/")[2].startswith(("predictions", "prediction.results"))]
        return [BucketPlace(where.bucket, name) for name in whole or names]

    def _jobs(self) -> str:
        return f"v1/{self._home}/batchPredictionJobs"


def _folder(handle: str) -> BucketPlace:
    """The folder of one batch in the bucket; raises `NotFound` for what is no batch file of ours."""
    where = storage.place(handle)
    folder, _, name = where.name.rpartition("/")
    if name != _INPUT or not folder.rpartition("/")[2].startswith("captionary-"):
        raise NotFound(f"{handle[:200]!r} is not a batch file in a bucket", hint="look into the bucket")
    return BucketPlace(where.bucket, folder)


def _without_results(job: Job) -> Job:
    return Job(
        job.name,
        job.state,
        job.display_name,
        job.input_file,
        error=job.error,
        created_at=job.created_at,
        ended_at=job.ended_at,
        queue_full=job.queue_full,
    )


def _read_job(found: object) -> Job | None:
    """Read a job; a state that nobody knows yet counts as running."""
    if not isinstance(found, dict) or not _NAME.fullmatch(str(found.get("name"))):
        return None
    state = _STATES.get(str(found.get("state")).removeprefix("JOB_STATE_"), JobState.RUNNING)
    sources = _part(found, "inputConfig", "gcsSource").get("uris")
    prefix = _part(found, "outputConfig", "gcsDestination").get("outputUriPrefix")
    directory = _part(found, "outputInfo").get("gcsOutputDirectory") or prefix
    stats, error = _part(found, "completionStats"), _part(found, "error")
    good, bad = _number(stats.get("successfulCount")), _number(stats.get("failedCount"))
    return Job(
        name=str(found["name"]),
        state=state,
        display_name=str(found.get("displayName") or ""),
        input_file=str(sources[0]) if isinstance(sources, list) and sources else "",
        results=(str(directory),) if directory and state.ended else (),
        succeeded=good,
        failed=bad,
        error=one_line(str(error.get("message") or (f"code {error.get('code')}" if error else "")))[:500],
        created_at=moment(found.get("createTime")),
        ended_at=moment(found.get("endTime")),
        queue_full=state is JobState.FAILED and error.get("code") == _QUEUE_FULL,
    )


def _part(holder: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        part = holder.get(name)
        holder = part if isinstance(part, dict) else {}
    return holder


def _number(value: object) -> int | None:
    """Numbers come as strings, and -1 means that nobody knows."""
    return int(str(value)) if re.fullmatch(r"[0-9]{1,12}", str(value)) else None


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotFound(f"{name[:120]!r} is not the name of a batch job")
    return name


def open_vertex(opening: Opening) -> Vertex:
    """Return the provider that the environment describes.

    Reads GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION ("global" where it is not set), GOOGLE_VERTEX_BASE_URL and
    STORAGE_EMULATOR_HOST; the credentials are looked for when they are first needed.
    """
    environ = opening.environ
    project = SPEC.key(environ)
    if not project:
        raise KeyMissing(
            "no project for Vertex: GOOGLE_CLOUD_PROJECT is not set",
            hint=f"export GOOGLE_CLOUD_PROJECT=...; then {LOGIN}",
        )
    location = environ.get("GOOGLE_CLOUD_LOCATION", "").strip() or "global"
    if not re.fullmatch(r"[\w.:-]{1,100}", project) or not re.fullmatch(r"[a-z0-9-]{1,40}", location):
        raise BadSetting(
            f"{project!r} in {location!r} is not a project in a location of Google Cloud",
            hint="check GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION",
        )
    options = VertexOptions(**opening.options)
    if options.bucket:
        storage.place(options.bucket)
    usual = f"https://{'' if location == 'global' else location + '-'}aiplatform.googleapis.com"
    url = checked_url("GOOGLE_VERTEX_BASE_URL", environ.get("GOOGLE_VERTEX_BASE_URL", ""), usual)
    store = environ.get("STORAGE_EMULATOR_HOST", "").strip()
    store = checked_url(
        "STORAGE_EMULATOR_HOST", store if "://" in store or not store else f"http://{store}", storage.BASE_URL
    )
    sign = Credentials(environ).headers
    hint = f"{LOGIN}; the account needs the role Vertex AI User in {project}"

    def http(name: str, where: str) -> Http:
        return Http(Service(name, where, headers=sign, hint=hint), Timeouts(), opening.sleep)

    home = f"projects/{project}/locations/{location}"
    return Vertex(http("Vertex AI", url), Storage(http("Cloud Storage", store)), home, options.bucket)
