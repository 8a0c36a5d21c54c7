"""What the steps of one process share: the ledger, the folders, the clock, and whom to tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from indexer.domain.progress import Progress
from indexer.ledger.spend.caps import Caps
from indexer.ledger.store import Ledger
from indexer.media.rendition_cache import Spool
from indexer.providers.pricing import Pricing
from indexer.providers.seam import Provider
from indexer.table.projector import Projector


class Clock(Protocol):
    """Where the time comes from, so that tests need not wait."""

    def time(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock on the wall."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Numbers that a setting may change; times are seconds.

    A job is looked for during `lookup_seconds` after a creation whose outcome is unknown. Polling begins at
    `poll_seconds` and slows down to `poll_most`. A shard holds at most `shard_lines` requests. `schema_field` is the
    way in which answer schemas are sent, "" the provider's own choice.
    """

    lookup_seconds: float = 120.0
    poll_seconds: float = 2.0
    poll_most: float = 60.0
    concurrency: int = 4
    shard_lines: int = 2000
    keep_batches: bool = False
    caps: Caps = Caps()
    schema_field: str = ""


@dataclass(slots=True)
class Watcher:
    """Whom to tell: `progress` often, `note` with one line for a person."""

    progress: Callable[[Progress], None] = lambda _: None
    note: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Session:
    """What the steps share. `pause` waits without the library's lock, so that others may write meanwhile."""

    ledger: Ledger
    spool: Spool
    batches: Path
    projector: Projector
    provider: Callable[[str], Provider]
    clock: Clock
    pause: Callable[[float], None]
    pricing: Pricing
    tuning: Tuning = Tuning()
    watcher: Watcher = field(default_factory=Watcher)
