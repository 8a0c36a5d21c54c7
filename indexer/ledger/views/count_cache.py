"""Counts of a whole archive, kept until something changes that they count: most runs find nothing new."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from indexer.domain.keys import digest
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger


def kept(ledger: Ledger, name: str, scope: Scope, count: Callable[[], Sequence[float]]) -> list[int]:
    """Return what `count` returns for `scope`; it is called only when the ledger has changed since the last time."""
    key = f"{name} {digest(*scope.roots) if scope.roots is not None else 'everything'}"
    generation = ledger.generation
    row = ledger.connection.execute(
        "SELECT counts FROM kept_counts WHERE name = ? AND generation = ?", (key, generation)
    ).fetchone()
    if row:
        return list(json.loads(row[0]))
    counts = [int(value) for value in count()]
    if ledger.writes:
        with ledger.transaction("kept counts", uncounted=True) as transaction:
            transaction.execute("DELETE FROM kept_counts WHERE generation <> ?", (generation,))
            transaction.execute("INSERT INTO kept_counts VALUES (?, ?, ?)", (key, generation, json.dumps(counts)))
    return counts
