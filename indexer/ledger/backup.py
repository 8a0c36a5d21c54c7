"""A copy of the ledger as it is at one moment, taken while others read and write it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from indexer.ledger.store import Ledger

_PAGES = 4096  # a step, after which progress is told and an interrupt is heard


def copy_to(ledger: Ledger, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Copy the whole ledger to the new file `target`; `progress` is told bytes done and bytes in all.

    SQLite's own online backup, of one snapshot: what a writer commits meanwhile is not in the copy and does not make
    it begin again. Raises `sqlite3.Error` where `target` cannot be written.
    """
    source = ledger.connection
    (page,) = source.execute("PRAGMA page_size").fetchone()
    source.execute("BEGIN")
    try:
        source.execute("SELECT 1 FROM library LIMIT 1").fetchone()  # the snapshot is taken by the first read
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            source.backup(
                copy, pages=_PAGES, progress=lambda _, left, total: progress((total - left) * page, total * page)
            )
    finally:
        source.execute("ROLLBACK")


def size(ledger: Ledger) -> int:
    """Return the bytes of the ledger's file, without what waits in its log."""
    (pages,) = ledger.connection.execute("PRAGMA page_count").fetchone()
    (page,) = ledger.connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page)
