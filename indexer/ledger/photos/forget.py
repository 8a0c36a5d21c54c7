"""Forgetting paths on somebody's word: their rows and facts, and the answers that no other path uses."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many paths are forgotten, how many answers, and what these have cost in US dollars."""

    paths: int
    answers: int
    spent_usd: float


_LONELY = """
    SELECT DISTINCT f.photo FROM files f WHERE f.photo IS NOT NULL AND {condition}
    AND NOT EXISTS (
        SELECT 1 FROM files o WHERE o.state <> 'gone' AND NOT ({other})
        AND o.photo IN (SELECT f.photo UNION ALL SELECT i.photo FROM inherited i WHERE i.source = f.photo))
"""


def lonely_photos(ledger: Ledger, scope: Scope) -> list[str]:
    """Return the photos that lie in `scope` and nowhere else, and from which no photo elsewhere inherits."""
    condition, values = scope.where()
    other, again = scope.where("o.path")
    rows = ledger.connection.execute(_LONELY.format(condition=condition, other=other), (*values, *again))
    return [row[0] for row in rows]


def foresee(ledger: Ledger, scope: Scope) -> Forgotten:
    """Say what forgetting `scope` would take away."""
    condition, values = scope.where()
    paths = ledger.connection.execute(f"SELECT count(*) FROM files f WHERE {condition}", values).fetchone()[0]
    photos = lonely_photos(ledger, scope)
    return Forgotten(
        int(paths),
        sum(_count(ledger, "answers WHERE", photo) for photo in photos),
        sum(_spent(ledger, photo) for photo in photos),
    )


def out_at_service(ledger: Ledger, scope: Scope) -> int:
    """Count the photos of `scope` that are being asked about right now."""
    return sum(_count(ledger, "works WHERE state = 'out' AND", photo) for photo in lonely_photos(ledger, scope))


def forget(ledger: Ledger, scope: Scope) -> list[str]:
    """Commit that `scope` is forgotten, and mark its rows; returns the photos that nobody knows any more.

    What was paid stays in the books. The paths go when their rows are gone: see `drop_paths`.
    """
    condition, values = scope.where()
    photos = lonely_photos(ledger, scope)
    with ledger.transaction("forget") as transaction:
        for photo in photos:
            transaction.execute(
                "DELETE FROM replaced_answers WHERE work IN (SELECT key FROM works WHERE photo = ?)", (photo,)
            )
            transaction.execute("DELETE FROM inherited WHERE ? IN (photo, source)", (photo,))
            transaction.execute("DELETE FROM bursts WHERE photo = ?", (photo,))
            transaction.execute("DELETE FROM corrections WHERE photo = ?", (photo,))
            transaction.execute("DELETE FROM answers WHERE photo = ?", (photo,))
            transaction.execute("DELETE FROM works WHERE photo = ?", (photo,))
        transaction.execute(f"INSERT OR IGNORE INTO dirty SELECT f.path FROM files f WHERE {condition}", values)
        transaction.execute(
            f"UPDATE files AS f SET state = 'gone', facts = NULL, change = 'gone' WHERE {condition}", values
        )
    return photos


def drop_paths(ledger: Ledger, scope: Scope) -> None:
    """Commit that the paths of `scope`, whose rows are gone, were never seen."""
    condition, values = scope.where()
    with ledger.transaction("forgotten paths") as transaction:
        transaction.execute(
            f"DELETE FROM files AS f WHERE state = 'gone' AND row_digest IS NULL AND {condition}", values
        )


def _count(ledger: Ledger, which: str, photo: str) -> int:
    return int(ledger.connection.execute(f"SELECT count(*) FROM {which} photo = ?", (photo,)).fetchone()[0])


def _spent(ledger: Ledger, photo: str) -> float:
    row = ledger.connection.execute(
        "SELECT total(spent_usd) FROM attempts WHERE work IN (SELECT key FROM works WHERE photo = ?)", (photo,)
    ).fetchone()
    return float(row[0])
