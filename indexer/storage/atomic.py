"""Write a file whole or not at all, so that power loss leaves the old content or the new, never half."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from indexer.domain.errors import LibraryUnwritable

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


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


class Log:
    """A file that somebody else appends to or overwrites, made durable again and again while it lies there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def sync(self) -> None:
        """Make its content durable, and its name."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            sync_folder(self._path.parent)
        _sync_data(self._descriptor)

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_sync_data = getattr(os, "fdatasync", os.fsync)
"""Data and length; the time of the last change, which is not needed to read a file, may come later."""


@contextmanager
def whole_file(path: Path, *, fresh: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends well, and leaves no trace when it does not.

    It replaces what lies there, a link too, and keeps its mode; `fresh` replaces nothing: then `FileExistsError` is
    raised where something lies at `path` by then.
    """
    with _partial(path, 0o666 if fresh else 0o600) as (partial, descriptor):
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            if not fresh:
                _keep_mode(path, stream.fileno())
            os.fsync(stream.fileno())
        if fresh:
            _link(partial, path)
        else:
            partial.replace(path)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield the name of a file beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    For writers that open a file by its name. Raises `FileExistsError` where something lies at `path` by then.
    """
    with _partial(path, 0o600) as (partial, descriptor):
        os.close(descriptor)
        yield partial
        sync_file(partial)
        _link(partial, path)


@contextmanager
def _partial(path: Path, mode: int) -> Iterator[tuple[Path, int]]:
    """A file of a name that nobody can foresee, made by us alone, open for writing; gone when the block is left."""
    partial = path.with_name(f".captionary-{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | _NO_LINK, mode)
    try:
        yield partial, descriptor
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def _keep_mode(path: Path, descriptor: int) -> None:
    with suppress(FileNotFoundError):
        before = path.lstat()
        if stat.S_ISREG(before.st_mode):
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _link(partial: Path, path: Path) -> None:
    """Give a whole file its name, and replace nothing."""
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with partial.open("rb") as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())


def write_plain(path: Path, text: str) -> None:
    """Write a small file that only we can read; `OSError` where a link lies there, a hard one too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | _NO_LINK, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if os.fstat(descriptor).st_nlink > 1:
            raise OSError(errno.EMLINK, f"{path.name} is the same file as another one elsewhere", os.fspath(path))
        stream.truncate()
        stream.write(text)


SPARE_BYTES = 64 << 20
"""What a disk must have beside a batch: the ledger, the table and the answers grow too."""


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
