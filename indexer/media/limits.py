"""What a picture may cost, known before any decoder is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may cost: bytes of the file, and pixels to decode.

    Baseline JPEGs are decoded at a fraction of their size, so they may have more pixels. A picture neither of whose
    sides reaches `min_side` pixels is an icon and not a photo.
    """

    max_bytes: int = 512 * 2**20
    max_pixels: int = 200_000_000
    max_jpeg_pixels: int = 600_000_000
    min_side: int = 0


DEFAULT_LIMITS = PictureLimits()
