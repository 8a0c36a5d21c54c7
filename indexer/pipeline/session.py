"""What the steps of one process share: the ledger, the folders, the clock, and whom to tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from indexer.domain.errors import UsageError
from indexer.domain.job import UNBOUND, Limits
from indexer.domain.progress import Progress
from indexer.domain.question import Question
from indexer.ledger.store import Ledger
from indexer.media.rendition_cache import Spool
from indexer.providers.accounts import accounts
from indexer.providers.pricing import Pricing
from indexer.providers.seam import BatchService, Provider
from indexer.providers.spec import Spec
from indexer.storage.settings import Config
from indexer.table.projector import Projector


class Clock(Protocol):
    """Where the time comes from, so that tests need not wait."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


def _passing() -> float:
    """Seconds that no setting of the clock changes; where the system can tell, those of its sleep count too."""
    kind = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if kind is None else time.clock_gettime(kind)


_STARTED = time.time() - _passing()


class SystemClock:
    """The clock on the wall as it was when the process began: set right or wrong meanwhile, it goes on evenly."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return _STARTED + _passing()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(slots=True)
class Watcher:
    """Whom to tell: `progress` often, `note` with one line for a person."""

    progress: Callable[[Progress], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None


class OpenAccount(Protocol):
    """Opens a provider by its name, for one of its accounts."""

    def __call__(self, name: str, account: str = "", /) -> Provider:
        """Return it; raises `KeyMissing` where that account has no key."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """What the steps share. `pause` waits without the library's lock, so that others may write meanwhile."""

    ledger: Ledger
    spool: Spool
    batches: Path
    projector: Projector
    provider: OpenAccount
    spec: Callable[[str], Spec]
    options: Callable[[str], Mapping[str, Any]]
    clock: Clock
    pause: Callable[[float], None]
    pricing: Pricing
    config: Config
    watcher: Watcher = field(default_factory=Watcher)

    def accounts(self, name: str) -> tuple[str, ...]:
        """Return the accounts to which batches of a provider may go, the usual one first."""
        return accounts(self.config.tables, name)

    def batch_service(self, name: str, account: str = "") -> BatchService:
        """Return the batch half of a provider, for one of its accounts; raises `UsageError` where it has none."""
        held = self.provider(name, account).batches
        if held is None:
            raise UsageError(f"the provider {name} has no batch mode", hint="use --mode interactive")
        return held

    def limits(self, question: Question) -> Limits:
        """Return what binds one batch of `question`; nothing binds single calls."""
        held = self.provider(question.provider).batches
        return held.limits(question.model) if held else UNBOUND

    def queues(self, question: Question) -> Limits:
        """Return the same with the queues of all accounts together."""
        return self.limits(question).with_accounts(len(self.accounts(question.provider)))
