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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageOps

from indexer.domain.answer import Reason
from indexer.domain.keys import digest
from indexer.domain.photo import RENDITION_SIDE, Rendition, fitted
from indexer.media import boxes, colour, jpeg, raw_preview, tiff_pixels, told_colours
from indexer.media.memory import room
from indexer.media.perceptual_hash import phash
from indexer.media.picture import (
    DECODED,
    DECODER_FAULTS,
    DEFAULT_LIMITS,
    UNSUPPORTED,
    PictureError,
    PictureLimits,
    content,
    fault,
    opened,
)
from indexer.media.pillow import native_silence, pillow_at_ease
from indexer.media.refusal import TooSmall
from indexer.media.sniff import HEAD_BYTES, Kind, by_content, sniff
from indexer.media.tiff import FileSpan, first_directory
from indexer.media.versions import DIGEST_VERSION

__all__ = [
    "DECODER_FAULTS",
    "DEFAULT_LIMITS",
    "DIGEST_VERSION",
    "PictureError",
    "PictureLimits",
    "decode",
    "render",
    "shrink",
]

ANALYSIS_DECODE = 768
ANALYSIS_SIDE = 256
JPEG_QUALITY = 80

_NO_PREVIEW = "this RAW file holds no JPEG preview we can find; export it as JPEG or DNG"

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


def render(source: Path | bytes, *, limits: PictureLimits = DEFAULT_LIMITS, before: str = "") -> Rendition:
    """Decode a picture once and return its rendition.

    `source` is a file or a file's content, `before` the digest (or how it begins) of the photo that lay in its place:
    a picture that is this one turned or mirrored, as by its orientation flag, keeps that digest. Raises `PictureError`
    and nothing else, whatever the bytes.
    """
    try:
        with (
            content(source, limits) as stream,
            _picture(stream, _kind(stream, source), limits) as (image, picture, kind, orientation),
        ):
            if max(image.size) < limits.min_side:
                raise TooSmall(*image.size)
            with room(image.size, kind):
                return _from_image(image, picture, kind, orientation, before)
    except DECODER_FAULTS as error:
        raise fault(error) from error


def shrink(source: Path | bytes, side: int, *, quality: int = 80, limits: PictureLimits = DEFAULT_LIMITS) -> bytes:
    """Decode the picture at `source` and return it upright, in sRGB, at most `side` pixels long, as a bare JPEG.

    Held to the limits of `render`; raises `PictureError` and nothing else.
    """
    try:
        with (
            content(source, limits) as stream,
            _picture(stream, _kind(stream, source), limits) as (image, picture, kind, orientation),
            room(image.size, kind),
        ):
            upright = _upright(image, picture, kind, orientation, side)
            return _encoded(upright.shown(upright.picture), quality)
    except DECODER_FAULTS as error:
        raise fault(error) from error


def decode(jpeg: bytes) -> Image.Image:
    """Return the pixels of a rendition's JPEG."""
    image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
    image.load()
    return image


