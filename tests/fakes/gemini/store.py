"""The service's memory: one SQLite file, so that it outlives the process."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, project TEXT, key TEXT, file TEXT, display_name TEXT, mime_type TEXT, declared INTEGER,
  received INTEGER DEFAULT 0, last_offset INTEGER DEFAULT 0, done INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS files (
  id TEXT PRIMARY KEY, project TEXT, display_name TEXT, mime_type TEXT, size INTEGER, created REAL, expires REAL,
  sha256 TEXT, state TEXT, source TEXT, path TEXT, turns REAL, turns_to TEXT);
CREATE INDEX IF NOT EXISTS files_by_project ON files (project, created);
CREATE TABLE IF NOT EXISTS jobs (
  id TEXT PRIMARY KEY, number INTEGER, project TEXT, key TEXT, model TEXT, display_name TEXT, priority TEXT,
  input_file TEXT, input_path TEXT, inline INTEGER, state TEXT, created REAL, starts REAL, ends REAL, expires REAL,
  updated REAL, ended REAL, cancelled INTEGER DEFAULT 0, requests INTEGER, succeeded INTEGER DEFAULT 0,
  failed INTEGER DEFAULT 0, tokens INTEGER, error TEXT, output_path TEXT, deleted INTEGER DEFAULT 0,
  visible REAL DEFAULT 0, doom TEXT);
CREATE TABLE IF NOT EXISTS served (
  number INTEGER PRIMARY KEY, lane TEXT, key TEXT, project TEXT, model TEXT, job TEXT, row TEXT, sha256 TEXT,
  signature TEXT, outcome TEXT, input_tokens INTEGER, output_tokens INTEGER, usd REAL, at REAL);
CREATE INDEX IF NOT EXISTS served_by_job ON served (job);
CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY, at REAL, route TEXT, method TEXT, path TEXT, headers TEXT, key TEXT, status INTEGER,
  fault TEXT, bytes INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS faults (number INTEGER PRIMARY KEY, rule TEXT);
"""

Row = sqlite3.Row


class Store:
    """All tables behind one connection and one lock; every call is a transaction of its own unless in `together`."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        # A killed process loses nothing this way; only a power cut could, and then the test is lost anyway.
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _SCHEMA)

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Run one statement, its values in order or in one dict, and return its rows."""
        with self._lock:
            named = values[0] if values and isinstance(values[0], dict) else values
            return self._connection.execute(sql, named).fetchall()

    def row(self, sql: str, *values: object) -> Row | None:
        """Run one statement and return its first row."""
        rows = self.rows(sql, *values)
        return rows[0] if rows else None

    def value(self, sql: str, *values: object) -> Any:
        """Run one statement and return the first value of its first row."""
        row = self.row(sql, *values)
        return row[0] if row is not None else None

    def insert(self, table: str, **values: object) -> None:
        """Insert one row."""
        marks = ", ".join("?" * len(values))
        self.rows(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Insert many rows in one transaction."""
        marks = ", ".join("?" * len(columns))
        with self.together():
            self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def update(self, table: str, key: str, **values: object) -> None:
        """Change columns of the row whose id is `key`."""
        sets = ", ".join(f"{name} = ?" for name in values)
        self.rows(f"UPDATE {table} SET {sets} WHERE id = ?", *values.values(), key)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold the lock and one transaction around several calls."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def remember(self, name: str, value: object) -> None:
        """Store a small value as JSON."""
        self.rows("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, json.dumps(value))

    def recall(self, name: str, default: Any = None) -> Any:
        """Return a value that `remember` stored."""
        text = self.value("SELECT value FROM meta WHERE name = ?", name)
        return json.loads(text) if text is not None else default

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
