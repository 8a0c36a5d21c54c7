"""One XMP sidecar: what a model said is merged into what is there, and no word of a person is lost.

A description goes into dc:description where nobody has described the picture, tags go into dc:subject beside the
keywords that are there. Our own words are marked (see `indexer.media.metadata.own_words`): only they are replaced when
an answer changes, and those that a person took out stay out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from indexer.export.xmp_document import XmpDocument, new
from indexer.media.metadata.own_words import CARRIED, CARRIED_TREE, DESCRIPTION, NAMES, SUBJECT, Written, alike, same
from indexer.media.metadata.xmp_packet import ARRAYS, DC, LANGUAGE, OURS, PHOTOSHOP, RDF, TAGS_LIST, TREE

_ALT, _BAG, _SEQ = ARRAYS
_TREES = ((TREE, "|", _BAG), (TAGS_LIST, "/", _SEQ))
"""Lists of hierarchical keywords where Lightroom, digiKam and Immich look first, their signs and forms."""
_EXTENSION = f"{PHOTOSHOP}SidecarForExtension"
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
class OwnWords:
    """What is to be merged: the answer, and what a person wrote into the picture itself.

    `paths` are its hierarchical keywords, their steps joined by "|".
    `extension` is that of the one picture which the sidecar is to speak for, "" where its name says that.
    """

    description: str
    tags: tuple[str, ...] = ()
    caption: str = ""
    keywords: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    extension: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """The packet after merging; `changed` says whether it differs, `described` whether a person's caption stands."""

    packet: bytes
    changed: bool
    described: bool


def merge(packet: bytes, said: OwnWords) -> Merged:
    """Merge what was `said` into a sidecar's `packet` (empty: a new one); raises `NotXmp` when that is broken."""
    properties = XmpDocument(packet or _NEW, (_CAPTION, _KEYWORDS, TREE, TAGS_LIST, *NAMES))
    before = properties.content()
    written = Written(*map(properties.take, NAMES))
    if said.extension and not (properties.has(_EXTENSION) or _EXTENSION in properties.attributes()):
        properties.first(_EXTENSION).text = said.extension
    described = _describe(properties, written, said)
    _tag(properties, written, said)
    after = properties.content()
    return Merged(after, after != before, described)


def legal(text: str) -> str:
    """Return `text` without the characters that XML cannot hold."""
    return _ILLEGAL.sub("", text)


def _describe(properties: XmpDocument, written: Written, said: OwnWords) -> bool:
    found = properties.values(_CAPTION)
    properties.drop(_CAPTION, alike((*written.description, "")))
    if properties.has(_CAPTION) or said.caption:
        return True
    text = legal(said.description)
    if text.strip():
        properties.first(DESCRIPTION).text = text
        taken_out = not found and same(text) in alike(written.description)
        if not taken_out:
            new(properties.array(_CAPTION, _ALT), f"{RDF}li", {LANGUAGE: "x-default"}).text = text
    return False


def _tag(properties: XmpDocument, written: Written, said: OwnWords) -> None:
    found = properties.values(_KEYWORDS)
    fresh = written.only_carries(found)
    properties.drop(_KEYWORDS, alike((*(found if fresh else written.subject), "")))
    fresh_tree = fresh and written.only_carries_tree(properties.values(TREE))
    if fresh_tree:
        properties.drop(TREE, alike((*written.subject, *written.carried_tree)))
    trees = [tree for tree in _TREES if properties.has(tree[0])]
    for name, _, _ in trees:
        properties.drop(name, alike(written.subject))
    leaves = [text.rpartition(sign)[2] for name, sign, _ in trees for text in properties.values(name)]
    repeated = _distinct(said.keywords) if fresh else ()
    theirs = {same(word).casefold() for word in (*properties.values(_KEYWORDS), *repeated, *leaves)}
    ours = [tag for tag in _distinct(said.tags) if same(tag).casefold() not in theirs]
    paths = _distinct(said.paths) if fresh_tree and ours and not trees else ()
    if not ours:
        repeated = ()
    if paths:
        properties.add(TREE, paths, _BAG)
        trees = [_TREES[0]]
    taken_out = alike(written.subject) - alike(found)
    shown = [tag for tag in ours if same(tag) not in taken_out]
    properties.add(_KEYWORDS, [*repeated, *shown], _BAG)
    for name, sign, form in trees:
        # A tag with the sign in it would be read as a path.
        properties.add(name, [tag for tag in shown if sign not in tag], form)
    properties.add(SUBJECT, ours, _BAG)
    properties.add(CARRIED, repeated if fresh else written.carried, _BAG)
    properties.add(CARRIED_TREE, paths if fresh_tree else written.carried_tree, _BAG)


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    """Return `words` as XML can hold them, each once whatever its case."""
    found: dict[str, str] = {}
    for word in map(legal, words):
        if word.strip():
            found.setdefault(same(word).casefold(), word)
    return tuple(found.values())
