"""A PNG by its chunks: what its colours mean, and the picture without the chunks that broke."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from indexer.media.boxes import Cicp
from indexer.media.icc import BT709, D65, Curve, Point, Primaries, Space

_START = 8
_MAX_CHUNKS = 100_000
_USUAL = 1 / 2.2
_TOLERANCE = 0.05
"""Gammas nearer than this to the usual one look the same: the threshold of libpng."""
_SMALL = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: its kind, and where its content lies."""

    kind: bytes
    start: int
    length: int


def chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a PNG up to its end, reading nothing but their heads."""
    at = _START
    for _ in range(_MAX_CHUNKS):
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8:
            return
        chunk = Chunk(head[4:], at + 8, int.from_bytes(head[:4], "big"))
        yield chunk
        if chunk.kind == b"IEND":
            return
        at = chunk.start + chunk.length + 4


def repaired(stream: BinaryIO) -> bytes | None:
    """Return the PNG without ancillary chunks whose checksum is wrong, None when that changes nothing."""
    stream.seek(0)
    parts, dropped = [stream.read(_START)], 0
    for chunk in list(chunks(stream)):
        stream.seek(chunk.start - 8)
        raw = stream.read(chunk.length + 12)
        ancillary = bool(chunk.kind[0] & 0x20)
        if ancillary and zlib.crc32(raw[4:-4]) != int.from_bytes(raw[-4:], "big"):
            dropped += 1
        else:
            parts.append(raw)
    return b"".join(parts) if dropped else None


def colours(stream: BinaryIO) -> Cicp | Space | None:
    """Return what a PNG without an ICC profile says of its colours; None where they are the usual ones.

    As browsers do: cICP counts most, sRGB silences gAMA and cHRM, and cHRM counts only together with gAMA.
    """
    told: dict[bytes, bytes] = {}
    for chunk in chunks(stream):
        if chunk.kind == b"IDAT":
            break
        if chunk.kind in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM") and chunk.length <= _SMALL:
            stream.seek(chunk.start)
            told.setdefault(chunk.kind, stream.read(chunk.length))
        elif chunk.kind == b"iCCP":
            told[chunk.kind] = b""
    if len(told.get(b"cICP", b"")) == 4:
        return Cicp(told[b"cICP"][0], told[b"cICP"][1])
    gamma = int.from_bytes(told.get(b"gAMA", b""), "big") / 100_000
    if b"iCCP" in told or b"sRGB" in told or not 0.1 <= gamma <= 5:
        return None
    return _space(gamma, told.get(b"cHRM", b""))


def _space(gamma: float, raw: bytes) -> Space | None:
    primaries = _primaries(raw) or BT709
    usual = abs(gamma / _USUAL - 1) < _TOLERANCE
    if usual and primaries.near(BT709):
        return None
    return Space(primaries, Curve("srgb") if usual else Curve("gamma", 1 / gamma))


def _primaries(raw: bytes) -> Primaries | None:
    if len(raw) != 32:
        return None
    numbers = [int.from_bytes(raw[at : at + 4], "big") / 100_000 for at in range(0, 32, 4)]
    white, red, green, blue = (_point(numbers, at) for at in range(0, 8, 2))
    if not (white and red and green and blue):
        return None
    return Primaries(red, green, blue, D65 if abs(white[0] - D65[0]) + abs(white[1] - D65[1]) < 0.002 else white)


def _point(numbers: list[float], at: int) -> Point | None:
    x, y = numbers[at], numbers[at + 1]
    return (x, y) if 0 <= x <= 1 and 0 < y <= 1 else None
