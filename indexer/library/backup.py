"""A backup of what cannot be made again: the ledger, to a file or an object that is not there yet."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexer.domain.errors import Unwritable, UsageError
from indexer.domain.progress import Progress
from indexer.ledger import backup
from indexer.ledger.store import Ledger
from indexer.storage import objects
from indexer.storage.atomic import new_file
from indexer.storage.layout import LEDGER_FILE
from indexer.storage.paths import AnyPath, is_address, resolve_new, shown, to_text

_HINT = "make room, or choose another place"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: the text of its path, and its bytes."""

    to: str
    bytes: int


def back_up(ledger: Ledger, to: AnyPath, progress: Callable[[Progress], None]) -> Backup:
    """Copy the ledger to the new file or object `to`; in a folder that exists it is called as in a library.

    Raises `UsageError` where something is in the way, `Unwritable` where the disk refuses; then no trace is left.
    """
    place = resolve_new(to)
    if is_address(place):
        return _send(ledger, place, progress)
    path = _target(place)
    name = shown(path)
    try:
        if shutil.disk_usage(path.parent).free < backup.size(ledger):
            raise Unwritable(f"{name} cannot be written: the disk has no room for it", hint=_HINT)
        with new_file(path) as partial:
            backup.copy_to(ledger, partial, lambda done, total: progress(Progress("backing up", done, total, unit="B")))
    except FileExistsError:
        raise _in_the_way(name, "exists, and nothing is replaced") from None
    except (OSError, sqlite3.Error) as fault:
        words = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise Unwritable(f"{name} cannot be written: {words}", hint=_HINT) from fault
    return Backup(to_text(os.fsencode(path)), path.stat().st_size)


def _send(ledger: Ledger, address: bytes, progress: Callable[[Progress], None]) -> Backup:
    """Copy the ledger to an object that is not there yet, by way of a file beside the ledger."""
    name = shown(address)
    if address.count(b"/") < 3:
        raise UsageError(f"{name} is a whole bucket", hint="name an object in it, such as s3://BUCKET/ledger.sqlite3")
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=ledger.path.parent) as folder:
        done = back_up(ledger, Path(folder) / LEDGER_FILE, progress)
        try:
            objects.create(address, Path(folder) / LEDGER_FILE)
        except FileExistsError:
            raise _in_the_way(name, "exists, and nothing is replaced") from None
        except OSError as fault:
            hint = "check the name, the network and the credentials"
            raise Unwritable(f"{name} cannot be written: {fault.strerror}", hint=hint) from fault
    return Backup(to_text(address), done.bytes)


def _target(to: bytes) -> Path:
    path = Path(os.fsdecode(to))
    if path.is_dir():
        path /= LEDGER_FILE
    name = shown(path)
    if os.path.lexists(path):
        raise _in_the_way(name, "exists, and nothing is replaced")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder for {name}", hint="make it first, or name a file elsewhere")
    return path


def _in_the_way(shown: str, what: str) -> UsageError:
    return UsageError(f"{shown} {what}", hint="name a new file, or move that one away")
