"""What files say of themselves, from every carrier, and nothing from a broken one."""

from __future__ import annotations

import os
import struct
import zlib
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.domain.photo import Facts
from indexer.media.metadata import MAX_KEYWORDS, MAX_TEXT, clean, read_facts
from indexer.media.metadata.containers import carried
from indexer.media.metadata.dates import read_date
from indexer.media.raw_preview import looks_raw, preview
from indexer.media.rendition import render
from tests.support import hostile
from tests.support.hostile import dataset, saved, scene, with_segments

SAMPLES = Path(__file__).parents[2] / "sample_images"
NOWHERE = Path("/nowhere/photo.jpg")
NOW = datetime(2026, 1, 1)
JPEG = saved(scene(), "JPEG")

NAMESPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    'xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/"'
)


def packet(inside: str = "", attributes: str = "", start: str = "") -> bytes:
    """An XMP packet as editors write it, with its wrapper and padding."""
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{start}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f"<rdf:RDF {NAMESPACES}><rdf:Description rdf:about='' {attributes}>{inside}</rdf:Description></rdf:RDF>"
        '</x:xmpmeta>\n    <?xpacket end="w"?>'
    ).encode()


def array(name: str, *items: str, kind: str = "Bag") -> str:
    """An array property."""
    inside = "".join(item if item.startswith("<") else f"<rdf:li>{item}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{inside}</rdf:{kind}></{name}>"


XMP = packet(
    array(
        "dc:title",
        "<rdf:li xml:lang='de'>Zwei Hunde</rdf:li>",
        "<rdf:li xml:lang='x-default'>Two dogs</rdf:li>",
        kind="Alt",
    )
    + array("dc:description", "<rdf:li xml:lang='x-default'>Two dogs at a window.</rdf:li>", kind="Alt")
    + array("dc:subject", "dogs", "Fenster", "犬", "Dogs")
    + "<photoshop:City>Bilbao</photoshop:City>",
    "xmp:Rating='4' photoshop:Country='Spain' Iptc4xmpCore:Location='Casco Viejo' photoshop:DateCreated='2015-07-04'",
)
IIM = b"".join(
    [
        dataset(1, 90, b"\x1b%G"),
        dataset(2, 5, "Café".encode()),
        dataset(2, 25, "crème".encode()),
        dataset(2, 25, b"morning"),
        dataset(2, 55, b"20140503"),
        dataset(2, 60, b"081500+0200"),
        dataset(2, 90, b"Paris"),
        dataset(2, 92, b"Rue Cler"),
        dataset(2, 95, b"Ile-de-France"),
        dataset(2, 101, b"France"),
        dataset(2, 105, b"Breakfast in Paris"),
        dataset(2, 120, b"A cup on a table."),
    ]
)
MAIN = {0x10F: "Canon", 0x110: "Canon EOS 5D Mark IV", 0x10E: "A harbour at dusk", 0x132: "2020:02:02 02:02:02"}
SHOT = {0x9003: "2016:08:09 21:30:15", 0x9004: "2016:08:10 00:00:00", 0xA434: "EF24-70mm f/2.8L II USM"}
GPS = {1: "S", 2: (33.0, 51.0, 31.2), 3: "W", 4: (70.0, 30.0, 0.0)}
TIFF = hostile.exif_tags(MAIN, SHOT, GPS)


def facts(data: bytes, path: Path = NOWHERE) -> Facts:
    """The facts of a file with that content."""
    return read_facts(path, data, now=NOW)


def with_xmp(inside: str = "", attributes: str = "") -> Facts:
    """The facts of a JPEG with that XMP."""
    return facts(with_segments(JPEG, hostile.xmp_segment(packet(inside, attributes))))


def with_exif(
    tags: dict[int, object], shot: dict[int, object] | None = None, gps: dict[int, object] | None = None
) -> Facts:
    """The facts of a JPEG with that EXIF."""
    return facts(with_segments(JPEG, hostile.exif_segment(hostile.exif_tags(tags, shot, gps))))


def with_iptc(*datasets: bytes) -> Facts:
    """The facts of a JPEG with that IPTC."""
    return facts(with_segments(JPEG, hostile.iptc_segment(b"".join(datasets))))


def test_exif_gives_time_camera_lens_place_and_caption() -> None:
    """All that a camera writes is read, and the time names its field."""
    assert facts(with_segments(JPEG, hostile.exif_segment(TIFF))) == Facts(
        taken_at="2016-08-09T21:30:15",
        taken_source="EXIF DateTimeOriginal",
        camera="Canon EOS 5D Mark IV",
        lens="EF24-70mm f/2.8L II USM",
        latitude=-33.8586667,
        longitude=-70.5,
        caption="A harbour at dusk",
    )


def test_xmp_gives_words_place_and_rating() -> None:
    """The default language wins, keywords keep their spelling and come once."""
    assert facts(with_segments(JPEG, hostile.xmp_segment(XMP))) == Facts(
        taken_at="2015-07-04T00:00:00",
        taken_source="XMP photoshop:DateCreated (day)",
        place="Casco Viejo, Bilbao, Spain",
        title="Two dogs",
        caption="Two dogs at a window.",
        keywords=("dogs", "Fenster", "犬"),
        rating=4,
    )


def test_iptc_gives_words_place_and_time() -> None:
    """Title and headline are joined; the time is that of the wall clock."""
    assert facts(with_segments(JPEG, hostile.iptc_segment(IIM))) == Facts(
        taken_at="2014-05-03T08:15:00",
        taken_source="IPTC DateCreated",
        place="Rue Cler, Paris, Ile-de-France, France",
        title="Café: Breakfast in Paris",
        caption="A cup on a table.",
        keywords=("crème", "morning"),
    )


CARRIED = {
    "jpeg": with_segments(JPEG, hostile.exif_segment(TIFF), hostile.xmp_segment(XMP)),
    "png": saved(scene(), "PNG", exif=TIFF, pnginfo=None),
    "webp": saved(scene(), "WEBP", exif=b"Exif\0\0" + TIFF, xmp=XMP),
    "avif": saved(scene(), "AVIF", exif=b"Exif\0\0" + TIFF, xmp=XMP),
    "heic": saved(scene(), "HEIF", exif=b"Exif\0\0" + TIFF, xmp=XMP),
    "tiff": saved(scene(), "TIFF", exif=b"Exif\0\0" + hostile.exif_tags({**MAIN, 700: XMP}, SHOT, GPS)),
}
CARRIED["png"] = hostile.with_chunks(CARRIED["png"], hostile.text_chunk("XML:com.adobe.xmp", XMP.decode()))


@pytest.mark.parametrize("kind", CARRIED)
def test_every_kind_of_file_carries_exif_and_xmp(kind: str) -> None:
    """The same words come out of whatever picture they were put into, and the picture still decodes."""
    found = facts(CARRIED[kind])
    assert found.camera == "Canon EOS 5D Mark IV"
    assert found.taken_at == "2016-08-09T21:30:15"
    assert found.latitude == pytest.approx(-33.858667, abs=1e-6)
    assert found.caption == "Two dogs at a window."
    assert found.keywords == ("dogs", "Fenster", "犬")
    assert render(CARRIED[kind]).width == 96


@pytest.mark.parametrize("kind", CARRIED)
def test_a_file_is_read_as_its_content_is(kind: str, tmp_path: Path) -> None:
    """From the disk, by parts, the facts are those of the content in memory."""
    path = tmp_path / "photo"
    path.write_bytes(CARRIED[kind])
    assert read_facts(path, now=NOW) == facts(CARRIED[kind])


def test_fill_bytes_before_a_segment_are_passed_over() -> None:
    """The standard allows any number of them."""
    jpeg = JPEG[:2] + b"\xff\xff\xff" + hostile.exif_segment(TIFF) + JPEG[2:]
    assert facts(jpeg).camera == "Canon EOS 5D Mark IV"


def test_a_tiff_carries_iptc_in_both_ways() -> None:
    """By its own tag, or inside Photoshop's."""
    plain = saved(scene(), "TIFF", tiffinfo={33723: IIM})
    nested = saved(scene(), "TIFF", tiffinfo={34377: hostile.resource(0x0404, IIM)})
    assert facts(plain).caption == facts(nested).caption == "A cup on a table."


def test_a_raw_file_is_read_like_a_tiff() -> None:
    """Camera files tell their facts even where their pixels cannot be shown."""
    assert facts(b"II*\0\x10\0\0\0CR\x02\0" + bytes(4)) == Facts()
    assert facts(hostile.fuji_file(CARRIED["jpeg"])).camera == "Canon EOS 5D Mark IV"


def test_png_texts_are_captions_too() -> None:
    """Title, Description and Creation Time; a program's comment is none."""
    texts = {"Title": "Harbour", "Description": "Boats at dusk", "Creation_Time": "2012-03-04 05:06:07"}
    found = facts(hostile.png_texts(**texts))
    assert (found.title, found.caption) == ("Harbour", "Boats at dusk")
    assert (found.taken_at, found.taken_source) == ("2012-03-04T05:06:07", "PNG Creation Time")
    assert facts(hostile.png_texts(Comment="Created with GIMP")) == Facts()


@pytest.mark.parametrize(
    "chunk",
    [
        hostile.chunk(b"tEXt", "Description\0Köln".encode("latin-1")),
        hostile.chunk(b"zTXt", b"Description\0\0" + zlib.compress("Köln".encode("latin-1"))),
        hostile.chunk(b"iTXt", b"Description\0\0\0de\0Beschreibung\0" + "Köln".encode()),
        hostile.chunk(b"iTXt", b"Description\0\1\0de\0Beschreibung\0" + zlib.compress("Köln".encode())),
    ],
    ids=["latin", "packed-latin", "utf-8", "packed-utf-8"],
)
def test_png_texts_come_in_four_ways(chunk: bytes) -> None:
    """Plain or packed, in Latin or in UTF-8."""
    assert facts(hostile.with_chunks(saved(scene()), chunk)).caption == "Köln"


def test_profiles_in_hexadecimal_are_read() -> None:
    """ImageMagick writes EXIF and IPTC into PNG texts as hexadecimal digits."""
    exif = f"\nexif\n{len(TIFF) + 6:8}\n{(b'Exif' + bytes(2) + TIFF).hex()}\n"
    iptc = f"\niptc\n{len(IIM):8}\n{hostile.resource(0x0404, IIM).hex()}\n"
    png = hostile.png_texts(Raw_profile_type_exif=exif, Raw_profile_type_iptc=iptc)
    assert facts(png).camera == "Canon EOS 5D Mark IV"
    assert facts(png).caption == "A cup on a table."


def sidecar(folder: Path, name: str, **words: str) -> None:
    """Write a sidecar with a description and whatever else."""
    inside = "".join(f"<{key.replace('_', ':')}>{value}</{key.replace('_', ':')}>" for key, value in words.items())
    (folder / name).write_bytes(packet(inside))


@pytest.mark.parametrize("name", ["photo.xmp", "photo.jpg.xmp", "photo.XMP"])
def test_a_sidecar_speaks_for_the_picture(tmp_path: Path, name: str) -> None:
    """Its words count more than those inside the file; what it leaves open the file answers."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(CARRIED["jpeg"])
    sidecar(tmp_path, name, dc_description="Corrected", dc_subject="terrier")
    found = read_facts(path, now=NOW)
    assert (found.caption, found.keywords, found.title) == ("Corrected", ("terrier",), "Two dogs")
    assert found.camera == "Canon EOS 5D Mark IV"


def test_the_more_exact_sidecar_wins(tmp_path: Path) -> None:
    """photo.jpg.xmp belongs to the JPEG; photo.xmp may belong to the RAW file beside it."""
    sidecar(tmp_path, "photo.xmp", dc_description="of both")
    sidecar(tmp_path, "photo.jpg.xmp", dc_description="of the JPEG")
    assert read_facts(tmp_path / "photo.jpg", JPEG).caption == "of the JPEG"
    assert read_facts(tmp_path / "photo.nef", JPEG).caption == "of both"


def test_a_sidecar_speaks_even_for_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """Facts of the sidecar need nothing of the picture."""
    sidecar(tmp_path, "gone.xmp", dc_description="still here", photoshop_DateCreated="1999-05-06T07:08:09")
    found = read_facts(tmp_path / "gone.jpg", now=NOW)
    assert (found.caption, found.taken_at) == ("still here", "1999-05-06T07:08:09")


def test_what_only_looks_like_a_sidecar_is_left_alone(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to, a file too long: none of them stops the crawl."""
    (tmp_path / "folder.xmp").mkdir()
    os.mkfifo(tmp_path / "pipe.xmp")
    (tmp_path / "long.xmp").write_bytes(packet("<dc:title>x</dc:title>") + b" " * 5_000_000)
    for name in ("folder.jpg", "pipe.jpg", "long.jpg"):
        assert read_facts(tmp_path / name, JPEG) == Facts()


def test_words_come_from_the_carrier_nearest_to_a_person() -> None:
    """XMP over IPTC over EXIF, each field by itself."""
    exif, iptc = hostile.exif_segment(TIFF), hostile.iptc_segment(IIM)
    bare = hostile.xmp_segment(packet("<photoshop:City>Lyon</photoshop:City>"))
    assert facts(with_segments(JPEG, exif, iptc, hostile.xmp_segment(XMP))).caption == "Two dogs at a window."
    assert facts(with_segments(JPEG, exif, iptc, bare)).caption == "A cup on a table."
    assert facts(with_segments(JPEG, exif, iptc, bare)).place == "Lyon"
    assert facts(with_segments(JPEG, exif, bare)).caption == "A harbour at dusk"


ORDER = [
    ("sidecar exif:DateTimeOriginal", "sidecar", "exif:DateTimeOriginal"),
    ("EXIF DateTimeOriginal", "exif", 0x9003),
    ("XMP exif:DateTimeOriginal", "xmp", "exif:DateTimeOriginal"),
    ("sidecar photoshop:DateCreated", "sidecar", "photoshop:DateCreated"),
    ("XMP photoshop:DateCreated", "xmp", "photoshop:DateCreated"),
    ("IPTC DateCreated", "iptc", ""),
    ("EXIF DateTimeDigitized", "exif", 0x9004),
    ("sidecar xmp:CreateDate", "sidecar", "xmp:CreateDate"),
    ("XMP xmp:CreateDate", "xmp", "xmp:CreateDate"),
    ("EXIF DateTime", "exif", 0x132),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_time_comes_from_the_best_field_that_has_one(first: int, tmp_path: Path) -> None:
    """Each field counts only where all better ones are silent; the source says which one it was."""
    left = ORDER[first:]
    tags = {place: "2011:12:13 14:15:16" for _, carrier, place in left if carrier == "exif"}
    written = {
        carrier: "".join(f"<{place}>2011-12-13T14:15:16</{place}>" for _, where, place in left if where == carrier)
        for carrier in ("xmp", "sidecar")
    }
    shot = {tag: text for tag, text in tags.items() if tag != 0x132}
    segments = [
        hostile.exif_segment(hostile.exif_tags({tag: tags[tag] for tag in tags if tag == 0x132}, shot)),
        hostile.xmp_segment(packet(written["xmp"])),
    ]
    if any(carrier == "iptc" for _, carrier, _ in left):
        segments.append(hostile.iptc_segment(dataset(2, 55, b"20111213") + dataset(2, 60, b"141516")))
    (tmp_path / "photo.xmp").write_bytes(packet(written["sidecar"]))
    found = facts(with_segments(JPEG, *segments), tmp_path / "photo.jpg")
    assert (found.taken_at, found.taken_source) == ("2011-12-13T14:15:16", ORDER[first][0])


def test_the_age_of_the_file_is_never_taken_for_the_time(tmp_path: Path) -> None:
    """A file without a date has none, whatever the disk says."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(JPEG)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert read_facts(path).taken_at is None
    assert read_facts(path).taken_source is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2016:08:09 21:30:15", "2016-08-09T21:30:15"),
        ("2016-08-09T21:30:15.123+02:00", "2016-08-09T21:30:15"),
        ("2016-08-09T21:30:15Z", "2016-08-09T21:30:15"),
        ("2016-08-09T21:30", "2016-08-09T21:30:00"),
        ("20160809 213015+0200", "2016-08-09T21:30:15"),
        ("2016:08:09 21:30:60", "2016-08-09T21:30:59"),
        ("2016-08-09", "2016-08-09T00:00:00 (day)"),
        ("20160809", "2016-08-09T00:00:00 (day)"),
        ("2016-08", "2016-08-01T00:00:00 (month)"),
        ("1968", "1968-01-01T00:00:00 (year)"),
        ("19680000", "1968-01-01T00:00:00 (year)"),
        ("1826:01:01 00:00:00", "1826-01-01T00:00:00"),
        ("2026:01:01 12:00:00", "2026-01-01T12:00:00"),
        ("1970-01-01", "1970-01-01T00:00:00 (day)"),
        ("1980:01:01 00:00:01", "1980-01-01T00:00:01"),
        ("Fri, 14 Jan 2022 10:11:12 +0100", "2022-01-14T10:11:12"),
        ("Fri Jan 14 10:11:12 2022", "2022-01-14T10:11:12"),
        ("14 Jan 2022 10:11:12 GMT", "2022-01-14T10:11:12"),
        ("2016:08:09 21:30:15\0\0", "2016-08-09T21:30:15"),
    ],
)
def test_dates_are_read_as_they_are_written(text: str, read: str) -> None:
    """Every separator and precision in use; a zone is dropped, coarse dates say how coarse."""
    found = read_date(text, NOW)
    assert found is not None
    assert found[0].isoformat(timespec="seconds") + found[1] == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "1825:12:31 23:59:59",
        "2026:01:03 00:00:00",
        "1970:01:01 00:00:00",
        "1980-01-01T00:00:00Z",
        "19800101 000000",
        "Thu, 1 Jan 1970 00:00:00 GMT",
        "9999:99:99 99:99:99",
        "2015:02:30 10:00:00",
        "2015:06:01 24:00:00",
        "yesterday",
        "1/2/2015",
    ],
)
def test_impossible_dates_are_dropped(text: str) -> None:
    """A clock that was never set, a day that never was, a time to come."""
    assert read_date(text, NOW) is None


def test_an_impossible_date_gives_way_to_the_next_field() -> None:
    """The camera's clock was not set, but the scanner's was."""
    found = with_exif({}, {0x9003: "0000:00:00 00:00:00", 0x9004: "2003:04:05 06:07:08"})
    assert (found.taken_at, found.taken_source) == ("2003-04-05T06:07:08", "EXIF DateTimeDigitized")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("NIKON CORPORATION", "NIKON D750", "NIKON D750"),
        ("SONY", "ILCE-7M3", "SONY ILCE-7M3"),
        ("OLYMPUS IMAGING CORP.", "E-M1", "OLYMPUS E-M1"),
        ("Apple", "iPhone 12 mini", "Apple iPhone 12 mini"),
        ("EASTMAN KODAK COMPANY", "KODAK DC4800 ZOOM", "KODAK DC4800 ZOOM"),
        ("Panasonic", "", "Panasonic"),
        ("", "DSC-F828", "DSC-F828"),
        ("samsung", "SM-G991B", "samsung SM-G991B"),
        ("  ", "\0", None),
    ],
)
def test_a_camera_is_named_once(make: str, model: str, camera: str | None) -> None:
    """Maker and model are joined without saying the maker twice."""
    assert with_exif({0x10F: make, 0x110: model}).camera == camera


@pytest.mark.parametrize(
    ("gps", "position"),
    [
        ({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)}, (52.52, 13.405)),
        ({1: "S", 2: (52.52, 0.0, 0.0), 3: "W", 4: (13.405, 0.0, 0.0)}, (-52.52, -13.405)),
        ({1: "N", 2: (52.0, 31.2, 0.0), 3: "E", 4: (13.0, 24.3, 0.0)}, (52.52, 13.405)),
        ({2: (52.0, 31.0, 12.0), 4: (13.0, 24.0, 18.0)}, None),
        ({1: "N", 2: (52.0, 31.0, 12.0)}, None),
        ({1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (13.0, 0.0, 0.0)}, None),
        ({1: "N", 2: (52.0, 0.0, 0.0), 3: "E", 4: (181.0, 0.0, 0.0)}, None),
    ],
)
def test_a_position_is_whole_or_absent(gps: dict[int, object], position: tuple[float, float] | None) -> None:
    """Degrees with their hemisphere; half a position, none on Earth, and a receiver without a fix are dropped."""
    found = with_exif({}, gps=gps)
    assert (found.latitude, found.longitude) == (position or (None, None))


@pytest.mark.parametrize(
    ("latitude", "longitude", "position"),
    [
        ("52,31.2N", "13,24.3E", (52.52, 13.405)),
        ("52,31,12S", "13,24,18W", (-52.52, -13.405)),
        ("52.52N", "13.405E", (52.52, 13.405)),
        ("13,24.3E", "52,31.2N", None),
        ("north", "east", None),
    ],
)
def test_a_position_in_xmp_is_read(latitude: str, longitude: str, position: tuple[float, float] | None) -> None:
    """The way in which map programs write into sidecars."""
    found = with_xmp(attributes=f"exif:GPSLatitude='{latitude}' exif:GPSLongitude='{longitude}'")
    assert (found.latitude, found.longitude) == (position or (None, None))


@pytest.mark.parametrize(
    "noise",
    [
        "OLYMPUS DIGITAL CAMERA",
        "OLYMPUS DIGITAL CAMERA         ",
        "SONY DSC",
        "DCIM\\100MEDIA\\DJI_0042.JPG",
        "Exif_JPEG_PICTURE",
        "oznorWO",
        "????",
        "   ",
        '{"app":"x"}',
    ],
)
def test_what_cameras_write_by_themselves_is_no_caption(noise: str) -> None:
    """Makers' defaults would be found by nobody and read by everybody."""
    assert with_exif({0x10E: noise}).caption is None
    assert with_exif({0x10E: noise}, {0x9286: b"ASCII\0\0\0a real comment"}).caption == "a real comment"


@pytest.mark.parametrize(
    "comment",
    [
        b"ASCII\0\0\0Gr\xc3\xbc\xc3\x9fe",
        b"\0\0\0\0\0\0\0\0Gr\xc3\xbc\xc3\x9fe",
        b"ASCII\0\0\0Gr\xfc\xdfe",
        b"UNICODE\0" + "Grüße".encode("utf-16-le"),
        b"UNICODE\0" + "Grüße".encode("utf-16-be"),
        b"UNICODE\0" + "Grüße".encode("utf-16"),
        b"UNICODE\0" + "Grüße".encode("utf-16-be") + bytes(20),
    ],
)
def test_a_comment_is_read_in_its_character_set(comment: bytes) -> None:
    """Whatever the writer meant by the eight bytes in front."""
    assert with_exif({}, {0x9286: comment}).caption == "Grüße"


def test_a_byte_order_mark_counts_more_than_a_guess() -> None:
    """Chinese has no zeros to guess by."""
    for mark, code in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
        assert with_exif({}, {0x9286: b"UNICODE\0" + mark + "小狗".encode(code)}).caption == "小狗"


def test_windows_writes_words_of_its_own() -> None:
    """XPTitle, XPComment and XPKeywords are UTF-16 and split by semicolons."""

    def wide(text: str) -> bytes:
        return (text + "\0").encode("utf-16-le")

    found = with_exif({0x9C9B: wide("Été"), 0x9C9C: wide("À la plage"), 0x9C9E: wide("mer; sable;;mer"), 0x4746: 3})
    assert found == Facts(title="Été", caption="À la plage", keywords=("mer", "sable"), rating=3)


@pytest.mark.parametrize(
    ("text", "rating"), [("5", 5), ("-1", -1), ("3.0", 3), ("0", None), ("6", None), ("five", None), ("", None)]
)
def test_a_rating_is_one_to_five_or_a_reject(text: str, rating: int | None) -> None:
    """Nought means that nobody has rated."""
    assert with_xmp(attributes=f"xmp:Rating='{text}'").rating == rating


def test_iptc_without_a_declared_character_set_is_guessed() -> None:
    """UTF-8 where it is valid, else Windows' Latin."""
    assert with_iptc(dataset(2, 120, "Köln".encode())).caption == "Köln"
    assert with_iptc(dataset(2, 120, "Köln".encode("latin-1"))).caption == "Köln"


def test_long_iptc_values_are_read() -> None:
    """Extended datasets give the size of their length first."""
    text = b"word " * 400
    assert with_iptc(struct.pack(">BBBHI", 0x1C, 2, 120, 0x8004, len(text)) + text).caption == text.decode().strip()


def test_xmp_may_be_written_in_utf_16() -> None:
    """The packet says so by its mark."""
    written = packet("<dc:description>Fjord</dc:description>").decode().encode("utf-16")
    assert facts(with_segments(JPEG, hostile.xmp_segment(written))).caption == "Fjord"


BOMB = (
    "<!DOCTYPE x [<!ENTITY a 'lol'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in pairwise("abcdefghi"))
    + "]>"
)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"<",
        b"<x:xmpmeta",
        packet("<dc:description>cut")[:-60],
        packet("<dc:description>&lol;</dc:description>"),
        packet("<dc:description>&i;</dc:description>", start=BOMB),
        packet("<dc:description>&f;</dc:description>", start="<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>"),
        packet("<dc:description>x</dc:description>", start="<!DOCTYPE x SYSTEM 'http://127.0.0.1/x.dtd'>"),
        b"<?xml version='1.0' encoding='no-such-code'?><x/>",
        b"<a>" * 20_000,
        b"\xff\xfe\xff\xff" * 10,
    ],
    ids=range(11),
)
def test_broken_or_hostile_xml_gives_no_facts(written: bytes) -> None:
    """No entity is expanded, nothing is fetched, nothing is raised."""
    jpeg = with_segments(JPEG, hostile.xmp_segment(written[:60_000]))
    assert facts(jpeg) == Facts()


