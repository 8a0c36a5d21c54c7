"""One sidecar: our words go in beside a person's, and come out again without a trace."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.export.xmp_merge import OwnWords, legal, merge
from indexer.media.metadata import xmp
from indexer.media.metadata.raw_facts import Claims
from indexer.media.metadata.xmp_packet import DC, RDF, TAGS_LIST, TREE, NotXmp
from tests.media.test_metadata import BOMB, array, packet

TEXTS = [
    "二匹の犬が窓辺にいます。",
    "كلبان عند النافذة",
    "👩‍👩‍👧 at the 🏖️, Zalgo: Z̸̢a̷l̶g̵o̸, é as e\u0301",
    """<b>&amp; & "quotes" 'single' ]]> <![CDATA[ x ]]> &#38;""",
    "two\nlines\tand a tab",
]
SAID = OwnWords("Two dogs at a window.", ("dog", "window", "犬"))
LAYOUTS = {
    "compact": packet(attributes="xmp:Rating='4' photoshop:Instructions='one&#10;two'"),
    "bare": b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>",
    "one namespace a description": packet(
        "</rdf:Description>\n <rdf:Description rdf:about='' xmlns:q='urn:q' q:a='1'><q:b>&lt;</q:b></rdf:Description>"
        "\n <rdf:Description rdf:about='' dc:format='x'>"
    ),
    "pretty": packet("\n  <dc:subject>\n   <rdf:Bag>\n    <rdf:li>a</rdf:li>\n   </rdf:Bag>\n  </dc:subject>\n "),
    "comments": packet("<!-- mine --><?keep this?><dc:title>t<!-- in --></dc:title>", start="<!-- before -->"),
    "default namespace": packet("<crop xmlns='urn:crop' left='1'><rdf:Seq><rdf:li/></rdf:Seq></crop>"),
    "other prefixes": packet(array("dc:subject", "a")).replace(b"rdf:", b"r:").replace(b":rdf=", b":r="),
    "declared": b"<?xml version='1.0' encoding='UTF-8'?>\n" + packet("<dc:title>t</dc:title>"),
    "a structure": packet("<dc:description rdf:resource='urn:words'/>"),
    "utf-16": packet("<dc:title>\u72ac</dc:title>").decode().encode("utf-16"),
}


def as_persons(content: bytes) -> Claims:
    """What a reader that does not know our mark takes for a person's words."""
    return xmp.read(content.replace(b"urn:captionary:", b"urn:nobody:"))


def alt(text: str) -> str:
    """A description in the default language."""
    return array("dc:description", f"<rdf:li xml:lang='x-default'>{text}</rdf:li>", kind="Alt")


@pytest.mark.parametrize("text", TEXTS)
def test_any_writing_survives(text: str) -> None:
    """Every script, and every sign that means something to XML, in description and keywords."""
    claims = as_persons(merge(b"", OwnWords(text, (text, "plain"))).packet)
    assert (claims.caption, claims.keywords) == (text, (text, "plain"))


@settings(max_examples=300, deadline=None)
@given(st.text(), st.lists(st.text(), max_size=5))
def test_any_text_survives_but_for_what_xml_cannot_hold(text: str, words: list[str]) -> None:
    """What is written is read again, character by character; keywords come once whatever their case."""
    claims = as_persons(merge(b"", OwnWords(text, tuple(words))).packet)
    assert claims.caption == (legal(text) if legal(text).strip() else "")
    assert set(claims.keywords) <= {legal(word) for word in words}
    assert {_folded(word) for word in claims.keywords} == {_folded(word) for word in map(legal, words) if word.strip()}


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", " ".join(word.split())).casefold()


@pytest.mark.parametrize("text", ["\x00\x08\x1b", "\ud800", "\ufffe\uffff"])
def test_what_xml_cannot_hold_is_left_out(text: str) -> None:
    """Control characters, halves of pairs and non-characters go; the rest stays."""
    claims = as_persons(merge(b"", OwnWords(f"a{text}b", (text, f"{text}c"))).packet)
    assert (claims.caption, claims.keywords) == ("ab", ("c",))


