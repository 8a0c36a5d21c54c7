"""The seam between Captionary and whoever describes pictures.

A provider is a folder: it imports this seam, never another provider and never anything above. The seam speaks
`Request` and `Answer`; what a service calls its fields and states ends inside the provider's own folder.

A service that answers one call at a time implements `Provider` and has no `batches`. A batch goes `upload -> create ->
poll -> fetch -> discard`. `create` is the paid step: it is sent exactly once and never retried by itself. Whatever is
not a clean success is raised, and the caller looks with `find` before it creates again. `Unreachable` means that the
outcome is unknown; `RateLimited`, `KeyRefused`, `NoCredit` and `Refused` carry the service's own words, and even then
the caller looks first.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from indexer.domain.answer import Row
from indexer.domain.errors import NotFound
from indexer.domain.job import Job, Limits
from indexer.domain.question import Question, Request
from indexer.providers.spec import Spec


@dataclass(frozen=True, slots=True)
class LineFault:
    """One thing in a batch file that the service would refuse; `line` counts from 1 (0: the file as a whole)."""

    line: int
    field: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class BatchFile:
    """A shard as a provider sees it.

    `path` may be gone once the job runs; `label` names the job at the service. No create whose outcome is unknown was
    sent before `earliest_create`, in seconds since the epoch; None: none was sent at all. `handle` is what the service
    calls the newest upload, `handles` are all of them. `deadline` is how many seconds from now the answers are wanted,
    None without a wish. `owns` says whether a key is of this shard; the ledger knows, also when the file is gone.
    """

    path: Path
    label: str
    question: Question
    requests: int
    earliest_create: float | None = None
    handle: str = ""
    handles: tuple[str, ...] = ()
    deadline: float | None = None
    owns: Callable[[str], bool] | None = None

    def holds(self, key: str) -> bool:
        """Say whether a key is of this shard; without `owns` the file tells."""
        if self.owns is not None:
            return self.owns(key)
        if not self.path.exists():
            return False
        with self.path.open("rb") as lines:
            return any(f'"{key}"'.encode() in line for line in lines)


@dataclass(frozen=True, slots=True)
class Match:
    """A job that may be that of a shard; one that is not `certain` is neither adopted nor doubled."""

    job: Job
    certain: bool = True


def oldest_first(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs in the order of their creation, those of which nobody knows it last."""
    return sorted(jobs, key=lambda job: (job.created_at or math.inf, job.name))


class BatchService(Protocol):
    """The batch half of a service."""

    def limits(self, model: str) -> Limits:
        """Return what binds one batch file for `model`, the queue behind it, and how long things live."""
        ...

    def encode(self, request: Request) -> bytes:
        """Return the request as one line of this service's batch format: UTF-8 JSON, no newline."""
        ...

    def decode(self, line: bytes) -> Row:
        """Read one result line; never raises, whatever the bytes: what cannot be read is a `Failure`."""
        ...

    def upload(self, shard: BatchFile) -> str:
        """Send the batch file and return the service's handle of it ("" where files travel with `create`)."""
        ...

    def create(self, shard: BatchFile) -> Job:
        """Create the job, once."""
        ...

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the jobs that are, or may be, this shard's, oldest first, however the service pages them."""
        ...

    def poll(self, name: str) -> Job:
        """Return the job as it stands."""
        ...

    def cancel(self, name: str) -> bool:
        """Ask the service to stop the job; what is finished stays to be fetched. False: it cannot stop jobs."""
        ...

    def fetch(self, job: Job, target: Path) -> None:
        """Stream all result lines of the job to `target`, verified whole; on any fault nothing is left behind."""
        ...

    def discard(self, handle: str) -> None:
        """Delete an uploaded batch file at the service; a file that is already gone is fine."""
        ...


@runtime_checkable
class Prepared(Protocol):
    """A batch service that needs something of its user's, such as a bucket, and can say whether it is there."""

    def prepare(self) -> None:
        """Raise what is missing, in words; asked once a run, before anything is packed or paid."""
        ...


class Provider(Protocol):
    """One service. Instances are cheap to make, safe to use from several threads, and open no socket until asked."""

    @property
    def spec(self) -> Spec:
        """What is known of it without asking it."""
        ...

    @property
    def batches(self) -> BatchService | None:
        """Its batch half, None where it answers one call at a time."""
        ...

    def model(self) -> str:
        """Return the model that is asked when nobody names one; a service without a default is asked for its models."""
        ...

    def check(self, question: Question) -> str:
        """Return why every request of this question would be refused, "" when nothing is known against it."""
        ...

    def ask(self, request: Request) -> Row:
        """Ask one call now, in the request's mode; raises `ProviderError`s, a refusal of one photo is a `Failure`."""
        ...

    def close(self) -> None:
        """Close its connections; it may be used again."""
        ...


@runtime_checkable
class Catalogue(Protocol):
    """A provider that can say which models it offers; it is asked when the service does not know a model."""

    def models(self) -> list[str]:
        """Return the names of its models, as `--model` takes them."""
        ...


@runtime_checkable
class Slotted(Protocol):
    """A provider whose server may say how many calls it answers at once."""

    def slots(self) -> int | None:
        """Return how many; None where the server does not say, or cannot be reached."""
        ...


class Inline:
    """A batch service whose requests travel with `create`: nothing is uploaded, nothing to delete."""

    def upload(self, shard: BatchFile) -> str:
        """Nothing to do."""
        return ""

    def discard(self, handle: str) -> None:
        """Nothing to do."""


class Uncancellable:
    """A batch service that cannot stop a job."""

    def cancel(self, name: str) -> bool:
        """Say that it cannot."""
        return False


class Unlabelled(ABC):
    """A batch service that keeps no name with a job: one is ours only when its results carry keys of our file.

    `__init__` must be called. What the results of a job say once is remembered, so each is looked into once.
    """

    def __init__(self) -> None:
        self._ours: dict[tuple[str, str], bool] = {}

    @abstractmethod
    def candidates(self, shard: BatchFile) -> Iterable[Job]:
        """Return the jobs that may be the shard's by what can be known of them: time of creation, requests, model."""

    @abstractmethod
    def fetch(self, job: Job, target: Path) -> None:
        """Stream all result lines of the job to `target`; see `BatchService`."""

    @abstractmethod
    def decode(self, line: bytes) -> Row:
        """Read one result line; see `BatchService`."""

    def find(self, shard: BatchFile) -> list[Match]:
        """Return the candidates, oldest first: uncertain while they run; ended ones only when they prove to be ours."""
        found = oldest_first(self.candidates(shard))
        return [Match(job, job.state.ended) for job in found if not job.state.ended or self._is_ours(job, shard)]

    def _is_ours(self, job: Job, shard: BatchFile) -> bool:
        known = self._ours.get((job.name, shard.label))
        if known is None:
            known = self._ours[job.name, shard.label] = bool(job.results) and self._proves(job, shard)
        return known

    def _proves(self, job: Job, shard: BatchFile) -> bool:
        """Whether the first key in the results is of this shard; results that are gone prove nothing."""
        results = shard.path.with_name(f".{shard.path.stem}.found.part")
        try:
            self.fetch(job, results)
            with results.open("rb") as lines:
                key = next((key for line in lines if (key := self.decode(line).key) is not None), None)
        except NotFound:
            return False
        finally:
            results.unlink(missing_ok=True)
        return key is not None and shard.holds(key)
