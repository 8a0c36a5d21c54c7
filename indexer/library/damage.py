"""One translation of what a damaged library raises: no error of the database, of JSON or of Python reaches a person."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.domain.errors import CaptionaryError, LibraryError, LibraryUnwritable, first_line
from indexer.ledger.store import Ledger
from indexer.ledger.views import health
from indexer.storage.layout import LEDGER_FILE

_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
_DISK_WORDS = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_LOCKED")
_ODD = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What Python raises over values that Captionary never writes."""
HINT = f"index doctor says what is damaged; restore {LEDGER_FILE}, or move it away and run: index rebuild --from-table"
_ROOM = "make room, then run the same command again; what is done is kept"


@contextmanager
def reading_damage(folder: Path) -> Iterator[None]:
    """Turn what a reader of the library in `folder` stumbles over into `LibraryError`."""
    try:
        yield
    except CaptionaryError:
        raise
    except (sqlite3.DatabaseError, *_ODD) as fault:
        raise _damaged(folder, fault) from fault


@contextmanager
def writing_damage(folder: Path, ledger: Ledger) -> Iterator[None]:
    """Turn a full disk into `LibraryUnwritable`, and damage that can be shown into `LibraryError`."""
    try:
        yield
    except CaptionaryError:
        raise
    except (sqlite3.DatabaseError, OSError) as fault:
        if _is_of_the_disk(fault):
            raise LibraryUnwritable.at(folder, fault, _ROOM) from fault
        if isinstance(fault, OSError):
            raise
        raise _damaged(folder, fault) from fault
    except _ODD as fault:  # a program's own callbacks may raise them too
        if ledger.connection.in_transaction or next(health.faults(ledger), None) is None:
            raise
        raise _damaged(folder, fault) from fault


def _is_of_the_disk(fault: sqlite3.DatabaseError | OSError) -> bool:
    """Whether the library's disk is at fault; Lance tells of it in words only."""
    if isinstance(fault, OSError):
        return fault.errno in _DISK_FAULTS or str(fault).startswith("LanceError")
    return getattr(fault, "sqlite_errorname", "").startswith(_DISK_WORDS)


def _damaged(folder: Path, fault: Exception) -> LibraryError:
    words = first_line(fault) if isinstance(fault, sqlite3.Error) else "it holds values that Captionary never writes"
    return LibraryError(f"the ledger of the library at {folder} is damaged: {words}", hint=HINT)
