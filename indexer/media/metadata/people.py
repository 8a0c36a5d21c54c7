"""Names of people in XMP: face regions of the Metadata Working Group and of Microsoft, and IPTC's persons shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.media.metadata.xmp_tree import items, part, part_text, structures, texts

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MWG = "{http://www.metadataworkinggroup.com/schemas/regions/}"
_MP = "{http://ns.microsoft.com/photo/1.2/}"
_MP_INFO = "{http://ns.microsoft.com/photo/1.2/t/RegionInfo#}"
_MP_REGION = "{http://ns.microsoft.com/photo/1.2/t/Region#}"
_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_FACES = ("", "face")


def names(description: Element) -> Iterator[str]:
    """Yield the names of people that one description tells, as they are written."""
    for regions in description.findall(f"{_MWG}Regions"):
        listed = part(regions, f"{_MWG}RegionList")
        for region in items(listed) if listed is not None else ():
            if part_text(region, f"{_MWG}Type").strip().casefold() in _FACES:
                yield part_text(region, f"{_MWG}Name")
    for info in description.findall(f"{_MP}RegionInfo"):
        listed = part(info, f"{_MP_INFO}Regions")
        for region in items(listed) if listed is not None else ():
            yield part_text(region, f"{_MP_REGION}PersonDisplayName")
    for shown in description.findall(f"{_EXT}PersonInImage"):
        yield from texts(shown)
    yield description.get(f"{_EXT}PersonInImage", "")
    for shown in description.findall(f"{_EXT}PersonInImageWDetails"):
        for person in structures(shown):
            yield part_text(person, f"{_EXT}PersonName")
