"""Who speaks for a picture: sidecars of XMP and of Google Takeout, people, hierarchies, places; names as the last."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.photo import Facts
from indexer.media.metadata import read_facts
from indexer.media.takeout_names import json_names, key_of_json, key_of_picture
from tests.media.test_metadata import JPEG, NOW, array, facts, packet, sidecar
from tests.support import hostile
from tests.support.hostile import with_segments
from tests.support.trees import walked

SPACES = (
    "xmlns:mwg-rs='http://www.metadataworkinggroup.com/schemas/regions/' xmlns:MP='http://ns.microsoft.com/photo/1.2/' "
    "xmlns:MPRI='http://ns.microsoft.com/photo/1.2/t/RegionInfo#' "
    "xmlns:MPReg='http://ns.microsoft.com/photo/1.2/t/Region#' "
    "xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' xmlns:lr='http://ns.adobe.com/lightroom/1.0/' "
    "xmlns:digiKam='http://www.digikam.org/ns/1.0/' xmlns:MicrosoftPhoto='http://ns.microsoft.com/photo/1.0/' "
    "xmlns:mediapro='http://ns.iview-multimedia.com/mediapro/1.0/'"
)


def said(inside: str = "", attributes: str = "") -> Facts:
    """What is read from XMP in a JPEG."""
    return facts(with_segments(JPEG, hostile.xmp_segment(packet(inside, f"{SPACES} {attributes}"))))


def region(**told: str) -> str:
    """A face region as Lightroom writes it, and as others do."""
    inside = "".join(f"<mwg-rs:{name}>{value}</mwg-rs:{name}>" for name, value in told.items())
    return f"<rdf:li rdf:parseType='Resource'>{inside}</rdf:li>"


def regions(*listed: str) -> str:
    """A list of face regions."""
    inside = "".join(listed)
    return (
        "<mwg-rs:Regions rdf:parseType='Resource'><mwg-rs:RegionList><rdf:Bag>"
        f"{inside}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )


MICROSOFT = (
    "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li><rdf:Description MPReg:Rectangle='0,0,1,1' "
    "MPReg:PersonDisplayName='Ada Byron'/></rdf:li><rdf:li MPReg:Rectangle='0,0,1,1'/></rdf:Bag></MPRI:Regions>"
    "</rdf:Description></MP:RegionInfo>"
)


@pytest.mark.parametrize(
    ("inside", "people"),
    [
        (regions(region(Name="Ada", Type="Face"), region(Name="Bello", Type="Pet"), region(Type="Face")), ("Ada",)),
        (regions("<rdf:li><rdf:Description mwg-rs:Name='Ada' mwg-rs:Type='Face'/></rdf:li>"), ("Ada",)),
        (regions("<rdf:li mwg-rs:Name='Ada'/>"), ("Ada",)),
        (MICROSOFT, ("Ada Byron",)),
        (array("Iptc4xmpExt:PersonInImage", "Ada", "  Bob  ", "ada"), ("Ada", "Bob")),
        ("<Iptc4xmpExt:PersonInImage>Ada</Iptc4xmpExt:PersonInImage>", ("Ada",)),
        (regions(region(Name="Ada", Type="Face")) + MICROSOFT, ("Ada", "Ada Byron")),
    ],
    ids=["lightroom", "digikam", "attributes", "microsoft", "iptc", "simple", "both"],
)
def test_people_are_read_from_regions_and_lists(inside: str, people: tuple[str, ...]) -> None:
    """Of the Metadata Working Group, of Microsoft, of IPTC; animals and nameless faces are not people."""
    assert said(inside).people == people


@pytest.mark.parametrize(
    "inside",
    [
        array("lr:hierarchicalSubject", "Animals|Birds|Kingfisher"),
        array("digiKam:TagsList", "Animals/Birds/Kingfisher", kind="Seq"),
        array("MicrosoftPhoto:LastKeywordXMP", "Animals/Birds/Kingfisher"),
        array("mediapro:CatalogSets", "Animals|Birds|Kingfisher"),
        array("dc:subject", "Kingfisher") + array("lr:hierarchicalSubject", "Animals|Birds|Kingfisher"),
    ],
    ids=["lightroom", "digikam", "microsoft", "mediapro", "beside"],
)
def test_the_leaf_of_a_hierarchy_is_a_keyword_and_its_path_is_words(inside: str) -> None:
    """Whatever program keeps the hierarchy, and whether or not the flat list has the leaf."""
    assert (said(inside).keywords, said(inside).words) == (("Kingfisher",), ("Animals|Birds|Kingfisher",))


def place(name: str, **steps: str) -> str:
    """A place of IPTC's extension."""
    inside = "".join(f"<Iptc4xmpExt:{step}>{text}</Iptc4xmpExt:{step}>" for step, text in steps.items())
    item = f"<rdf:li rdf:parseType='Resource'>{inside}</rdf:li>"
    return array(f"Iptc4xmpExt:{name}", item)


