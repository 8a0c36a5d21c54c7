"""Orders of hits other than by relevance: newest first, or by a field of a person's own schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer.domain.answer_fields import Field, FieldKind
from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

    from search.hits import FoundRow

_RISING = {FieldKind.TEXT}
_ORDERED = (FieldKind.INTEGER, FieldKind.NUMBER, FieldKind.BOOLEAN, FieldKind.TEXT)


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order by columns of the table: texts from A to Z, all else the largest first; without a value last.

    Equals stand in order of their path.
    """

    keys: tuple[tuple[str, bool], ...]
    """Columns with whether they rise, the foremost first."""

    @classmethod
    def of(cls, sort: str, own: Sequence[Field]) -> Sorting:
        """Return the order that `sort` names: relevance, date or one of the fields `own`; raises `UsageError`."""
        if sort in ("relevance", "date"):
            return NEWEST
        named = [field for kind in _ORDERED for field in own if field.name == sort and field.kind is kind]
        if not named:
            known = ["relevance", "date", *sorted({field.name for field in own if field.kind in _ORDERED})]
            near = did_you_mean(sort, known) or f"one of: {', '.join(known)}"
            raise UsageError(f"sort {sort!r} is unknown", hint=near)
        return cls(tuple((field.column, field.kind in _RISING) for field in named))

    def indices(self, table: pa.Table) -> pa.Array:
        """Return the order of the rows of `table`, which has the columns of `keys` and `path`."""
        import pyarrow.compute as pc

        orders = [(name, "ascending" if rising else "descending") for name, rising in self.keys]
        return pc.sort_indices(table, sort_keys=[*orders, ("path", "ascending")])

    def sorted(self, found: Iterable[FoundRow]) -> list[FoundRow]:
        """Return `found` in this order, hits before weak ones."""
        ordered = sorted(found, key=lambda one: one.shown.path)
        for name, rising in reversed(self.keys):
            there = [one for one in ordered if _value(one, name) is not None]
            there.sort(key=lambda one: _value(one, name), reverse=not rising)
            ordered = there + [one for one in ordered if _value(one, name) is None]
        return sorted(ordered, key=lambda one: one.weak)


def _value(one: FoundRow, column: str) -> Any:
    return one.shown.taken_at if column == "taken_at" else one.shown.own.get(column)


NEWEST = Sorting((("taken_at", False),))
"""The order of hits that have no rank."""
