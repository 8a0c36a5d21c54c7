"""Metadata where the standards allow it, and where programs put it all the same."""

from __future__ import annotations

import struct
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.photo import Facts
from indexer.media.metadata import read_facts, xmp
from tests.media.test_metadata import IIM, JPEG, MAIN, NOW, SHOT, TIFF, XMP, facts, packet
from tests.support import hostile
from tests.support.hostile import dataset, resource, saved, scene, text_chunk, with_chunks, with_segments

PNG = saved(scene(), "PNG")
CAMERA, CAPTION = "Canon EOS 5D Mark IV", "Two dogs at a window."
KEYWORDS = ("dogs", "Fenster", "犬")


def hexadecimal(name: str, raw: bytes, title: str = "") -> bytes:
    """A PNG with a profile as ImageMagick writes it; `title` is the line above the profile, by itself its name."""
    return with_chunks(PNG, text_chunk(f"Raw profile type {name}", f"\n{title or name}\n{len(raw):8}\n{raw.hex()}\n"))


def box(kind: bytes, content: bytes) -> bytes:
    """A box of an ISO media file."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def uuid(name: str, content: bytes) -> bytes:
    """A box of somebody's own kind."""
    return box(b"uuid", bytes.fromhex(name) + content)


def gif(*blocks: bytes) -> bytes:
    """A GIF with extension blocks before its picture."""
    plain = saved(scene(mode="P"), "GIF")
    at = 13 + (3 << ((plain[10] & 7) + 1))
    return plain[:at] + b"".join(blocks) + plain[at:]


def pieces(content: bytes) -> bytes:
    """A row of blocks, each with its length before it."""
    cut = [content[at : at + 255] for at in range(0, len(content), 255)]
    return b"".join(bytes([len(part)]) + part for part in cut) + b"\0"


def document(resources: bytes) -> bytes:
    """The head of a Photoshop document."""
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 64, 96, 8, 3) + bytes(4)
    return head + struct.pack(">I", len(resources)) + resources + bytes(4)


def positioned() -> bytes:
    """A TIFF structure whose first directory is one of GPS."""
    south, west = (struct.pack("<6I", *numbers) for numbers in ((33, 1, 51, 1, 312, 10), (70, 1, 30, 1, 0, 1)))
    entries = b"".join(
        [
            struct.pack("<HHI4s", 1, 2, 2, b"S"),
            struct.pack("<HHII", 2, 5, 3, 62),
            struct.pack("<HHI4s", 3, 2, 2, b"W"),
            struct.pack("<HHII", 4, 5, 3, 86),
        ]
    )
    return b"II*\0" + struct.pack("<IH", 8, 4) + entries + bytes(4) + south + west


