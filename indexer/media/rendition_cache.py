"""Renditions between the crawl that makes them and the request that carries them, in one file.

A spool is a cache: a rendition that is not here is made again from the picture, so losing it costs time only. That is
what becomes of a file that is damaged, full or not to be written; nothing of it is ever a fault of the command.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import stat
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from indexer.domain.photo import Rendition
from indexer.media.far_renditions import drop_far, fetched
from indexer.storage.file_system import journal

log = logging.getLogger("captionary.renditions")
Result = TypeVar("Result")
_TABLES = (
    "DROP TABLE IF EXISTS renditions",  # of an earlier version, without checks
    "DROP TABLE IF EXISTS decoded",
    "CREATE TABLE IF NOT EXISTS pictures (photo TEXT PRIMARY KEY, jpeg BLOB NOT NULL, crc INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS contents (sha256 TEXT PRIMARY KEY, photo TEXT, rest TEXT, crc INTEGER) STRICT",
)
_FAR = "(length(jpeg) < 1200 AND substr(jpeg, 1, 1) <> x'ff')"  # an address: keys have at most 1,024 bytes
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_SCHEMA", "SQLITE_ERROR")


class Spool:
    """Renditions by photo id; JPEG bytes, or the address of an object with them, in; the same bytes out, or none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._open()

    def put(self, renditions: Iterable[tuple[str, bytes]]) -> None:
        """Keep renditions; one that is already here stays."""
        rows = ((photo, jpeg, zlib.crc32(jpeg)) for photo, jpeg in renditions)
        self._change([("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?)", rows)])

    def remember(self, decoded: Iterable[tuple[str, str, Rendition]]) -> None:
        """Keep what bytes were decoded to (sha256, photo, rendition) before the ledger may know of it."""
        told = (
            (sha256, photo, json.dumps(asdict(replace(one, jpeg=b"")) | {"jpeg": ""})) for sha256, photo, one in decoded
        )
        rows = ((*row, _sum(*row)) for row in told)
        self._change([("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", rows)])

    def get(self, photo: str) -> bytes | None:
        """Return a rendition, None when it is not here as it was put."""
        return self.get_all([photo]).get(photo)

    def get_all(self, photos: Iterable[str]) -> dict[str, bytes]:
        """Return those of the renditions that are here as they were put, by photo."""
        held = {photo: jpeg for photo, jpeg, crc in self._rows(photos) if zlib.crc32(jpeg) == crc}
        found = fetched(held)
        if lost := held.keys() - found.keys():
            self.drop(lost)
        return found

    def _rows(self, photos: Iterable[str], condition: str = "1") -> list[tuple[str, bytes, int]]:
        query = f"SELECT photo, jpeg, crc FROM pictures WHERE photo = ? AND {condition}"
        return self._trying(lambda held: [row for photo in photos for row in held.execute(query, (photo,))], [])

    def mean_size(self) -> float | None:
        """Return how many bytes the renditions here have on average, None when there are none."""
        query = f"SELECT avg(length(jpeg)) FROM (SELECT jpeg FROM pictures WHERE NOT {_FAR} LIMIT 500)"
        found = self._trying(lambda held: held.execute(query).fetchone(), (None,))
        return None if found[0] is None else float(found[0])

    def drop(self, photos: Iterable[str]) -> None:
        """Forget renditions that were answered."""
        gone = [(photo,) for photo in photos]
        drop_far(jpeg for _, jpeg, _ in self._rows((photo for (photo,) in gone), _FAR))
        self._change([(f"DELETE FROM {table} WHERE photo = ?", gone) for table in ("pictures", "contents")])

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()

    def _change(self, statements: Iterable[tuple[str, Iterable[tuple[object, ...]]]]) -> None:
        def work(held: sqlite3.Connection) -> None:
            held.execute("BEGIN IMMEDIATE")
            for statement, rows in statements:
                held.executemany(statement, rows)
            held.execute("COMMIT")

        self._trying(work, None)

    def _trying(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        """Return `work(connection)`, `otherwise` where the file does not serve; a damaged one is made anew."""
        if self._connection is None:
            return otherwise
        try:
            return work(self._connection)
        except sqlite3.DatabaseError as fault:
            self._give_up(fault)
        return otherwise

    def _give_up(self, fault: sqlite3.DatabaseError) -> None:
        log.warning("the renditions in %s are not used: %s", self._path, fault)
        self.close()
        self._connection = None
        if getattr(fault, "sqlite_errorname", "").startswith(_DAMAGED):
            with suppress(OSError):
                for end in ("", "-wal", "-shm"):
                    self._path.with_name(self._path.name + end).unlink(missing_ok=True)
                self._open()

    def _take_links_away(self) -> None:
        """What stands here under a second name, or leads elsewhere, is not written to: the cache begins anew."""
        with suppress(FileNotFoundError):
            told = self._path.lstat()
            if stat.S_ISLNK(told.st_mode) or told.st_nlink > 1:
                self._path.unlink()

    def _open(self) -> None:
        """Open the file, or work without one: then every rendition is made when it is needed."""
        held = None
        try:
            self._take_links_away()
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            held = sqlite3.connect(self._path, isolation_level=None, timeout=30, check_same_thread=False)
            held.execute("PRAGMA page_size=16384")  # both first: they are laid down when the file is made
            held.execute("PRAGMA auto_vacuum=FULL")  # moves a page for each that is freed, so large ones cost less
            held.execute(f"PRAGMA journal_mode={journal(self._path.parent)}")
            held.execute("PRAGMA synchronous=NORMAL")
            for statement in _TABLES:
                held.execute(statement)
            self._connection = held
        except OSError as fault:
            log.warning("the renditions in %s are not used: %s", self._path, fault)
        except sqlite3.DatabaseError as fault:
            self._connection = held
            self._give_up(fault)


class Remembered:
    """What a spool remembers of bytes that were decoded, for another process to read."""

    def __init__(self, path: Path) -> None:
        self._connection: sqlite3.Connection | None = None
        with suppress(sqlite3.DatabaseError):
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)

    def get(self, sha256: str) -> Rendition | None:
        """Return the rendition of these bytes, None when it is not here as it was put."""
        if self._connection is None:
            return None
        try:
            found = self._connection.execute(
                "SELECT photo, rest, c.crc, jpeg, p.crc FROM contents c JOIN pictures p USING (photo) WHERE sha256 = ?",
                (sha256,),
            ).fetchone()
        except sqlite3.DatabaseError:
            return None
        if not found or _sum(sha256, found[0], found[1]) != found[2] or zlib.crc32(found[3]) != found[4]:
            return None
        return Rendition(**(json.loads(found[1]) | {"jpeg": found[3]}))

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()


def _sum(*texts: str) -> int:
    return zlib.crc32("\0".join(texts).encode())