def test_our_words_are_not_a_persons() -> None:
    """The reader of the crawl sees neither description nor keywords of ours."""
    claims = xmp.read(merge(b"", SAID).packet)
    assert (claims.caption, claims.keywords) == ("", ())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_that_was_there_stays(layout: str) -> None:
    """In any layout: what is merged in and taken out again leaves everything else as it was, to the comment."""
    before = LAYOUTS[layout]
    merged = merge(before, SAID)
    assert {"dog", "window", "犬"} <= set(as_persons(merged.packet).keywords)
    assert xmp.read(merged.packet) == xmp.read(before)
    assert not merge(merged.packet, SAID).changed
    assert _canonical(merge(merged.packet, OwnWords("")).packet) == _canonical(before)


def _canonical(content: bytes) -> str:
    """The same text for the same content; descriptions that say nothing do not count."""
    text = ElementTree.canonicalize(content if content[:1] == b"\xff" else content.decode().strip(), with_comments=True)
    text = re.sub(r">\s+", ">", text)
    return re.sub(r'<(\w+):Description (?:xmlns:\w+="[^"]*" )*\w+:about=""></\1:Description>', "", text)


@pytest.mark.parametrize(
    ("inside", "caption", "keywords"),
    [
        ("", SAID.description, ("dog", "window", "犬")),
        (alt("Rex und Bello"), "Rex und Bello", ("dog", "window", "犬")),
        ("<dc:description>Rex</dc:description>", "Rex", ("dog", "window", "犬")),
        (alt(""), SAID.description, ("dog", "window", "犬")),
        ("<dc:description><rdf:Alt/></dc:description>", SAID.description, ("dog", "window", "犬")),
        (array("dc:subject", "Rex", "Dog"), SAID.description, ("Rex", "Dog", "window", "犬")),
        (array("dc:subject", "Rex", kind="Seq"), SAID.description, ("Rex", "dog", "window", "犬")),
        ("<dc:subject>Rex</dc:subject>", SAID.description, ("Rex", "dog", "window", "犬")),
        ("<dc:subject/>", SAID.description, ("dog", "window", "犬")),
        ("<dc:subject><rdf:Bag/></dc:subject>", SAID.description, ("dog", "window", "犬")),
        (alt("Rex") + array("dc:subject", "dog", "window", "犬"), "Rex", ("dog", "window", "犬")),
    ],
)
def test_a_persons_words_come_first(inside: str, caption: str, keywords: tuple[str, ...]) -> None:
    """A description is added only where there is none, keywords beside those that are there, each once."""
    before = packet(inside)
    merged = merge(before, SAID)
    claims = as_persons(merged.packet)
    assert (claims.caption, claims.keywords) == (caption, keywords)
    assert merged.described == (caption != SAID.description)
    assert xmp.read(merged.packet) == xmp.read(before)
    assert not merge(merged.packet, SAID).changed


def test_words_in_attributes_are_a_persons_too() -> None:
    """XMP does not mean them to stand there, but readers take them from there."""
    merged = merge(packet(attributes="dc:subject='terrier' dc:description='Rex'"), SAID)
    claims = as_persons(merged.packet)
    assert (claims.caption, claims.keywords) == ("Rex", ("terrier", "dog", "window", "犬"))
    assert not merge(merged.packet, SAID).changed


def test_a_new_answer_replaces_our_words_and_no_others() -> None:
    """What we wrote goes, what a person added meanwhile stays."""
    first = merge(packet(array("dc:subject", "Rex")), SAID).packet
    touched = first.replace(b"<rdf:li>Rex</rdf:li>", b"<rdf:li>Rex</rdf:li><rdf:li>Bello</rdf:li>", 1)
    claims = as_persons(merge(touched, OwnWords("Two cats.", ("cat", "window"))).packet)
    assert (claims.caption, claims.keywords) == ("Two cats.", ("Rex", "Bello", "cat", "window"))


@pytest.mark.parametrize(("written", "stays"), [("Two <b>dogs</b>.", False), (SAID.description, True)])
def test_what_a_person_edits_becomes_theirs(written: str, stays: bool) -> None:
    """Our description with other words in it is a person's; with the same words it is still ours."""
    first = merge(b"", SAID).packet.decode()
    start, end = first.index("<dc:description>"), first.index("</dc:description>")
    edited = first[:start] + "<dc:description>" + written.replace("<", "&lt;") + first[end:]
    claims = as_persons(merge(edited.encode(), OwnWords("Two cats.")).packet)
    assert claims.caption == ("Two cats." if stays else written)


