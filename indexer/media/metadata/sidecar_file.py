"""The sidecar beside a picture: photo.jpg.xmp, which is its own, else photo.xmp, which it may share with a RAW."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from indexer.media.metadata.xmp_packet import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Beside:
    """A sidecar with its content; `shared` says that it is named like the picture up to the last dot."""

    path: Path
    packet: bytes
    shared: bool


def sidecar_of(picture: Path) -> Beside | None:
    """Return the sidecar that speaks for `picture`, None when there is none; the picture need not exist."""
    for base in (picture.name, picture.stem):
        for extension in (".xmp", ".XMP"):
            path = picture.with_name(base + extension)
            packet = _content(path)
            if packet:
                return Beside(path, packet, base != picture.name)
    return None


def _content(path: Path) -> bytes:
    """Return a regular file's content; nothing for what is not there, not a file, or longer than any sidecar."""
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES:
            return path.read_bytes()
    except OSError:
        pass
    return b""
