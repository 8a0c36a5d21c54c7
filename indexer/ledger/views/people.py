"""The people whom files name, and how many photos show each."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class PersonCount:
    """How many photos show the person of this name; copies of a photo count once."""

    name: str
    photos: int


def counts(ledger: Ledger) -> list[PersonCount]:
    """Return everybody whom the files of the library name, those with most photos first."""
    rows = ledger.connection.execute(
        """
        SELECT one.value, count(DISTINCT f.photo) AS photos
        FROM files f, json_each(f.facts, '$.people') one
        WHERE f.picture = 1 AND f.state <> 'gone' AND f.photo IS NOT NULL AND f.facts LIKE '%"people": ["%'
        GROUP BY 1 ORDER BY photos DESC, 1
        """
    )
    return [PersonCount(str(name), count) for name, count in rows]