def test_text_cannot_steer_a_terminal() -> None:
    """Controls, escape sequences and reversed directions stay outside; writing systems stay whole."""
    nasty = "a\x1b[31mred\x07 \x9bA \u202egnp.exe \u2066x\u2069 line\r\nnext\ttab \u200dकख"
    assert clean(nasty) == "a [31mred A gnp.exe x line\nnext tab \u200dकख"
    found = with_iptc(
        dataset(1, 90, b"\x1b%G"),
        dataset(2, 5, b"ti\x1btle\nof two"),
        dataset(2, 25, "key\u202eword".encode()),
        dataset(2, 90, b"ci\x07ty\n"),
    )
    assert (found.title, found.keywords, found.place) == ("ti tle of two", ("key word",), "ci ty")


def test_text_is_bounded() -> None:
    """No file can fill the index by itself."""
    found = with_xmp(array("dc:subject", *(f"k{number}" for number in range(2000))))
    assert len(found.keywords) == MAX_KEYWORDS
    assert len(with_xmp(f"<dc:description>{'x ' * 20_000}</dc:description>").caption or "") <= MAX_TEXT
    assert len(with_xmp(f"<dc:title>{'x' * 20_000}</dc:title>").title or "") <= 500
    assert len(with_xmp(array("dc:subject", "x" * 900)).keywords[0]) <= 200


