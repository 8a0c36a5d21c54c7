"""Where HEIC and AVIF files keep their EXIF and XMP: items in the `meta` box of ISO media files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.media.metadata.boxed import without_offset
from indexer.media.tiff import ByteSpan

_MAX_BOXES = 4096
_MAX_META = 8 * 2**20
_MAX_ITEM = 4 * 2**20


class _Reader:
    """Big-endian numbers from the front of some bytes; past the end they are zero."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, size: int) -> int:
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def text(self) -> bytes:
        end = self._data.find(b"\0", self._at)
        end = len(self._data) if end < 0 else end
        found, self._at = self._data[self._at : end], end + 1
        return found

    def rest(self) -> bytes:
        return self._data[self._at :]

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


@dataclass(frozen=True, slots=True)
class _Location:
    """Where an item lies: in the file (method 0) or in the `idat` box (method 1)."""

    method: int
    extents: tuple[tuple[int, int], ...]


def items(data: ByteSpan) -> tuple[bytes, bytes]:
    """Return (EXIF as a TIFF structure, XMP packet) of a HEIC or AVIF file, each empty where there is none."""
    meta = next(
        (data[start : min(stop, start + _MAX_META)] for kind, start, stop in _top(data) if kind == b"meta"), b""
    )
    boxes = dict(_boxes(meta[4:]))
    kinds = dict(_item_kinds(boxes.get(b"iinf", b"")))
    places = dict(_item_locations(boxes.get(b"iloc", b"")))
    exif = xmp = b""
    for item, kind in kinds.items():
        place = places.get(item)
        if place is None:
            continue
        if kind == b"Exif":
            exif = exif or without_offset(_content(data, boxes.get(b"idat", b""), place))
        elif kind == b"application/rdf+xml":
            xmp = xmp or _content(data, boxes.get(b"idat", b""), place)
    return exif, xmp


def _top(data: ByteSpan) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of content of the boxes at the top of the file."""
    at = 0
    for _ in range(_MAX_BOXES):
        head = data[at : at + 16]
        length = int.from_bytes(head[:4], "big")
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(head[8:16], "big"), at + 16
        stop = at + length if length else len(data)
        if len(head) < 8 or stop < start:
            return
        yield head[4:8], start, stop
        at = stop


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for kind, start, stop in _top(data):
        yield kind, data[start:stop]


def _item_kinds(iinf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield item numbers with their type, or the content type where the type is `mime`."""
    reader = _Reader(iinf)
    version = reader.number(4) >> 24
    reader.number(4 if version else 2)
    for kind, content in _boxes(reader.rest()):
        entry = _Reader(content)
        version = entry.number(4) >> 24
        if kind != b"infe" or version < 2:
            continue
        item = entry.number(2 if version == 2 else 4)
        entry.number(2)
        item_type = entry.number(4).to_bytes(4, "big")
        entry.text()
        yield item, entry.text() if item_type == b"mime" else item_type


def _item_locations(iloc: bytes) -> Iterator[tuple[int, _Location]]:
    reader = _Reader(iloc)
    version = reader.number(4) >> 24
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    count = reader.number(2 if version < 2 else 4)
    for _ in range(min(count, _MAX_BOXES)):
        if not reader.more:
            return
        item = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version in (1, 2) else 0
        reader.number(2)
        base = reader.number(base_size)
        extents = []
        for _ in range(min(reader.number(2), 64)):
            if version in (1, 2):
                reader.number(index_size)
            offset = base + reader.number(offset_size)
            extents.append((offset, reader.number(length_size)))
        yield item, _Location(method, tuple(extents))


def _content(data: ByteSpan, idat: bytes, place: _Location) -> bytes:
    source: ByteSpan = idat if place.method == 1 else data
    if sum(length for _, length in place.extents) > _MAX_ITEM:
        return b""
    return b"".join(source[offset : offset + length] for offset, length in place.extents)
