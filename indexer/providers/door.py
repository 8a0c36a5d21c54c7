"""The one door that everything from a service comes through: no key passes it, whoever wrote the provider.

A service may echo a key in an error, a status, a refusal of one photo, even in an answer. What is stored or shown has
passed here: rows, jobs, result files, errors, names of models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from indexer.domain.answer import Answer, Row
from indexer.domain.errors import CaptionaryError, KeyRefused, NoCredit, Unreachable
from indexer.domain.job import Job, Limits
from indexer.domain.question import Question, Request
from indexer.providers.answer import clean, one_line
from indexer.providers.redaction import redact_file, redacted, redacted_value
from indexer.providers.seam import BatchFile, BatchService, Catalogue, Match, Prepared, Provider, Slotted
from indexer.providers.spec import Spec


def behind_door(provider: Provider, secrets: tuple[str, ...], account: str = "") -> Provider:
    """Return `provider` with `secrets`, and whatever looks like a key, struck out of all that it returns or raises.

    `account` is named in what is raised because of its key or its credit; "" is the usual one.
    """
    keeper = _Keeper(secrets, account)
    return _CatalogueDoor(provider, keeper) if isinstance(provider, Catalogue) else _Door(provider, keeper)


class _Keeper:
    """Strikes keys out of what passes."""

    def __init__(self, secrets: tuple[str, ...], account: str) -> None:
        self._secrets = secrets
        self._account = account

    def text(self, text: str) -> str:
        return redacted(text, self._secrets)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Let errors of the block pass without keys."""
        try:
            yield
        except CaptionaryError as fault:
            behind: BaseException | None = fault
            while isinstance(behind, CaptionaryError):  # also what it came of, which a log of the whole chain tells
                behind.args = tuple(self.text(each) if isinstance(each, str) else each for each in behind.args)
                behind.hint = self.text(behind.hint)
                behind = behind.__cause__ or behind.__context__
            if self._account and isinstance(fault, KeyRefused | NoCredit):
                fault.args = (f"{fault} (account {self._account})",)
                fault.hint = f"look at the account whose key is in {self._account}"
            raise

    def row(self, row: Row) -> Row:
        if not isinstance(row.outcome, Answer):
            return replace(row, outcome=replace(row.outcome, detail=clean(self.text(row.outcome.detail))))
        told = row.outcome
        answer = Answer(
            description=self.text(told.description),
            tags=tuple(map(self.text, told.tags)),
            visible_text=self.text(told.visible_text),
            fields=redacted_value(dict(told.fields), self._secrets),
            model=self.text(told.model),
        )
        return replace(row, outcome=answer)

    def job(self, job: Job) -> Job:
        """What names a job or a file must stay as it is; a name that holds a key is no name that can be kept."""
        self.name(" ".join((job.name, job.input_file, *job.results)))
        return replace(job, error=one_line(self.text(job.error)), display_name=clean(self.text(job.display_name)))

    def name(self, name: str) -> str:
        if any(secret in name for secret in self._secrets):
            raise Unreachable(
                "the service names a job or a file by a key", hint="check for a proxy that answers by itself"
            )
        if not name.isprintable():
            raise Unreachable(
                "the service names a job or a file by what is no text", hint="check for a proxy that answers by itself"
            )
        return name

    def file(self, path: Path) -> None:
        redact_file(path, self._secrets)


class _Door:
    """A provider behind the door."""

    def __init__(self, provider: Provider, keeper: _Keeper) -> None:
        self._provider = provider
        self._keeper = keeper
        inner = provider.batches
        self._batches = None if inner is None else _batch_door(inner, self._keeper)

    @property
    def spec(self) -> Spec:
        return self._provider.spec

    @property
    def batches(self) -> BatchService | None:
        return self._batches

    def model(self) -> str:
        with self._keeper.errors():
            return clean(self._keeper.text(self._provider.model()))

    def slots(self) -> int | None:
        with self._keeper.errors():
            return self._provider.slots() if isinstance(self._provider, Slotted) else None

    def check(self, question: Question) -> str:
        with self._keeper.errors():
            return self._provider.check(question)

    def ask(self, request: Request) -> Row:
        with self._keeper.errors():
            return self._keeper.row(self._provider.ask(request))

    def close(self) -> None:
        self._provider.close()


class _CatalogueDoor(_Door):
    """A provider with a catalogue behind the door."""

    def models(self) -> list[str]:
        assert isinstance(self._provider, Catalogue)
        with self._keeper.errors():
            return [clean(self._keeper.text(name)) for name in self._provider.models()]


class _BatchDoor:
    """The batch half of a provider behind the door."""

    def __init__(self, service: BatchService, keeper: _Keeper) -> None:
        self._service = service
        self._keeper = keeper

    def limits(self, model: str) -> Limits:
        return self._service.limits(model)

    def encode(self, request: Request) -> bytes:
        return self._service.encode(request)

    def decode(self, line: bytes) -> Row:
        return self._keeper.row(self._service.decode(line))

    def upload(self, shard: BatchFile) -> str:
        with self._keeper.errors():
            return self._keeper.name(self._service.upload(shard))

    def create(self, shard: BatchFile) -> Job:
        with self._keeper.errors():
            return self._keeper.job(self._service.create(shard))

    def find(self, shard: BatchFile) -> list[Match]:
        with self._keeper.errors():
            return [replace(match, job=self._keeper.job(match.job)) for match in self._service.find(shard)]

    def poll(self, name: str) -> Job:
        with self._keeper.errors():
            return self._keeper.job(self._service.poll(name))

    def cancel(self, name: str) -> bool:
        with self._keeper.errors():
            return self._service.cancel(name)

    def fetch(self, job: Job, target: Path) -> None:
        with self._keeper.errors():
            self._service.fetch(job, target)
        self._keeper.file(target)

    def discard(self, handle: str) -> None:
        with self._keeper.errors():
            self._service.discard(handle)


class _PreparedDoor(_BatchDoor):
    """A batch half that can say what it lacks, behind the door."""

    def prepare(self) -> None:
        assert isinstance(self._service, Prepared)
        with self._keeper.errors():
            self._service.prepare()


def _batch_door(service: BatchService, keeper: _Keeper) -> _BatchDoor:
    return _PreparedDoor(service, keeper) if isinstance(service, Prepared) else _BatchDoor(service, keeper)
