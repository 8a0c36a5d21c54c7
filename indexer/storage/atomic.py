"""Write a file whole or not at all, so that power loss leaves the old content or the new, never half."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from indexer.domain.errors import LibraryUnwritable


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends well, and leaves no trace when it does not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            shutil.copymode(path, partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the name of a file beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    For writers that open a file by its name. Raises `FileExistsError` where something lies at `path` by then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.touch(mode=0o600)
        yield partial
        sync_file(partial)
        try:
            path.hardlink_to(partial)
        except OSError:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path)) from None
            partial.replace(path)  # a file system without hard links
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def require_space(folder: Path, needed: int) -> None:
    """Raise `LibraryUnwritable` where `folder` has less than `needed` bytes to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LibraryUnwritable(
            f"the disk of {folder} has {free / 1e6:,.0f} MB left, the next batch needs {needed / 1e6:,.0f} MB",
            hint="make room and run the same command again; what is done is kept",
        )


def put_in_place(coming: Path, target: Path) -> None:
    """Let the folder `coming` become `target` in one step, and delete what `target` was.

    A reader sees the old folder or the new one. Where the system cannot exchange two names at once, there is a moment
    without either.
    """
    if not target.exists():
        coming.rename(target)
    elif _exchange(coming, target):
        shutil.rmtree(coming, ignore_errors=True)
    else:
        going = target.with_name(f"{target.name}.going")
        shutil.rmtree(going, ignore_errors=True)
        target.rename(going)
        coming.rename(target)
        shutil.rmtree(going, ignore_errors=True)
    sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step: renameat2 of Linux, renamex_np of macOS; False where that is not to be had."""
    library = ctypes.CDLL(None, use_errno=True)
    here, exchange = -100, 2
    try:
        if sys.platform == "darwin":
            return bool(library.renamex_np(os.fsencode(one), os.fsencode(other), exchange) == 0)
        return bool(library.renameat2(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
    except AttributeError:
        return False
