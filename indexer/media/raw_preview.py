"""The picture that a camera put inside its RAW file: a finished JPEG, found without developing anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.media.boxes import boxes
from indexer.media.tiff import ByteSpan, byte_order, directories, first_directory

_COMPRESSION = 0x103
_PHOTOMETRIC = 0x106
_STRIPS, _STRIP_BYTES = 0x111, 0x117
_ORIENTATION = 0x112
_JPEG, _JPEG_BYTES = 0x201, 0x202
_PANASONIC_JPEG = 0x2E
_DNG_VERSION = 0xC612
_COLOUR_FILTER_ARRAY = 32803
_FUJI, _CIFF, _SIGMA, _MINOLTA = b"FUJIFILMCCD-RAW", b"HEAPCCDR", b"FOVb", b"\0MRM"
_CANON_BOX = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_PREVIEW_BOX = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")
_CIFF_JPEGS = frozenset({0x2007, 0x2008})
_CIFF_TURNS = {90: 6, 180: 3, 270: 8}
_MIN_BYTES, _MAX_BYTES = 4096, 128 * 2**20
_MAX_SEGMENTS = 1000
_MAX_RECORDS = 4096
_MAX_STARTS = 2000
_PIECE = 8 * 2**20
_START = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")
_PLAIN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Start-of-frame markers of JPEGs for the eye; 0xC3 is the lossless kind that holds sensor data."""

Place = tuple[int, int]
"""Where something may lie: start and length."""


def looks_raw(data: ByteSpan) -> bool:
    """Return whether a TIFF holds sensor data, so that its first directory may be a mere thumbnail."""
    if byte_order(data) is None:
        return False
    return any(
        _DNG_VERSION in found.entries or found.integer(_PHOTOMETRIC) == _COLOUR_FILTER_ARRAY
        for found in directories(data)
    )


def preview(data: ByteSpan) -> bytes | None:
    """Return the largest JPEG preview in a RAW file, None when there is none that can be found."""
    # Heads first, and the whole of one only: a hostile file may name the same megabytes a hundred times.
    for start, length in sorted(_candidates(data), key=lambda place: -place[1]):
        if (
            start > 0
            and _MIN_BYTES <= length <= _MAX_BYTES
            and start + length <= len(data)
            and _frame(data, start) is not None
        ):
            return data[start : start + length]
    return _searched(data)


def orientation(data: ByteSpan) -> int:
    """Return the EXIF orientation that the RAW file states for itself (1 when it states none)."""
    if data[6:14] == _CIFF:
        return _ciff_orientation(data)
    if data[:4] == _MINOLTA:
        return first_directory(minolta_tiff(data)).integer(_ORIENTATION) or 1
    if data[4:8] == b"ftyp":
        camera = next((data[start : start + length] for kind, start, length in _canon(data) if kind == b"CMT1"), b"")
        return first_directory(camera).integer(_ORIENTATION) or 1
    return first_directory(data).integer(_ORIENTATION) or 1


def _candidates(data: ByteSpan) -> Iterator[Place]:
    """Yield where JPEGs may lie, as start and length."""
    head = data[:16]
    if head.startswith(_FUJI):
        yield int.from_bytes(data[84:88], "big"), int.from_bytes(data[88:92], "big")
    elif head[4:8] == b"ftyp":
        yield from ((start, length) for kind, start, length in _canon(data) if kind in (b"PRVW", b"THMB"))
    elif head[6:14] == _CIFF:
        yield from ((start, length) for kind, start, length in ciff(data) if kind in _CIFF_JPEGS)
    elif head.startswith(_SIGMA):
        yield from _sigma(data)
    else:
        yield from _in_directories(data)


def _in_directories(data: ByteSpan) -> Iterator[Place]:
    for found in directories(data):
        panasonic = found.entries.get(_PANASONIC_JPEG)
        if panasonic:
            yield panasonic.start, panasonic.length
        yield found.integer(_JPEG) or 0, found.integer(_JPEG_BYTES) or 0
        if found.integer(_COMPRESSION) in (6, 7):
            yield found.integer(_STRIPS) or 0, found.integer(_STRIP_BYTES) or 0


