"""Photoshop documents (PSD and PSB) by their composite: the picture that stands at the end, all layers merged."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from PIL import Image, ImageChops

from indexer.domain.answer import Reason
from indexer.media.refusal import PictureError
from indexer.media.tiff import ByteSpan

_BITMAP, _GREY, _INDEXED, _RGB, _CMYK, _DUOTONE, _LAB = 0, 1, 2, 3, 4, 8, 9
_BANDS = {_BITMAP: 1, _GREY: 1, _INDEXED: 1, _RGB: 3, _CMYK: 4, _DUOTONE: 1, _LAB: 3}
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_PROFILE, _VERSION = 1039, 1057
_MAX_RESOURCES = 4096
_MAX_RESOURCE = 8 * 2**20


@dataclass(frozen=True, slots=True)
class PsdFile:
    """The header of a Photoshop document, and where its parts lie."""

    large: bool
    channels: int
    width: int
    height: int
    depth: int
    mode: int
    palette: bytes
    profile: bytes
    merged: bool
    pixels: int


def opened(data: ByteSpan) -> PsdFile:
    """Read the header; raises `PictureError` for what has no composite that can be shown."""
    head = data[:26]
    if len(head) < 26 or head[4:6] not in (b"\0\1", b"\0\2"):
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: broken or cut short")
    large = head[5] == 2
    at, sections = 26, []
    for width in (4, 4, 8 if large else 4):
        length = int.from_bytes(data[at : at + width], "big")
        sections.append((at + width, length))
        at += width + length
    (palette, palette_length), resources, _ = sections
    found = _resources(data, *resources)
    document = PsdFile(
        large=large,
        channels=int.from_bytes(head[12:14], "big"),
        height=int.from_bytes(head[14:18], "big"),
        width=int.from_bytes(head[18:22], "big"),
        depth=int.from_bytes(head[22:24], "big"),
        mode=int.from_bytes(head[24:26], "big"),
        palette=data[palette : palette + palette_length] if palette_length == 768 else b"",
        profile=found.get(_PROFILE, b""),
        merged=found.get(_VERSION, b"\0\0\0\1\1")[4:5] != b"\0",
        pixels=at,
    )
    if at >= len(data):
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: cut short")
    if not document.merged:
        detail = "this Photoshop document was saved without a composite; save it with Maximize Compatibility"
        raise PictureError(Reason.UNSUPPORTED, detail)
    bands = _BANDS.get(document.mode, 0)
    if not bands or document.depth not in (1, 8, 16) or (document.depth == 1) != (document.mode == _BITMAP):
        detail = "this kind of Photoshop document is not decoded here; export it as JPEG or PNG"
        raise PictureError(Reason.UNSUPPORTED, detail)
    if document.channels < bands or not (document.width and document.height):
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: broken or cut short")
    return document


def _resources(data: ByteSpan, start: int, length: int) -> dict[int, bytes]:
    """Return the image resources that matter, by number."""
    found: dict[int, bytes] = {}
    at, end = start, start + length
    for _ in range(_MAX_RESOURCES):
        head = data[at : at + 7]
        if at >= end or len(head) < 7 or head[:4] != b"8BIM":
            break
        at += 6 + (head[6] + 2) // 2 * 2
        size = int.from_bytes(data[at : at + 4], "big")
        number = int.from_bytes(head[4:6], "big")
        if number in (_PROFILE, _VERSION) and size <= _MAX_RESOURCE:
            found[number] = data[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return found


def composite(data: ByteSpan, document: PsdFile) -> Image.Image:
    """Decode the composite; transparency lies on white in it already."""
    planes = _planes(data, document)
    if document.mode == _BITMAP:
        size = (document.width, document.height)
        image: Image.Image = Image.frombytes("1", size, planes[0], "raw", "1;I").convert("L")
    else:
        bands = [_eight_bits(plane, document) for plane in planes]
        image = _merged(bands, document)
    if document.profile:
        image.info["icc_profile"] = document.profile
    return image


def _merged(bands: list[Image.Image], document: PsdFile) -> Image.Image:
    if document.mode == _INDEXED:
        image = bands[0].copy()
        image.putpalette([value for colour in zip(*_thirds(document.palette), strict=True) for value in colour])
        return image.convert("RGB")
    if document.mode == _LAB:
        return Image.merge("LAB", bands)
    if document.mode == _CMYK:
        bands = [ImageChops.invert(band) for band in bands]
    return bands[0] if len(bands) == 1 else Image.merge(_MODES[len(bands)], bands)


def _thirds(palette: bytes) -> tuple[bytes, bytes, bytes]:
    if not palette:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: it has no palette")
    return palette[:256], palette[256:512], palette[512:]


def _eight_bits(plane: bytes, document: PsdFile) -> Image.Image:
    """Return one band; of sixteen bits the upper eight, as for other formats."""
    return Image.frombytes("L", (document.width, document.height), plane[:: document.depth // 8])


def _planes(data: ByteSpan, document: PsdFile) -> list[bytes]:
    """Return the raw bytes of the colour channels."""
    packing = int.from_bytes(data[document.pixels : document.pixels + 2], "big")
    start = document.pixels + 2
    row = (document.width * document.depth + 7) // 8
    plane, bands = row * document.height, _BANDS[document.mode]
    if packing == 1:
        return _unpacked(data, document, start, row)
    if packing in (2, 3):
        raw = zlib.decompressobj().decompress(data[start : len(data)], plane * bands)
        if packing == 3:
            raise PictureError(Reason.UNSUPPORTED, "this packing of a PSD is not decoded here; export it as PNG")
    elif packing == 0:
        raw = data[start : start + plane * bands]
    else:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: broken or cut short")
    if len(raw) < plane * bands:
        raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: cut short")
    return [raw[at * plane : (at + 1) * plane] for at in range(bands)]


def _unpacked(data: ByteSpan, document: PsdFile, start: int, row: int) -> list[bytes]:
    """Undo PackBits: a table of the rows' lengths for all channels, then the rows."""
    width = 4 if document.large else 2
    rows = document.channels * document.height
    table = data[start : start + width * rows]
    lengths = [int.from_bytes(table[at : at + width], "big") for at in range(0, len(table), width)]
    at, planes = start + width * rows, []
    for band in range(_BANDS[document.mode]):
        packed = sum(lengths[band * document.height : (band + 1) * document.height])
        raw = data[at : at + packed]
        if len(raw) < packed:
            raise PictureError(Reason.UNREADABLE, "it cannot be read as PSD: cut short")
        planes.append(Image.frombytes("L", (row, document.height), raw, "packbits", "L").tobytes())
        at += packed
    return planes
