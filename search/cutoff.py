"""Where the list of hits ends: whether the library answers a query at all, and which rows still belong.

What a row says for itself is its `likelihood`, cosine and words on one scale. Chance alone lets the best of more rows
look more like any query, so what is asked of it grows with the logarithm of their number. Three tiers come of it:
answered, weaker, nothing. Fitted on subsets of 4,000 captioned photos, see `benchmarks/bench_cutoff.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from search.ranking import Scored, Statistics

FALL = 0.65
"""A hit scores at least this share of the best one."""
WORDS_ENOUGH = 0.3
"""The share of the query's weight that a photo without a description must hold in its words."""
LIKENESS = 0.35
"""The least cosine of a photo that is like another one."""

_COVERAGE = 0.3
_ANSWERED, _WEAK, _SIZE = 0.118, 0.012, 0.0527
_FEWEST = 16
_SMALL, _SMALL_HITS = 50, 3
"""A library of so few rows shows at least so many where it answers: among few, the fall-off says little."""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """What the best rows say of all: `answered`, the score `floor` of a hit, and the likelihood `level` of a weak one.

    `least` is how many hits there are where anything is answered.
    """

    answered: bool
    floor: float
    level: float
    least: int

    @classmethod
    def of(cls, scored: Sequence[Scored], statistics: Statistics) -> Cutoff:
        """Judge the best candidates of a library."""
        size = _SIZE * math.log(max(_FEWEST, statistics.vectors))
        answered = max(map(likelihood, scored), default=0.0) > _ANSWERED + size
        belonging = (one.score for one in scored if _holds_all(one) or _belongs(one, answered))
        least = _SMALL_HITS if answered and statistics.rows <= _SMALL else 0
        return cls(answered, FALL * max(belonging, default=0.0), _WEAK + size, least)

    def hits(self, scored: Sequence[Scored], *, first: bool = True) -> list[Scored]:
        """Return the hits among ranked candidates; a row that holds all the words is always one.

        `first`: these are the best of all, among which the least number of hits is found.
        """
        least = self.least if first else 0
        return [one for place, one in enumerate(scored) if self._is_hit(one) or (place < least and one.score > 0)]

    def weaker(self, scored: Sequence[Scored], hits: Sequence[Scored]) -> list[Scored]:
        """Return those of `scored` that are not among `hits` and still likelier than chance, marked as weak."""
        known = {one.candidate.row for one in hits}
        return [
            replace(one, weak=True)
            for one in scored
            if one.candidate.row not in known and one.score > 0 and self._is_weak(one)
        ]

    def _is_hit(self, one: Scored) -> bool:
        return _holds_all(one) or (_belongs(one, self.answered) and one.score >= self.floor)

    def _is_weak(self, one: Scored) -> bool:
        return one.coverage > 0 if one.candidate.cosine is None else likelihood(one) > self.level


def likelihood(one: Scored) -> float:
    """Return what speaks for a described row being an answer: 0 where nobody described it."""
    return 0.0 if one.candidate.cosine is None else one.candidate.cosine + _COVERAGE * one.coverage


def alike(scored: Sequence[Scored], best: float) -> list[Scored]:
    """Return the hits among photos ranked by likeness to another one, of which the most alike scores `best`."""
    return [one for one in scored if one.score >= max(LIKENESS, FALL * best)]


def _holds_all(one: Scored) -> bool:
    return one.coverage > 0.9999


def _belongs(one: Scored, answered: bool) -> bool:
    if one.candidate.cosine is None:
        return one.coverage >= WORDS_ENOUGH
    return answered
