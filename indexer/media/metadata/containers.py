"""Where each kind of file keeps its metadata. Pixels are neither read nor decoded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from indexer.media.metadata import exif, iptc, isobmff
from indexer.media.sniff import HEAD_BYTES, Kind, by_content
from indexer.media.tiff import Span, byte_order, first_directory

_EXIF_START = b"Exif\0\0"
_XMP_START = b"http://ns.adobe.com/xap/1.0/\0"
_PHOTOSHOP_START = b"Photoshop 3.0\0"
_PNG_XMP = "XML:com.adobe.xmp"
_MAX_PARTS = 20_000
_MAX_TEXT = 4 * 2**20
_MAX_TEXTS = 4 * _MAX_TEXT
"""How much the texts of one PNG may hold together, unpacked: small chunks can unfold to gigabytes."""


@dataclass(slots=True)
class Carried:
    """The raw metadata of one file: a TIFF structure, an XMP packet, an IIM stream, and PNG's named texts."""

    exif: Span = b""
    xmp: bytes = b""
    iptc: bytes = b""
    texts: dict[str, str] = field(default_factory=dict)


def carried(data: Span) -> Carried:
    """Return the metadata that a file's content carries; nothing where the content is no picture."""
    kind = by_content(data[:HEAD_BYTES])
    if kind is Kind.JPEG:
        return _in_jpeg(data)
    if kind is Kind.PNG:
        return _in_png(data)
    if kind is Kind.WEBP:
        return _in_webp(data)
    if kind in (Kind.HEIC, Kind.AVIF):
        found, packet = isobmff.items(data)
        return Carried(exif=found.removeprefix(_EXIF_START), xmp=packet)
    return _in_raw(data) if kind is Kind.RAW or kind is Kind.TIFF else Carried()


def _in_raw(data: Span) -> Carried:
    """A TIFF, or a RAW file: most are TIFFs, and Fuji's begin with a pointer to a JPEG."""
    if byte_order(data) is None:
        start, length = (int.from_bytes(data[at : at + 4], "big") for at in (84, 88))
        return _in_jpeg(data[start : start + length]) if data[:4] == b"FUJI" and length < 2**26 else Carried()
    main = first_directory(data)
    block = main.raw(exif.IPTC_TAG) or iptc.in_photoshop(main.raw(exif.PHOTOSHOP_TAG))
    return Carried(exif=data, xmp=main.raw(exif.XMP_TAG), iptc=block)


def _in_jpeg(data: Span) -> Carried:
    found = Carried()
    photoshop = b""
    for marker, segment in _segments(data):
        if marker == 0xE1 and segment.startswith(_EXIF_START):
            found.exif = found.exif or segment[len(_EXIF_START) :]
        elif marker == 0xE1 and segment.startswith(_XMP_START):
            found.xmp = found.xmp or segment[len(_XMP_START) :]
        elif marker == 0xED and segment.startswith(_PHOTOSHOP_START) and len(photoshop) < _MAX_TEXT:
            photoshop += segment[len(_PHOTOSHOP_START) :]
    found.iptc = iptc.in_photoshop(photoshop)
    return found


def _segments(data: Span) -> Iterator[tuple[int, bytes]]:
    """Yield the application segments of a JPEG before its first scan."""
    at = 2
    for _ in range(_MAX_PARTS):
        head = data[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            return
        if head[1] == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        length = int.from_bytes(head[2:4], "big")
        if head[1] in (0xE1, 0xED):
            yield head[1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _in_png(data: Span) -> Carried:
    found = Carried()
    at, taken = 8, 0
    for _ in range(_MAX_PARTS):
        head = data[at : at + 8]
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if len(head) < 8 or kind == b"IEND":
            break
        if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") and length <= _MAX_TEXT and taken < _MAX_TEXTS:
            taken += _take_chunk(found, kind, data[at + 8 : at + 8 + length])
        at += 12 + length
    found.xmp = found.xmp or found.texts.pop(_PNG_XMP, "").encode("utf-8", "replace")
    _take_profiles(found)
    return found


def _take_chunk(found: Carried, kind: bytes, chunk: bytes) -> int:
    """Keep what a chunk says, and return how much that is."""
    if kind == b"eXIf":
        found.exif = chunk.removeprefix(_EXIF_START)
        return len(chunk)
    name, _, rest = chunk.partition(b"\0")
    if kind == b"tEXt":
        text = rest.decode("latin-1")
    elif kind == b"zTXt":
        text = _inflated(rest[1:]).decode("latin-1")
    else:
        packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        body = parts[2] if len(parts) == 3 else b""
        text = (_inflated(body) if packed else body).decode("utf-8", "replace")
    found.texts.setdefault(name.decode("latin-1"), text)
    return len(text)


def _take_profiles(found: Carried) -> None:
    """Take what ImageMagick writes as hexadecimal text: a name, a length, and the bytes of a profile."""
    for name in [name for name in found.texts if name.startswith("Raw profile type ")]:
        try:
            raw = bytes.fromhex("".join(found.texts.pop(name).split()[2:]))
        except ValueError:
            continue
        if name.endswith((" exif", " APP1")) and raw.startswith(_EXIF_START):
            found.exif = found.exif or raw[len(_EXIF_START) :]
        elif name.endswith(" iptc"):
            found.iptc = iptc.in_photoshop(raw) or raw
        elif name.endswith(" xmp"):
            found.xmp = found.xmp or raw


def _inflated(packed: bytes) -> bytes:
    """Inflate a text, up to the length that a text may have; broken ones are empty."""
    try:
        return zlib.decompressobj().decompress(packed, _MAX_TEXT)
    except zlib.error:
        return b""


def _in_webp(data: Span) -> Carried:
    found = Carried()
    at = 12
    for _ in range(_MAX_PARTS):
        head = data[at : at + 8]
        length = int.from_bytes(head[4:8], "little")
        if len(head) < 8:
            break
        if head[:4] == b"EXIF" and length <= _MAX_TEXT:
            found.exif = data[at + 8 : at + 8 + length].removeprefix(_EXIF_START)
        elif head[:4] == b"XMP " and length <= _MAX_TEXT:
            found.xmp = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return found
