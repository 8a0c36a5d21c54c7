"""Renditions between the crawl that makes them and the request that carries them, in one file.

A spool is a cache: a rendition that is not here is made again from the picture, so losing it costs time only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path


class Spool:
    """Renditions by photo id; JPEG bytes in, the same bytes out."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.execute("PRAGMA auto_vacuum=FULL")  # first: it is laid down when the file is made
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS renditions (photo TEXT PRIMARY KEY, jpeg BLOB NOT NULL) STRICT"
        )

    def put(self, renditions: Iterable[tuple[str, bytes]]) -> None:
        """Keep renditions; one that is already here stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR IGNORE INTO renditions VALUES (?, ?)", renditions)
        self._connection.execute("COMMIT")

    def get(self, photo: str) -> bytes | None:
        """Return a rendition, None when it is not here."""
        found = self._connection.execute("SELECT jpeg FROM renditions WHERE photo = ?", (photo,)).fetchone()
        return found[0] if found else None

    def mean_size(self) -> float | None:
        """Return how many bytes the renditions here have on average, None when there are none."""
        found = self._connection.execute(
            "SELECT avg(length(jpeg)) FROM (SELECT jpeg FROM renditions LIMIT 500)"
        ).fetchone()
        return None if found[0] is None else float(found[0])

    def drop(self, photos: Iterable[str]) -> None:
        """Forget renditions that were answered."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("DELETE FROM renditions WHERE photo = ?", ((photo,) for photo in photos))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
