"""A folder that moved as a whole: its files keep everything but their path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Move:
    """One file under its old and its new path, both with their folders; `there` says that it was found."""

    old: bytes
    new: bytes
    folder: bytes
    there: bool


def known_at(ledger: Ledger, scope: Scope) -> list[bytes]:
    """Return the paths of `scope` that are present or offline, in order."""
    condition, values = scope.where()
    rows = ledger.connection.execute(
        f"SELECT path FROM files f WHERE f.state <> 'gone' AND {condition} ORDER BY path", values
    )
    return [row[0] for row in rows]


def arrive(ledger: Ledger, run: int, moves: Sequence[Move]) -> None:
    """Commit that the files lie at their new paths as well, and mark these; a path that is known there stays as it is.

    When a file's inode changed is another matter on another drive, so that is forgotten.
    """
    with ledger.transaction("relocated to") as transaction:
        for move in moves:
            transaction.execute(
                "DELETE FROM files WHERE path = ? AND state = 'gone' AND row_digest IS NULL", (move.new,)
            )
            transaction.execute(
                """
                INSERT OR IGNORE INTO files (path, folder, state, changed_run, change, size, mtime_ns, sidecar_ns,
                    picture, photo, facts, reason, detail, facts_reader, grounds, dismissed)
                SELECT ?, ?, ?, ?, 'moved', size, mtime_ns, sidecar_ns,
                    picture, photo, facts, reason, detail, facts_reader, grounds, dismissed FROM files WHERE path = ?
                """,
                (move.new, move.folder, "present" if move.there else "offline", run, move.old),
            )
            transaction.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (move.new,))


def leave(ledger: Ledger, run: int, moves: Sequence[Move], roots: tuple[bytes, bytes, int]) -> None:
    """Commit that the files no longer lie at their old paths, and mark these; `roots` are old, new and its device."""
    old, new, device = roots
    known = [row[0] for row in ledger.connection.execute("SELECT path FROM roots")]
    inside = [root for root in known if root == old or root.startswith(old.rstrip(b"/") + b"/")]
    with ledger.transaction("relocated from") as transaction:
        for move in moves:
            transaction.execute(
                "UPDATE files SET state = 'gone', change = 'gone', changed_run = ? WHERE path = ?", (run, move.old)
            )
            transaction.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (move.old,))
        for root in inside:
            transaction.execute("DELETE FROM roots WHERE path = ?", (root,))
            transaction.execute("INSERT OR REPLACE INTO roots VALUES (?, ?)", (new + root[len(old) :], device))


def drop(ledger: Ledger, moves: Sequence[Move]) -> None:
    """Commit that the old paths, whose rows are gone, were never seen."""
    with ledger.transaction("relocated") as transaction:
        transaction.executemany(
            "DELETE FROM files WHERE path = ? AND state = 'gone' AND row_digest IS NULL", ((m.old,) for m in moves)
        )
