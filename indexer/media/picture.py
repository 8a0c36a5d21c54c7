"""A picture's file, opened but not decoded: what it is, and whether it may be decoded."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, features

from indexer.domain.answer import Reason
from indexer.media import bmp, boxes, jpeg, png, psd, tiff_pixels
from indexer.media.limits import DEFAULT_LIMITS, PictureLimits
from indexer.media.refusal import PictureError
from indexer.media.sniff import Kind
from indexer.media.tiff import ByteSpan, FileSpan, first_directory
from indexer.storage.regular import open_regular

__all__ = [
    "DECODED",
    "DECODER_FAULTS",
    "DEFAULT_LIMITS",
    "UNSUPPORTED",
    "PictureError",
    "PictureLimits",
    "content",
    "fault",
    "opened",
]

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
    Kind.DRAWING: "drawings and icons are not photos; export it as PNG",
}
_TIFF_VARIANT = "this variant of TIFF is not decoded here; export it as 8-bit RGB without extra channels, or as PNG"
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


@contextmanager
def content(source: Path | bytes, limits: PictureLimits) -> Iterator[BinaryIO]:
    """Open `source` for reading, unless it is empty or too long."""
    with open_regular(source) if isinstance(source, Path) else io.BytesIO(source) as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if not length:
            raise PictureError(Reason.UNREADABLE, "the file is empty")
        if length > limits.max_bytes:
            raise PictureError(Reason.TOO_LARGE, f"{length:,} bytes are more than the limit of {limits.max_bytes:,}")
        yield stream


def opened(stream: BinaryIO, kind: Kind, limits: PictureLimits) -> Image.Image:
    """Return the picture of `stream` with its header read and its size accepted.

    No pixel is decoded yet but in the rare layouts that are read by hand here.
    """
    by_hand = _by_hand(stream, kind, limits)
    if by_hand is not None:
        return by_hand
    image = _identified(stream, kind)
    scalable = kind is Kind.JPEG and not image.info.get("progressive")
    _accept(image.width * image.height, limits.max_jpeg_pixels if scalable else limits.max_pixels)
    if kind is Kind.JPEG:
        _refuse_empty_promise(stream, image, scalable=scalable)
    return image


def _accept(pixels: int, most: int) -> None:
    if pixels > most:
        raise PictureError(Reason.TOO_LARGE, f"{_mega(pixels)} are more than the limit of {_mega(most)}")


def _refuse_empty_promise(stream: BinaryIO, image: Image.Image, *, scalable: bool) -> None:
    """Refuse a JPEG that costs far more to decode than its bytes can be worth."""
    # The decoder goes over all pixels for each scan, and a scan may be a few bytes long.
    if not scalable and jpeg.marks(jpeg.content_of(stream)).scans > _MAX_SCANS:
        raise PictureError(Reason.TOO_LARGE, f"it paints its pixels more than {_MAX_SCANS} times over")
    if image.width * image.height // 64 > 8 * stream.seek(0, os.SEEK_END):
        # Each block of 8 x 8 takes a bit at the very least; the decoder would paint what is not there grey.
        raise PictureError(Reason.UNREADABLE, "its header claims a larger picture than the file can hold")


def _by_hand(stream: BinaryIO, kind: Kind, limits: PictureLimits) -> Image.Image | None:
    """Decode what Pillow does not read, or reads wrong; None for everything else."""
    if kind is Kind.BMP:
        head = bmp.masked(stream)
        if head is None or _pillow_reads(stream, kind):
            return None
        _accept(head.width * head.height, limits.max_pixels)
        return bmp.decoded(stream, head)
    if kind is Kind.PSD:
        document = psd.opened(FileSpan(stream))
        _accept(document.width * document.height, limits.max_pixels)
        return psd.composite(FileSpan(stream), document)
    if kind is Kind.TIFF:
        data = FileSpan(stream)
        if not tiff_pixels.read_wrong(data) and _pillow_reads(stream, kind):
            return None
        found = tiff_pixels.layout(data)
        if found is not None:
            _accept(found.width * found.height, limits.max_pixels)
            return tiff_pixels.decoded(data, found)
        if tiff_pixels.read_wrong(data) and _is_whole_tiff(data):
            raise PictureError(Reason.UNSUPPORTED, _TIFF_VARIANT)
    return None


def _pillow_reads(stream: BinaryIO, kind: Kind) -> bool:
    stream.seek(0)
    try:
        Image.open(stream, formats=DECODED[kind])
    except Image.DecompressionBombError:
        return True
    except DECODER_FAULTS:
        return False
    return True


def _identified(stream: BinaryIO, kind: Kind) -> Image.Image:
    if kind is Kind.HEIC:
        _learn_heif()
    try:
        stream.seek(0)
        return Image.open(stream, formats=DECODED[kind])
    except Image.DecompressionBombError:
        raise
    except DECODER_FAULTS as error:
        again = _mended(stream, kind)
        if again is not None:
            with suppress(UnidentifiedImageError, ValueError, OSError):
                return Image.open(io.BytesIO(again), formats=DECODED[kind])
        if isinstance(error, UnidentifiedImageError):
            raise _unidentified(stream, kind) from error
        raise


def _mended(stream: BinaryIO, kind: Kind) -> bytes | None:
    """Return the file without what keeps the decoder from pixels that are whole, None when there is no such thing."""
    if kind is Kind.PNG:
        return png.repaired(stream)
    if kind in (Kind.AVIF, Kind.HEIC):
        return boxes.mended(jpeg.content_of(stream))
    return None


def _unidentified(stream: BinaryIO, kind: Kind) -> PictureError:
    """Tell what we cannot decode from what nobody could."""
    codec = _CODECS.get(kind)
    if codec and not features.check(codec):
        return PictureError(Reason.UNSUPPORTED, f"this Pillow has no {kind}; pip install --upgrade pillow")
    if kind is Kind.TIFF and _is_whole_tiff(FileSpan(stream)):
        return PictureError(Reason.UNSUPPORTED, _TIFF_VARIANT)
    if kind in (Kind.HEIC, Kind.AVIF) and boxes.is_whole(FileSpan(stream)):
        package = "pillow-heif" if kind is Kind.HEIC else "pillow"
        detail = f"this variant of {kind.upper()} is not decoded here; try pip install --upgrade {package}"
        return PictureError(Reason.UNSUPPORTED, detail)
    return PictureError(Reason.UNREADABLE, f"it cannot be read as {kind.upper()}: broken or cut short")


def _is_whole_tiff(data: ByteSpan) -> bool:
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
        return PictureError(Reason.UNREADABLE, f"it cannot be read: {error.strerror}", passing=True)
    if str(error).startswith("Unsupported BMP"):
        return PictureError(Reason.UNSUPPORTED, "this variant of BMP is not decoded here; export it as PNG")
    told = "".join(sign for sign in str(error) if sign.isprintable()).split(" <", 1)[0].strip()[:120]
    return PictureError(Reason.UNREADABLE, f"it cannot be decoded: {told or type(error).__name__}")


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} megapixels"
