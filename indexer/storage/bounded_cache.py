"""A folder of small files that can be made again: the most is bounded, those unused for longest go first."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

from indexer.storage.regular import read_regular

_SWEEP_EVERY = 256
_LEAVES = 0.8
"""A sweep goes on until this share of the bound is left, so that the next one is not due at once."""


class BoundedCache:
    """Bytes by name, at most about `most` bytes in `folder`; safe for threads and for several processes.

    Nothing here is durable: a file that power loss has torn is for the reader to tell.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._puts = 0

    def get(self, name: str) -> bytes | None:
        """Return what is kept under `name`, None when nothing is."""
        path = self._path(name)
        try:
            found = read_regular(path)
            os.utime(path)
        except OSError:
            return None
        return found

    def put(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`; where the disk refuses, nothing is kept."""
        path = self._path(name)
        partial = path.with_name(f".{secrets.token_hex(8)}.part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.write_bytes(content)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            return
        with self._lock:
            self._puts += 1
            due = self._puts % _SWEEP_EVERY == 1
        if due:
            self.sweep()

    def sweep(self) -> None:
        """Remove what was used longest ago, if there is more than may be."""
        kept = sorted(self._files(), reverse=True)
        total, going = 0, False
        over = sum(size for _, size, _ in kept) > self._most
        for _, size, path in kept:
            total += size
            going = going or total > self._most * _LEAVES
            if over and going:
                with suppress(OSError):
                    path.unlink()

    def _files(self) -> list[tuple[float, int, Path]]:
        """Every file with the time of its last use and its size."""
        found = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder, name)
                with suppress(OSError):
                    told = path.stat()
                    found.append((told.st_mtime, told.st_size, path))
        return found

    def _path(self, name: str) -> Path:
        return self._folder / name[-2:] / name
