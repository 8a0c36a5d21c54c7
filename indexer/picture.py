"""A picture's file, opened but not decoded: what it is, whether it may be decoded, and how Pillow is held meanwhile."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError, features

from indexer.records import Reason
from indexer.sniff import Kind

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
        codec = _CODECS.get(kind)
        if codec and not features.check(codec):
            raise PictureError(
                Reason.UNSUPPORTED, f"this Pillow has no {kind}; pip install --upgrade pillow"
            ) from error
        raise PictureError(Reason.UNREADABLE, f"it cannot be read as {kind.upper()}: broken or cut short") from error
    pixels = image.width * image.height
    scalable = kind is Kind.JPEG and not image.info.get("progressive")
    most = limits.max_jpeg_pixels if scalable else limits.max_pixels
    if pixels > most:
        raise PictureError(Reason.TOO_LARGE, f"{_mega(pixels)} are more than the limit of {_mega(most)}")
    if kind is Kind.JPEG and pixels // 64 > 8 * stream.seek(0, os.SEEK_END):
        # Each block of 8 x 8 takes a bit at the very least; the decoder would paint what is not there grey.
        raise PictureError(Reason.UNREADABLE, "its header claims a larger picture than the file can hold")
    return image


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


@contextmanager
def native_silence() -> Iterator[None]:
    """Send what C code writes to standard error nowhere: libtiff prints there, in words that the file chooses.

    For a moment this holds for the whole process, so it is for decoding what needs it only.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class _Ease:
    """Pillow's process-wide settings, held at ours from the first decoding thread in to the last one out.

    Pillow refuses a picture at twice `MAX_IMAGE_PIXELS`. Text chunks may be long: editors keep histories in them.
    Warnings are about metadata that we do not read, or sizes that we have judged ourselves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._before = ExitStack()

    @contextmanager
    def __call__(self, max_pixels: int) -> Iterator[None]:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._before = self._settled(max_pixels)
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self._before.close()

    def _settled(self, max_pixels: int) -> ExitStack:
        before = ExitStack()
        before.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for module, name, value in (
            (Image, "MAX_IMAGE_PIXELS", max_pixels // 2),
            (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
            (PngImagePlugin, "MAX_TEXT_CHUNK", 16 * 2**20),
        ):
            before.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, value)
        return before


pillow_at_ease = _Ease()
