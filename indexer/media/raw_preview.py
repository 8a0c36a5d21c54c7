"""The picture that a camera put inside its RAW file: a finished JPEG, found without developing anything."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.media.tiff import Span, byte_order, directories, first_directory

_COMPRESSION = 0x103
_PHOTOMETRIC = 0x106
_STRIPS, _STRIP_BYTES = 0x111, 0x117
_ORIENTATION = 0x112
_JPEG, _JPEG_BYTES = 0x201, 0x202
_PANASONIC_JPEG = 0x2E
_DNG_VERSION = 0xC612
_COLOUR_FILTER_ARRAY = 32803
_FUJI = b"FUJIFILMCCD-RAW"
_MIN_BYTES, _MAX_BYTES = 4096, 64 * 2**20
_MAX_SEGMENTS = 1000
_PLAIN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Start-of-frame markers of JPEGs for the eye; 0xC3 is the lossless kind that holds sensor data."""


def looks_raw(data: Span) -> bool:
    """Return whether a TIFF holds sensor data, so that its first directory may be a mere thumbnail."""
    if byte_order(data) is None:
        return False
    return any(
        _DNG_VERSION in found.entries or found.integer(_PHOTOMETRIC) == _COLOUR_FILTER_ARRAY
        for found in directories(data)
    )


def preview(data: Span) -> bytes | None:
    """Return the largest JPEG preview in a RAW file, None when there is none that can be found."""
    # Heads first, and the whole of one only: a hostile file may name the same megabytes a hundred times.
    for start, length in sorted(_candidates(data), key=lambda place: -place[1]):
        if (
            start > 0
            and _MIN_BYTES <= length <= _MAX_BYTES
            and start + length <= len(data)
            and _is_plain_jpeg(data, start)
        ):
            return data[start : start + length]
    return None


def orientation(data: Span) -> int:
    """Return the EXIF orientation that the RAW file states for itself (1 when it states none)."""
    return first_directory(data).integer(_ORIENTATION) or 1


def _candidates(data: Span) -> Iterator[tuple[int, int]]:
    """Yield where JPEGs may lie, as start and length."""
    if data[: len(_FUJI)] == _FUJI:
        yield int.from_bytes(data[84:88], "big"), int.from_bytes(data[88:92], "big")
        return
    for found in directories(data):
        panasonic = found.entries.get(_PANASONIC_JPEG)
        if panasonic:
            yield panasonic.start, panasonic.length
        yield found.integer(_JPEG) or 0, found.integer(_JPEG_BYTES) or 0
        if found.integer(_COMPRESSION) in (6, 7):
            yield found.integer(_STRIPS) or 0, found.integer(_STRIP_BYTES) or 0


def _is_plain_jpeg(data: Span, start: int) -> bool:
    """Return whether a JPEG begins at `start` that an ordinary decoder reads."""
    if data[start : start + 3] != b"\xff\xd8\xff":
        return False
    at = start + 2
    for _ in range(_MAX_SEGMENTS):
        head = data[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF:
            return False
        if 0xC0 <= head[1] <= 0xCF and head[1] not in (0xC4, 0xC8, 0xCC):
            return head[1] in _PLAIN_FRAMES
        at += 2 + int.from_bytes(head[2:4], "big")
    return False