def test_what_a_person_takes_out_stays_out() -> None:
    """A wrong tag and a wrong description do not come back, again and again; new ones do come."""
    content = merge(b"", SAID).packet
    content = re.sub(rb"<dc:description>.*?</dc:description>\n", b"", content)
    content = re.sub(rb"(<dc:subject>.*?)<rdf:li>window</rdf:li>", rb"\1", content)
    for _ in range(3):
        content = merge(content, SAID).packet
        claims = as_persons(content)
        assert (claims.caption, claims.keywords) == ("", ("dog", "犬"))
    content = merge(content, OwnWords("Two cats.", ("window", "cat"))).packet
    claims = as_persons(content)
    assert (claims.caption, claims.keywords) == ("Two cats.", ("cat",))


def test_words_inside_the_picture_are_not_hidden() -> None:
    """A sidecar speaks louder than the picture, so it repeats its keywords and leaves its caption alone."""
    said = OwnWords("Two dogs.", ("dog", "rex"), caption="Rex und Bello", keywords=("Rex", "Ferien"))
    merged = merge(b"", said)
    claims = as_persons(merged.packet)
    assert (claims.caption, claims.keywords, merged.described) == ("", ("Rex", "Ferien", "dog"), True)
    assert xmp.read(merged.packet).keywords == ()
    renamed = merge(merged.packet, OwnWords("Two dogs.", ("dog", "rex"), keywords=("Bello",))).packet
    assert as_persons(renamed).keywords == ("Bello", "dog", "rex")
    touched = renamed.replace(b"<rdf:li>Bello</rdf:li>", b"<rdf:li>Bello</rdf:li><rdf:li>Mine</rdf:li>", 1)
    assert xmp.read(touched).keywords == ("Bello", "Mine")
    kept = merge(touched, OwnWords("Two dogs.", ("dog",), keywords=("Other",))).packet
    assert as_persons(kept).keywords == ("Bello", "Mine", "dog")


TREES = (
    "<lr:hierarchicalSubject xmlns:lr='http://ns.adobe.com/lightroom/1.0/'><rdf:Bag><rdf:li>Places|Zoo</rdf:li></rdf:Bag>"
    "</lr:hierarchicalSubject><digiKam:TagsList xmlns:digiKam='http://www.digikam.org/ns/1.0/'><rdf:Seq>"
    "<rdf:li>Places/Zoo</rdf:li></rdf:Seq></digiKam:TagsList>"
)


def lists(content: bytes) -> tuple[list[str], list[str], list[str]]:
    """The keywords of the three lists that programs look at."""
    root = ElementTree.fromstring(content)
    names = (DC + "subject", TREE, TAGS_LIST)
    return tuple([item.text or "" for item in root.findall(f".//{name}//{RDF}li")] for name in names)  # type: ignore[return-value]


def test_tags_go_where_programs_look_first() -> None:
    """Into the lists of Lightroom and digiKam as well where they stand; a leaf that is there is not repeated."""
    content = merge(packet(array("dc:subject", "Zoo") + TREES), OwnWords("", ("zoo", "giraffe", "either/or"))).packet
    flat, lightroom, digikam = lists(content)
    assert flat == ["Zoo", "giraffe", "either/or"]
    assert (lightroom, digikam) == (["Places|Zoo", "giraffe", "either/or"], ["Places/Zoo", "giraffe"])
    claims = xmp.read(content)
    assert (claims.keywords, claims.paths) == (("Zoo",) * 3, (("Places", "Zoo"),) * 2)


def test_tags_leave_those_lists_with_the_answer() -> None:
    """A new answer replaces our words in all of them, what a person took out stays out, none of theirs is lost."""
    content = merge(packet(array("dc:subject", "Zoo") + TREES), OwnWords("", ("giraffe", "tree"))).packet
    content = content.replace(b"<rdf:li>tree</rdf:li>", b"", 3)  # in the lists, not where we say what is ours
    content = merge(content, OwnWords("", ("tree", "acacia"))).packet
    assert lists(content) == (["Zoo", "acacia"], ["Places|Zoo", "acacia"], ["Places/Zoo", "acacia"])
    assert not merge(content, OwnWords("", ("tree", "acacia"))).changed
    assert lists(merge(content, OwnWords("")).packet) == (["Zoo"], ["Places|Zoo"], ["Places/Zoo"])


