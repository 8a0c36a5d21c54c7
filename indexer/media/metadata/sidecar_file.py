"""The sidecars beside a picture: photo.jpg.xmp, which is its own, photo.xmp, which it may share, and Takeout's JSON."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from indexer.media.metadata import xmp
from indexer.media.metadata.xmp_packet import MAX_BYTES
from indexer.media.takeout_names import json_names

_SAME = {"jpeg": "jpg", "jpe": "jpg", "tiff": "tif", "heif": "heic"}
_ENDS = (".xmp", ".XMP")


@dataclass(frozen=True, slots=True)
class Beside:
    """A sidecar with its content; `shared` says that it is named like the picture up to the last dot."""

    path: Path
    packet: bytes
    shared: bool
    mtime_ns: int = 0


def sidecar_of(picture: Path) -> Beside | None:
    """Return the XMP sidecar that speaks for `picture`, of two the newer; the picture need not exist.

    One that says it belongs to a file of another extension, or is named for another file that is there, does not.
    """
    own, shared = (_first(picture, base) for base in (picture.name, picture.stem))
    if shared and not _belongs(shared, picture):
        shared = None
    if own and shared:
        return shared if shared.mtime_ns > own.mtime_ns else own
    return own or shared


def takeout_of(picture: Path) -> bytes:
    """Return the content of the JSON file by which Google Takeout speaks of `picture`, b"" where there is none."""
    folder = os.fsencode(picture.parent)
    for name in json_names(os.fsencode(picture.name)):
        path = os.path.join(folder, name)  # noqa: PTH118 - paths cost ten times as much, and most are not there
        if os.access(path, os.F_OK) and (content := _content(Path(os.fsdecode(path)))[0]):
            return content
    return b""


def _first(picture: Path, base: str) -> Beside | None:
    for end in _ENDS:
        path = picture.with_name(base + end)
        packet, mtime_ns = _content(path)
        if packet:
            return Beside(path, packet, base != picture.name, mtime_ns)
    return None


def _belongs(sidecar: Beside, picture: Path) -> bool:
    # IMG.png.xmp is named like IMG.png.jpg up to its last dot, but speaks for IMG.png.
    if os.path.lexists(picture.with_name(picture.stem)):
        return False
    named, is_of = (_extension(text) for text in (xmp.extension_of(sidecar.packet), picture.suffix))
    return named in ("", is_of)


def _extension(text: str) -> str:
    plain = text.lstrip(".").casefold()
    return _SAME.get(plain, plain)


def _content(path: Path) -> tuple[bytes, int]:
    """Return a regular file's content and mtime; nothing for what is not there, a link, no file, or longer than any."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return b"", 0
    try:
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES:
                return stream.read(MAX_BYTES), found.st_mtime_ns
    except OSError:
        pass
    return b"", 0
