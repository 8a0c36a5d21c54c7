"""Which rows may be hits: a filter that the table answers by its indexes, and words that no hit may hold.

As a filter, such a word makes the table read the words of every row. The word index knows the rows that hold it, and
of the rows nearest to a vector, the words of a few are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from indexer.domain.answer_fields import Field
from search.filters import Filters, predicate
from search.reader import View

if TYPE_CHECKING:
    import numpy as np

_SPARE = 16


@dataclass(frozen=True, slots=True)
class Sieve:
    """A hit passes `where` and holds none of the terms `without`; `exact` says both as one filter, which is slow."""

    where: str | None = None
    exact: str | None = None
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, filters: Filters, cameras: Sequence[str], own: Sequence[Field]) -> Sieve:
        """Compile `filters`; see `predicate`."""
        spoken = replace(filters, not_terms=())
        return cls(predicate(spoken, cameras, own), predicate(filters, cameras, own), filters.not_terms)

    def by_words(self, view: View, terms: Sequence[str], limit: int) -> list[int]:
        """Return the rows that pass and hold any of `terms`, best first by BM25."""
        return view.by_words(terms, self.where, limit, self.without)

    def by_meaning(self, view: View, vector: np.ndarray, limit: int) -> list[int]:
        """Return the rows that pass and whose vectors are nearest to `vector`."""
        if not self.without:
            return view.by_meaning(vector, self.where, limit)
        near = view.by_meaning(vector, self.where, 2 * limit)
        passed: list[int] = []
        looked = 0
        while looked < len(near) and len(passed) < limit:
            some = near[looked : looked + limit - len(passed) + _SPARE]
            passed += self._passing(view, some)
            looked += len(some)
        if len(passed) < limit and len(near) == 2 * limit:
            return view.by_meaning(vector, self.exact, limit)
        return passed[:limit]

    def listing(self, view: View) -> list[int]:
        """Return all rows that pass, newest first."""
        rows = view.listing(self.where)
        if not (self.without and rows):
            return rows
        unwanted = frozenset(view.by_words(self.without, self.where, view.count()))
        return [row for row in rows if row not in unwanted]

    def _passing(self, view: View, rows: Sequence[int]) -> list[int]:
        unwanted = [f" {term} " for term in self.without]
        found = view.candidates(rows, None)
        return [one.row for one in found if not any(term in one.line for term in unwanted)]
