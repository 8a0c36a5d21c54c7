"""How long a job takes: by the jobs that this library has seen, else by what services publish.

The narrowest group of jobs that says enough is believed: of this model, of about this size, submitted at such an hour
of such a day; then of any hour, then of any size, then of the provider's other models. Jobs that are still out count
by their age, or a provider that has become slow would look as fast as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from indexer.ledger.views.durations import Took

ENOUGH = 3
"""Fewer finished jobs than this say nothing of the next one."""
_ALIKE = 8  # so many jobs of a narrower group are believed before those of a wider one
_SURE = 9  # from so many jobs on, nine cases of ten can be read off them
# Student's t, one-sided 90 %, by the number of jobs: a bound for the next job where few have been seen.
_T = {3: 1.886, 4: 1.638, 5: 1.533, 6: 1.476, 7: 1.440, 8: 1.415}
_SPREAD = 0.2  # of logarithms: jobs that were alike by chance are not taken to be all alike
_SIZE = 4.0  # sizes within this factor of each other are alike
_HOURS = 3  # so are hours so far apart
_DAY, _WEEK = 24, 168
_FAR = 2.0
"""A job that takes so many times the upper end of its range is stuck."""
_LEAST_FAR = 1800.0  # where jobs take a minute, a quarter of an hour is no reason for alarm
PUBLISHED = (300.0, 86_400.0)
"""Minutes when the service is idle, and the day that it promises, in seconds."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The range, in seconds, in which a job ends after its submission; `source` is "history" or "published".

    One of ten ends before `low`, half of them before `middle`, nine of ten before `high`.
    """

    low: float
    high: float
    source: str
    middle: float = 0.0

    def eta(self, age: float) -> Mapping[str, Any]:
        """Return how many seconds a job of this age still takes, as `status` prints it."""
        low, high = (max(0, math.ceil(end - age)) for end in (self.low, self.high))
        return {"low": low, "high": high, "source": self.source}

    def is_stuck(self, age: float) -> bool:
        """Say whether a job of this age is far outside its range."""
        return age > max(_FAR * self.high, self.high + _LEAST_FAR) if self.source == "history" else age > self.high


@dataclass(frozen=True, slots=True)
class Next:
    """The job that is asked about: its model, its requests (None: of any size), its moment since the epoch."""

    model: str
    requests: int | None = None
    at: float | None = None


def expect(took: Sequence[Took], job: Next, published: tuple[float, float] | None = None) -> Expectation:
    """Return what earlier jobs say of the next one; `published` are (middle, nine of ten) in seconds of its service."""
    for group, least in _groups(took, job):
        if sum(one.ended for one in group) >= least:
            return _learned(group)
    if published is None:
        return Expectation(*PUBLISHED, "published", PUBLISHED[0])
    return Expectation(min(PUBLISHED[0], published[0]), published[1], "published", published[0])


def in_waves(one: Expectation, waves: int) -> tuple[float, float]:
    """Return (middle, nine of ten) seconds of jobs that run one after the other: not all of them are late."""
    count = max(1, waves)
    return count * one.middle, count * one.middle + (one.high - one.middle) * math.sqrt(count)


def _groups(took: Sequence[Took], job: Next) -> Iterator[tuple[list[Took], int]]:
    """The narrowest group first, each with how many finished jobs it must hold."""
    own = [one for one in took if one.model == job.model]
    alike = [one for one in own if _same_size(one.requests, job.requests)]
    yield [one for one in alike if _same_hour(one.submitted_at, job.at)] if job.at is not None else [], _ALIKE
    yield alike, _ALIKE
    yield own, ENOUGH
    yield list(took), _ALIKE


def _same_size(one: int, other: int | None) -> bool:
    return other is None or max(one, other) <= _SIZE * max(1, min(one, other))


def _same_hour(one: float, other: float) -> bool:
    """The hour of the week, weekdays among themselves and days of the weekend among themselves (UTC)."""
    (weekend, hour), (others, at) = _hour(one), _hour(other)
    apart = abs(hour - at)
    return weekend == others and min(apart, _DAY - apart) <= _HOURS


def _hour(moment: float) -> tuple[bool, int]:
    told = time.gmtime(moment)
    return told.tm_wday >= 5, told.tm_hour


def _learned(group: Iterable[Took]) -> Expectation:
    jobs = list(group)
    finished = sorted(one.seconds for one in jobs if one.ended)
    late = finished[len(finished) // 2]
    seen = sorted([*finished, *(one.seconds for one in jobs if not one.ended and one.seconds > late)])
    low, middle = (seen[round(share * (len(seen) - 1))] for share in (0.1, 0.5))
    return Expectation(low, _most(seen), "history", middle)


def _most(seen: Sequence[float]) -> float:
    """Seconds that nine of ten jobs keep: read off enough of them, else the bound for one more of a few."""
    if len(seen) >= _SURE:
        return seen[min(len(seen) - 1, math.ceil(0.9 * (len(seen) + 1)) - 1)]
    logs = [math.log(max(1.0, seconds)) for seconds in seen]
    reach = _T[len(seen)] * max(_SPREAD, stdev(logs)) * math.sqrt(1 + 1 / len(seen))
    return max(seen[-1], min(math.exp(fmean(logs) + reach), max(PUBLISHED[1], seen[-1])))
