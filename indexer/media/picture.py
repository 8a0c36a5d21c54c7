"""A picture's file, opened but not decoded: what it is, and whether it may be decoded."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, features

from indexer.domain.answer import Reason
from indexer.media.sniff import Kind
from indexer.media.tiff import FileSpan, Span, first_directory

DECODED = {
    Kind.JPEG: ("JPEG",),
    Kind.PNG: ("PNG",),
    Kind.GIF: ("GIF",),
    Kind.WEBP: ("WEBP",),
    Kind.TIFF: ("TIFF",),
    Kind.BMP: ("BMP",),
    Kind.AVIF: ("AVIF",),
    Kind.HEIC: ("HEIF",),
    Kind.JP2: ("JPEG2000",),
}
UNSUPPORTED = {
    Kind.JXL: "JPEG XL is not decoded here; export it as JPEG or PNG",
    Kind.PSD: "Photoshop documents are not decoded here; export it as JPEG or PNG",
    Kind.SVG: "SVG is a drawing, not a photo; export it as PNG",
}
_MAX_SCANS = 100
"""Encoders write about ten; the finest script in use has some sixty."""
_CODECS = {Kind.AVIF: "avif", Kind.WEBP: "webp", Kind.JP2: "jpg_2000"}

DECODER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow and its decoders are seen to raise on broken bytes; fuzzing found each of them at some time."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What a picture may cost: bytes of the file, and pixels to decode.

    Baseline JPEGs are decoded at a fraction of their size, so they may have more pixels.
    """

    max_bytes: int = 512 * 2**20
    max_pixels: int = 200_000_000
    max_jpeg_pixels: int = 600_000_000


class PictureError(Exception):
    """Why a picture has no rendition; `detail` is one line for a person and names no path."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


DEFAULT_LIMITS = PictureLimits()


@contextmanager
def content(source: Path | bytes, limits: PictureLimits) -> Iterator[BinaryIO]:
    """Open `source` for reading, unless it is empty or too long."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if not length:
            raise PictureError(Reason.UNREADABLE, "the file is empty")
        if length > limits.max_bytes:
            raise PictureError(Reason.TOO_LARGE, f"{length:,} bytes are more than the limit of {limits.max_bytes:,}")
        yield stream


def opened(stream: BinaryIO, kind: Kind, limits: PictureLimits) -> Image.Image:
    """Return the picture of `stream` with its header read and its size accepted, and no pixel decoded."""
    if kind is Kind.HEIC:
        _learn_heif()
    stream.seek(0)
    try:
        image = Image.open(stream, formats=DECODED[kind])
    except UnidentifiedImageError as error:
        raise _unidentified(stream, kind) from error
    pixels = image.width * image.height
    scalable = kind is Kind.JPEG and not image.info.get("progressive")
    most = limits.max_jpeg_pixels if scalable else limits.max_pixels
    if pixels > most:
        raise PictureError(Reason.TOO_LARGE, f"{_mega(pixels)} are more than the limit of {_mega(most)}")
    if kind is Kind.JPEG and not scalable and _scans(stream) > _MAX_SCANS:
        raise PictureError(Reason.TOO_LARGE, f"it paints its pixels more than {_MAX_SCANS} times over")
    if kind is Kind.JPEG and pixels // 64 > 8 * stream.seek(0, os.SEEK_END):
        # Each block of 8 x 8 takes a bit at the very least; the decoder would paint what is not there grey.
        raise PictureError(Reason.UNREADABLE, "its header claims a larger picture than the file can hold")
    return image


def _scans(stream: BinaryIO) -> int:
    """Count the scans of a JPEG; the decoder goes over all pixels for each, and a scan may be a few bytes long."""
    stream.seek(0)
    return stream.read().count(b"\xff\xda")


def _unidentified(stream: BinaryIO, kind: Kind) -> PictureError:
    """Tell what we cannot decode from what nobody could."""
    codec = _CODECS.get(kind)
    if codec and not features.check(codec):
        return PictureError(Reason.UNSUPPORTED, f"this Pillow has no {kind}; pip install --upgrade pillow")
    if kind is Kind.TIFF and _is_whole_tiff(FileSpan(stream)):
        return PictureError(Reason.UNSUPPORTED, "this variant of TIFF is not decoded here; export it with 8 or 16 bits")
    return PictureError(Reason.UNREADABLE, f"it cannot be read as {kind.upper()}: broken or cut short")


def _is_whole_tiff(data: Span) -> bool:
    """Return whether all strips or tiles that the first directory names lie inside the file."""
    main = first_directory(data)
    for offsets, counts in ((0x111, 0x117), (0x144, 0x145)):
        pieces = list(zip(main.numbers(offsets), main.numbers(counts), strict=False))
        if pieces:
            return all(start + length <= len(data) for start, length in pieces)
    return False


def _learn_heif() -> None:
    """Teach Pillow HEIF on first need; without thumbnails, which would stand in for the picture in `draft`."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def fault(error: Exception) -> PictureError:
    """Return what a decoder's fault means, in one line without the addresses and paths that Pillow quotes."""
    if isinstance(error, MemoryError):
        return PictureError(Reason.TOO_LARGE, "there is not enough memory to decode it")
    if isinstance(error, Image.DecompressionBombError):
        return PictureError(Reason.TOO_LARGE, "it would unfold to more pixels than the limit")
    if isinstance(error, OSError) and error.strerror:
        return PictureError(Reason.UNREADABLE, f"it cannot be read: {error.strerror}")
    told = "".join(sign for sign in str(error) if sign.isprintable()).split(" <", 1)[0].strip()[:120]
    return PictureError(Reason.UNREADABLE, f"it cannot be decoded: {told or type(error).__name__}")


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} megapixels"
