"""Renditions between the crawl that makes them and the request that carries them, in one file.

A spool is a cache: a rendition that is not here is made again from the picture, so losing it costs time only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from indexer.domain.photo import Rendition


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
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS decoded"
            " (sha256 TEXT PRIMARY KEY, photo TEXT NOT NULL, rest TEXT NOT NULL) STRICT"
        )

    def put(self, renditions: Iterable[tuple[str, bytes]]) -> None:
        """Keep renditions; one that is already here stays."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT OR IGNORE INTO renditions VALUES (?, ?)", renditions)
        self._connection.execute("COMMIT")

    def remember(self, decoded: Iterable[tuple[str, str, Rendition]]) -> None:
        """Keep what bytes were decoded to (sha256, photo, rendition) before the ledger may know of it."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT OR REPLACE INTO decoded VALUES (?, ?, ?)",
            (
                (sha256, photo, json.dumps(asdict(replace(one, jpeg=b"")) | {"jpeg": ""}))
                for sha256, photo, one in decoded
            ),
        )
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
        for photo in photos:
            self._connection.execute("DELETE FROM renditions WHERE photo = ?", (photo,))
            self._connection.execute("DELETE FROM decoded WHERE photo = ?", (photo,))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class Remembered:
    """What a spool remembers of bytes that were decoded, for another process to read."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)

    def get(self, sha256: str) -> Rendition | None:
        """Return the rendition of these bytes, None when it is not here."""
        found = self._connection.execute(
            "SELECT rest, jpeg FROM decoded JOIN renditions USING (photo) WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return Rendition(**(json.loads(found[0]) | {"jpeg": found[1]})) if found else None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
