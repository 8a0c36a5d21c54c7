"""Colour spaces that a file names by numbers, written as the ICC profiles that a colour engine reads."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

Point = tuple[float, float]
"""A colour's x and y in the CIE 1931 diagram."""
Matrix = tuple[tuple[float, float, float], ...]

D65: Point = (0.3127, 0.3290)
D50: Point = (0.3457, 0.3585)
_STEPS = 4096
_ADAPTED = (0.9642, 1.0, 0.8249)
"""The white that all profiles speak of: D50, in XYZ."""
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


@dataclass(frozen=True, slots=True)
class Primaries:
    """The red, green, blue and white of a screen."""

    red: Point
    green: Point
    blue: Point
    white: Point = D65

    def near(self, other: Primaries, tolerance: float = 0.01) -> bool:
        """Say whether the eye would take the two for one."""
        pairs = zip(self._flat(), other._flat(), strict=True)
        return all(abs(one - two) <= tolerance for one, two in pairs)

    def _flat(self) -> tuple[float, ...]:
        return (*self.red, *self.green, *self.blue, *self.white)


BT709 = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
BT2020 = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
DISPLAY_P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
DCI_P3 = Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351))
BT470M = Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316))
PROPHOTO = Primaries((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), D50)


@dataclass(frozen=True, slots=True)
class Curve:
    """How stored values become light: `name` is "gamma", "srgb", "linear", "pq" or "hlg"."""

    name: str
    exponent: float = 1.0

    def light(self, value: float) -> float:
        """Return the light of a stored value, both from 0 to 1; what is brighter than paper is cut off."""
        return min(1.0, max(0.0, _CURVES[self.name](value, self.exponent)))


@dataclass(frozen=True, slots=True)
class Space:
    """A colour space as a file names it."""

    primaries: Primaries
    curve: Curve


def _srgb(value: float, _: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _pq(value: float, _: float) -> float:
    """SMPTE ST 2084, of which diffuse white is 203 candela a square metre (ITU-R BT.2408)."""
    root = value ** (32 / 2523)
    return float(10_000 / 203 * (max(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610))


def _hlg(value: float, _: float) -> float:
    """ARIB STD-B67 on a screen of 1000 candela, of which 203 are diffuse white."""
    scene = value * value / 3 if value <= 0.5 else (2.718281828459045 ** ((value - 0.55991073) / 0.17883277)) / 12
    if value > 0.5:
        scene += 0.28466892 / 12
    return 1000 / 203 * float(scene**1.2)


_CURVES: dict[str, Callable[[float, float], float]] = {
    "gamma": lambda value, exponent: float(value**exponent),
    "linear": lambda value, _: value,
    "srgb": _srgb,
    "pq": _pq,
    "hlg": _hlg,
}


@lru_cache(maxsize=16)
def profile(space: Space, *, grey: bool) -> bytes:
    """Return the ICC profile (version 2) of a space, for colour or for grey pictures.

    Raises `ValueError` or `ZeroDivisionError` for primaries that span no colours.
    """
    curve = _tag_curve(space.curve)
    tags = [(b"desc", _tag_text()), (b"wtpt", _tag_xyz(_ADAPTED)), (b"cprt", b"text\0\0\0\0\0")]
    if grey:
        tags.append((b"kTRC", curve))
    else:
        columns = zip(*_to_d50(space.primaries), strict=True)
        for name, (x, y, z) in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
            tags.append((name, _tag_xyz((x, y, z))))
        tags += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)]
    return _file(tags, b"GRAY" if grey else b"RGB ")


def _file(tags: list[tuple[bytes, bytes]], kind: bytes) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    places: dict[bytes, int] = {}
    for name, content in tags:
        if content not in places:
            places[content] = start + len(body)
            body += content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", places[content], len(content))
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"\0\0\0\0", 0x02400000, b"mntr", kind, b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
    head = head.ljust(68, b"\0") + b"".join(_fixed(value) for value in _ADAPTED)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _tag_curve(curve: Curve) -> bytes:
    values = [round(65535 * curve.light(step / (_STEPS - 1))) for step in range(_STEPS)]
    return b"curv\0\0\0\0" + struct.pack(f">I{_STEPS}H", _STEPS, *values)


def _tag_xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(part) for part in value)


def _tag_text() -> bytes:
    name = b"named by numbers\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _to_d50(primaries: Primaries) -> Matrix:
    """Return the matrix from linear RGB to XYZ under D50."""
    columns = [_xyz(point) for point in (primaries.red, primaries.green, primaries.blue)]
    matrix: Matrix = tuple((columns[0][row], columns[1][row], columns[2][row]) for row in range(3))
    white = _xyz(primaries.white)
    red, green, blue = _times(_inverse(matrix), white)
    scaled: Matrix = tuple((row[0] * red, row[1] * green, row[2] * blue) for row in matrix)
    here, there = _times(_BRADFORD, white), _times(_BRADFORD, _ADAPTED)
    cone: Matrix = tuple(
        (there[0] / here[0] * (row == 0), there[1] / here[1] * (row == 1), there[2] / here[2] * (row == 2))
        for row in range(3)
    )
    adapt = _product(_inverse(_BRADFORD), _product(cone, _BRADFORD))
    return _product(adapt, scaled)


def _xyz(point: Point) -> tuple[float, float, float]:
    x, y = point
    return x / y, 1.0, (1 - x - y) / y


def _times(matrix: Matrix, vector: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = (sum(row[at] * vector[at] for at in range(3)) for row in matrix)
    return x, y, z


def _product(one: Matrix, other: Matrix) -> Matrix:
    columns = [_times(one, (other[0][at], other[1][at], other[2][at])) for at in range(3)]
    return tuple((columns[0][row], columns[1][row], columns[2][row]) for row in range(3))


def _inverse(m: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = m
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        ((e * i - f * h) / size, (c * h - b * i) / size, (b * f - c * e) / size),
        ((f * g - d * i) / size, (a * i - c * g) / size, (c * d - a * f) / size),
        ((d * h - e * g) / size, (b * g - a * h) / size, (a * e - b * d) / size),
    )
