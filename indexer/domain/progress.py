"""How far a run is, as numbers; the command line makes the sentences."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.domain.job import JobLine


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is; `total` is None while it is unknown.

    It counts photos, or bytes with the `unit` "B"; then `files` are the photos read so far. While a run waits, `job` is
    the oldest job at `provider`, and `canary` says that only a small first batch is out yet.
    """

    stage: str
    done: int
    total: int | None = None
    unit: str = " photos"
    files: int | None = None
    job: JobLine | None = None
    provider: str = ""
    canary: bool = False
