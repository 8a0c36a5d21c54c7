"""Small trees of files for the walk, and what it finds in them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from indexer.crawl.listing import Folder
from indexer.crawl.walk import WalkOptions, walk


def plant(root: Path, *names: str | bytes) -> Path:
    """Make empty files (folders where the name ends in a slash) below `root`."""
    for name in names:
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + os.fsencode(name)))
        if os.fsencode(name).endswith(b"/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def walked(roots: Path | Iterable[Path], options: WalkOptions | None = None) -> list[Folder]:
    """Walk to the end."""
    given_roots = [roots] if isinstance(roots, Path) else roots
    return list(walk([os.fsencode(root) for root in given_roots], options or WalkOptions()))


def base(path: bytes) -> bytes:
    """Return the last name of a path."""
    return path.rpartition(b"/")[2]


def found(root: Path, options: WalkOptions | None = None, *more: Path) -> list[str]:
    """Return the paths found, relative to `root`, in the order in which they came."""
    cut = len(os.fsencode(root)) + 1
    return [os.fsdecode(file.path[cut:]) for folder in walked([root, *more], options) for file in folder.files]


def ignored(root: Path, options: WalkOptions | None = None) -> int:
    """Return how many files were left out."""
    return sum(folder.ignored for folder in walked(root, options))
