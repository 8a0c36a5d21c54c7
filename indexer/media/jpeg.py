"""A JPEG by its markers, and whether all of its picture is there.

The decoder paints what is missing grey and says nothing as long as an end marker follows. So where a picture looks as
if something were missing it is decoded once more with noise in front of its end: bytes that a whole picture never
reads, and that change the pixels of one which was cut.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from indexer.domain.answer import Reason
from indexer.media.refusal import PictureError

END = b"\xff\xd9"
_NEXT = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_MAX_MARKERS = 100_000
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, 0xD8})
_NOISE = hashlib.shake_128(b"noise").digest(4096).replace(b"\xff", b"\x7f")
_NEEDED = 32
"""A picture without its end marker has to need the last bytes of its file; else these are something else's."""
_GREY = range(126, 130)

Decode = Callable[[bytes], Image.Image]
"""Decodes a JPEG's content, always at the same fraction of its size."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What the markers of a JPEG say, from its start to its own end marker (`end`, None when it has none).

    `missing`: components that no scan paints. `doubtful`: the end may have been cut off, for all that scans say.
    """

    scans: int
    end: int | None
    missing: bool
    doubtful: bool


class _Coverage:
    """Which coefficients of which component were told, and down to which bit."""

    def __init__(self) -> None:
        self.progressive = False
        self.scans = 0
        self.refining = False
        self._bits: dict[int, list[int | None]] = {}

    def take_frame(self, marker: int, content: bytes) -> None:
        if not self._bits and len(content) >= 6:
            self.progressive = marker in _PROGRESSIVE
            ids = content[6 : 6 + 3 * content[5] : 3]
            self._bits = {number: [None] * 64 for number in ids}

    def take_scan(self, content: bytes) -> None:
        self.scans += 1
        count = content[0] if content else 0
        tail = content[1 + 2 * count : 4 + 2 * count]
        first, last, bits = (tail[0], tail[1], tail[2]) if len(tail) == 3 and self.progressive else (0, 63, 0)
        self.refining = bool(bits >> 4)
        for number in content[1 : 1 + 2 * count : 2]:
            told = self._bits.get(number)
            if told:
                told[first : last + 1] = [bits & 15] * max(0, min(last, 63) + 1 - first)

    @property
    def missing(self) -> bool:
        return any(told[0] is None for told in self._bits.values())

    @property
    def complete(self) -> bool:
        return all(bit == 0 for told in self._bits.values() for bit in told)


def marks(data: bytes) -> Marks:
    """Walk the markers of a JPEG: what lies between them, and behind its end, is never taken for one."""
    told, at, end = _Coverage(), 2, None
    for _ in range(_MAX_MARKERS):
        found = _NEXT.search(data, at)
        if found is None:
            break
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            end = found.end() - 2
            break
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        content = data[at + 2 : at + length] if marker == 0xDA or marker in _FRAMES else b""
        if marker in _FRAMES:
            told.take_frame(marker, content)
        elif marker == 0xDA:
            told.take_scan(content)
        at += max(length, 2)
    # A last scan that only refines the lowest bit may be cut: nobody would see it.
    doubtful = not told.complete or (told.progressive and not told.refining)
    return Marks(told.scans, end, told.missing, doubtful)


def ends_grey(image: Image.Image) -> bool:
    """Return whether the last pixel is the grey that stands for what is missing; nearly no photo ends in it."""
    pixel = image.getpixel((image.width - 1, image.height - 1))
    values = pixel if isinstance(pixel, tuple) else (pixel,)
    return all(value in _GREY for value in values)


def refuse_half(data: bytes, image: Image.Image, decode: Decode) -> None:
    """Raise `PictureError` when `image`, decoded from `data`, is not all of its picture."""
    told = marks(data)
    if told.missing:
        raise _cut_short()
    grey = ends_grey(image)
    if not (grey or (told.doubtful and told.scans > 1)) or told.end is None:
        return
    if decode(data[: told.end] + _NOISE + END).tobytes() != image.tobytes():
        raise _cut_short()


def with_end(data: bytes, decode: Decode) -> Image.Image:
    """Decode a JPEG that has no end marker, if nothing else is missing; raises `PictureError` where more is."""
    told = marks(data)
    if told.end is not None or told.missing:
        raise _cut_short()
    image = decode(data + END)
    whole = image.tobytes()
    if decode(data + _NOISE + END).tobytes() != whole or decode(data[:-_NEEDED] + _NOISE + END).tobytes() == whole:
        raise _cut_short()
    return image


def refuse_zeros(stream: BinaryIO, decode: Decode) -> None:
    """Raise `PictureError` for a download that was given its length but not its rest: zeros stand where pixels were."""
    length = stream.seek(0, 2)
    stream.seek(max(0, length - 2 * _NEEDED))
    if stream.read().strip(b"\0"):
        return
    data = content_of(stream)
    if marks(data).end is None:
        with_end(data.rstrip(b"\0") + b"\0\0", decode)


def content_of(stream: BinaryIO) -> bytes:
    """Return all bytes of a stream."""
    stream.seek(0)
    return stream.read()


def _cut_short() -> PictureError:
    return PictureError(Reason.UNREADABLE, "a part of its picture is missing: cut short")