def test_places_created_and_shown() -> None:
    """Where the camera stood is the place; what was to be seen from there is words, and the place if there is none."""
    created = place("LocationCreated", City="Annecy", CountryName="France")
    shown = place("LocationShown", Sublocation="Mont Blanc", CountryName="Italy")
    assert (said(created + shown).place, said(created + shown).words) == ("Annecy, France", ("Mont Blanc, Italy",))
    assert said(shown).place == "Mont Blanc, Italy"
    assert said("<photoshop:City>Lyon</photoshop:City>" + created).place == "Lyon"


def test_text_for_those_who_cannot_see() -> None:
    """It is the caption where there is none, else words."""
    alternative = array("Iptc4xmpCore:AltTextAccessibility", "<rdf:li xml:lang='x-default'>A cat</rdf:li>", kind="Alt")
    assert said(alternative).caption == "A cat"
    both = said(alternative + array("dc:description", "<rdf:li xml:lang='x-default'>Minka</rdf:li>", kind="Alt"))
    assert (both.caption, both.words) == ("Minka", ("A cat",))


@pytest.mark.parametrize(("percent", "stars"), [("1", 1), ("25", 2), ("50", 3), ("75", 4), ("99", 5), ("0", None)])
def test_microsoft_rates_in_percent(percent: str, stars: int | None) -> None:
    """In XMP and in EXIF; stars count more where there are any."""
    assert said(attributes=f"MicrosoftPhoto:Rating='{percent}'").rating == stars
    assert said(attributes=f"MicrosoftPhoto:Rating='{percent}' xmp:Rating='3'").rating == 3
    tagged = hostile.exif_segment(hostile.exif_tags({0x4749: int(percent)}))
    assert facts(with_segments(JPEG, tagged)).rating == stars


@pytest.mark.parametrize(
    ("written", "latitude"),
    [
        ("exif:GPSLatitude='-33.8586' exif:GPSLongitude='151.2'", -33.8586),
        ("exif:GPSLatitude='33.8586' exif:GPSLatitudeRef='S' exif:GPSLongitude='151.2'", -33.8586),
        ("exif:GPSLatitude='33,51.516S' exif:GPSLongitude='151,12.0E'", -33.8586),
        ("exif:GPSLatitude='133.8' exif:GPSLongitude='151.2'", None),
    ],
)
def test_positions_in_decimals(written: str, latitude: float | None) -> None:
    """As some programs write them, signed or with the side apart."""
    assert said(attributes=written).latitude == latitude


def test_a_sidecar_speaks_only_for_the_file_it_belongs_to(tmp_path: Path) -> None:
    """One that names an extension, and one that is named for another file that is there."""
    (tmp_path / "a.xmp").write_bytes(packet(array("dc:subject", "mine"), "photoshop:SidecarForExtension='JPG'"))
    assert read_facts(tmp_path / "a.jpeg", JPEG).keywords == ("mine",)
    assert read_facts(tmp_path / "a.png", JPEG).keywords == ()
    assert read_facts(tmp_path / "a.cr2", JPEG).keywords == ()
    (tmp_path / "b.png").touch()
    sidecar(tmp_path, "b.png.xmp", dc_description="of the PNG")
    assert read_facts(tmp_path / "b.png.jpg", JPEG).caption is None
    assert read_facts(tmp_path / "b.png", JPEG).caption == "of the PNG"


def test_the_newer_of_two_sidecars_counts(tmp_path: Path) -> None:
    """Two programs name them differently; the last one to save is right, and at the same moment the exact name."""
    sidecar(tmp_path, "a.jpg.xmp", dc_description="exact")
    sidecar(tmp_path, "a.xmp", dc_description="short")
    for exact, short, right in ((1, 2, "short"), (2, 1, "exact"), (1, 1, "exact")):
        os.utime(tmp_path / "a.jpg.xmp", (exact, exact))
        os.utime(tmp_path / "a.xmp", (short, short))
        assert read_facts(tmp_path / "a.jpg", JPEG).caption == right