JP2 = saved(scene(), "JPEG2000")
XMP_BOX, IPTC_BOX = "be7acfcb97a942e89c71999491e3afac", "33c7a4d2b81d4723a0baf1a3e097ad38"
CANON_BOX = "85c0b687820f11e08111f4ce462b6a48"
CR3 = box(b"ftyp", b"crx \0\0\0\1crx isom")
APART = (
    box(b"CMT1", hostile.exif_tags(MAIN))
    + box(b"CMT2", hostile.exif_tags({0x9003: SHOT[0x9003]}))
    + box(b"CMT4", positioned())
)
BY_CAMERA = {
    "PNG profile with a start": hexadecimal("exif", b"Exif\0\0" + TIFF),
    "PNG profile, bare": hexadecimal("exif", TIFF),
    "PNG profile by the name of its segment": hexadecimal("APP1", b"Exif\0\0" + TIFF),
    "PNG profile of any name": hexadecimal("Whatever", TIFF),
    "PNG chunk with a start": with_chunks(PNG, hostile.chunk(b"eXIf", b"Exif\0\0" + TIFF)),
    "JPEG 2000": JP2 + box(b"uuid", b"JpgTiffExif->JP2" + TIFF),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"Exif", bytes(4) + TIFF),
    "Canon CR3": CR3 + box(b"moov", uuid(CANON_BOX, APART)),
    "Photoshop's resource in a JPEG": with_segments(
        JPEG, hostile.segment(0xED, b"Photoshop 3.0\0" + resource(0x0422, TIFF))
    ),
    "Photoshop's document": document(resource(0x0422, TIFF)),
}
BY_WORDS = {
    "PNG profile": hexadecimal("xmp", XMP),
    "PNG profile as a segment": hexadecimal("APP1", b"http://ns.adobe.com/xap/1.0/\0" + XMP),
    "JPEG 2000": JP2 + uuid(XMP_BOX, XMP),
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"xml ", XMP),
    "GIF": gif(b"\x21\xff\x0bXMP DataXMP" + XMP + b"\1" + bytes(range(255, -1, -1)) + b"\0"),
    "Canon CR3": CR3 + uuid(XMP_BOX, XMP),
    "Photoshop's document": document(resource(0x0424, XMP)),
}
BY_AGENCY = {
    "PNG profile, bare": hexadecimal("iptc", IIM),
    "PNG profile as resources": hexadecimal("8bim", resource(0x0404, IIM)),
    "PNG profile whose name is two words": hexadecimal("iptc", resource(0x0404, IIM), "IPTC profile"),
    "JPEG 2000": JP2 + uuid(IPTC_BOX, IIM),
    "Photoshop's document": document(resource(0x03ED, b"x") + resource(0x0404, IIM)),
}


@pytest.mark.parametrize("where", BY_CAMERA)
def test_exif_is_found_wherever_programs_put_it(where: str) -> None:
    """Named as its standard says or not, with its start or bare."""
    found = facts(BY_CAMERA[where])
    assert (found.camera, found.taken_at) == (CAMERA, "2016-08-09T21:30:15")
    assert found.latitude == pytest.approx(-33.858667, abs=1e-6)


@pytest.mark.parametrize("where", BY_WORDS)
def test_xmp_is_found_wherever_programs_put_it(where: str) -> None:
    """In boxes, blocks, profiles and resources."""
    found = facts(BY_WORDS[where])
    assert (found.caption, found.keywords, found.rating) == (CAPTION, KEYWORDS, 4)


@pytest.mark.parametrize("where", BY_AGENCY)
def test_iptc_is_found_wherever_programs_put_it(where: str) -> None:
    """In boxes, profiles and resources."""
    assert facts(BY_AGENCY[where]).caption == "A cup on a table."


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_big_tiff_is_read_like_any_other(order: str) -> None:
    """Its numbers are twice as wide, in both byte orders."""
    text = b"A harbour at dusk\0"
    entries = struct.pack(f"{order}HHQQ", 0x10E, 2, len(text), 16 + 8 + 2 * 20 + 8)
    entries += struct.pack(f"{order}HHQI4x", 0x4746, 4, 1, 4)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HHHQ", 43, 8, 0, 16)
    found = facts(head + struct.pack(f"{order}Q", 2) + entries + bytes(8) + text)
    assert (found.caption, found.rating) == ("A harbour at dusk", 4)


@pytest.mark.parametrize("start", [b"", b"Exif\0\0", b"\0\0\0\6Exif\0\0", b"\0\0\0\0"])
def test_an_exif_item_may_lack_its_offset(start: bytes) -> None:
    """Items of HEIC should begin with the distance to what they hold; many writers forget it."""
    heic = saved(scene(), "HEIF", exif=b"Exif\0\0" + TIFF)
    standing = b"\0\0\0\6Exif\0\0" + TIFF
    assert standing in heic
    room = len(standing) - len(TIFF)
    assert facts(heic.replace(standing, start + TIFF + bytes(room - len(start)))).camera == CAMERA


