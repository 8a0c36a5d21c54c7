"""Which rows may be hits: a filter that the table answers by its indexes, and words that a hit must hold or must not.

As a filter, such words make the table read the words of every row. The word index knows the rows that hold them, and
of the rows nearest to a vector, the words of a few are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from indexer.domain.answer_fields import Field
from search.filters import Filters, predicate
from search.probes import Probe
from search.reader import View
from search.sorting import NEWEST, Sorting

_SPARE = 16
_HOLDERS = 2_000
"""Rows with all the words of a phrase that are read, to see in which of them the words follow each other."""


@dataclass(frozen=True, slots=True)
class Sieve:
    """A hit passes `where` and holds none of the terms `without`; `exact` says all of it as one filter, which is slow.

    A hit also holds all of the needles `phrases` and none of `unwanted` (see `search.spelling`).
    """

    where: str | None = None
    exact: str | None = None
    without: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    @classmethod
    def of(cls, filters: Filters, cameras: Sequence[str], own: Sequence[Field]) -> Sieve:
        """Compile `filters`; see `predicate`."""
        plain = predicate(replace(filters, not_terms=(), phrases=(), unwanted=()), cameras, own)
        exact = predicate(filters, cameras, own)
        return cls(plain, exact, filters.not_terms, filters.phrases, filters.unwanted)

    def by_words(self, view: View, terms: Sequence[str], limit: int) -> list[int]:
        """Return the rows that pass and hold any of `terms`, best first by BM25."""
        if self.phrases:
            return self._holding(view, limit)
        found = view.by_words(terms, self.where, limit, self.without)
        passed = self._passing(view, found, ()) if self._may_hold_unwanted(view) else found
        return passed if len(passed) == len(found) or len(found) < limit else view.by_words(terms, self.exact, limit)

    def by_pairs(self, view: View, pairs: Sequence[tuple[str, str]], limit: int) -> list[int]:
        """Return the rows that pass and hold both terms of any of `pairs`."""
        if self.phrases or not pairs:
            return []
        return self._passing(view, view.by_pairs(pairs, self.where, limit), self.without)

    def by_meaning(self, view: View, probe: Probe, limit: int) -> list[int]:
        """Return the rows that pass and whose vectors are nearest to that of `probe`."""
        if self.phrases:
            return []  # all rows that can pass are found by their words
        if not (self.without or self.unwanted):
            return view.by_meaning(probe, self.where, limit)
        near = view.by_meaning(probe, self.where, 2 * limit)
        passed: list[int] = []
        looked = 0
        while looked < len(near) and len(passed) < limit:
            some = near[looked : looked + limit - len(passed) + _SPARE]
            passed += self._passing(view, some, self.without)
            looked += len(some)
        if len(passed) < limit and len(near) == 2 * limit:
            return view.by_meaning(probe, self.exact, limit)
        return passed[:limit]

    def listing(self, view: View, sorting: Sorting = NEWEST) -> list[int]:
        """Return all rows that pass, sorted."""
        rows = view.listing(self.where, sorting)
        if rows and self.phrases:
            held = frozenset(self._holding(view, len(rows)))
            return [row for row in rows if row in held]
        gone: set[int] = set()
        if rows and self.without:
            gone.update(view.by_words(self.without, self.where, len(rows)))
        if rows and self.unwanted:
            gone.update(self._having(view, self.unwanted, len(rows)))
        return [row for row in rows if row not in gone]

    def _may_hold_unwanted(self, view: View) -> bool:
        """Whether any row holds the words of a needle in `unwanted`: the word index says so before rows are read."""
        needles = [needle.split() for needle in self.unwanted]
        return bool(needles) and bool(view.by_pairs(needles, self.where, 1))

    def _holding(self, view: View, limit: int) -> list[int]:
        """The rows that hold the phrases, best first by BM25."""
        terms = [term for needle in self.phrases for term in needle.split()]
        found = view.by_all_words(terms, self.where, max(limit, _HOLDERS))
        passed = self._passing(view, found, self.without)
        if len(passed) < limit and len(found) == max(limit, _HOLDERS):
            passed = view.by_all_words(terms, self.exact, limit)
        return passed[:limit]

    def _having(self, view: View, needles: Sequence[str], limit: int) -> Iterable[int]:
        """The rows that hold any of `needles`."""
        for needle in needles:
            found = view.candidates(view.by_all_words(needle.split(), self.where, limit))
            yield from (one.row for one in found if needle in one.line)

    def _passing(self, view: View, rows: Sequence[int], without: Sequence[str]) -> list[int]:
        """Those of `rows` whose words pass, and that hold none of the terms `without`."""
        unwanted = [*self.unwanted, *(f" {term} " for term in without)]
        found = view.candidates(rows)
        return [
            one.row
            for one in found
            if all(needle in one.line for needle in self.phrases) and not any(needle in one.line for needle in unwanted)
        ]
