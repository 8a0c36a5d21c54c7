"""A service of the hardest kind, in this process: no uploads, no labels, no cancelling, its queue may be full.

The provider in front of it is what another package would bring. The service keeps the books: what it served, and for
which key.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from indexer.domain.answer import Answer, Failure, Reason, Row, Usage
from indexer.domain.errors import KeyMissing, KeyRefused, NoCredit, NotFound, ProviderError, RateLimited, Unreachable
from indexer.domain.job import Job, JobState, Limits
from indexer.domain.mode import Mode
from indexer.domain.question import Question, Request
from indexer.providers.seam import BatchFile, Inline, Uncancellable, Unlabelled
from indexer.providers.spec import Opening, Rank, Spec

SPEC = Spec(
    name="parcel",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.FLEX, Mode.INTERACTIVE),
    default_model="gpt-6-luna",  # any model that has a price
    opens="tests.support.parcel:open_parcel",
    key_variables=("PARCEL_API_KEY",),
    trains="no",
)
GOOD_KEY = "parcel-key-0815"
RUNS_SECONDS = 900.0


@dataclass(slots=True)
class ParcelService:
    """The service, and what befalls the next creates.

    `lost` ones make the job and lose the answer, `strayed` ones never arrive, `full` ones make a job that fails as the
    queue is full. A job whose answer was lost shows up after `late` looks. `fault` is what every request meets.
    """

    now: Callable[[], float]
    folder: Path
    lost: int = 0
    strayed: int = 0
    full: int = 0
    late: int = 0
    fault: Exception | None = None
    served: Counter[str] = field(default_factory=Counter)
    creates: int = 0
    downloads: Counter[str] = field(default_factory=Counter)
    modes: list[Mode] = field(default_factory=list)
    _jobs: dict[str, tuple[Job, bytes]] = field(default_factory=dict)
    _hidden: dict[str, int] = field(default_factory=dict)

    def allow(self, key: str) -> None:
        """Turn the request away as the test wishes, or as the key deserves."""
        if key != GOOD_KEY:
            raise KeyRefused("the service refuses the key", hint="set PARCEL_API_KEY")
        if self.fault:
            raise self.fault

    def create(self, lines: bytes) -> Job:
        """Make a job of the lines, and answer unless the answer is to be lost."""
        if self.strayed:
            self.strayed -= 1
            raise Unreachable("no answer to the creation", hint="run again")
        self.creates += 1
        job = self._make(lines)
        if self.full:
            self.full -= 1
            self._jobs[job.name] = (replace(job, queue_full=True), lines)
        if self.lost:
            self.lost -= 1
            self._hidden[job.name] = self.late
            raise Unreachable("no answer to the creation", hint="run again")
        return job

    def _make(self, lines: bytes) -> Job:
        requests = len(lines.splitlines())
        job = Job(f"parcels/{len(self._jobs) + 1}", JobState.RUNNING, requests=requests, created_at=self.now())
        self._jobs[job.name] = (job, lines)
        return job

    def jobs(self) -> list[Job]:
        """All jobs as they stand; one whose creation lost its answer may show up late."""
        shown = []
        for name in self._jobs:
            if self._hidden.get(name, 0) > 0:
                self._hidden[name] -= 1
            else:
                shown.append(self.job(name))
        return shown

    def job(self, name: str) -> Job:
        """One job as it stands."""
        if name not in self._jobs:
            raise NotFound(f"there is no job {name}")
        job, lines = self._jobs[name]
        if job.queue_full:
            return replace(job, state=JobState.FAILED, error="enqueued token limit reached")
        if job.state is JobState.RUNNING and self.now() >= (job.created_at or 0.0) + RUNS_SECONDS:
            job = replace(job, state=JobState.FINISHED, results=(name,), ended_at=self.now())
            self._jobs[name] = (job, lines)
            (self.folder / name.replace("/", "-")).write_bytes(
                b"".join(self._answer(line) for line in lines.splitlines())
            )
        return job

    def _answer(self, line: bytes) -> bytes:
        key = json.loads(line)["key"]
        self.served[key] += 1
        return json.dumps({"key": key, "said": "A parcel.", "tokens": [300, 40]}).encode() + b"\n"

    def foreign(self, requests: int) -> None:
        """Put a job of somebody else beside ours."""
        lines = b"".join(json.dumps({"key": f"theirs-{number}"}).encode() + b"\n" for number in range(requests))
        self._make(lines)

    def results(self, name: str) -> Path:
        """The file with the result lines of a job."""
        self.downloads[name] += 1
        return self.folder / name.replace("/", "-")

    def call(self, request: Request) -> Usage:
        """Answer one call."""
        self.modes.append(request.mode)
        self.served[request.key] += 1
        return Usage(300, 40, cached_tokens=200, usd=0.125 if request.mode is Mode.FLEX else None)


class ParcelBatches(Inline, Unlabelled, Uncancellable):
    """The batch half, made of the three mix-ins."""

    def __init__(self, service: ParcelService, key: str) -> None:
        super().__init__()
        self._service = service
        self._key = key

    def limits(self, model: str) -> Limits:
        """What binds one job."""
        return Limits(1 << 20, 1000, 10_000_000)

    def encode(self, request: Request) -> bytes:
        """One line."""
        return json.dumps({"key": request.key, "prompt": request.prompt, "bytes": len(request.image)}).encode()

    def decode(self, line: bytes) -> Row:
        """Read one result line."""
        try:
            found = json.loads(line)
            usage = Usage(*map(int, found["tokens"]))
            return Row(str(found["key"]), Answer(str(found["said"]), model=SPEC.default_model), usage)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
            return Row(None, Failure(Reason.MALFORMED, "the result line cannot be read"))

    def create(self, shard: BatchFile) -> Job:
        """Send the file."""
        self._service.allow(self._key)
        return self._service.create(shard.path.read_bytes())

    def candidates(self, shard: BatchFile) -> Iterator[Job]:
        """Jobs of the same size that are not older than the first creation."""
        self._service.allow(self._key)
        for job in self._service.jobs():
            if job.requests == shard.requests and (job.created_at or 0.0) >= (shard.earliest_create or 0.0) - 60.0:
                yield job

    def poll(self, name: str) -> Job:
        """The job as it stands."""
        self._service.allow(self._key)
        return self._service.job(name)

    def fetch(self, job: Job, target: Path) -> None:
        """Copy the results."""
        self._service.allow(self._key)
        shutil.copy(self._service.results(job.name), target)


class Parcel:
    """The provider."""

    spec = SPEC

    def __init__(self, service: ParcelService, key: str = GOOD_KEY) -> None:
        self._service = service
        self._key = key
        self.batches = ParcelBatches(service, key)

    def model(self) -> str:
        """The default."""
        return SPEC.default_model

    def check(self, question: Question) -> str:
        """Empty prompts are refused."""
        return "" if question.template.strip() else "the prompt is empty"

    def ask(self, request: Request) -> Row:
        """One call."""
        self._service.allow(self._key)
        return Row(request.key, Answer("A parcel.", model=request.question.model), self._service.call(request))

    def close(self) -> None:
        """Nothing is open."""


def open_parcel(opening: Opening) -> Parcel:
    """Open it before a service that has nothing yet; tests mostly give it one of their own."""
    key = SPEC.key(opening.environ)
    if not key:
        raise KeyMissing("PARCEL_API_KEY is not set", hint="export PARCEL_API_KEY=...")
    return Parcel(ParcelService(lambda: 0.0, Path()), key)


FAULTS: dict[str, ProviderError] = {
    "key refused": KeyRefused("the service refuses the key", hint="set PARCEL_API_KEY"),
    "no credit": NoCredit("no credit is left", hint="buy some"),
    "rate limited": RateLimited("slow down", hint="wait"),
    "away": Unreachable("nobody answers", hint="try again"),
}