def test_exif_of_today_may_be_utf_8() -> None:
    """By its own type of value, in a comment, and in a title."""
    words = "Zürich 犬".encode()
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHII", 1, 0x10E, 129, len(words), 26) + bytes(4) + words
    assert facts(with_segments(JPEG, hostile.exif_segment(tiff))).caption == "Zürich 犬"
    noted = hostile.exif_tags({}, {0x9286: b"UTF-8\0\0\0" + words})
    assert facts(with_segments(JPEG, hostile.exif_segment(noted))).caption == "Zürich 犬"
    titled = hostile.exif_tags({}, {0xA436: "A harbour"})
    assert facts(with_segments(JPEG, hostile.exif_segment(titled))).title == "A harbour"


@pytest.mark.parametrize(
    "data",
    [
        with_segments(JPEG, hostile.segment(0xFE, "Grüße aus Köln".encode())),
        with_segments(JPEG, hostile.segment(0xFE, "Grüße aus Köln\0".encode("cp1252"))),
        gif(b"\x21\xfe" + pieces("Grüße aus Köln".encode())),
        *(hostile.png_texts(**{name: "Grüße aus Köln"}) for name in ("Comment", "comment", "COMMENT", "description")),
    ],
    ids=["JPEG", "JPEG in Latin", "GIF", "PNG", "PNG in lower case", "PNG in upper case", "PNG description"],
)
def test_a_comment_is_a_caption(data: bytes) -> None:
    """Where nothing better is said, whatever the case of its name."""
    assert facts(data).caption == "Grüße aus Köln"


@pytest.mark.parametrize(
    "comment", ["CREATOR: gd-jpeg v1.0", "AppleMark\n", "Created with GIMP", "Optimized by JPEGmini"]
)
def test_what_a_program_says_of_itself_is_no_caption(comment: str) -> None:
    """But a person may begin a caption so in a field that is for captions."""
    assert facts(with_segments(JPEG, hostile.segment(0xFE, comment.encode()))).caption is None
    assert facts(hostile.png_texts(Description="Created by Anna in 2011")).caption == "Created by Anna in 2011"


def test_a_png_tells_its_time_as_its_specification_suggests() -> None:
    """The form of e-mail, RFC 1123."""
    found = facts(hostile.png_texts(Creation_Time="Fri, 14 Jan 2022 10:11:12 +0100"))
    assert (found.taken_at, found.taken_source) == ("2022-01-14T10:11:12", "PNG Creation Time")


def test_a_packet_that_did_not_fit_is_read_with_its_rest() -> None:
    """What is longer than a segment of a JPEG goes on in others."""
    rest = packet("<photoshop:City>Lyon</photoshop:City>")
    start = b"http://ns.adobe.com/xmp/extension/\0" + b"F" * 32 + struct.pack(">I", len(rest))
    half = len(rest) // 2
    more = [
        hostile.segment(0xE1, start + struct.pack(">I", at) + part)
        for at, part in ((0, rest[:half]), (half, rest[half:]))
    ]
    found = facts(with_segments(JPEG, hostile.xmp_segment(packet("<dc:title>Fair</dc:title>")), *more))
    assert (found.title, found.place) == ("Fair", "Lyon")


RICH = packet("<dc:title>Fair</dc:title><dc:subject><rdf:Bag><rdf:li>wheel</rdf:li></rdf:Bag></dc:subject>")
TEXT = RICH.decode()


