"""One door to bytes that lie in a folder or in an object store, for those who need not know which."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.domain.errors import MissingPath
from indexer.storage import objects
from indexer.storage.paths import is_address, refuse_missing, shown

_MEMORY = Path("/dev/shm")


def stands(root: bytes) -> bool:
    """Say whether something lies at `root`; a store that does not answer is as a drive that is not plugged in."""
    if not is_address(root):
        return os.path.lexists(root)
    try:
        return objects.kind(root) is not None
    except OSError:
        return False


def is_tree(root: bytes) -> bool:
    """Say whether `root`, which stands, is a folder or a common beginning of keys."""
    if not is_address(root):
        return Path(os.fsdecode(root)).is_dir()
    return objects.kind(root) is objects.AddressKind.TREE


def device(root: bytes) -> int:
    """Return the number of the device that `root` lies on; a store is one for ever."""
    return 0 if is_address(root) else Path(os.fsdecode(root)).stat().st_dev


def refuse_absent(roots: Iterable[bytes]) -> None:
    """Raise `MissingPath` for the first root where nothing lies or that cannot be reached."""
    for root in roots:
        if not is_address(root):
            refuse_missing([root])
            continue
        name = shown(root)
        try:
            found = objects.kind(root)
        except OSError as fault:
            hint = "check the name, the network and the credentials (docs/scale.md says where they are looked for)"
            raise MissingPath(f"{name} cannot be listed: {fault.strerror}", hint=hint) from None
        if found is None:
            raise MissingPath(f"nothing lies at {name}", hint="check the spelling of bucket and key")


def source(path: bytes) -> Path | bytes:
    """Return the file at `path`, or the content of the object there; raises `OSError`."""
    return objects.read(path).data if is_address(path) else Path(os.fsdecode(path))


def file_of(path: bytes) -> bytes:
    """Return the path of a file with what lies at `path`: itself, or a copy of the object that stays; for viewers."""
    if not is_address(path):
        return path
    content = objects.read(path).data
    copy = Path(tempfile.mkdtemp(prefix="captionary-")) / os.fsdecode(path.rpartition(b"/")[2])
    copy.write_bytes(content)
    return os.fsencode(copy)


@contextmanager
def laid_down(name: bytes, data: bytes, beside: Iterable[tuple[bytes, bytes]] = ()) -> Iterator[Path]:
    """Yield a file of this name and content in a folder of its own, with what lies beside it, for a moment.

    In memory where there is room.
    """
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 4 * len(data)
    with tempfile.TemporaryDirectory(prefix="captionary-", dir=_MEMORY if roomy else None) as folder:
        for other, content in ((name, data), *beside):
            (Path(folder) / os.fsdecode(other)).write_bytes(content)
        yield Path(folder) / os.fsdecode(name)
