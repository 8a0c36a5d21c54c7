"""One writer at a time: a file lock that the operating system lets go of when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from indexer.domain.errors import LibraryLocked, LibraryUnwritable
from indexer.storage.atomic import write_plain
from indexer.storage.regular import read_regular


class WriterLock:
    """The right to write to a library; held for a step, let go while waiting. `purpose` tells others what for."""

    def __init__(self, folder: Path, purpose: str) -> None:
        self._folder = folder
        self._purpose = purpose
        self._lock = FileLock(folder / ".lock", mode=0o600)
        # a separate file, because taking the lock empties the lock file
        self._holder = folder / ".writer"

    def acquire(self, patience: float = 0.0) -> None:
        """Take the lock, waiting up to `patience` seconds; raises `LibraryLocked` that names the holder."""
        try:
            self._lock.acquire(timeout=patience)
            write_plain(self._holder, f"process {os.getpid()} ({self._purpose})")
        except Timeout:
            raise LibraryLocked(
                f"the library {self._folder} is being written by {self._who()}",
                hint="wait until it is done, or stop it; searching works meanwhile",
            ) from None
        except OSError as fault:
            raise LibraryUnwritable.at(self._folder, fault) from fault

    def release(self) -> None:
        """Let go of the lock."""
        self._lock.release()

    def _who(self) -> str:
        try:
            return read_regular(self._holder).decode("utf-8", "replace") or "another process"
        except OSError:
            return "another process"

    def __enter__(self) -> WriterLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
