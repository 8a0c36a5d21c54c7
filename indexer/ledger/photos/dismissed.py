"""Failures that a person accepts: such a path counts as left out, until its file changes."""

from __future__ import annotations

from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger


def dismiss(ledger: Ledger, scope: Scope, *, undo: bool) -> int:
    """Commit that the failures of `scope` are accepted, or no longer; returns how many paths that concerns."""
    condition, values = scope.where()
    failed = (
        "(f.reason IS NOT NULL OR EXISTS (SELECT 1 FROM works w WHERE w.state = 'failed' AND w.photo IN ("
        "SELECT f.photo UNION ALL SELECT i.source FROM inherited i WHERE i.photo = f.photo)))"
    )
    with ledger.transaction("dismissed") as transaction:
        done = transaction.execute(
            f"UPDATE files AS f SET dismissed = ? WHERE f.picture = 1 AND f.state <> 'gone' AND f.dismissed <> ?"
            f" AND {'1' if undo else failed} AND {condition}",
            (int(not undo), int(not undo), *values),
        )
    return done.rowcount
