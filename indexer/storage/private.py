"""A library is its owner's alone: modes 0700 and 0600, and no link leads what is written in it elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from indexer.domain.errors import LibraryUnwritable, UsageError
from indexer.storage.layout import (
    BATCHES_FOLDER,
    ENCODER_FOLDER,
    IMAGE_ENCODER_FOLDER,
    INBOX_FOLDER,
    LEDGER_FILE,
    RENDITIONS_FILE,
    SETTINGS_FILE,
    TABLE_FOLDER,
)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FILES = (LEDGER_FILE, f"{LEDGER_FILE}-wal", f"{LEDGER_FILE}-shm", f"{BATCHES_FOLDER}/{RENDITIONS_FILE}")


def refuse_shared(folder: Path) -> None:
    """Raise `UsageError` for a folder that would be closed to others as a library, though it holds other things."""
    ours = {BATCHES_FOLDER, ENCODER_FOLDER, IMAGE_ENCODER_FOLDER, INBOX_FOLDER}
    ours |= {RENDITIONS_FILE, SETTINGS_FILE, TABLE_FOLDER}
    foreign = (path.name for path in folder.iterdir() if path.name not in ours and not path.name.startswith("."))
    if folder.stat().st_mode & _OTHERS and any(foreign):
        raise UsageError(
            f"{folder} holds other files, and a library must be open to you only",
            hint="name a new or an empty folder with --library",
        )


def make_private(folder: Path) -> str:
    """Shut others out of the library in `folder`; returns a line for a person where that had to be done, or cannot be.

    Raises `LibraryUnwritable` where a folder of somebody else, or a link in it, would let others change what is there.
    """
    batches = folder / BATCHES_FOLDER
    if batches.is_symlink():
        raise LibraryUnwritable(
            f"{batches} is a symbolic link", hint="replace it by a folder: a library does not follow links"
        )
    open_before = list(open_to_others(folder))
    for path in open_before:
        with suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & ~_OTHERS)
    left = list(open_to_others(folder))
    if not left:
        return f"others could read the library; now only you can: {folder}" if folder in open_before else ""
    found = folder.stat()
    if found.st_uid != os.geteuid() and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise LibraryUnwritable(
            f"the folder {folder} belongs to somebody else, and others can write to it",
            hint="name a folder of your own with --library",
        )
    return f"others can read the library, and its disk cannot keep them out: {folder}"


def open_to_others(folder: Path) -> Iterator[Path]:
    """Yield the folder of a library, and those of its files that hold what was paid for, that others may open."""
    for path in (folder, *(folder / name for name in _FILES)):
        with suppress(OSError):
            found = path.lstat()
            if not stat.S_ISLNK(found.st_mode) and found.st_mode & _OTHERS:
                yield path