TAKEOUT: dict[str, Any] = {
    "title": "IMG.jpg",
    "description": "Harbour at dusk",
    "photoTakenTime": {"timestamp": "1470778215", "formatted": "09.08.2016, 21:30:15 UTC"},
    "geoData": {"latitude": -33.8586, "longitude": 151.2, "altitude": 0.0},
    "people": [{"name": "Ada"}, {"name": ""}, {}],
}


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        ("IMG.jpg", "IMG.jpg.json"),
        ("IMG.jpg", "IMG.jpg.supplemental-metadata.json"),
        ("IMG.jpg", "IMG.jpg.supplemental-meta.json"),
        ("IMG.jpg", "IMG.jpg.s.json"),
        ("IMG(1).jpg", "IMG.jpg(1).json"),
        ("IMG(1).jpg", "IMG.jpg.supplemental-metadata(1).json"),
        ("IMG-edited.jpg", "IMG.jpg.json"),
        ("IMG-bearbeitet(2).jpg", "IMG.jpg(2).json"),
        ("PXL_20230821_114822123.PORTRAIT-01.COVER.jpg", "PXL_20230821_114822123.PORTRAIT-01.COVER.jpg.s.json"),
        ("A" * 47 + ".jpg", "A" * 46 + ".json"),
        ("A" * 44 + ".jpg", "A" * 44 + ".j.json"),
        ("IMG.HEIC", "IMG.HEIC.supplemental-metadata.json"),
    ],
)
def test_what_google_takeout_says_is_read(tmp_path: Path, picture: str, beside: str) -> None:
    """Under all names that Google gives; the crawl knows of the same file as the reader."""
    (tmp_path / picture).write_bytes(JPEG)
    (tmp_path / beside).write_text(json.dumps(TAKEOUT))
    found = read_facts(tmp_path / picture, now=NOW)
    assert (found.caption, found.people) == ("Harbour at dusk", ("Ada",))
    assert (found.latitude, found.longitude) == (-33.8586, 151.2)
    assert (found.taken_at, found.taken_source) == ("2016-08-09T21:30:15", "Takeout photoTakenTime (UTC)")
    listed = {os.fsdecode(file.path).rpartition("/")[2]: file for file in walked(tmp_path)[0].files}
    assert listed[picture].sidecar_mtime_ns == (tmp_path / beside).stat().st_mtime_ns


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        ("IMG.jpg", "IMG.jpg(1).json"),
        ("IMG(1).jpg", "IMG.jpg.json"),
        ("IMG.jpg", "IMG.json"),
        ("IMG.jpg", "IMG.jpg.x.json"),
    ],
)
def test_the_json_of_another_picture_is_not_read(tmp_path: Path, picture: str, beside: str) -> None:
    """A number counts."""
    (tmp_path / beside).write_text(json.dumps(TAKEOUT))
    assert read_facts(tmp_path / picture, JPEG, now=NOW) == Facts()


def test_a_file_knows_its_time_better_than_google(tmp_path: Path) -> None:
    """Google keeps no zone; the camera's own clock, words in XMP sidecars and its GPS come first."""
    (tmp_path / "IMG.jpg.json").write_text(json.dumps(TAKEOUT))
    sidecar(tmp_path, "IMG.jpg.xmp", dc_description="Mine")
    exif = hostile.exif_tags(
        {}, {0x9003: "2016:08:09 23:30:15"}, {1: "N", 2: (1.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}
    )
    found = read_facts(tmp_path / "IMG.jpg", with_segments(JPEG, hostile.exif_segment(exif)), now=NOW)
    assert (found.caption, found.taken_at, found.latitude) == ("Mine", "2016-08-09T23:30:15", 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b"null",
        b'{"title": 1}',
        b"[" * 100_000,
        b'{"title": "x", "photoTakenTime": 3}',
        b"\xff\xfe\0",
    ]
    + [
        json.dumps({**TAKEOUT, **odd}).encode() for odd in ({"photoTakenTime": {"timestamp": "9" * 30}, "geoData": []},)
    ],
)
def test_other_json_says_nothing_false(tmp_path: Path, content: bytes) -> None:
    """Any JSON may lie beside a picture, and any bytes."""
    (tmp_path / "IMG.jpg.json").write_bytes(content)
    assert read_facts(tmp_path / "IMG.jpg", JPEG, now=NOW).taken_at is None


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_picture_and_its_json_have_one_key(name: str) -> None:
    """Whatever name is asked for beside a picture is taken for its own when a folder is listed."""
    picture = name.encode()
    keys = [key_of_json(each.removesuffix(b".json")) for each in json_names(picture)]
    assert keys.count(key_of_picture(picture)) >= len(keys) - 1


