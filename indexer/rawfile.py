"""The picture that a camera put inside its RAW file: a finished JPEG, found without developing anything."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.tiff import Span, byte_order, directories, first_directory

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
    previews = [found for found in _candidates(data) if _plain_jpeg(found)]
    return max(previews, key=len, default=None)


def orientation(data: Span) -> int:
    """Return the EXIF orientation that the RAW file states for itself (1 when it states none)."""
    return first_directory(data).integer(_ORIENTATION) or 1


def _candidates(data: Span) -> Iterator[bytes]:
    if data[: len(_FUJI)] == _FUJI:
        yield _cut(data, int.from_bytes(data[84:88], "big"), int.from_bytes(data[88:92], "big"))
        return
    for found in directories(data):
        yield found.raw(_PANASONIC_JPEG)
        yield _cut(data, found.integer(_JPEG), found.integer(_JPEG_BYTES))
        if found.integer(_COMPRESSION) in (6, 7):
            yield _cut(data, found.integer(_STRIPS), found.integer(_STRIP_BYTES))


def _cut(data: Span, start: int | None, length: int | None) -> bytes:
    if not start or not length or not _MIN_BYTES <= length <= _MAX_BYTES or start + length > len(data):
        return b""
    return data[start : start + length]


def _plain_jpeg(data: bytes) -> bool:
    """Return whether `data` begins a JPEG that an ordinary decoder reads."""
    if not data.startswith(b"\xff\xd8\xff"):
        return False
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return marker in _PLAIN_FRAMES
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False