def brightness(jpeg: bytes) -> float:
    """Return the mean lightness of a rendition's JPEG, from 0 (black) to 255; 0 for bytes that are none."""
    try:
        image = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        image.draft("L", (RENDITION_SIDE // 8, RENDITION_SIDE // 8))
        return float(image.convert("L").resize((1, 1), Image.Resampling.BOX).tobytes()[0])
    except DECODER_FAULTS:
        return 0.0


def _kind(stream: BinaryIO, source: Path | bytes) -> Kind:
    head = stream.read(HEAD_BYTES)
    kind = sniff(head, os.fsencode(source.name) if isinstance(source, Path) else b"")
    if kind is None or (by_content(head) is None and kind in DECODED):
        raise PictureError(Reason.UNREADABLE, "its content is not a picture's")
    return kind


@contextmanager
def _picture(stream: BinaryIO, kind: Kind, limits: PictureLimits) -> Iterator[tuple[Image.Image, BinaryIO, Kind, int]]:
    """The picture to be decoded, the stream that holds it, its kind, and the orientation that a RAW file tells."""
    if kind in UNSUPPORTED:
        raise PictureError(Reason.UNSUPPORTED, UNSUPPORTED[kind])
    if kind is Kind.RAW or (kind is Kind.TIFF and raw_preview.looks_raw(FileSpan(stream))):
        # The JPEG preview inside a RAW file, turned as the RAW file says.
        span = FileSpan(stream)
        found = raw_preview.preview(span)
        if found is None:
            raise PictureError(Reason.UNSUPPORTED, _NO_PREVIEW)
        with pillow_at_ease(limits.max_jpeg_pixels):
            preview = io.BytesIO(found)
            yield opened(preview, Kind.JPEG, limits), preview, Kind.RAW, raw_preview.orientation(span)
        return
    most = limits.max_jpeg_pixels if kind is Kind.JPEG else limits.max_pixels
    with pillow_at_ease(most), native_silence() if kind is Kind.TIFF else nullcontext():
        yield opened(stream, kind, limits), stream, kind, 1


@dataclass(frozen=True, slots=True)
class _Upright:
    """A picture, decoded and upright, its full size, and how pictures of its kind are fitted and brought to sRGB.

    `stored` is the picture as it lies in the file, None where that is upright.
    """

    picture: Image.Image
    size: tuple[int, int]
    shown: Callable[[Image.Image], Image.Image]
    stored: Image.Image | None = None
    sideways: bool = False

    def stored_digest(self) -> str:
        """Return the digest of the picture as it lies in the file, "" where that is upright."""
        if self.stored is None:
            return ""
        return _digest(_analysed(self.shown(self.stored)), self.size[::-1] if self.sideways else self.size)

    def turned(self) -> Iterator[str]:
        """Yield the digests of the picture turned and mirrored in every other way, each as if it were upright so."""
        for turn in Image.Transpose:
            size = self.size[::-1] if turn in _SIDEWAYS else self.size
            yield _digest(_analysed(self.shown(self.picture.transpose(turn))), size)


def _from_image(image: Image.Image, stream: BinaryIO, kind: Kind, orientation: int, before: str) -> Rendition:
    note = "the JPEG preview inside a RAW file" if kind is Kind.RAW else _frames(image)
    upright = _upright(image, stream, kind, orientation, ANALYSIS_DECODE)
    seen = upright.shown(upright.picture)
    analysis = _analysed(seen)
    found = _digest(analysis, upright.size)
    stored = upright.stored_digest() or found
    if before and not found.startswith(before):
        found = next((other for other in upright.turned() if other.startswith(before)), found)
    return Rendition(
        digest=found,
        phash=phash(analysis),
        width=upright.size[0],
        height=upright.size[1],
        format=kind.value,
        jpeg=_encoded(_fit(seen, RENDITION_SIDE), JPEG_QUALITY),
        note=note,
        stored=stored,
    )


def _analysed(seen: Image.Image) -> Image.Image:
    return seen.resize(fitted(seen.size, ANALYSIS_SIDE), Image.Resampling.BOX)


def _digest(analysis: Image.Image, size: tuple[int, int]) -> str:
    return digest("pixels", str(DIGEST_VERSION), *map(str, size), analysis.tobytes())


def _upright(image: Image.Image, stream: BinaryIO, kind: Kind, orientation: int, side: int) -> _Upright:
    """Decode and turn upright; `shown` fits into `side` pixels and brings to sRGB."""
    width, height = image.size
    format_ = image.format
    orientation = _orientation(image) or orientation
    told = boxes.properties(FileSpan(stream)) if kind in (Kind.AVIF, Kind.HEIC) else boxes.Properties()
    image = _decoded(image, stream, side)
    if kind is Kind.AVIF and (box := boxes.crop_box(told.crop, image.size)):
        image = image.crop(box)
        width, height = image.size
    turn = _TURNS.get(orientation)
    if turn in _SIDEWAYS:
        width, height = height, width
    profile = image.info.get("icc_profile") or b""
    plain = _plain(image, stream, format_)
    upright = plain.transpose(turn) if turn is not None else plain

    def shown(picture: Image.Image) -> Image.Image:
        fitted = _fit(colour.eight_bits(picture), side)
        grey = fitted.mode in ("L", "LA")
        return colour.screen(fitted, told_colours.profile(stream, kind, profile, told.colours, grey=grey))

    return _Upright(upright, (width, height), shown, None if turn is None else plain, turn in _SIDEWAYS)


def _decoded(image: Image.Image, stream: BinaryIO, side: int) -> Image.Image:
    """Decode, a JPEG at a fraction of its size, and refuse one that is not whole."""
    if image.format not in ("JPEG", "MPO"):
        image.load()
        return image
    within = fitted(image.size, side)
    image.draft(None, within)
    info = image.info

    def again(data: bytes) -> Image.Image:
        other = Image.open(io.BytesIO(data), formats=("JPEG",))
        other.draft(None, within)
        other.load()
        return other

    try:
        image.load()
    except OSError as error:
        if error.strerror or "truncated" not in str(error):
            raise
        whole = jpeg.with_end(jpeg.content_of(stream), again)
        whole.info = info
        return whole
    jpeg.refuse_zeros(stream, again)
    if image.info.get("progressive") or jpeg.ends_grey(image):
        jpeg.refuse_half(jpeg.content_of(stream), image, again)
    return image


def _plain(image: Image.Image, stream: BinaryIO, format_: str | None) -> Image.Image:
    """Put right what Pillow makes of some TIFFs: palettes of eight bits, and white that is zero in deep ones."""
    if format_ != "TIFF":
        return image
    data = FileSpan(stream)
    if image.mode == "P":
        return tiff_pixels.with_palette(image, data)
    return ImageOps.invert(colour.eight_bits(image)) if tiff_pixels.is_inverted(image, data) else image


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
    size = fitted(image.size, side)
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=1.0)


def _encoded(image: Image.Image, quality: int) -> bytes:
    """Return a JPEG of the pixels alone; Pillow would copy comments out of `info`, so there is none."""
    bare = image.copy()
    bare.info = {}
    buffer = io.BytesIO()
    bare.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
