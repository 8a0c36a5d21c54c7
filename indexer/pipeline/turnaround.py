"""How long a job takes: by the jobs that this library has seen, else by what services publish."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ENOUGH = 3
"""Fewer finished jobs than this say nothing of the next one."""
_QUANTILES = (0.1, 0.9)
_FAR = 2.0
"""A job that takes so many times the upper end of its range is stuck."""
_LEAST_FAR = 1800.0  # where jobs take a minute, a quarter of an hour is no reason for alarm
PUBLISHED = (300.0, 86_400.0)
"""Minutes when the service is idle, and the day that it promises, in seconds."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """The range, in seconds, in which a job ends after its submission; `source` is "history" or "published"."""

    low: float
    high: float
    source: str

    def eta(self, age: float) -> Mapping[str, Any]:
        """Return how many seconds a job of this age still takes, as `status` prints it."""
        low, high = (max(0, math.ceil(end - age)) for end in (self.low, self.high))
        return {"low": low, "high": high, "source": self.source}

    def is_stuck(self, age: float) -> bool:
        """Say whether a job of this age is far outside its range."""
        return age > max(_FAR * self.high, self.high + _LEAST_FAR) if self.source == "history" else age > self.high


def expect(took: Sequence[float]) -> Expectation:
    """Return what `took`, the sorted seconds of earlier jobs, says of the next one."""
    if len(took) < _ENOUGH:
        return Expectation(*PUBLISHED, "published")
    low, high = (took[round(share * (len(took) - 1))] for share in _QUANTILES)
    return Expectation(low, high, "history")
