"""The disk below a library: room, links, and whether it can be trusted with locks."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.storage import file_system

_LITTLE_SPACE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` says what to do when it is not `good`."""

    what: str
    good: bool
    words: str
    fix: str = ""


def disk(folder: Path) -> Iterator[Finding]:
    """Look at the disk that `folder` lies on."""
    yield _space(folder)
    yield _hard_links(folder)
    yield _kind(folder)


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > _LITTLE_SPACE, f"{free / 1e9:.1f} GB free", "make room, or move the library")


def _hard_links(folder: Path) -> Finding:
    """LanceDB commits by hard link, which some file systems do not have."""
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as place:
            source = Path(place) / "a"
            source.touch()
            (Path(place) / "b").hardlink_to(source)
    except OSError as fault:
        words = f"cannot be written as a library needs it: {fault.strerror}"
        return Finding("file system", False, words, "searching works; to index, move the library: --library DIR")
    return Finding("file system", True, "can hold the table")


def _kind(folder: Path) -> Finding:
    """A file system over the network keeps no locks that SQLite can trust."""
    found, far = file_system.kind(folder), file_system.is_far(folder)
    words = (
        f"{found or 'unknown'}{', over the network: the ledger runs without WAL, and readers may wait' if far else ''}"
    )
    return Finding("disk kind", not far, words, "keep the library on a local disk: --library DIR")
