"""Where JPEG 2000, JPEG XL and Canon's CR3 keep their metadata: boxes at the top, or below one of them."""

from __future__ import annotations

from indexer.media.boxes import Box, boxes
from indexer.media.metadata.carried import EXIF_START, MAX_TEXT, Carried
from indexer.media.tiff import ByteSpan, byte_order

_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_EXIF = b"JpgTiffExif->JP2"
_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


def in_boxes(data: ByteSpan) -> Carried:
    """Return the metadata in the boxes of a file."""
    found = Carried()
    for box in boxes(data):
        if box.kind == b"moov":
            for inner in boxes(data, box.start, box.stop):
                _take(found, data, inner)
        _take(found, data, box)
    return found


def without_offset(item: bytes) -> bytes:
    """Return the TIFF structure of an EXIF item, which should begin with the distance to it, and often does not."""
    if not byte_order(item) and not item.startswith(EXIF_START):
        item = item[4 + int.from_bytes(item[:4], "big") :]
    return item.removeprefix(EXIF_START)


def _take(found: Carried, data: ByteSpan, box: Box) -> None:
    if box.kind not in (b"uuid", b"Exif", b"xml ") or box.stop - box.start > MAX_TEXT:
        return
    content = data[box.start : box.stop]
    name, rest = (content[:16], content[16:]) if box.kind == b"uuid" else (box.kind, content)
    if name == b"Exif":
        found.exif = found.exif or without_offset(content)
    elif name == _EXIF:
        found.exif = found.exif or rest.removeprefix(EXIF_START)
    elif name == _XMP or (name == b"xml " and b":RDF" in rest):
        found.xmp = found.xmp or rest
    elif name == _IPTC:
        found.iptc = found.iptc or rest
    elif name == _CANON:
        parts = {part.kind: rest[part.start : part.stop] for part in boxes(rest)}
        found.exif, found.shot, found.gps = (parts.get(kind, b"") for kind in (b"CMT1", b"CMT2", b"CMT4"))
