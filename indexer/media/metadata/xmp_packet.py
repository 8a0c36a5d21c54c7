"""An XMP packet as a tree: parsed without ever expanding an entity, written back with all that stood in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Comment, Element, ParseError, ProcessingInstruction, TreeBuilder

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

_XML = "http://www.w3.org/XML/1998/namespace"
_DEEPEST = 200
_IN_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
# Without the last two, a parser would read each line break in an attribute as a space.
_IN_ATTRIBUTE = {**_IN_TEXT, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"}
_Scope = Mapping[str, str]


class NotXmp(ValueError):
    """Bytes that are no XMP packet: broken, too long, or declaring entities."""


def parse(packet: bytes, builder: TreeBuilder | None = None) -> Element:
    """Return the root of an XMP packet, made by `builder`; raises `NotXmp`."""
    if len(packet) > MAX_BYTES:
        raise NotXmp("longer than any packet")
    wide = packet[:2] in (b"\xff\xfe", b"\xfe\xff")
    parser = DefusedXMLParser(target=builder or TreeBuilder(), forbid_dtd=True)
    try:
        parser.feed(packet if wide else packet.strip(b"\0 \t\r\n"))
        return parser.close()
    except (DefusedXmlException, ParseError, ValueError, LookupError) as fault:
        raise NotXmp(str(fault)) from fault


def items(element: Element) -> list[Element]:
    """Return the items of an array property, none where it is a simple one."""
    return next((found for form in ARRAYS if (found := element.findall(f"{form}/{RDF}li"))), [])


def texts(element: Element) -> tuple[str, ...]:
    """Return the value of a simple property, or those of the items of an array, the default language first."""
    listed = sorted(items(element), key=lambda item: item.get(LANGUAGE) != "x-default")
    found = [item.text or "" for item in listed] if listed else [element.text or ""]
    return tuple(text for text in found if text.strip())


class Packet:
    """A packet to be changed: `root` is its tree; `content` writes it in UTF-8, whatever it came in."""

    def __init__(self, packet: bytes) -> None:
        """Parse `packet`; raises `NotXmp` when it cannot be kept whole."""
        self._builder = _Builder()
        self.root = parse(packet, self._builder)
        self._declared_as_xml = b"<?xml " in packet[:100].replace(b"\0", b"")

    def content(self) -> bytes:
        """Return the packet with all that was changed, and all that was not as it was."""
        head = ['<?xml version="1.0" encoding="UTF-8"?>\n'] if self._declared_as_xml else []
        around = self._builder.around
        parts = [*head, *(f"{part}\n" for part in around[False]), *_Writer(self._builder.declared).lines(self.root)]
        parts += [f"\n{part}" for part in around[True]]
        return ("".join(parts) + "\n").encode()


class _Builder(TreeBuilder):
    """Builds a tree that forgets nothing: comments, instructions, and which prefixes were declared where."""

    def __init__(self) -> None:
        super().__init__(insert_comments=True, insert_pis=True)
        self.declared: dict[Element, list[tuple[str, str]]] = {}
        self.around: tuple[list[str], list[str]] = ([], [])
        self._waiting: list[tuple[str, str]] = []
        self._depth = 0
        self._ended = False

    def start_ns(self, prefix: str, uri: str) -> None:
        self._waiting.append((prefix, uri))

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("nested deeper than any packet")
        element = super().start(tag, attrs)
        self.declared[element], self._waiting = self._waiting, []
        return element

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        self._ended = not self._depth
        return super().end(tag)

    def comment(self, text: str | None, /) -> Any:
        if self._depth:
            return super().comment(text)
        return self.around[self._ended].append(f"<!--{text}-->")

    def pi(self, target: str, text: str | None = None, /) -> Any:
        if self._depth:
            return super().pi(target, text)
        return self.around[self._ended].append(f"<?{target} {text or ''}?>")


class _Writer:
    """Writes elements under the prefixes that were declared, and declares those of new elements in place."""

    _known: Mapping[str, str] = {RDF[1:-1]: "rdf", DC[1:-1]: "dc", OURS[1:-1]: "captionary"}

    def __init__(self, declared: Mapping[Element, Sequence[tuple[str, str]]]) -> None:
        self._declared = declared

    def lines(self, element: Element, scope: _Scope = {"xml": _XML}) -> Iterator[str]:  # noqa: B006 - never changed
        kind: object = element.tag
        if kind is Comment:
            yield f"<!--{element.text}-->"
        elif kind is ProcessingInstruction:
            yield f"<?{element.text}?>"
        else:
            yield from self._element(element, scope)

    def _element(self, element: Element, scope: _Scope) -> Iterator[str]:
        own = dict(self._declared.get(element, ()))
        name = self._name(element.tag, scope, own, bare=True)
        attributes = [(self._name(key, scope, own), value) for key, value in element.attrib.items()]
        declared = [(f"xmlns:{prefix}" if prefix else "xmlns", uri) for prefix, uri in own.items()]
        yield f"<{name}"
        for key, value in (*declared, *attributes):
            yield f' {key}="{_escaped(value, _IN_ATTRIBUTE)}"'
        if not len(element) and not element.text:
            yield "/>"
            return
        yield ">" + _escaped(element.text or "", _IN_TEXT)
        for child in element:
            yield from self.lines(child, {**scope, **own})
            yield _escaped(child.tail or "", _IN_TEXT)
        yield f"</{name}>"

    def _name(self, name: str, scope: _Scope, own: dict[str, str], *, bare: bool = False) -> str:
        """Return `name` with the prefix of its namespace; what was parsed has one, for new elements it joins `own`."""
        if not name.startswith("{"):
            return name
        uri, _, local = name[1:].partition("}")
        fitting = [prefix for prefix, meant in {**scope, **own}.items() if meant == uri and (prefix or bare)]
        prefix = fitting[-1] if fitting else self._known[uri]
        if not fitting:
            own[prefix] = uri
        return f"{prefix}:{local}" if prefix else local


def _escaped(text: str, signs: Mapping[str, str]) -> str:
    for sign, escape in signs.items():
        text = text.replace(sign, escape)
    return text
