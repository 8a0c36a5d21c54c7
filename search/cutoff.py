"""Where the list of hits ends: whether the library answers a query at all, and which rows still belong.

Fitted on 4,000 captioned photos and subsets of them, with captions by other people and their rare words as queries
that have an answer, and queries on other subjects as those that have none. See `benchmarks/bench_cutoff.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.ranking import Scored, Statistics, Words

FALL = 0.65
"""A hit scores at least this share of the best one."""
WORDS_ENOUGH = 0.3
"""The share of the query's weight that a photo without a description must hold in its words."""
LIKENESS = 0.35
"""The least cosine of a photo that is like another one."""

_COSINE, _COVERAGE, _NEARNESS, _KNOWN, _SIZE, _LEVEL = 11.42, 4.54, 21.15, 3.38, -0.93, -1.4
_LARGEST = 20_000
_SMALL = 1_000
_PRIOR_LEAST, _PRIOR_COVERAGE = 0.30, 0.3
"""Below `_SMALL` vectors a library says too little of itself, and these decide: which cosine is enough, and what the
words add to it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the library holding an answer.

    `cosine` and `coverage` are the best among the candidates, `known` is the share of the query's weight whose words
    any candidate holds, `nearness` the mean cosine of the query with the library.
    """

    cosine: float
    coverage: float
    known: float
    nearness: float

    @classmethod
    def of(cls, scored: Sequence[Scored], words: Words, nearness: float) -> Evidence:
        """Gather the evidence of ranked candidates."""
        held = {term for one in scored for term in one.matched}
        known = sum(words.weights[term] for term in held) / words.total if held else 0.0
        return cls(
            cosine=max((one.candidate.cosine or 0.0 for one in scored), default=0.0),
            coverage=max((one.coverage for one in scored), default=0.0),
            known=known,
            nearness=nearness,
        )

    def speaks(self, vectors: int) -> bool:
        """Whether an answer is likely in a library of so many `vectors`: a larger one holds more chance likeness."""
        if vectors < _SMALL:
            return self.cosine + _PRIOR_COVERAGE * self.coverage > _PRIOR_LEAST
        size = math.log(min(vectors, _LARGEST))
        return (
            _COSINE * self.cosine
            + _COVERAGE * self.coverage
            + _NEARNESS * self.nearness
            + _KNOWN * self.known
            + _SIZE * size
            + _LEVEL
            > 0
        )


def cut(scored: Sequence[Scored], words: Words, statistics: Statistics, nearness: float) -> list[Scored]:
    """Return the hits among ranked candidates; a row that holds all the words is always one."""
    answered = Evidence.of(scored, words, nearness).speaks(statistics.vectors)
    hits = [one for one in scored if _holds_all(one) or _belongs(one, answered)]
    return [one for one in hits if _holds_all(one) or one.score >= FALL * hits[0].score]


def alike(scored: Sequence[Scored]) -> list[Scored]:
    """Return the hits among photos ranked by likeness to another one."""
    return [one for one in scored if one.score >= max(LIKENESS, FALL * scored[0].score)]


def _holds_all(one: Scored) -> bool:
    return one.coverage > 0.9999


def _belongs(one: Scored, answered: bool) -> bool:
    if one.candidate.cosine is None:
        return one.coverage >= WORDS_ENOUGH
    return answered