def test_hierarchies_inside_the_picture_are_not_hidden() -> None:
    """A new sidecar repeats them with its keywords, our tags beside them; they stay the picture's until they change."""
    said = OwnWords("", ("dog", "rex"), keywords=("Rex",), paths=("Animals|Dogs|Rex",))
    content = merge(b"", said).packet
    assert lists(content) == (["Rex", "dog"], ["Animals|Dogs|Rex", "dog"], [])
    assert (xmp.read(content).keywords, xmp.read(content).paths) == ((), ())
    assert not merge(content, said).changed
    moved = merge(content, OwnWords("", ("dog",), keywords=("Rex",), paths=("Family|Rex",))).packet
    assert lists(moved) == (["Rex", "dog"], ["Family|Rex", "dog"], [])
    touched = moved.replace(b"Family|Rex", b"Friends|Rex", 1)
    assert xmp.read(touched).paths == (("Friends", "Rex"),)
    assert lists(merge(touched, said).packet)[1] == ["Friends|Rex", "dog"]
    assert lists(merge(content, OwnWords("")).packet) == ([], [], [])


def test_no_list_is_made_that_nobody_keeps() -> None:
    """A sidecar without hierarchies gets none."""
    assert lists(merge(b"", SAID).packet)[1:] == ([], [])


def test_prefixes_comments_and_instructions_stay() -> None:
    """As they were written, also around the root."""
    text = packet("<!-- mine --><?keep this?><q:a xmlns:q='urn:q' q:b='1'/>", start="<!-- before -->").decode()
    after = merge(text.encode(), SAID).packet.decode()
    for part in (
        "<!-- before -->",
        "<!-- mine -->",
        "<?keep this?>",
        '<q:a xmlns:q="urn:q" q:b="1"/>',
        '<?xpacket end="w"?>',
    ):
        assert part in after
    assert "ns0:" not in after


def test_a_caption_that_comes_later_wins() -> None:
    """When a person describes the picture in the picture, our description leaves the sidecar."""
    content = merge(b"", SAID).packet
    assert as_persons(merge(content, OwnWords("Two dogs.", caption="Rex")).packet).caption == ""


def test_rewriting_programs_are_forgiven() -> None:
    """Ours stays ours when a program turns elements into attributes, folds spaces or composes letters."""
    said = OwnWords("Cafe\u0301  with two\ndogs", ("cafe\u0301",))
    attributes = "xmlns:c='urn:captionary:xmp/1.0/' c:description='Café with two dogs' c:subject='café'"
    rewritten = packet(alt("Café with two dogs") + array("dc:subject", "café", "Rex"), attributes)
    assert xmp.read(rewritten).caption == ""
    assert xmp.read(rewritten).keywords == ("Rex",)
    again = merge(rewritten, said).packet
    assert as_persons(again).keywords == ("Rex", "cafe\u0301")
    assert not merge(again, said).changed


@pytest.mark.parametrize(
    "broken",
    [
        b"<",
        b"no xml",
        b"<html/>",
        packet("<dc:description>cut")[:-60],
        packet("<dc:description>&i;</dc:description>", start=BOMB),
        packet("<dc:description>&f;</dc:description>", start="<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"),
        packet("<dc:title>x</dc:title>", start="<!DOCTYPE x>"),
        b"<a>" * 5_000 + b"</a>" * 5_000,
        b"\xff\xfe\xff\xff" * 10,
        packet(" " * 5_000_000),
    ],
    ids=range(10),
)
def test_broken_or_hostile_packets_are_refused(broken: bytes) -> None:
    """Nothing is expanded, fetched, or half kept."""
    with pytest.raises(NotXmp):
        merge(broken, SAID)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.just(""), WORDS),
    st.lists(WORDS, max_size=4, unique_by=_folded),
    st.lists(st.tuples(WORDS, st.lists(WORDS, max_size=4)), max_size=3),
)
def test_no_word_of_a_person_is_ever_lost(
    caption: str, keywords: list[str], answers: list[tuple[str, list[str]]]
) -> None:
    """Whatever is said and said anew, a person's caption and keywords are read as before."""
    inside = "".join(
        [alt(_escape(caption)) if caption else "", array("dc:subject", *map(_escape, keywords)) if keywords else ""]
    )
    content = packet(inside)
    mine = xmp.read(content)
    for description, tags in answers:
        content = merge(content, OwnWords(description, tuple(tags))).packet
        assert xmp.read(content) == mine
        assert not merge(content, OwnWords(description, tuple(tags))).changed
        assert set(mine.keywords) <= set(as_persons(content).keywords)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