def test_a_keyword_removed_in_xmp_stays_removed() -> None:
    """Keywords are taken whole from one carrier, else an old copy would bring back what was deleted."""
    jpeg = with_segments(
        JPEG, hostile.xmp_segment(packet(array("dc:subject", "kept"))), hostile.iptc_segment(dataset(2, 25, b"removed"))
    )
    assert facts(jpeg).keywords == ("kept",)


def test_the_samples_say_what_was_written_into_them() -> None:
    """The captions of the sample pictures come out of XMP, of IPTC, and of neither."""
    coffee, brushes = (read_facts(SAMPLES / name) for name in ("coffee_cup.jpg", "paint_brushes.jpg"))
    assert coffee.title == "Espresso break: A fresh espresso in red china"
    assert "café" in coffee.keywords
    assert coffee.rating == 4
    assert brushes.caption is not None
    assert brushes.caption.startswith("Well-used artist's tools")
    assert "蒲公英" in read_facts(SAMPLES / "dandelions.jpg").keywords
    assert read_facts(SAMPLES / "mountain_trail.jpg").place == "Picos de Europa, Spain"
    assert read_facts(SAMPLES / "dogs_window.jpg") == Facts()


@pytest.mark.parametrize("kind", CARRIED)
def test_damaged_files_never_raise(kind: str) -> None:
    """Hundreds of damaged copies: the facts are fewer or odd, but they are facts."""
    for damaged in hostile.mutations(CARRIED[kind], 60, seed=len(kind)):
        found = facts(damaged)
        assert isinstance(found, Facts)
        assert found.latitude is None or -90 <= found.latitude <= 90
        assert found.taken_at is None or 1826 <= datetime.fromisoformat(found.taken_at).year <= 2027


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff\xe1\0\x40Exif\0\0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0\x08\0\0\0"]
    ),
    st.binary(max_size=200),
)
def test_any_bytes_have_facts(start: bytes, rest: bytes) -> None:
    """Nothing is raised for what was never a picture."""
    assert isinstance(facts(start + rest), Facts)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=120), st.binary(max_size=120), st.text(max_size=60))
