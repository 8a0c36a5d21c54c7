"""What a PNG carries in its chunks: EXIF, named texts, and the profiles that ImageMagick writes as texts."""

from __future__ import annotations

import re
import zlib

from indexer.media.metadata import photoshop
from indexer.media.metadata.carried import EXIF_START, MAX_PARTS, MAX_TEXT, XMP_START, Carried
from indexer.media.tiff import ByteSpan, byte_order

_XMP_NAME = "xml:com.adobe.xmp"
_PROFILE_NAME = "raw profile type "
_MAX_TEXTS = 4 * MAX_TEXT
"""How much the texts of one PNG may hold together, unpacked: small chunks can unfold to gigabytes."""
_XMP = re.compile(rb"\s*<(?:\?xpacket|x:xmpmeta|rdf:RDF|\?xml)")
_PROFILE = re.compile(r"\s*[^\n]*\n\s*\d+\s+(.*)", re.DOTALL)
"""A profile as a text: a line with its name, which may be several words, its length, and bytes in hexadecimal."""
_IIM_START = b"\x1c"


def in_png(data: ByteSpan) -> Carried:
    """Return the metadata of a PNG; names of texts are compared in lower case."""
    found = Carried()
    at, taken = 8, 0
    for _ in range(MAX_PARTS):
        head = data[at : at + 8]
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if len(head) < 8 or kind == b"IEND":
            break
        if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") and length <= MAX_TEXT and taken < _MAX_TEXTS:
            taken += _take_chunk(found, kind, data[at + 8 : at + 8 + length])
        at += 12 + length
    found.xmp = found.xmp or found.texts.pop(_XMP_NAME, "").encode("utf-8", "replace")
    for name in [name for name in found.texts if name.startswith(_PROFILE_NAME)]:
        _take_profile(found, found.texts.pop(name))
    return found


def _take_chunk(found: Carried, kind: bytes, chunk: bytes) -> int:
    """Keep what a chunk says, and return how much that is."""
    if kind == b"eXIf":
        found.exif = chunk.removeprefix(EXIF_START)
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
    found.texts.setdefault(name.decode("latin-1").strip().lower(), text)
    return len(text)


def _take_profile(found: Carried, written: str) -> None:
    """Take a profile in hexadecimal: a name, a length, and bytes, which tell better than any name what they are."""
    profile = _PROFILE.match(written)
    try:
        raw = bytes.fromhex("".join(profile[1].split())) if profile else b""
    except ValueError:
        return
    if raw.startswith(XMP_START) or _XMP.match(raw):
        found.xmp = found.xmp or raw.removeprefix(XMP_START)
    elif byte_order(raw.removeprefix(EXIF_START)):
        found.exif = found.exif or raw.removeprefix(EXIF_START)
    elif raw.startswith(_IIM_START):
        found.iptc = found.iptc or raw
    else:
        found.take_resources(photoshop.resources(raw))


def _inflated(packed: bytes) -> bytes:
    """Inflate a text, up to the length that a text may have; broken ones are empty."""
    try:
        return zlib.decompressobj().decompress(packed, MAX_TEXT)
    except zlib.error:
        return b""