def _canon(data: ByteSpan) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and length of what Canon keeps in the boxes of a CR3; of previews, the JPEG in them."""
    found = [box for box in boxes(data) if box.kind in (b"uuid", b"moov")]
    found += [inner for box in found if box.kind == b"moov" for inner in boxes(data, box.start, box.stop)]
    for box in found:
        name, start = data[box.start : box.start + 16], box.start + 16
        if box.kind != b"uuid" or name not in (_CANON_BOX, _PREVIEW_BOX):
            continue
        for part in boxes(data, start + (8 if name == _PREVIEW_BOX else 0), box.stop):
            if part.kind in (b"PRVW", b"THMB"):
                head = data[part.start : min(part.start + 64, part.stop)]
                at = head.find(b"\xff\xd8\xff")
                if at >= 4:
                    told = int.from_bytes(head[at - 4 : at], "big")
                    room = part.stop - part.start - at
                    yield part.kind, part.start + at, told if 0 < told <= room else room
            else:
                yield part.kind, part.start, part.stop - part.start


def ciff(data: ByteSpan) -> Iterator[tuple[int, int, int]]:
    """Yield tag, start and length of the records in the heaps of a CRW."""
    order = byte_order(data)
    if order is None:
        return
    heaps, seen = [(int.from_bytes(data[2:6], order), len(data))], 0
    while heaps and seen < _MAX_RECORDS:
        start, stop = heaps.pop()
        table = start + int.from_bytes(data[stop - 4 : stop], order)
        count = int.from_bytes(data[table : table + 2], order)
        block = data[table + 2 : table + 2 + 10 * min(count, _MAX_RECORDS)]
        for at in range(0, len(block) - 9, 10):
            seen += 1
            tag = int.from_bytes(block[at : at + 2], order)
            length, offset = (int.from_bytes(block[at + part : at + part + 4], order) for part in (2, 6))
            if tag & 0xC000 or start + offset + length > stop:
                continue  # its value lies in the entry itself, or nowhere
            if tag & 0x3800 in (0x2800, 0x3000) and length > 6:
                heaps.append((start + offset, start + offset + length))
            else:
                yield tag, start + offset, length


def _ciff_orientation(data: ByteSpan) -> int:
    """Return the turn of a CRW, which says it in degrees."""
    order = byte_order(data) or "little"
    for tag, start, length in ciff(data):
        if tag == 0x1810 and length >= 16:
            degrees = int.from_bytes(data[start + 12 : start + 16], order, signed=True)
            return _CIFF_TURNS.get(degrees % 360, 1)
    return 1


def _sigma(data: ByteSpan) -> Iterator[Place]:
    """Yield the pictures that the directory at the end of an X3F names as JPEGs."""
    table = int.from_bytes(data[len(data) - 4 : len(data)], "little")
    if data[table : table + 4] != b"SECd":
        return
    count = min(int.from_bytes(data[table + 8 : table + 12], "little"), _MAX_RECORDS)
    for at in range(table + 12, table + 12 + 12 * count, 12):
        start, length = (int.from_bytes(data[at + part : at + part + 4], "little") for part in (0, 4))
        head = data[start : start + 28]
        if head[:4] == b"SECi" and int.from_bytes(head[12:16], "little") == 18:
            yield start + 28, length - 28


def minolta_tiff(data: ByteSpan) -> bytes:
    """Return the TIFF structure inside an MRW."""
    at, end = 8, min(8 + int.from_bytes(data[4:8], "big"), len(data))
    for _ in range(_MAX_SEGMENTS):
        head = data[at : at + 8]
        length = int.from_bytes(head[4:8], "big")
        if at >= end or len(head) < 8:
            break
        if head[:4] == b"\0TTW":
            return data[at + 8 : at + 8 + min(length, _PIECE)]
        at += 8 + length
    return b""


def _searched(data: ByteSpan) -> bytes | None:
    """Return the JPEG of the most pixels that lies anywhere in the file: some makers tell nobody where theirs is."""
    best: tuple[int, int] | None = None
    tried = 0
    for piece in range(0, len(data), _PIECE):
        for found in _START.finditer(data[piece : min(piece + _PIECE + 3, len(data))]):
            frame = _frame(data, piece + found.start())
            tried += 1
            if frame and piece + found.start() and (best is None or frame > best[0]):
                best = frame, piece + found.start()
            if tried > _MAX_STARTS:
                break
    if best is None:
        return _restored(data) if data[:4] == _MINOLTA else None
    content = data[best[1] : min(best[1] + _MAX_BYTES, len(data))]
    return _to_end(content)


def _restored(data: ByteSpan) -> bytes | None:
    """Return the preview of a Minolta, whose first byte the camera writes wrong."""
    content = data[: min(_PIECE, len(data))]
    for found in re.finditer(rb"\xd8\xff[\xdb\xe0\xe1]", content):
        jpeg = b"\xff" + content[found.start() : found.start() + _PIECE]
        if _frame(jpeg, 0):
            return _to_end(jpeg)
    return None


def _to_end(content: bytes) -> bytes | None:
    """Cut a JPEG off behind its end marker; None when it is no longer than an icon."""
    from indexer.media.jpeg import marks

    end = marks(content).end
    jpeg = content if end is None else content[: end + 2]
    return jpeg if len(jpeg) >= _MIN_BYTES else None


def _frame(data: ByteSpan, start: int) -> int | None:
    """Return how many pixels the JPEG at `start` has, None when none begins there that an ordinary decoder reads."""
    if data[start : start + 3] != b"\xff\xd8\xff":
        return None
    at = start + 2
    for _ in range(_MAX_SEGMENTS):
        head = data[at : at + 9]
        if len(head) < 9 or head[0] != 0xFF:
            return None
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            pixels = int.from_bytes(head[5:7], "big") * int.from_bytes(head[7:9], "big")
            return pixels if head[1] in _PLAIN_FRAMES and head[4] == 8 and pixels else None
        at += 2 + int.from_bytes(head[2:4], "big")
    return None
