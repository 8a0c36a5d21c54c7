"""Bytes of a picture -> an upright, small, clean JPEG, and the digest that is the photo's name.

The only module that decodes pictures. Everything is refused before it costs memory where the header already says so;
what a decoder cannot finish is an error with a reason, never half a picture.

The digest is taken over the *analysis picture*, whose making is frozen under `DIGEST_VERSION`: decode (a JPEG at the
largest of 1/1, 1/2, 1/4, 1/8 that still covers its fit into 768 x 768), turn upright, 8 bits a channel, alpha on
white, fit into 768 x 768 by Lanczos, colours to sRGB, fit into 256 x 256 by box filter. It sees pixels and the
upright full size only: no metadata edit, re-wrap, lossless conversion or later change of the upload rendition
moves it.
"""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError, features

from indexer import colour, rawfile
from indexer.phash import phash
from indexer.records import Reason, Rendition, digest
from indexer.sniff import HEAD_BYTES, Kind, sniff
from indexer.tiff import FileSpan, first_directory

DIGEST_VERSION = 1
ANALYSIS_DECODE = 768
ANALYSIS_SIDE = 256
RENDITION_SIDE = 768
JPEG_QUALITY = 80

_FORMATS = {
    Kind.JPEG: ("JPEG", "MPO"),
    Kind.PNG: ("PNG",),
    Kind.GIF: ("GIF",),
    Kind.WEBP: ("WEBP",),
    Kind.TIFF: ("TIFF",),
    Kind.BMP: ("BMP",),
    Kind.AVIF: ("AVIF",),
    Kind.HEIC: ("HEIF",),
    Kind.JP2: ("JPEG2000",),
}
_UNSUPPORTED = {
    Kind.JXL: "JPEG XL is not decoded here; export it as JPEG or PNG",
    Kind.PSD: "Photoshop documents are not decoded here; export it as JPEG or PNG",
    Kind.SVG: "SVG is a drawing, not a photo; export it as PNG",
}
_CODECS = {Kind.AVIF: "avif", Kind.WEBP: "webp", Kind.JP2: "jpg_2000"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({_TURNS[5], _TURNS[6], _TURNS[7], _TURNS[8]})
_NO_PREVIEW = "this RAW file holds no JPEG preview we can find; export it as JPEG or DNG"

DECODER_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
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


def render(source: Path | bytes, *, limits: PictureLimits = DEFAULT_LIMITS) -> Rendition:
    """Decode a picture once and return its rendition.

    `source` is a file or a file's content. Raises `PictureError` and nothing else, whatever the bytes.
    """
    try:
        with _stream(source, limits) as stream:
            head = stream.read(HEAD_BYTES)
            kind = sniff(head, os.fsencode(source.name) if isinstance(source, Path) else b"")
            return _rendered(stream, kind, limits)
    except MemoryError as error:
        raise PictureError(Reason.TOO_LARGE, "there is not enough memory to decode it") from error
    except Image.DecompressionBombError as error:
        raise PictureError(Reason.TOO_LARGE, f"it would be more than {_mega(limits.max_pixels)}") from error
    except DECODER_FAULTS as error:
        raise PictureError(Reason.UNREADABLE, _words(error)) from error


def decode(jpeg: bytes) -> Image.Image:
    """Return the pixels of a rendition's JPEG."""
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    return image


@contextmanager
def _stream(source: Path | bytes, limits: PictureLimits) -> Iterator[BinaryIO]:
    """Open `source` for reading, unless it is empty or too long."""
    with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
        length = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if not length:
            raise PictureError(Reason.UNREADABLE, "the file is empty")
        if length > limits.max_bytes:
            raise PictureError(Reason.TOO_LARGE, f"{length:,} bytes are more than the limit of {limits.max_bytes:,}")
        yield stream


def _rendered(stream: BinaryIO, kind: Kind | None, limits: PictureLimits) -> Rendition:
    if kind is None:
        raise PictureError(Reason.UNREADABLE, "its content is not a picture's")
    if kind in _UNSUPPORTED:
        raise PictureError(Reason.UNSUPPORTED, _UNSUPPORTED[kind])
    if kind is Kind.RAW or (kind is Kind.TIFF and rawfile.looks_raw(FileSpan(stream))):
        return _from_raw(stream, limits)
    most = limits.max_jpeg_pixels if kind is Kind.JPEG else limits.max_pixels
    with _pillow_at_ease(most):
        return _from_image(_opened(stream, kind, limits), kind)


def _from_raw(stream: BinaryIO, limits: PictureLimits) -> Rendition:
    """Render the JPEG preview inside a RAW file, turned as the RAW file says."""
    span = FileSpan(stream)
    jpeg = rawfile.preview(span)
    if jpeg is None:
        raise PictureError(Reason.UNSUPPORTED, _NO_PREVIEW)
    with _pillow_at_ease(limits.max_jpeg_pixels):
        image = _opened(io.BytesIO(jpeg), Kind.JPEG, limits)
        return _from_image(image, Kind.RAW, orientation=rawfile.orientation(span))


def _opened(stream: BinaryIO, kind: Kind, limits: PictureLimits) -> Image.Image:
    """Return the picture of `stream` with its header read and its size accepted, and no pixel decoded."""
    if kind is Kind.HEIC:
        _learn_heif()
    stream.seek(0)
    try:
        image = Image.open(stream, formats=_FORMATS[kind])
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
    return image


def _from_image(image: Image.Image, kind: Kind, *, orientation: int = 1) -> Rendition:
    width, height = image.size
    image.draft(None, _fitted(image.size, ANALYSIS_DECODE))
    image.load()
    turn = _TURNS.get(_orientation(image) or orientation)
    if turn in _SIDEWAYS:
        width, height = height, width
    note = "the JPEG preview inside a RAW file" if kind is Kind.RAW else _frames(image)
    upright = image.transpose(turn) if turn is not None else image
    seen = colour.screen(_fit(colour.eight_bits(upright), ANALYSIS_DECODE), image.info.get("icc_profile") or b"")
    analysis = seen.resize(_fitted(seen.size, ANALYSIS_SIDE), Image.Resampling.BOX)
    return Rendition(
        digest=digest("pixels", str(DIGEST_VERSION), str(width), str(height), analysis.tobytes()),
        phash=phash(analysis),
        width=width,
        height=height,
        format=kind.value,
        jpeg=_encoded(_fit(seen, RENDITION_SIDE)),
        note=note,
    )


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation that is still to be applied, None when the file states none.

    HEIF and TIFF readers have turned the picture already. XMP does not count: viewers do not heed it, and a digest
    must not move when an editor writes it.
    """
    if image.format in ("TIFF", "HEIF"):
        return None
    exif = image.info.get("exif")
    if not isinstance(exif, bytes):
        return None
    return first_directory(exif.removeprefix(b"Exif\0\0")).integer(0x112)


def _frames(image: Image.Image) -> str:
    """Say which frame was taken where there are several; a phone's MPO carries helpers, not further pictures."""
    if image.format in ("JPEG", "MPO"):
        return ""
    animated = False
    with suppress(*DECODER_FAULTS):
        animated = bool(getattr(image, "is_animated", False))
    if not animated:
        return ""
    return "the first page of several" if image.format == "TIFF" else "the first frame of several"


def _fit(image: Image.Image, side: int) -> Image.Image:
    size = _fitted(image.size, side)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.0)


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Return `size` shrunk, never grown, so that its longer side is at most `side` and no side vanishes."""
    longest = max(size)
    if longest <= side:
        return size
    return max(1, round(size[0] * side / longest)), max(1, round(size[1] * side / longest))


def _encoded(image: Image.Image) -> bytes:
    """Return the JPEG for upload; Pillow would copy comments out of `info`, so there is none."""
    bare = image.copy()
    bare.info = {}
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _learn_heif() -> None:
    """Teach Pillow HEIF on first need; without thumbnails, which would stand in for the picture in `draft`."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def _words(error: Exception) -> str:
    """Return one printable line on a decoder's fault, without the addresses and paths that Pillow quotes."""
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}"
    told = "".join(sign for sign in str(error) if sign.isprintable()).split(" <", 1)[0].strip()[:120]
    return f"it cannot be decoded: {told or type(error).__name__}"


def _mega(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f} megapixels"


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


_pillow_at_ease = _Ease()
