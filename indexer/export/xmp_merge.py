"""One XMP sidecar: what a model said is merged into what is there, and no word of a person is lost.

A description goes into dc:description where nobody has described the picture, tags go into dc:subject beside the
keywords that are there. Our own words are marked (see `indexer.media.metadata.own_words`): only they are replaced when
an answer changes, and those that a person took out stay out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from indexer.media.metadata.own_words import CARRIED, DESCRIPTION, NAMES, SUBJECT, Written, alike, same
from indexer.media.metadata.xmp_packet import ARRAYS, DC, LANGUAGE, OURS, RDF, NotXmp, Packet, texts

_ALT, _BAG = ARRAYS[:2]
_CAPTION, _KEYWORDS = f"{DC}description", f"{DC}subject"
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEW = f"""\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="{RDF[1:-1]}">
<rdf:Description rdf:about="" xmlns:dc="{DC[1:-1]}" xmlns:captionary="{OURS[1:-1]}">
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be merged: the answer, and what a person wrote into the picture itself."""

    description: str
    tags: tuple[str, ...] = ()
    caption: str = ""
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """The packet after merging; `changed` says whether it differs, `described` whether a person's caption stands."""

    packet: bytes
    changed: bool
    described: bool


def merge(packet: bytes, said: Said) -> Merged:
    """Merge what was `said` into a sidecar's `packet` (empty: a new one); raises `NotXmp` when that is broken."""
    tree = Packet(packet or _NEW)
    properties = _Properties(tree)
    before = tree.content()
    written = Written(*map(properties.take, NAMES))
    described = _describe(properties, written, said)
    _tag(properties, written, said)
    after = tree.content()
    return Merged(after, after != before, described)


def legal(text: str) -> str:
    """Return `text` without the characters that XML cannot hold."""
    return _ILLEGAL.sub("", text)


def _describe(properties: _Properties, written: Written, said: Said) -> bool:
    found = properties.values(_CAPTION)
    properties.drop(_CAPTION, alike((*written.description, "")))
    if properties.has(_CAPTION) or said.caption:
        return True
    text = legal(said.description)
    if text.strip():
        properties.first(DESCRIPTION).text = text
        taken_out = not found and same(text) in alike(written.description)
        if not taken_out:
            SubElement(properties.array(_CAPTION, _ALT), f"{RDF}li", {LANGUAGE: "x-default"}).text = text
    return False


def _tag(properties: _Properties, written: Written, said: Said) -> None:
    found = properties.values(_KEYWORDS)
    fresh = written.only_carries(found)
    properties.drop(_KEYWORDS, alike((*(found if fresh else written.subject), "")))
    repeated = _distinct(said.keywords) if fresh else ()
    theirs = {same(word).casefold() for word in properties.values(_KEYWORDS) + repeated}
    ours = [tag for tag in _distinct(said.tags) if same(tag).casefold() not in theirs]
    if not ours:
        repeated = ()
    taken_out = alike(written.subject) - alike(found)
    properties.add(_KEYWORDS, [*repeated, *(tag for tag in ours if same(tag) not in taken_out)])
    properties.add(SUBJECT, ours)
    properties.add(CARRIED, repeated if fresh else written.carried)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    """Return `words` as XML can hold them, each once whatever its case."""
    found: dict[str, str] = {}
    for word in map(legal, words):
        if word.strip():
            found.setdefault(same(word).casefold(), word)
    return tuple(found.values())


class _Properties:
    """The properties of a packet, which may be spread over many descriptions; those in attributes become elements."""

    def __init__(self, packet: Packet) -> None:
        body = packet.root if packet.root.tag == f"{RDF}RDF" else packet.root.find(f".//{RDF}RDF")
        if body is None:
            raise NotXmp("nothing in it is RDF")
        self._body = body
        if body.find(f"{RDF}Description") is None:
            SubElement(body, f"{RDF}Description", {f"{RDF}about": ""})
        for description in body.findall(f"{RDF}Description"):
            for name in [name for name in description.attrib if name in (_CAPTION, _KEYWORDS, *NAMES)]:
                SubElement(description, name).text = description.attrib.pop(name)

    def _each(self, name: str) -> list[tuple[Element, Element]]:
        """Return (description, property) for all properties of that name."""
        return [(one, child) for one in self._body.findall(f"{RDF}Description") for child in one.findall(name)]

    def values(self, name: str) -> tuple[str, ...]:
        """Return the texts of a property."""
        return tuple(text for _, child in self._each(name) for text in texts(child))

    def take(self, name: str) -> tuple[str, ...]:
        """Remove a property and return its texts."""
        found = self.values(name)
        self.remove(name)
        return found

    def remove(self, name: str) -> None:
        """Remove a property, and descriptions that then say nothing."""
        for description, child in self._each(name):
            description.remove(child)
            if not len(description) and set(description.attrib) <= {f"{RDF}about"} and self._spare():
                self._body.remove(description)

    def _spare(self) -> bool:
        return len(self._body.findall(f"{RDF}Description")) > 1

    def drop(self, name: str, words: frozenset[str]) -> None:
        """Remove those texts of a property that are among `words`, and the property when nothing else is left."""
        for description, child in self._each(name):
            holders = [(array, item) for array in child for item in array.findall(f"{RDF}li")]
            dropped = [(holder, item) for holder, item in holders or [(description, child)] if _is_one_of(item, words)]
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
        description = self._body.findall(f"{RDF}Description")[0]
        description.text = description.text or "\n"
        element = SubElement(description, name)
        element.tail = "\n"
        return element

    def array(self, name: str, form: str) -> Element:
        """Return the array of a property, made where there is none; a simple value becomes its first item."""
        element = self.first(name)
        found = next((child for child in element if child.tag in ARRAYS), None)
        if found is not None:
            return found
        value, element.text = element.text or "", None
        array = SubElement(element, form)
        if value.strip():
            SubElement(array, f"{RDF}li").text = value
        return array

    def add(self, name: str, words: Iterable[str]) -> None:
        """Add `words` to the array of a property."""
        for word in words:
            SubElement(self.array(name, _BAG), f"{RDF}li").text = word


def _is_one_of(item: Element, words: frozenset[str]) -> bool:
    plain = all(part.tag in ARRAYS and not len(part) for part in item) and f"{RDF}resource" not in item.attrib
    return plain and same(item.text or "") in words
