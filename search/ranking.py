"""How well a photo answers a query: meaning and words on one scale.

A score is `COSINE_SHARE * cosine + (1 - COSINE_SHARE) * lexical`. The lexical part is BM25 divided by the most that
the query could reach, so both parts lie between 0 and 1 and a score means the same from query to query. The constants
were fitted on human captions (`benchmarks/bench_ranking.py`, `benchmarks/bench_cutoff.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, repeat

from indexer.table.words import query_terms
from search.pool import Pool
from search.spelling import spellings, wanted

COSINE_SHARE = 0.75
_K1 = 1.0
_B = 0.5

MEANT_BY_WORDS = 0.5
"""The cosine that holding all words of the query is worth: it rescues exact words, such as names and numbers, whose
meaning no vector carries."""

MEANT_UNSEEN = 0.6
"""The same where nobody has described the photo: the mean cosine of described photos that hold all words of a query
is 0.55 (rare words) to 0.64 (sentences), and at half of the words no lower than half of this."""

TIMELY = 0.35
"""The share of what a score lacks that being taken when the query says makes up for."""

_TOGETHER = 4_096
"""Candidates that are scored at a time."""

_PRIOR_ROWS = 200
_PRIOR_HOLDERS = 1
"""Words are weighed as if so many more rows, so many of them holding the word, had been counted: a small library says
little about which words are rare."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a sample of the library says about all of it.

    `rows` and `vectors` count the whole table, `holders` how many of the `sampled` rows hold a term; `length` is the
    mean number of terms of a row.
    """

    rows: int
    vectors: int
    sampled: int
    length: float
    holders: Mapping[str, int]

    @classmethod
    def of(cls, lines: Sequence[str], *, rows: int, vectors: int) -> Statistics:
        """Count the term lines of a sample."""
        holders: dict[str, int] = {}
        total = 0
        for line in lines:
            words = line.split()
            total += len(words)
            for term in set(words):
                holders[term] = holders.get(term, 0) + 1
        return cls(rows, vectors, len(lines), max(1.0, total / max(1, len(lines))), holders)

    def weight(self, term: str) -> float:
        """Return the inverse document frequency of `term`."""
        rows = self.sampled + _PRIOR_ROWS
        holders = self.holders.get(term, 0) + _PRIOR_HOLDERS
        return math.log(1 + (rows - holders + 0.5) / (holders + 0.5))


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a query: distinct terms with their weights, the spelling each came from, and others as good."""

    weights: Mapping[str, float] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    date: tuple[str, ...] = ()
    """The terms of a date in words: to hold them all is as good as to be taken then."""

    @classmethod
    def of(cls, text: str, statistics: Statistics, date: str = "") -> Words:
        """Cut `text` into terms and weigh them."""
        spelled: dict[str, str] = {}
        for word in f"{text} {date}".split():
            for term in query_terms(word):
                spelled.setdefault(term, word)
        own, also = wanted(text), spellings(text)
        return cls(
            {term: statistics.weight(term) for term in own},
            {term: spelled.get(term, term) for term in (*own, *query_terms(date))},
            {term: also[term] for term in own if term in also},
            tuple(query_terms(date)),
        )

    @property
    def total(self) -> float:
        """The weight of all words together."""
        return sum(self.weights.values())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that might answer: its terms with a space around each, and its cosine to the query.

    `cosine` is None for a photo that nobody has described or looked at: words alone judge it.
    """

    row: int
    line: str
    cosine: float | None
    timely: bool = False
    """Whether it was taken when the query says."""
    seen: float | None = None
    """The same as an image model sees it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its score; `coverage` is the share of the query's weight that its words hold."""

    candidate: Candidate
    score: float
    coverage: float
    matched: tuple[str, ...]
    weak: bool = False

    def at_most(self, score: float) -> Scored:
        """Return the same with no more than this score."""
        return self if self.score <= score else replace(self, score=score)


def rank(candidates: Sequence[Candidate], words: Words, statistics: Statistics) -> list[Scored]:
    """Return the candidates with their scores, best first."""
    starts = range(0, len(candidates), _TOGETHER)
    scored = [one for at in starts for one in _scored(candidates[at : at + _TOGETHER], words, statistics)]
    scored.sort(key=lambda one: (-one.score, one.candidate.row))
    return scored


def _scored(candidates: Sequence[Candidate], words: Words, statistics: Statistics) -> Iterator[Scored]:
    """Score some candidates together: term by term, so that sums come out as they would one by one."""
    import numpy as np

    lines = [candidate.line for candidate in candidates]
    counts = _counted(Pool(lines), words)
    coverage, lexical, total = np.zeros(len(lines)), np.zeros(len(lines)), words.total
    if total:
        lengths = np.array([line.count(" ") - 1 for line in lines])
        damping = _K1 * (1 - _B + _B * lengths / statistics.length)
        for term, numbers in counts.items():
            count = np.array(numbers)
            coverage += words.weights[term] * (count > 0)
            lexical += words.weights[term] * count * (_K1 + 1) / (count + damping)
        coverage, lexical = coverage / total, lexical / (total * (_K1 + 1))
    # A photo that nobody has described has no cosine.
    cosine = np.array([np.nan if one.cosine is None else one.cosine for one in candidates], float)
    meaning = np.maximum(np.maximum(cosine, 0.0), MEANT_BY_WORDS * coverage)
    meaning = np.where(np.isnan(cosine), MEANT_UNSEEN * coverage, meaning)
    scores = COSINE_SHARE * meaning + (1 - COSINE_SHARE) * lexical if total else meaning
    held = zip(*counts.values(), strict=True) if counts else repeat(())
    for one, score, covered, holding in zip(candidates, scores.tolist(), coverage.tolist(), held, strict=False):
        dated = tuple(term for term in words.date if f" {term} " in one.line)
        timely = bool(words.date) and (one.timely or len(dated) == len(words.date))
        matched = (*compress(counts, holding), *dated)
        yield Scored(one, round(_preferred(score, timely), 4), covered, matched)


def _counted(pool: Pool, words: Words) -> dict[str, list[int]]:
    """How often each line holds each term, its own spelling or another one; only terms that any line holds."""
    counted: dict[str, list[int]] = {}
    for term in words.weights:
        found = [some for needle in (f" {term} ", *words.also.get(term, ())) if (some := pool.counts(needle))]
        if found:
            counted[term] = found[0] if len(found) == 1 else [sum(numbers) for numbers in zip(*found, strict=True)]
    return counted


def _preferred(score: float, timely: bool) -> float:
    return score + TIMELY * (1 - score) if timely else score