def test_any_content_of_the_carriers_has_facts(tiff: bytes, iim: bytes, words: str) -> None:
    """The parsers of EXIF, IPTC and XMP take any bytes."""
    jpeg = with_segments(
        JPEG,
        hostile.exif_segment(b"MM\0*\0\0\0\x08" + tiff),
        hostile.iptc_segment(b"\x1c\x02\x78" + iim),
        hostile.xmp_segment(packet(words.encode("utf-8", "replace").decode())),
    )
    assert isinstance(facts(jpeg), Facts)


@given(st.text(max_size=300), st.integers(1, 50))
def test_clean_text_is_printable_and_short(text: str, limit: int) -> None:
    """Whatever comes in, no control comes out, cleaning twice changes nothing, and the limit holds."""
    found = clean(text, limit)
    assert len(found) <= limit
    assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in found)
    assert found.encode().decode() == found
    assert clean(found, limit) == found


class Metered:
    """A file that counts how much of it was read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.read = 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice, /) -> bytes:
        found = self.data[part]
        self.read += len(found)
        return found


def test_a_directory_that_claims_the_file_over_and_over_costs_little() -> None:
    """Values are read when they are wanted: not the same megabytes five hundred times, nor a loop for ever."""
    entries = [(tag, 1, 1_000_000, 8) for tag in range(1000, 1500)]
    looping = hostile.directory(entries, following=8)
    file = Metered(b"II*\0" + struct.pack("<I", 8) + looping + bytes(1_100_000))
    carried(file)
    assert not looks_raw(file)
    assert file.read < 100_000
    assert preview(file) is None
    assert file.read < 100_000 + 2 * len(file)  # it is searched once


def test_texts_that_unfold_to_gigabytes_are_not_unfolded() -> None:
    """A PNG may hold thousands of small chunks of megabytes each; only so much of them is read."""
    bomb = hostile.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(4_000_000), 9))
    png = hostile.with_chunks(saved(scene()), *[bomb] * 500, hostile.chunk(b"tEXt", b"Title\0too late"))
    assert facts(png) == Facts()


def test_facts_are_read_without_decoding_pixels() -> None:
    """A picture whose pixels are gone still tells when and where it was taken."""
    cut = CARRIED["jpeg"][: CARRIED["jpeg"].index(b"\xff\xda")]
    assert facts(cut).taken_at == "2016-08-09T21:30:15"
    assert Image.MAX_IMAGE_PIXELS
