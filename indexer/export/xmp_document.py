"""An XMP packet to be changed: written back with every prefix, comment and instruction that stood in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from lxml import etree

from indexer.media.metadata.own_words import same
from indexer.media.metadata.xmp_packet import ARRAYS, DC, OURS, PHOTOSHOP, RDF, TREE, NotXmp, parse
from indexer.media.metadata.xmp_tree import texts

_ABOUT, _DESCRIPTION, _ITEM = f"{RDF}about", f"{RDF}Description", f"{RDF}li"
_PREFIXES = {
    RDF[1:-1]: "rdf",
    DC[1:-1]: "dc",
    OURS[1:-1]: "captionary",
    PHOTOSHOP[1:-1]: "photoshop",
    TREE[1:].partition("}")[0]: "lr",
}

Element = etree._Element


class XmpDocument:
    """A packet with its properties, which may be spread over many descriptions; `content` writes it in UTF-8."""

    def __init__(self, packet: bytes, names: Iterable[str]) -> None:
        """Parse `packet`; the properties `names` become elements where they are attributes.

        Raises `NotXmp` for what is broken, declares a document type, or holds no RDF.
        """
        parse(packet)  # refuses entities and document types before anything else looks at them
        wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, strip_cdata=False)
        try:
            self.root = etree.fromstring(packet if wide else packet.strip(b"\0 \t\r\n"), parser)
        except (etree.XMLSyntaxError, ValueError) as fault:
            raise NotXmp(str(fault)) from fault
        self._declared_as_xml = b"<?xml " in packet[:100].replace(b"\0", b"")
        body = self.root if self.root.tag == f"{RDF}RDF" else self.root.find(f".//{RDF}RDF")
        if body is None:
            raise NotXmp("nothing in it is RDF")
        self._body = body
        if body.find(_DESCRIPTION) is None:
            new(body, _DESCRIPTION, {_ABOUT: ""})
        wanted = frozenset(names)
        for description in body.findall(_DESCRIPTION):
            for name, value in [(name, value) for name, value in description.attrib.items() if name in wanted]:
                new(description, str(name)).text = str(value)
                del description.attrib[name]

    def content(self) -> bytes:
        """Return the packet with all that was changed, and all that was not as it was."""
        head = b'<?xml version="1.0" encoding="UTF-8"?>\n' if self._declared_as_xml else b""
        return head + etree.tostring(self.root.getroottree(), encoding="utf-8", xml_declaration=False) + b"\n"

    def _each(self, name: str) -> list[tuple[Element, Element]]:
        """Return (description, property) for all properties of that name."""
        return [(one, child) for one in self._body.findall(_DESCRIPTION) for child in one.findall(name)]

    def attributes(self) -> frozenset[str]:
        """Return the names of the properties that stand in attributes."""
        return frozenset(str(name) for one in self._body.findall(_DESCRIPTION) for name in one.attrib)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the texts of a property."""
        # lxml's elements are read like those of the standard library.
        return tuple(text for _, child in self._each(name) for text in texts(cast("Any", child)))

    def take(self, name: str) -> tuple[str, ...]:
        """Remove a property and return its texts."""
        found = self.values(name)
        self.remove(name)
        return found

    def remove(self, name: str) -> None:
        """Remove a property, and descriptions that then say nothing."""
        for description, child in self._each(name):
            description.remove(child)
            if not len(description) and set(description.attrib) <= {_ABOUT} and self._spare():
                self._body.remove(description)

    def _spare(self) -> bool:
        return len(self._body.findall(_DESCRIPTION)) > 1

    def drop(self, name: str, words: frozenset[str]) -> None:
        """Remove those texts of a property that are among `words`, and the property when nothing else is left."""
        for description, child in self._each(name):
            holders = [(array, item) for array in child for item in array.findall(_ITEM)]
            dropped = [
                (holder, item)
                for holder, item in holders or [(description, child)]
                if _is_plain(item) and same(item.text or "") in words
            ]
            for holder, item in dropped:
                holder.remove(item)
            if holders and len(dropped) == len(holders):
                description.remove(child)

    def has(self, name: str) -> bool:
        """Say whether there is such a property."""
        return bool(self._each(name))

    def first(self, name: str) -> Element:
        """Return the element of a property, made where there is none."""
        found = self._each(name)
        if found:
            return found[0][1]
        description = self._body.findall(_DESCRIPTION)[0]
        description.text = description.text or "\n"
        element = new(description, name)
        element.tail = "\n"
        return element

    def array(self, name: str, form: str) -> Element:
        """Return the array of a property, made where there is none; a simple value becomes its first item."""
        element = self.first(name)
        found = next((child for child in element if child.tag in ARRAYS), None)
        if found is not None:
            return found
        value, element.text = element.text or "", None
        array = new(element, form)
        if value.strip():
            new(array, _ITEM).text = value
        return array

    def add(self, name: str, words: Iterable[str], form: str) -> None:
        """Add `words` to the array of a property."""
        for word in words:
            new(self.array(name, form), _ITEM).text = word


def new(parent: Element, name: str, attributes: Mapping[str, str] | None = None) -> Element:
    """Append an element, under the prefix that its namespace has here or usually has."""
    uri = name[1:].partition("}")[0]
    known = uri in parent.nsmap.values()
    return etree.SubElement(parent, name, dict(attributes or {}), nsmap={} if known else {_PREFIXES[uri]: uri})


def _is_plain(item: Element) -> bool:
    return all(part.tag in ARRAYS and not len(part) for part in item) and f"{RDF}resource" not in item.attrib
