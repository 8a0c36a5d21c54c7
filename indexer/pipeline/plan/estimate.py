"""From a few measured requests to the bill of the rest: a mean, and a range that holds nine times in ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from indexer.domain.plan import Cost
from indexer.providers.prices import Price

LEAST = 3
"""Fewer measured requests than this say nothing."""
# Student's t, one-sided 95 %, by degrees of freedom: two of these tails leave 90 % between them.
_T = {2: 2.92, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 8: 1.86, 10: 1.812, 15: 1.753, 20: 1.725, 30: 1.697, 60: 1.671}
_FLOOR = 0.03  # prompts and pictures of one library are alike, but nobody knows the rest of it from a few


def extrapolate(costs: Sequence[float], count: int) -> tuple[float, Cost]:
    """Return what `count` more requests will cost, in US dollars: the likely sum, and a range of 90 %.

    `costs` are those of at least `LEAST` measured requests. The range is that of a new sum, not of the mean: it holds
    the spread of the rest as well, and is never narrower than some percent on each side.
    """
    measured = len(costs)
    mean = fmean(costs)
    spread = stdev(costs) * math.sqrt(count * (1 + count / measured)) * _student(measured - 1)
    slack = max(spread, count * mean * (_FLOOR + 0.3 / measured))
    return count * mean, Cost(max(0.0, count * mean - slack), count * mean + slack)


def priced(used: Sequence[tuple[int, int]], at: Price) -> list[float]:
    """Return what measured (input, output) tokens cost at a price, one by one."""
    return [at.of(entered, left) for entered, left in used]


def _student(freedom: int) -> float:
    return next((value for known, value in reversed(_T.items()) if known <= freedom), _T[2])