@pytest.mark.parametrize(
    "flawed",
    [
        TEXT.replace("Fair", "Fa\x0bir").encode(),
        TEXT.replace("Fair", "Fa&#0;ir").encode(),
        TEXT.replace("Fair", "Fa&#xB;ir").encode(),
        RICH.replace(b"<dc:subject>", b"<dc:rights>\xff\xfe</dc:rights><dc:subject>"),
        TEXT.replace("<dc:subject>", "<dc:rights>Tom & Jerry, 3 < 5</dc:rights><dc:subject>").encode(),
        TEXT.replace("<dc:subject>", "<dc:rights>&copy;&nbsp;me</dc:rights><dc:subject>").encode(),
        TEXT.replace("<dc:subject>", "<acme:x>1</acme:x><dc:subject>").encode(),
        TEXT.replace('xmlns:dc="http://purl.org/dc/elements/1.1/"', "").encode(),
        b"\0\0garbage" + RICH,
        RICH + b"<x:xmpmeta>once more",
        TEXT.replace("</x:xmpmeta>", "").encode(),
        TEXT.replace("<x:xmpmeta", "<x:xmpmeta a=1").encode(),
        TEXT[: TEXT.index("</rdf:Description>")].encode(),
        TEXT.replace("</rdf:Description>", "<dc:x></dc:y></rdf:Description>").encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        ("<?xml version='1.0' encoding='UTF-8'?>" + TEXT).encode("utf-16"),
        TEXT.encode("utf-32"),
        b"\xef\xbb\xbf" + RICH,
    ],
    ids=range(20),
)
def test_one_flaw_does_not_lose_a_packet(flawed: bytes) -> None:
    """Whatever else can be read is read; in a JPEG and in a sidecar alike."""
    found = xmp.read(flawed)
    assert (found.title.replace(" ", ""), found.keywords) == ("Fair", ("wheel",))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(RICH)), st.integers(0, 255), st.binary(max_size=4))
def test_a_packet_with_any_byte_changed_is_read_or_not(at: int, byte: int, more: bytes) -> None:
    """Nothing is raised, and nothing is made up."""
    found = xmp.read(RICH[:at] + bytes([byte]) + more + RICH[at + 1 :])
    assert len(found.keywords) <= 1


@pytest.mark.parametrize(
    "packet",
    [
        b"<rdf:RDF>" + b"<a>" * 300_000,
        b"<rdf:RDF>" + b"\xff" * 1_000_000,
        b"<rdf:RDF>" + b"".join(b"<p%d:x/>" % number for number in range(100_000)),
        b"<rdf:RDF>" * 100_000,
    ],
    ids=["deep", "bytes", "prefixes", "roots"],
)
def test_a_packet_made_to_cost_time_costs_little(packet: bytes) -> None:
    """Whatever a megabyte of it is made of."""
    begun = time.process_time()
    assert xmp.read(packet).title == ""
    assert time.process_time() - begun < 5


def test_a_comment_in_a_million_pieces_costs_little() -> None:
    """Only its beginning is looked at."""
    begun = time.process_time()
    assert len(facts(b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\1a" * 1_000_000).caption or "") == 8_000
    assert time.process_time() - begun < 5


def test_descriptions_of_parts_are_not_of_the_picture() -> None:
    """What a picture was made of has titles and ratings of its own."""
    ingredient = "<rdf:Description xmp:Rating='1'><dc:title>Ingredient</dc:title></rdf:Description>"
    found = xmp.read(packet(f"<q:Pantry xmlns:q='urn:q'><rdf:Bag><rdf:li>{ingredient}</rdf:li></rdf:Bag></q:Pantry>"))
    assert (found.title, found.rating) == ("", "")


def test_resources_end_where_they_stop_making_sense() -> None:
    """Lengths that lie lead nowhere."""
    lying = b"8BIM\x04\x04\0\0\xff\xff\xff\xff" + dataset(2, 120, b"x")
    assert isinstance(facts(document(lying)), Facts)
    assert facts(document(b"8BIM")) == Facts()


def test_sidecars_are_not_looked_for_where_there_are_none(tmp_path: Path) -> None:
    """The crawl knows from its listing."""
    (tmp_path / "photo.jpg.xmp").write_bytes(XMP)
    assert read_facts(tmp_path / "photo.jpg", JPEG, beside=False, now=datetime(2026, 1, 1)) == Facts()
    assert read_facts(tmp_path / "photo.jpg", JPEG, now=NOW).caption == CAPTION
