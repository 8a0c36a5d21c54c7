"""A perceptual hash: pictures that look alike differ in few of its 64 bits."""

from __future__ import annotations

from math import cos, pi
from statistics import median

from PIL import Image

_GRID, _KEPT = 32, 8
# Sixteen kilobytes of cosines and twelve thousand products a picture: a millisecond, and numpy need not be loaded.
_WAVES = [[cos(pi * wave * (2 * at + 1) / (2 * _GRID)) for at in range(_GRID)] for wave in range(_KEPT)]


def phash(picture: Image.Image) -> str:
    """Return 16 hex digits: the signs, about their median, of the 8 x 8 lowest frequencies of the grey picture.

    Compare two of them by the number of bits that differ: 0 to 4 is the same scene, 32 is chance.
    """
    grey = picture.convert("L").resize((_GRID, _GRID), Image.Resampling.BOX).tobytes()
    rows = [grey[at : at + _GRID] for at in range(0, _GRID * _GRID, _GRID)]
    across = [[_product(row, wave) for wave in _WAVES] for row in rows]
    columns = list(zip(*across, strict=True))
    values = [_product(column, wave) for wave in _WAVES for column in columns]
    middle = median(values[1:])
    bits = "".join("1" if round(value - middle, 6) > 0 else "0" for value in values)
    return f"{int(bits, 2):016x}"


def _product(values: bytes | tuple[float, ...], wave: list[float]) -> float:
    return sum(value * weight for value, weight in zip(values, wave, strict=True))
