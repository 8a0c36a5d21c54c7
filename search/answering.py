"""The three ways to find rows: by a text, by likeness to a photo, and by filters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from indexer.table.words import query_terms
from search import cutoff, ranking
from search.filters import Query
from search.hits import Found
from search.ranking import Scored, Words
from search.reader import Sample, View
from search.sieve import Sieve

if TYPE_CHECKING:
    import numpy as np

POOL = 200
"""Rows that each leg proposes at least: enough for the first hits to be those of a full ranking."""
_DATED = 500
_ALL = 5_000


def answering(
    view: View,
    query: Query,
    sieve: Sieve,
    sampled: Callable[[], Sample],
    encoded: Callable[[], np.ndarray | None],
) -> Iterator[Found]:
    """Yield the rows that answer the text of `query`.

    `sampled` waits for a sample of the table, `encoded` for the vector of the text, None when there is none.
    """
    terms, pool = query_terms(query.text), _pool(query)
    rows = dict.fromkeys(sieve.by_words(view, terms, pool) if terms else ())
    vector = encoded()
    near = sieve.by_meaning(view, vector, pool) if vector is not None else []
    sample = sampled()
    if sample.centre is None:
        vector = None
    else:
        rows.update(dict.fromkeys(near))
    words = Words.of(query.text, sample.statistics)
    scored = ranking.rank(view.candidates(rows, vector), words, sample.statistics)
    if query.min_score == "auto":
        scored = cutoff.cut(scored, words, sample.statistics, sample.nearness(vector))
    return _ordered(view, query, _above(scored, query.min_score))


def resembling(view: View, query: Query, sieve: Sieve, example: tuple[str, np.ndarray]) -> Iterator[Found]:
    """Yield the photos most like `example`, a photo and its vector, without itself."""
    photo, vector = example
    candidates = view.candidates(sieve.by_meaning(view, vector, _pool(query)), vector)
    scored = [Scored(one, round(max(0.0, one.cosine), 4), 0.0, ()) for one in candidates if one.cosine is not None]
    scored.sort(key=lambda one: (-one.score, one.candidate.row))
    kept = cutoff.alike(scored) if query.min_score == "auto" else _above(scored, query.min_score)
    return (one for one in _ordered(view, query, kept) if one.shown.photo != photo)


def listed(view: View, query: Query, sieve: Sieve) -> Iterator[Found]:
    """Yield the rows that pass the filters, newest first."""
    rows = sieve.listing(view)
    step = query.offset + query.limit if query.limit else len(rows)
    for start in range(0, len(rows), max(1, step)):
        yield from map(Found, view.shown(rows[start : start + step]))


def _pool(query: Query) -> int:
    """How many rows each leg proposes: a few fixed sizes, so that pages of one search come from the same pool."""
    wanted = query.offset + query.limit if query.limit else _ALL
    if query.sort == "date":
        wanted = max(wanted, _DATED)
    pool = POOL
    while pool < 2 * wanted:
        pool *= 10
    return pool


def _above(scored: list[Scored], least: float | Literal["auto"]) -> list[Scored]:
    return scored if least == "auto" else [one for one in scored if one.score >= least]


def _ordered(view: View, query: Query, scored: Sequence[Scored]) -> Iterator[Found]:
    if query.sort == "date":
        dated = _fetched(view, scored)
        dated.sort(key=lambda one: one.shown.path)
        dated.sort(key=lambda one: one.shown.taken_at.isoformat() if one.shown.taken_at else "", reverse=True)
        yield from dated
        return
    step = query.offset + query.limit if query.limit else len(scored)
    waiting: list[Scored] = []
    for _, equals in groupby(scored, key=lambda one: one.score):
        waiting += equals
        if len(waiting) >= step:
            yield from _fetched(view, waiting)
            waiting = []
    yield from _fetched(view, waiting)


def _fetched(view: View, scored: Sequence[Scored]) -> list[Found]:
    """The rows of `scored` with what is shown of them, best first, equals in order of path."""
    by_row = {one.candidate.row: one for one in scored}
    found = [Found(shown, by_row[shown.row]) for shown in view.shown(by_row)]
    found.sort(key=lambda one: (-(one.scored.score if one.scored else 0.0), one.shown.path))
    return found
