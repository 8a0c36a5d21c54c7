"""XMP -> claims, from inside a picture or from the sidecar beside it. Entities are never expanded.

What an export of ours wrote is not taken for a person's words: see `indexer.media.metadata.own_words`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from indexer.media.metadata import own_words, people
from indexer.media.metadata.raw_facts import Claims, Place, position
from indexer.media.metadata.xmp_packet import DC as _DC
from indexer.media.metadata.xmp_packet import PHOTOSHOP, TAGS_LIST, TREE, NotXmp
from indexer.media.metadata.xmp_tree import descriptions, part_text, read_tree, structures, texts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DATE_ORIGINAL = "exif:DateTimeOriginal"
DATE_CREATED = "photoshop:DateCreated"
DATE_DIGITIZED = "xmp:CreateDate"

_XMP = "{http://ns.adobe.com/xap/1.0/}"
_CORE = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_EXIF = "{http://ns.adobe.com/exif/1.0/}"
_AUX = "{http://ns.adobe.com/exif/1.0/aux/}"
_EXIF_EX = "{http://cipa.jp/exif/1.0/}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_MICROSOFT = "{http://ns.microsoft.com/photo/1.0/}"
_MEDIAPRO = "{http://ns.iview-multimedia.com/mediapro/1.0/}"
_TREES = (
    (TREE, "|"),
    (TAGS_LIST, "/"),
    (f"{_MICROSOFT}LastKeywordXMP", "/"),
    (f"{_MEDIAPRO}CatalogSets", "|"),
)
"""Lists of hierarchical keywords, and what stands between the steps of each."""
_LOCATION = tuple(f"{_EXT}{name}" for name in ("LocationName", "Sublocation", "City", "ProvinceState", "CountryName"))
_DEGREES = re.compile(r"(\d{1,3}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?\s*([NSEW])")
_DECIMALS = re.compile(r"[+-]?\d{1,3}(?:\.\d+)?")

_Properties = dict[str, tuple[str, ...]]


def read(packet: bytes, more: bytes = b"") -> Claims:
    """Return what an XMP packet says; nothing when it cannot be read, is too long, or declares entities.

    `more` is the part that did not fit into the packet.
    """
    return _claims([*_told(packet), *_told(more)])


def extension_of(packet: bytes) -> str:
    """Return the extension of the one file that a sidecar says it belongs to, without a dot; "" where it says none."""
    found = _properties(_told(packet))
    return next(iter(found.get(f"{PHOTOSHOP}SidecarForExtension", ())), "").strip().lstrip(".")


def _told(packet: bytes) -> list[Element]:
    if not packet:
        return []
    try:
        return list(descriptions(read_tree(packet)))
    except NotXmp:
        return []


def _claims(told: Sequence[Element]) -> Claims:
    found = _properties(told)
    written = own_words.Written(*(found.get(name, ()) for name in own_words.NAMES))

    def text(*names: str) -> str:
        return next((found[name][0] for name in names if found.get(name)), "")

    subject, tree = found.get(_DC + "subject", ()), found.get(TREE, ())
    repeated = TREE if written.only_carries(subject) and written.only_carries_tree(tree) else ""
    trees = [(found.get(name, ()), sign) for name, sign in _TREES if name != repeated]
    paths = [tuple(word.split(sign)) for words, sign in trees for word in written.keywords_in_tree(words, sign)]
    spoken = text(_CORE + "AltTextAccessibility"), text(_CORE + "ExtDescrAccessibility")
    caption = next(iter(written.captions(found.get(_DC + "description", ()))), "")
    created, shown = (list(_locations(told, f"{_EXT}Location{name}")) for name in ("Created", "Shown"))
    plain = [text(_CORE + "Location"), *(text(PHOTOSHOP + name) for name in ("City", "State", "Country"))]
    return Claims(
        title=text(_DC + "title"),
        headline=text(PHOTOSHOP + "Headline"),
        caption=caption or next((each for each in spoken if each.strip()), ""),
        keywords=(*written.keywords(subject), *(path[-1] for path in paths)),
        people=tuple(name for each in told for name in people.names(each) if name.strip()),
        paths=tuple(path for path in paths if len(path) > 1),
        words=tuple(word for word in (*spoken, *(", ".join(place) for place in shown)) if word.strip()),
        places=next((tuple(place) for place in (plain, *created, *shown) if any(name.strip() for name in place)), ()),
        position=_position(text),
        make=text(_TIFF + "Make"),
        model=text(_TIFF + "Model"),
        lens=text(_EXIF_EX + "LensModel", _AUX + "Lens"),
        rating=text(_XMP + "Rating"),
        percent=text(_MICROSOFT + "Rating"),
        dates={
            DATE_ORIGINAL: text(_EXIF + "DateTimeOriginal"),
            DATE_CREATED: text(PHOTOSHOP + "DateCreated"),
            DATE_DIGITIZED: text(_XMP + "CreateDate", _EXIF + "DateTimeDigitized"),
        },
    )


def _properties(told: Sequence[Element]) -> _Properties:
    found: _Properties = {}
    for description in told:
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


def _locations(told: Sequence[Element], name: str) -> Iterator[list[str]]:
    """Yield the names of each place of a property, from the narrow to the wide."""
    for description in told:
        for listed in description.findall(name):
            for place in structures(listed):
                yield [text for step in _LOCATION if (text := part_text(place, step).strip())]


def _position(text: Callable[..., str]) -> Place | None:
    latitude, longitude = (
        _degrees(text(f"{_EXIF}GPS{name}"), text(f"{_EXIF}GPS{name}Ref"), sides)
        for name, sides in (("Latitude", "NS"), ("Longitude", "EW"))
    )
    return position(latitude, longitude)


def _degrees(text: str, reference: str, sides: str) -> float | None:
    """Read "52,31.5N", "52,31,30N" or "-52.525" as signed degrees; some write the side into a property of its own."""
    text, reference = text.strip(), reference.strip().upper()[:1]
    if _DECIMALS.fullmatch(text):
        return -abs(float(text)) if reference and reference in "SW" else float(text)
    match = _DEGREES.fullmatch(text)
    if match is None or match[4] not in sides:
        return None
    size = float(match[1]) + float(match[2] or 0) / 60 + float(match[3] or 0) / 3600
    return -size if match[4] in "SW" else size
