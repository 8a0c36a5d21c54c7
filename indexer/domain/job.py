"""A batch job as every provider tells it, and what limits one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """The states of a batch job, the same for every provider."""

    INTENDED = "intended"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the service will not change this job any more."""
        return self in (JobState.FINISHED, JobState.FAILED, JobState.EXPIRED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """A batch job as the service tells it.

    `input_file` and `results`, the files of results, are the service's own handles; `error` is the service's words
    when it failed; counts are None where the service does not say. A job is `queue_full` when it failed only because
    the account's queue had no room: nothing of it was served. Times are seconds since the epoch.
    """

    name: str
    state: JobState
    display_name: str = ""
    input_file: str = ""
    results: tuple[str, ...] = ()
    requests: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    error: str = ""
    created_at: float | None = None
    ended_at: float | None = None
    queue_full: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What binds one batch file and the queue behind it."""

    max_bytes: int
    max_lines: int
    max_queued_tokens: int
    max_queued_requests: int = 2**31

    def with_accounts(self, count: int) -> Limits:
        """Return the limits of so many accounts, each of which has such a queue."""
        return replace(
            self,
            max_queued_tokens=count * self.max_queued_tokens,
            max_queued_requests=count * self.max_queued_requests,
        )

    def waves(self, requests: int, tokens: int) -> int:
        """Return how often the queue has to be filled for so many requests of so many tokens each; 0 for none."""
        most = min(self.max_queued_requests, self.max_queued_tokens / max(1, tokens))
        return math.ceil(requests / max(1, most))


UNBOUND = Limits(max_bytes=2**40, max_lines=2**31, max_queued_tokens=2**50)
"""Limits that nothing reaches."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job that is not closed yet; ages and times are seconds, `eta_s` is None when nobody can say."""

    name: str
    shard: str
    state: str
    requests: int
    age_s: int
    eta_s: Mapping[str, Any] | None
    stuck: bool
