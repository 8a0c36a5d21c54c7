"""Open the ledger: one SQLite file, the durable truth of a library.

Readers open it without any lock and never wait. A writer holds the library's file lock for a step, not for a night
of polling; every change is one named transaction, durable when it returns.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.domain.errors import LibraryError, LibraryNewer, LibraryUnwritable
from indexer.ledger.schema import MIGRATIONS
from indexer.storage.atomic import Log
from indexer.storage.file_system import journal
from indexer.storage.layout import LEDGER_FILE

_CACHE_KB = 32_000
"""Pages that the writer keeps in memory: keys are digests, so a transaction touches pages all over the file."""
_LOG_PAGES = 16_000
"""Pages of the log after which it is brought into the ledger's file: sooner, most of them would be written twice."""
_LOG_PAGES_TOGETHER = 4_000
"""The same for small commits, which wait for it."""
_RESTORE = f"restore {LEDGER_FILE} from a backup, or move it away and run: index rebuild --from-table"
_GENERATION = "generation"
_NEXT_GENERATION = (
    f"INSERT INTO library VALUES ('{_GENERATION}', '1')"
    " ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)"
)


def no_step(_: str) -> None:
    """Do nothing: the step callback of everybody but the tests that kill at a step."""


class Transaction:
    """One durable change of the ledger that is not committed yet; who writes takes one, so nobody writes outside it.

    `ledger` is the same ledger for reading: it sees what the transaction has changed so far.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.execute = ledger.connection.execute
        self.executemany = ledger.connection.executemany
        self.now = ledger.now

    def set_setting(self, name: str, value: str) -> None:
        """Keep a value in the table `library`."""
        self.execute("INSERT OR REPLACE INTO library VALUES (?, ?)", (name, value))


class Ledger:
    """A connection to the ledger.

    `step` is called with a name right before and right after every commit; `now` tells the seconds since the epoch
    that stand beside what is committed. `writes` is whether it was opened by the writer.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        step: Callable[[str], None],
        now: Callable[[], float] = time.time,
        *,
        writes: bool = False,
    ) -> None:
        self.path = path
        self.connection = connection
        self.step = step
        self.now = now
        self.writes = writes
        self.rehearsing = False
        self._log: Log | None = None
        self.library_id = self.setting("library_id")

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        step: Callable[[str], None] = no_step,
        now: Callable[[], float] = time.time,
        together: bool = False,
    ) -> Ledger:
        """Open or create the ledger in `folder` for writing, and migrate it; the caller holds the lock.

        `together`: for small commits beside other writers, who wait for the commit and not for its sync: processes that
        commit at the same time share a sync of the log.
        """
        path = folder / LEDGER_FILE
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
            connection.execute(f"PRAGMA journal_mode={journal(folder)}")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size={-_CACHE_KB}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            _migrate(connection, path)
        except (sqlite3.OperationalError, OSError) as fault:
            raise LibraryUnwritable.at(folder, fault) from fault
        except sqlite3.DatabaseError as fault:
            raise _damaged(path, fault) from fault
        connection.execute("PRAGMA foreign_keys=ON")
        made = cls(path, connection, step, now, writes=True)
        if together and connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES_TOGETHER}")
            made._log = Log(path.with_name(f"{path.name}-wal"))
        return made

    @classmethod
    def read(cls, folder: Path) -> Ledger:
        """Open an existing ledger for reading only; one of an earlier version is migrated first."""
        path = folder / LEDGER_FILE
        try:
            connection = _reader(path)
            if _refuse_newer(connection, path) < len(MIGRATIONS):
                connection = cls._migrated(folder, connection)
            return cls(path, connection, no_step)
        except sqlite3.DatabaseError as fault:
            raise _damaged(path, fault) from fault

    @classmethod
    def _migrated(cls, folder: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Migrate the ledger, or where it cannot be written, a copy of it in memory."""
        path = folder / LEDGER_FILE
        try:
            cls.open(folder).close()
        except LibraryUnwritable:
            held = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            connection.backup(held)
            _migrate(held, path)
        else:
            held = _reader(path)
        connection.close()
        return held

    @contextmanager
    def transaction(self, name: str, *, uncounted: bool = False) -> Iterator[Transaction]:
        """One durable change; either all of the block is kept or nothing of it.

        `uncounted` changes are of no consequence for counts of files and works, which are kept (see `kept`).
        """
        if self.rehearsing:
            yield from self._rehearsed(uncounted)
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield Transaction(self)
            if not uncounted:
                self.connection.execute(_NEXT_GENERATION)
            self.step(f"before commit {name}")
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        if self._log is not None:
            self._sync(self._log)
        self.step(f"after commit {name}")

    def _sync(self, log: Log) -> None:
        try:
            log.sync()
        except OSError as fault:
            raise LibraryUnwritable.at(self.path.parent, fault) from fault

    def _rehearsed(self, uncounted: bool) -> Iterator[Transaction]:
        """A transaction inside a rehearsal: whole or not at all, too."""
        self.connection.execute("SAVEPOINT rehearsed")
        try:
            yield Transaction(self)
            if not uncounted:
                self.connection.execute(_NEXT_GENERATION)
        except BaseException:
            self.connection.execute("ROLLBACK TO rehearsed")
            raise
        finally:
            self.connection.execute("RELEASE rehearsed")

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Let every transaction of the block be seen here and nowhere else; at its end nothing of them is kept."""
        self.connection.execute("BEGIN IMMEDIATE")
        self.rehearsing = True
        try:
            yield
        finally:
            self.rehearsing = False
            self.connection.execute("ROLLBACK")

    @property
    def generation(self) -> int:
        """The number of changes, as far as counts are concerned."""
        return int(self.setting(_GENERATION) or 0)

    def setting(self, name: str) -> str:
        """Return a value of the table `library`, "" when it has none."""
        found = self.connection.execute("SELECT value FROM library WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def settings(self, start: str) -> dict[str, str]:
        """Return the values of the table `library` whose names begin with `start`, by the rest of their names."""
        rows = self.connection.execute(
            "SELECT name, value FROM library WHERE substr(name, 1, ?) = ?", (len(start), start)
        )
        return {name[len(start) :]: value for name, value in rows}

    @contextmanager
    def leaving_no_trace(self) -> Iterator[None]:
        """Overwrite what the block deletes, in the file and in its log, instead of only forgetting where it lies."""
        self.connection.execute("PRAGMA secure_delete=ON")
        try:
            yield
        finally:
            self.connection.execute("PRAGMA secure_delete=OFF")
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; everything committed is durable already."""
        if self._log is not None:
            self._log.close()
        self.connection.close()


def _reader(path: Path) -> sqlite3.Connection:
    """A reader shares memory with the writer through a file; where none can be made, nobody writes."""
    try:
        return _connect(path, "mode=ro")
    except sqlite3.OperationalError as fault:
        log = path.with_name(f"{path.name}-wal")
        unwritable = fault.sqlite_errorname.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
        if not unwritable or (log.exists() and log.stat().st_size):
            raise
        return _connect(path, "mode=ro&immutable=1")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?{how}"
    connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30, check_same_thread=False)
    _refuse_newer(connection, path)
    return connection


def _damaged(path: Path, fault: Exception) -> LibraryError:
    return LibraryError(f"the ledger {path} cannot be read: {fault}", hint=_RESTORE)


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise LibraryNewer(
            f"the library at {path.parent} was written by a newer Captionary (format {version}, "
            f"this one reads up to {len(MIGRATIONS)})",
            hint="upgrade Captionary, then run the same command again",
        )
    return version


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the ledger to this version; whoever opens it at the same moment waits, and finds it done."""
    if _refuse_newer(connection, path) == len(MIGRATIONS) and _is_named(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _refuse_newer(connection, path)
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        if not _is_named(connection):
            connection.execute(
                "INSERT INTO library VALUES ('library_id', ?), ('created_at', ?)",
                (secrets.token_hex(8), repr(time.time())),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _is_named(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM library WHERE name = 'library_id'").fetchone())


def _statements(script: str) -> Iterator[str]:
    """Cut a script into its statements; it has no semicolons inside texts."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
