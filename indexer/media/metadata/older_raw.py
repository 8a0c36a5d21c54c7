"""What RAW files say of themselves that are no TIFFs: Canon's CRW and Minolta's MRW."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import UTC, datetime

from indexer.media.metadata.carried import Carried
from indexer.media.raw_preview import ciff, minolta_tiff
from indexer.media.tiff import ByteSpan, byte_order

_MAKER, _CAPTURED = 0x080A, 0x180E
_MAKE, _MODEL, _TAKEN = 0x10F, 0x110, 0x9003
_HEADER, _ENTRY, _ASCII = 8, 12, 2


def read(data: ByteSpan) -> Carried | None:
    """Return what a CRW or an MRW carries, as a TIFF would; None for every other file."""
    if data[6:14] == b"HEAPCCDR":
        return _of_canon(data)
    return Carried(exif=minolta_tiff(data)) if data[:4] == b"\0MRM" else None


def _of_canon(data: ByteSpan) -> Carried:
    order = byte_order(data) or "little"
    main: dict[int, bytes] = {}
    shot: dict[int, bytes] = {}
    for tag, start, length in ciff(data):
        if tag == _MAKER:
            names = data[start : start + min(length, 256)].split(b"\0")
            main = dict(zip((_MAKE, _MODEL), names, strict=False))
        elif tag == _CAPTURED and length >= 4:
            seconds = int.from_bytes(data[start : start + 4], order)  # of the camera's own clock
            shot = {_TAKEN: datetime.fromtimestamp(seconds, UTC).strftime("%Y:%m:%d %H:%M:%S").encode()}
    return Carried(exif=_tiff(main), shot=_tiff(shot))


def _tiff(texts: Mapping[int, bytes]) -> bytes:
    """Return a TIFF structure whose only directory holds these texts; b"" for none."""
    if not texts:
        return b""
    entries, values = b"", b""
    at = _HEADER + 2 + _ENTRY * len(texts) + 4
    for tag, text in sorted(texts.items()):
        value = text + b"\0"
        place = struct.pack("<I", at + len(values)) if len(value) > 4 else value.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, _ASCII, len(value)) + place
        values += value if len(value) > 4 else b""
    return b"II*\0" + struct.pack("<IH", _HEADER, len(texts)) + entries + bytes(4) + values
