"""The tree of an XMP packet: read without ever expanding an entity, and as much of it as one flaw leaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from html.entities import html5
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from indexer.media.metadata.xmp_packet import ARRAYS, LANGUAGE, MAX_BYTES, RDF, NotXmp, parse

_BODY = re.compile(r"<(?:[\w.-]+:)?RDF[\s>].*?(?:</(?:[\w.-]+:)?RDF\s*>|\Z)", re.DOTALL)
_START = re.compile(r"<[\w.:-]+")
_DECLARED = re.compile(r"""\sxmlns:([\w.-]+)\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_USED = re.compile(r"(?:</?|\s)([A-Za-z_][\w.-]*):[A-Za-z_]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,8}));")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*);")
_AMPERSAND = re.compile(r"&(?!(?:[A-Za-z]+|#[0-9]+|#x[0-9A-Fa-f]+);)")
_ANGLE = re.compile(r"<(?![A-Za-z_/!?])")
_ODD_BYTES = re.compile("[\udc80-\udcff]")
_LOOKED_AT = 100_000
_MOST_ODD = 1_000
"""So many bytes that are not UTF-8 are no flaw: all of the packet is written in another way."""
_MOST_PREFIXES = 1_000
_DEEPEST = 200
_BYTE_ORDERS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_USUAL = {
    "rdf": RDF[1:-1],
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
}


def read_tree(packet: bytes) -> Element:
    """Return the root of an XMP packet, of a broken one what can be read; raises `NotXmp` where that is nothing."""
    try:
        return parse(packet)
    except NotXmp:
        return _rescued(packet)


def _rescued(packet: bytes) -> Element:
    """Read the rdf:RDF that is cut out of a packet, up to the first thing that cannot be repaired."""
    text = _decoded(packet[:MAX_BYTES])
    body = _BODY.search(text)
    if body is None or len(packet) > MAX_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise NotXmp("nothing in it can be read")
    builder = _Partial()
    parser = DefusedXMLParser(target=builder, forbid_dtd=True)
    try:
        parser.feed(_repaired(text, body.group()))
        parser.close()
    except (DefusedXmlException, ParseError, ValueError):
        pass  # what stood before the flaw is in the builder
    if builder.root is None:
        raise NotXmp("nothing in it can be read")
    return builder.root


def _decoded(packet: bytes) -> str:
    """Return the text of a packet, whatever it says of its encoding; bytes that are not UTF-8 are taken for Latin."""
    packet = packet.lstrip(b" \t\r\n")
    encoding = next((name for start, name in _BYTE_ORDERS if packet.startswith(start)), "utf-8")
    if not encoding.startswith("utf-8"):
        return packet.decode(encoding, "replace")
    text = packet.decode(encoding, "surrogateescape")
    if len(_ODD_BYTES.findall(text, 0, _LOOKED_AT)) > _MOST_ODD:
        return packet.decode("cp1252", "replace")
    return _ODD_BYTES.sub(lambda sign: bytes([ord(sign[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def _repaired(text: str, body: str) -> str:
    """Return the element `body` of `text` with its prefixes declared, and without what XML does not allow."""
    body = _FORBIDDEN.sub(" ", body)
    body = _REFERENCE.sub(lambda found: found[0] if _is_allowed(found) else " ", body)
    body = _ENTITY.sub(lambda found: escape(html5.get(f"{found[1]};", " ")), body)
    body = _ANGLE.sub("&lt;", _AMPERSAND.sub("&amp;", body))
    known = {prefix: double or single for prefix, double, single in _DECLARED.findall(text)}
    head = body[: body.find(">") + 1]
    own = {prefix for prefix, _, _ in _DECLARED.findall(head)}
    missing = set(_USED.findall(body)) - own - {"xml", "xmlns"}
    if len(missing) > _MOST_PREFIXES:
        raise NotXmp("more prefixes than any packet has")
    told = "".join(
        f' xmlns:{prefix}="{known.get(prefix) or _USUAL.get(prefix) or f"urn:undeclared:{prefix}"}"'
        for prefix in sorted(missing)
    )
    return _START.sub(lambda start: start[0] + told, body, count=1)


def _is_allowed(reference: re.Match[str]) -> bool:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return number < 0x110000 and not _FORBIDDEN.match(chr(number))


class _Partial(TreeBuilder):
    """Builds a tree whose root can be had before it is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.root: Element | None = None
        self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested deeper than any packet")
        element = super().start(tag, attrs)
        if self.root is None:
            self.root = element
        return element

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def descriptions(root: Element) -> Iterator[Element]:
    """Yield the descriptions of the picture itself, not those of parts inside a property."""
    for body in [root] if root.tag == f"{RDF}RDF" else root.iter(f"{RDF}RDF"):
        yield from body.findall(f"{RDF}Description")


def items(element: Element) -> list[Element]:
    """Return the items of an array property, none where it is a simple one."""
    return next((found for form in ARRAYS if (found := element.findall(f"{form}/{RDF}li"))), [])


def texts(element: Element) -> tuple[str, ...]:
    """Return the value of a simple property, or those of the items of an array, the default language first."""
    listed = sorted(items(element), key=lambda item: item.get(LANGUAGE) != "x-default")
    found = [_simple(item) for item in listed] if listed else [_simple(element)]
    return tuple(text for text in found if text.strip())


def _simple(element: Element) -> str:
    """The text of an element; a value with qualifiers stands in rdf:value."""
    if element.text and element.text.strip():
        return element.text
    value = next((inner for node in _nodes(element) if (inner := node.find(f"{RDF}value")) is not None), None)
    return (value.text if value is not None else element.text) or ""


def structures(element: Element) -> list[Element]:
    """Return the items of an array of structures, or the one structure that stands there without an array."""
    return items(element) or [element]


def part(structure: Element, name: str) -> Element | None:
    """Return the property `name` of a structure, whichever of RDF's ways it is written in."""
    return next((found for node in _nodes(structure) if (found := node.find(name)) is not None), None)


def part_text(structure: Element, name: str) -> str:
    """Return the text of a property of a structure, "" where it has none."""
    simple = next((value for node in _nodes(structure) if (value := node.get(name, "")).strip()), "")
    found = part(structure, name)
    return simple or next(iter(texts(found) if found is not None else ()), "")


def _nodes(structure: Element) -> list[Element]:
    return [structure, *structure.findall(f"{RDF}Description")]
