"""Search a table that lies on object storage: its files are fetched once into a bounded folder, and read there.

Files of a table never change, so what is here already is not fetched again: a search asks for one listing, and for what
was written since the last one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from indexer.domain.errors import LibraryError, LibraryMissing
from indexer.storage import objects
from indexer.storage.objects import Object
from indexer.table.dataset import dataset_uri

_VERSIONS = "_versions/"
_TRIES = 2  # a writer may clear files away between the listing and the fetch


def local_copy(uri: str, home: Path, most_bytes: int) -> Path:
    """Return the database with a copy of the newest version of the table at `uri`, below the folder `home`.

    Raises `LibraryMissing` where there is no table, `LibraryError` where it cannot be fetched or is larger than
    `most_bytes`. Other tables in `home` make room, the longest unused first.
    """
    database = home / hashlib.sha256(uri.encode()).hexdigest()[:16]
    root = f"{uri.rstrip('/')}/{dataset_uri(Path()).name}".encode()
    for attempt in range(_TRIES):
        try:
            listed = [one for page in objects.pages(root) for one in page]
            _refuse(uri, listed, most_bytes)
            _make_room(home, database, most_bytes - sum(one.size for one in listed))
            _fetch(root, listed, dataset_uri(database))
        except FileNotFoundError:
            if attempt == _TRIES - 1:
                raise LibraryError(f"the table at {uri} changes faster than it can be read", hint="try again") from None
        except OSError as fault:
            hint = "check the name, the network and the credentials"
            raise LibraryError(f"the table at {uri} cannot be read: {fault.strerror}", hint=hint) from fault
        else:
            break
    os.utime(database)
    return database


def _refuse(uri: str, listed: list[Object], most_bytes: int) -> None:
    if not any(_VERSIONS.encode() in one.path for one in listed):
        raise LibraryMissing(f"there is no table at {uri}", hint="index with [table] uri first")
    size = sum(one.size for one in listed)
    if size > most_bytes:
        raise LibraryError(
            f"the table at {uri} has {size / 1e9:.1f} GB, more than the cache may hold ({most_bytes / 1e9:.1f} GB)",
            hint="raise it: cache_gb in [table]",
        )


def _fetch(root: bytes, listed: list[Object], folder: Path) -> None:
    """Bring `folder` level with the listing: what a version leads to first, versions last, then what is gone goes."""
    wanted = {one.path[len(root) + 1 :].decode(): one for one in listed}
    for name in sorted(wanted, key=lambda name: (name.startswith(_VERSIONS), name)):
        target = folder / name
        mutable = name.endswith(".json")  # but for the hint at the newest version
        if mutable or not target.exists() or target.stat().st_size != wanted[name].size:
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.{os.getpid()}.part")
            partial.write_bytes(objects.read(wanted[name].path).data)
            partial.replace(target)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink(missing_ok=True)


def _make_room(home: Path, keep: Path, left: int) -> None:
    if not home.is_dir():
        return
    others = sorted((path for path in home.iterdir() if path != keep), key=lambda path: path.stat().st_mtime)
    sizes = {path: sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) for path in others}
    held = sum(sizes.values())
    for path in others:
        if held <= left:
            return
        held -= sizes[path]
        shutil.rmtree(path, ignore_errors=True)
