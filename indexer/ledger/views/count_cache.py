"""Counts of a whole archive, kept until something changes that they count: most runs find nothing new."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from indexer.domain.keys import digest
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.storage.paths import is_inside


def kept(ledger: Ledger, name: str, scope: Scope, count: Callable[[], Sequence[float]]) -> list[float]:
    """Return what `count` returns for `scope`; it is called only when the ledger has changed since the last time."""
    part = scope.roots is not None and not _is_everything(ledger, scope.roots)
    key = f"{name} {digest(*scope.roots or ()) if part else 'everything'}"
    generation = ledger.generation
    row = ledger.connection.execute(
        "SELECT counts FROM kept_counts WHERE name = ? AND generation = ?", (key, generation)
    ).fetchone()
    if row:
        return list(json.loads(row[0]))
    counts = list(count())
    if ledger.writes:
        with ledger.transaction("kept counts", uncounted=True) as transaction:
            transaction.execute("DELETE FROM kept_counts WHERE generation <> ?", (generation,))
            transaction.execute("INSERT INTO kept_counts VALUES (?, ?, ?)", (key, generation, json.dumps(counts)))
    return counts


def _is_everything(ledger: Ledger, roots: Sequence[bytes]) -> bool:
    """Say whether all known files lie below one root: then its counts are those of the library."""
    if len(roots) != 1:
        return False
    first, last = (ledger.connection.execute(f"SELECT {end}(path) FROM files").fetchone()[0] for end in ("min", "max"))
    return first is not None and is_inside(first, roots[0]) and is_inside(last, roots[0])
