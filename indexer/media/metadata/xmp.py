"""XMP -> claims, from inside a picture or from the sidecar beside it. Entities are never expanded.

What an export of ours wrote is not taken for a person's words: see `indexer.media.metadata.own_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.media.metadata import own_words
from indexer.media.metadata.raw_facts import Claims, Place, position
from indexer.media.metadata.xmp_packet import DC as _DC
from indexer.media.metadata.xmp_packet import RDF as _RDF
from indexer.media.metadata.xmp_packet import NotXmp, parse, texts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DATE_ORIGINAL = "exif:DateTimeOriginal"
DATE_CREATED = "photoshop:DateCreated"
DATE_DIGITIZED = "xmp:CreateDate"

_XMP = "{http://ns.adobe.com/xap/1.0/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_CORE = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_AUX = "{http://ns.adobe.com/exif/1.0/aux/}"
_EXIF_EX = "{http://cipa.jp/exif/1.0/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_DEGREES = re.compile(r"(\d{1,3}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?\s*([NSEW])")

_Properties = dict[str, tuple[str, ...]]


def read(packet: bytes) -> Claims:
    """Return what an XMP packet says; nothing when it is broken, too long, or declares entities."""
    found = _properties(packet)
    written = own_words.Written(*(found.get(name, ()) for name in own_words.NAMES))

    def text(*names: str) -> str:
        return next((found[name][0] for name in names if found.get(name)), "")

    return Claims(
        title=text(_DC + "title"),
        headline=text(_PHOTOSHOP + "Headline"),
        caption=next(iter(written.captions(found.get(_DC + "description", ()))), ""),
        keywords=written.keywords(found.get(_DC + "subject", ())),
        places=(
            text(_CORE + "Location"),
            text(_PHOTOSHOP + "City"),
            text(_PHOTOSHOP + "State"),
            text(_PHOTOSHOP + "Country"),
        ),
        position=_position(text(_EXIF + "GPSLatitude"), text(_EXIF + "GPSLongitude")),
        make=text(_TIFF + "Make"),
        model=text(_TIFF + "Model"),
        lens=text(_EXIF_EX + "LensModel", _AUX + "Lens"),
        rating=text(_XMP + "Rating"),
        dates={
            DATE_ORIGINAL: text(_EXIF + "DateTimeOriginal"),
            DATE_CREATED: text(_PHOTOSHOP + "DateCreated"),
            DATE_DIGITIZED: text(_XMP + "CreateDate"),
        },
    )


def _properties(packet: bytes) -> _Properties:
    try:
        tree = parse(packet)
    except NotXmp:
        return {}
    found: _Properties = {}
    for description in tree.iter(_RDF + "Description"):
        for name, value in _own(description):
            found.setdefault(name, value)
    return found


def _own(description: Element) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the properties of one description: XMP may write simple ones as attributes or as elements."""
    for name, value in description.attrib.items():
        if value.strip():
            yield name, (value,)
    for child in description:
        values = texts(child)
        if values:
            yield child.tag, values


def _position(latitude: str, longitude: str) -> Place | None:
    return position(_degrees(latitude, "NS"), _degrees(longitude, "EW"))


def _degrees(text: str, sides: str) -> float | None:
    """Read "52,31.5N" or "52,31,30N" as signed degrees."""
    match = _DEGREES.fullmatch(text.strip())
    if match is None or match[4] not in sides:
        return None
    size = float(match[1]) + float(match[2] or 0) / 60 + float(match[3] or 0) / 3600
    return -size if match[4] in "SW" else size
