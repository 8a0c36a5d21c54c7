"""The pictures of the pages: small copies of photos that the library knows, made once and kept in a cache folder."""

from __future__ import annotations

import os
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.media.refusal import PictureError
from indexer.storage.bounded_cache import BoundedCache
from indexer.storage.paths import is_address
from indexer.storage.places import source

if TYPE_CHECKING:
    from indexer.crawl.decoders import Decoders
    from indexer.ledger.views.known_photo import KnownFile

THUMBNAIL, PREVIEW = "thumbnail", "preview"
SIDES = {THUMBNAIL: 480, PREVIEW: 1600}
_QUALITY = {THUMBNAIL: 75, PREVIEW: 85}
_VERSION = 1
"""Part of every name in the cache: raised when a copy of the same pixels would look different."""
_END = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Copy:
    """A small copy of a photo: a JPEG, and the name that its pixels have for a browser's cache."""

    jpeg: bytes
    etag: str


class Pictures:
    """Keeps small copies, each of which is made once; `decoders` make them, in processes of their own."""

    def __init__(self, cache: BoundedCache, decoders: Decoders) -> None:
        self._cache = cache
        self._decoders = decoders
        self._waiting: Counter[str] = Counter()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def etag(self, file: KnownFile, kind: str) -> str:
        """Return the name of the copy of `file` that a browser may have already."""
        return f'"{_name(file, kind)}"'

    def copy(self, file: KnownFile, kind: str) -> Copy | None:
        """Return the copy of `file` of this `kind`, None where its picture cannot be read now and none is kept."""
        name = _name(file, kind)
        with self._alone(name):
            kept = self._cache.get(name)
            if kept is not None and kept.endswith(_END):
                return Copy(kept, f'"{name}"')
            return self._made(file, kind, name)

    def close(self) -> None:
        """End the processes that make copies."""
        self._decoders.close()

    def _made(self, file: KnownFile, kind: str, name: str) -> Copy | None:
        path = Path(os.fsdecode(file.path))
        remote = is_address(file.path)  # what is fetched is as new as it gets
        is_same = remote or _is_same(path, file)
        if is_same is None or (not is_same and path.is_symlink()):
            return None
        try:
            jpeg = self._decoders.shrink(source(file.path) if remote else path, SIDES[kind], quality=_QUALITY[kind])
        except (PictureError, OSError):
            return None
        if not is_same:  # it has changed since it was indexed: these may be other pixels
            return Copy(jpeg, "")
        self._cache.put(name, jpeg)
        return Copy(jpeg, f'"{name}"')

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
            self._waiting[name] += 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                self._waiting[name] -= 1
                if not self._waiting[name]:
                    del self._waiting[name], self._locks[name]


def _name(file: KnownFile, kind: str) -> str:
    return f"{_VERSION}-{kind}-{file.photo}"


def _is_same(path: Path, file: KnownFile) -> bool | None:
    """Whether the file is the one that was indexed, None where there is no file."""
    try:
        told = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(told.st_mode):
        return None
    return (told.st_size, told.st_mtime_ns) == (file.size, file.mtime_ns)
