"""The ways to find rows: by a text, by a date in words, by likeness to a photo, and by filters alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from indexer.table.words import query_terms
from search import cutoff, ranking
from search.cutoff import Cutoff
from search.hits import FoundRow
from search.language import Understood
from search.probes import Probe
from search.ranking import Candidate, Scored, Words
from search.reader import Sample, View
from search.sieve import Sieve
from search.sorting import Sorting
from search.spelling import halves, lookup

POOLS = (200, 2_000, 20_000, 200_000, 2_000_000)
"""Rows that each leg proposes: the first pool is enough for the first hits to be those of a full ranking. What only a
larger pool proposes stands behind all of the smaller one, so that pages of one search never overlap."""
_UNKNOWN = 4
_MOST_DROPPED = 2
"""Where less than one of so many candidates is kept, no larger pool is asked."""


def answering(
    view: View,
    query: Understood,
    sieves: Sequence[Sieve],
    sampled: Callable[[], Sample],
    worded: Callable[[], Words],
    encoded: Callable[[], Sequence[Probe]],
) -> Iterator[FoundRow]:
    """Yield the rows that answer the text of `query` and pass any of `sieves`, each of which proposes its own.

    `sampled` waits for a sample of the table, `worded` for the weights of the words in it, `encoded` for the vectors of
    the text, none where none says anything.
    """
    yield from _ordered(view, query, _tiers(view, query, sieves, sampled, worded, encoded))


def resembling(view: View, query: Understood, sieve: Sieve, example: tuple[str, Probe]) -> Iterator[FoundRow]:
    """Yield the photos most like `example`, a photo ("" for one that is not here) and its vector, without itself."""
    photo, probe = example
    found = _ordered(view, query, _likenesses(view, query, sieve, probe))
    return (one for one in found if one.shown.photo != photo)


def listed(view: View, query: Understood, sieve: Sieve) -> Iterator[FoundRow]:
    """Yield the rows that pass the filters, newest first, or by a field."""
    rows = sieve.listing(view, Sorting.of(query.sort, view.own))
    step = query.offset + query.limit if query.limit else len(rows)
    for start in range(0, len(rows), max(1, step)):
        yield from map(FoundRow, view.shown(rows[start : start + step]))


def dated(view: View, query: Understood, sieve: Sieve, then: Sieve) -> Iterator[FoundRow]:
    """Yield the rows of a date and nothing else: those that hold its words but were not taken then, the others after.

    `then` lets through what was taken on that date.
    """
    sorting = Sorting.of(query.sort, view.own)
    taken = then.listing(view, sorting)
    terms = query_terms(query.when.said if query.when else "")
    said = replace(sieve, phrases=(*sieve.phrases, *(f" {term} " for term in terms))).by_words(view, (), POOLS[0])
    holding = [Scored(Candidate(row, "", None), 1.0, 1.0, tuple(terms)) for row in set(said).difference(taken)]
    yield from sorting.sorted(_fetched(view, holding))
    step = query.offset + query.limit if query.limit else len(taken)
    for start in range(0, len(taken), max(1, step)):
        yield from map(FoundRow, view.shown(taken[start : start + step]))


def _tiers(
    view: View,
    query: Understood,
    sieves: Sequence[Sieve],
    sampled: Callable[[], Sample],
    worded: Callable[[], Words],
    encoded: Callable[[], Sequence[Probe]],
) -> Iterator[list[Scored]]:
    """Yield ranked rows, a pool at a time; no row scores more than one before it."""
    date = query.when.said if query.when else ""
    terms, seen = [*lookup(query.text), *query_terms(date)], set[int]()
    verdict: Cutoff | None = None
    waiting: list[Scored] = []
    least = 1.0
    for number, pool in enumerate(size // len(sieves) for size in POOLS):
        rows = dict.fromkeys(row for sieve in sieves for row in (sieve.by_words(view, terms, pool) if terms else ()))
        sample, probes = sampled(), encoded()
        for probe in probes:
            near = (row for sieve in sieves for row in sieve.by_meaning(view, probe, int(pool * probe.share)))
            rows.update(dict.fromkeys(near))
        words = worded()
        fresh = [row for row in rows if row not in seen]
        candidates = view.candidates(fresh, probes, query.when)
        scored = ranking.rank(candidates, words, sample.statistics)
        split = [row for row in sieves[0].by_pairs(view, _pairs(query, scored, words), pool) if row not in rows]
        if new := [row for row in split if row not in seen]:
            fresh += new
            candidates += view.candidates(new, probes, query.when)
            scored = ranking.rank(candidates, words, sample.statistics)
        seen.update(fresh)
        if isinstance(query.min_score, str):
            kept = (verdict := verdict or Cutoff.of(scored, sample.statistics)).hits(scored, first=number == 0)
            waiting += verdict.weaker(scored, kept)
        else:
            kept = _above(scored, query.min_score)
        yield [one.at_most(least) for one in kept]
        if len(kept) * _MOST_DROPPED < len(scored) or len(seen) >= sample.statistics.rows or not fresh:
            break
        least = min(least, kept[-1].score)
    if query.min_score == "weak":
        yield sorted(waiting, key=lambda one: (-one.score, one.candidate.row))


def _likenesses(view: View, query: Understood, sieve: Sieve, probe: Probe) -> Iterator[list[Scored]]:
    seen: set[int] = set()
    best: float | None = None
    for pool in POOLS:
        fresh = [row for row in sieve.by_meaning(view, probe, pool) if row not in seen]
        if not fresh:
            return
        seen.update(fresh)
        candidates = view.candidates(fresh, [probe])
        scored = [Scored(one, round(max(0.0, one.cosine), 4), 0.0, ()) for one in candidates if one.cosine is not None]
        scored.sort(key=lambda one: (-one.score, one.candidate.row))
        best = scored[0].score if best is None and scored else best
        kept = _above(scored, query.min_score) if isinstance(query.min_score, float | int) else scored
        if query.min_score == "auto":
            kept = cutoff.alike(scored, best or 0.0)
        yield kept
        if not kept:
            return


def _pairs(query: Understood, scored: Sequence[Scored], words: Words) -> list[tuple[str, str]]:
    """The halves of words that no candidate holds: such a word may stand as two."""
    known = {term for one in scored for term in one.matched}
    unknown = [term for term in words.weights if term not in known]
    return [pair for term in unknown[:_UNKNOWN] for pair in halves(term, query.text)]


def _above(scored: list[Scored], least: float) -> list[Scored]:
    return [one for one in scored if one.score >= least]


def _ordered(view: View, query: Understood, tiers: Iterator[list[Scored]]) -> Iterator[FoundRow]:
    if query.sort != "relevance":
        every = _fetched(view, [one for tier in tiers for one in tier])
        yield from Sorting.of(query.sort, view.own).sorted(every)
        return
    for scored in tiers:
        step = query.offset + query.limit if query.limit else len(scored)
        waiting: list[Scored] = []
        for _, equals in groupby(scored, key=lambda one: (one.weak, one.score)):
            waiting += equals
            if len(waiting) >= step:
                yield from _fetched(view, waiting)
                waiting = []
        yield from _fetched(view, waiting)


def _fetched(view: View, scored: Sequence[Scored]) -> list[FoundRow]:
    """The rows of `scored` with what is shown of them, hits before weak ones, best first, equals in order of path."""
    by_row = {one.candidate.row: one for one in scored}
    found = [FoundRow(shown, by_row[shown.row]) for shown in view.shown(by_row)]
    found.sort(key=lambda one: (one.weak, -(one.scored.score if one.scored else 0.0), one.shown.path))
    return found
