"""Where each kind of file keeps its metadata. Pixels are neither read nor decoded."""

from __future__ import annotations

from collections.abc import Iterator

from indexer.media.metadata import exif, isobmff, older_raw, photoshop
from indexer.media.metadata.boxed import in_boxes
from indexer.media.metadata.carried import EXIF_START, MAX_PARTS, MAX_TEXT, XMP_START, Carried
from indexer.media.metadata.png_texts import in_png
from indexer.media.sniff import HEAD_BYTES, Kind, by_content
from indexer.media.tiff import ByteSpan, byte_order, first_directory

_MORE_XMP_START = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP_START = b"Photoshop 3.0\0"
_MAX_COMMENT = 2**16
_GIF_XMP = b"XMP DataXMP"
_GIF_XMP_END = b"\1\xff\xfe\xfd"


def carried(data: ByteSpan) -> Carried:
    """Return the metadata that a file's content carries; nothing where the content is no picture."""
    kind = by_content(data[:HEAD_BYTES])
    if kind in (Kind.HEIC, Kind.AVIF):
        found, packet = isobmff.items(data)
        return Carried(exif=found, xmp=packet)
    reader = {
        Kind.JPEG: _in_jpeg,
        Kind.PNG: in_png,
        Kind.WEBP: _in_webp,
        Kind.GIF: _in_gif,
        Kind.JP2: in_boxes,
        Kind.JXL: in_boxes,
        Kind.PSD: _in_document,
        Kind.RAW: _in_raw,
        Kind.TIFF: _in_raw,
    }.get(kind or Kind.DRAWING)
    return reader(data) if reader else Carried()


def _in_raw(data: ByteSpan) -> Carried:
    """A TIFF, or a RAW file: most are TIFFs, Canon's newer ones are boxes, and Fuji's point to a JPEG."""
    if (found := older_raw.read(data)) is not None:
        return found
    if byte_order(data) is None:
        if data[4:8] == b"ftyp":
            return in_boxes(data)
        start, length = (int.from_bytes(data[at : at + 4], "big") for at in (84, 88))
        return _in_jpeg(data[start : start + length]) if data[:4] == b"FUJI" and length < 2**26 else Carried()
    main = first_directory(data)
    found = Carried(exif=data, xmp=main.raw(exif.XMP_TAG), iptc=main.raw(exif.IPTC_TAG))
    found.take_resources(photoshop.resources(main.raw(exif.PHOTOSHOP_TAG)))
    return found


def _in_document(data: ByteSpan) -> Carried:
    found = Carried()
    found.take_resources(photoshop.of_document(data))
    return found


def _in_jpeg(data: ByteSpan) -> Carried:
    found = Carried()
    blocks, more = b"", b""
    for marker, segment in _segments(data):
        if marker == 0xE1 and segment.startswith(EXIF_START):
            found.exif = found.exif or segment[len(EXIF_START) :]
        elif marker == 0xE1 and segment.startswith(XMP_START):
            found.xmp = found.xmp or segment[len(XMP_START) :]
        elif marker == 0xE1 and segment.startswith(_MORE_XMP_START) and len(more) < MAX_TEXT:
            more += segment[len(_MORE_XMP_START) + 40 :]  # a name, the length of all, and where this piece begins
        elif marker == 0xED and segment.startswith(_PHOTOSHOP_START) and len(blocks) < MAX_TEXT:
            blocks += segment[len(_PHOTOSHOP_START) :]
        elif marker == 0xFE:
            found.take_comment(segment)
    found.more_xmp = more
    found.take_resources(photoshop.resources(blocks))
    return found


def _segments(data: ByteSpan) -> Iterator[tuple[int, bytes]]:
    """Yield the application segments and comments of a JPEG before its first scan."""
    at = 2
    for _ in range(MAX_PARTS):
        head = data[at : at + 4]
        if len(head) < 4 or head[0] != 0xFF or head[1] in (0xD9, 0xDA):
            return
        if head[1] == 0xFF:  # fill bytes may stand before a marker
            at += 1
            continue
        length = int.from_bytes(head[2:4], "big")
        if head[1] in (0xE1, 0xED, 0xFE):
            yield head[1], data[at + 4 : at + 2 + length]
        at += 2 + length


def _in_webp(data: ByteSpan) -> Carried:
    found = Carried()
    at = 12
    for _ in range(MAX_PARTS):
        head = data[at : at + 8]
        length = int.from_bytes(head[4:8], "little")
        if len(head) < 8:
            break
        if head[:4] == b"EXIF" and length <= MAX_TEXT:
            found.exif = data[at + 8 : at + 8 + length].removeprefix(EXIF_START)
        elif head[:4] == b"XMP " and length <= MAX_TEXT:
            found.xmp = data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    return found


def _in_gif(data: ByteSpan) -> Carried:
    """Comments and XMP, which stand in extension blocks."""
    found = Carried()
    at = 13 + _palette(data[10:11])
    for _ in range(MAX_PARTS):
        head = data[at : at + 3]
        if head[:1] == b"\x2c":
            at = _after_blocks(data, at + 11 + _palette(data[at + 9 : at + 10]))
        elif head[:2] == b"\x21\xff" and data[at + 3 : at + 14] == _GIF_XMP:
            packet, end, _ = data[at + 14 : at + 14 + MAX_TEXT].partition(_GIF_XMP_END)
            found.xmp = found.xmp or (packet if end else b"")
            at += 14 + len(packet) + 258
        elif head[:2] == b"\x21\xfe":
            start, at = at + 2, _after_blocks(data, at + 2)
            found.take_comment(_joined(data[start : min(at, start + _MAX_COMMENT)]))
        elif head[:1] == b"\x21":
            at = _after_blocks(data, at + 2)
        else:
            break
    return found


def _palette(flags: bytes) -> int:
    """Return how many bytes the palette takes that these flags announce."""
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: ByteSpan, at: int) -> int:
    """Return where a row of blocks ends, each of which begins with its length."""
    for _ in range(MAX_PARTS):
        length = data[at : at + 1]
        at += 1
        if not length or not length[0]:
            return at
        at += length[0]
    return len(data)


def _joined(blocks: bytes) -> bytes:
    at, content = 0, []
    while at < len(blocks) and blocks[at]:
        content.append(blocks[at + 1 : at + 1 + blocks[at]])
        at += 1 + blocks[at]
    return b"".join(content)