@pytest.mark.parametrize(
    ("path", "taken", "source"),
    [
        ("x/IMG-20210304-WA0012.jpg", "2021-03-04", "file name (day)"),
        ("x/PXL_20210304_101112345.jpg", "2021-03-04T10:11:12", "file name (UTC)"),
        ("x/20210304_101112.jpg", "2021-03-04T10:11:12", "file name"),
        ("x/IMG_20210304_101112_HDR.jpg", "2021-03-04T10:11:12", "file name"),
        ("x/Screenshot 2022-01-14.png", "2022-01-14", "file name (day)"),
        ("x/Screenshot_20220114-101112_Maps.png", "2022-01-14T10:11:12", "file name"),
        ("x/Screen Shot 2022-01-14 at 9.05.01 PM.png", "2022-01-14T21:05:01", "file name"),
        ("x/Bildschirmfoto 2022-01-14 um 10.11.12.png", "2022-01-14T10:11:12", "file name"),
        ("x/WhatsApp Image 2022-01-14 at 10.11.12.jpeg", "2022-01-14T10:11:12", "file name"),
        ("x/signal-2022-01-14-101112.jpg", "2022-01-14T10:11:12", "file name"),
        ("x/photo_2022-01-14_10-11-12.jpg", "2022-01-14T10:11:12", "file name"),
        ("x/2022-01-14 10.11.12.jpg", "2022-01-14T10:11:12", "file name"),
        ("x/VID_20220230_101112.jpg", None, None),
        ("x/IMG_20990101_101112.jpg", None, None),
        ("x/12345678901234.jpg", None, None),
        ("x/DSC_1234.jpg", None, None),
        ("2011-08-09 Trip/a.jpg", "2011-08-09", "folder name (day)"),
        ("Trip 2011-08-09/sub/a.jpg", "2011-08-09", "folder name (day)"),
        ("20110809/a.jpg", "2011-08-09", "folder name (day)"),
        ("2011-08/a.jpg", "2011-08", "folder name (month)"),
        ("2011/a.jpg", "2011", "folder name (year)"),
        ("2011 Spain/a.jpg", "2011", "folder name (year)"),
        ("2011/08/a.jpg", "2011-08", "folder name (month)"),
        ("2011/08 August/a.jpg", "2011-08", "folder name (month)"),
        ("2011/08/09/a.jpg", "2011-08-09", "folder name (day)"),
        ("1920/a.jpg", None, None),
        ("1920x1080/a.jpg", None, None),
        ("val2014/a.jpg", None, None),
        ("2011/a/b/c/a.jpg", None, None),
    ],
)
def test_a_name_tells_when_a_picture_was_taken_as_a_last_resort(
    path: str, taken: str | None, source: str | None
) -> None:
    """As a last resort: the source says so, and how coarse it is; a year is a year."""
    found = read_facts(Path("/nowhere") / path, JPEG, now=NOW)
    assert (found.taken or None, found.taken_source) == (taken, source)


def test_an_object_is_named_by_its_address() -> None:
    """Fetched to a place of another name, it still lies in its folder."""
    found = read_facts(Path("/nowhere/x.jpg"), JPEG, now=NOW, named=PurePath("s3://bucket/2011/08/a.jpg"))
    assert (found.taken, found.taken_source) == ("2011-08", "folder name (month)")


def test_any_field_in_a_file_counts_more_than_its_name() -> None:
    """Even the least of them."""
    exif = hostile.exif_segment(hostile.exif_tags({0x132: "2003:04:05 06:07:08"}))
    found = read_facts(Path("/nowhere/IMG_20210304_101112.jpg"), with_segments(JPEG, exif), now=NOW)
    assert (found.taken_at, found.taken_source) == ("2003-04-05T06:07:08", "EXIF DateTime")
