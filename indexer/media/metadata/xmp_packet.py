"""An XMP packet as a tree, parsed without ever expanding an entity, and the names of XMP that several rooms use."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

MAX_BYTES = 4 * 2**20
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
OURS = "{urn:captionary:xmp/1.0/}"
TREE = "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject"
TAGS_LIST = "{http://www.digikam.org/ns/1.0/}TagsList"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
ARRAYS = (f"{RDF}Alt", f"{RDF}Bag", f"{RDF}Seq")


class NotXmp(ValueError):
    """Bytes that are no XMP packet: broken, too long, or declaring entities."""


def parse(packet: bytes) -> Element:
    """Return the root of an XMP packet; raises `NotXmp`."""
    if len(packet) > MAX_BYTES:
        raise NotXmp("longer than any packet")
    wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    parser = DefusedXMLParser(target=TreeBuilder(), forbid_dtd=True)
    try:
        parser.feed(packet if wide else packet.strip(b"\0 \t\r\n"))
        return parser.close()
    except (DefusedXmlException, ParseError, ValueError, LookupError) as fault:
        raise NotXmp(str(fault)) from fault
