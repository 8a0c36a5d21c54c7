"""Agreement with exiftool, an independent reader, about files made here: each field and carrier, both byte orders."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.photo import Facts
from indexer.media.metadata import read_facts
from tests.media.test_carriers import CANON_BOX, CR3, IPTC_BOX, XMP_BOX, box, document, gif, hexadecimal, uuid
from tests.media.test_metadata import IIM, JPEG, NOW, array, packet
from tests.media.test_sidecars import MICROSOFT, SPACES, region, regions
from tests.support import hostile
from tests.support.hostile import resource, saved, scene, text_chunk, with_chunks, with_segments

Tags = Mapping[int, str | int | bytes | tuple[Fraction, ...]]


def tiff(order: str, main: Tags, *below: tuple[int, Tags], wide: bool = False) -> bytes:
    """A TIFF structure with directories below its main one, in either byte order; `wide` as BigTIFF has it."""
    mark = b"II" if order == "<" else b"MM"
    start = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if wide else struct.pack(f"{order}HI", 42, 8)
    body = bytearray(mark + start)
    at, room = len(body), _room(len(main) + len(below), wide=wide)
    body += bytes(room)
    places = {pointer: _directory(body, order, tags, wide=wide) for pointer, tags in below}
    body[at : at + room] = _entries(body, order, {**main, **places}, wide=wide)
    return bytes(body)


def _room(tags: int, *, wide: bool) -> int:
    return 8 + 20 * tags + 8 if wide else 2 + 12 * tags + 4


def _directory(body: bytearray, order: str, tags: Tags, *, wide: bool) -> int:
    at, room = len(body), _room(len(tags), wide=wide)
    body += bytes(room)
    body[at : at + room] = _entries(body, order, tags, wide=wide)
    return at


def _entries(body: bytearray, order: str, tags: Tags, *, wide: bool) -> bytes:
    number, width = ("Q", 8) if wide else ("I", 4)
    out = struct.pack(f"{order}{'Q' if wide else 'H'}", len(tags))
    for tag in sorted(tags):
        kind, count, value = _value(order, tag, tags[tag])
        if len(value) > width:
            place, value = struct.pack(f"{order}{number}", len(body)), value + bytes(len(value) % 2)
            body += value
            value = place
        out += struct.pack(f"{order}HH{number}", tag, kind, count) + value.ljust(width, b"\0")
    return out + bytes(width)


def _value(order: str, tag: int, value: str | int | bytes | tuple[Fraction, ...]) -> tuple[int, int, bytes]:
    if isinstance(value, str):
        raw = value.encode() + b"\0"
        return 2, len(raw), raw
    if isinstance(value, int):
        wide = tag in (0x8769, 0x8825)
        return 4 if wide else 3, 1, struct.pack(f"{order}{'I' if wide else 'H'}", value)
    if isinstance(value, bytes):
        return (1 if tag >= 0x9C9B else 7), len(value), value
    numbers = [part for each in value for part in (each.numerator, each.denominator)]
    return 5, len(value), struct.pack(f"{order}{len(numbers)}I", *numbers)


def degrees(*parts: float) -> tuple[Fraction, ...]:
    """Degrees, minutes, seconds."""
    return tuple(Fraction(str(part)) for part in parts)


MAIN: Tags = {
    0x10E: "A harbour at dusk",
    0x10F: "Canon",
    0x110: "Canon EOS 5D Mark IV",
    0x132: "2020:02:02 02:02:02",
    0x4746: 4,
    0x9C9E: "Hafen;犬;Zürich".encode("utf-16-le") + b"\0\0",
}
SHOT: Tags = {0x9003: "2016:08:09 21:30:15", 0x9004: "2016:08:10 00:00:00", 0xA434: "EF24-70mm f/2.8L II USM"}
GPS: Tags = {1: "S", 2: degrees(33, 51, 31.2), 3: "W", 4: degrees(70, 30, 0)}
WORDS = packet(
    array("dc:subject", "dogs", "Fenster", "犬")
    + array("dc:description", "<rdf:li xml:lang='x-default'>Two dogs at a window.</rdf:li>", kind="Alt")
    + array("Iptc4xmpExt:PersonInImage", "Ada Byron", "Bob"),
    f"{SPACES} xmp:Rating='4' exif:DateTimeOriginal='2015-07-04T08:09:10' exif:GPSLatitude='33,51.52S'"
    " exif:GPSLongitude='70,30.0W' tiff:Make='NIKON' tiff:Model='NIKON D850' aux:Lens='24-70mm f/2.8'",
)
SINGLE = {
    "digitized": packet(attributes="xmp:CreateDate='2015-07-04T08:09:10'"),
    "created": packet(attributes="photoshop:DateCreated='2015-07-04T08:09:10'"),
    "decimals": packet(attributes="exif:GPSLatitude='33,51,31N' exif:GPSLongitude='70.5E'"),
    "microsoft": packet(MICROSOFT, f"{SPACES} MicrosoftPhoto:Rating='75'"),
    "regions": packet(regions(region(Name="Ada", Type="Face"), region(Name="Bob", Type="Face")), SPACES),
    "hierarchy": packet(array("lr:hierarchicalSubject", "Animals|Birds|Kingfisher"), SPACES),
    "digikam": packet(array("digiKam:TagsList", "Animals/Birds/Kingfisher", kind="Seq"), SPACES),
    "windows": packet(array("MicrosoftPhoto:LastKeywordXMP", "Animals/Birds/Kingfisher"), SPACES),
    "mediapro": packet(array("mediapro:CatalogSets", "Animals|Birds|Kingfisher"), SPACES),
    "faces": packet(MICROSOFT, SPACES),
    "signed": packet(attributes="exif:GPSLatitude='-33.5' exif:GPSLongitude='70.25'"),
    "lens": packet(attributes="xmlns:exifEX='http://cipa.jp/exif/1.0/' exifEX:LensModel='50mm f/1.8'"),
    "rejected": packet(attributes="xmp:Rating='-1'"),
}
JXL = b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ")
TREES = {
    "lr:HierarchicalSubject": "|",
    "digiKam:TagsList": "/",
    "microsoft:LastKeywordXMP": "/",
    "mediapro:CatalogSets": "|",
}
KINDS = {"webp": "WEBP", "avif": "AVIF", "heic": "HEIF"}


def photoshop(resources: bytes) -> bytes:
    """The segment of a JPEG in which Photoshop keeps its resources."""
    return hostile.segment(0xED, b"Photoshop 3.0\0" + resources)


def corpus() -> dict[str, bytes]:
    """Files by name."""
    png, jp2 = saved(scene(), "PNG"), saved(scene(), "JPEG2000")
    found: dict[str, bytes] = {}
    for name, order in (("little", "<"), ("big", ">")):
        below = (0x8769, SHOT), (0x8825, GPS)
        block = tiff(order, MAIN, *below)
        found |= {f"exif-{name}.{end}": saved(scene(), kind, exif=b"Exif\0\0" + block) for end, kind in KINDS.items()}
        found[f"exif-{name}.jpg"] = with_segments(JPEG, hostile.exif_segment(block))
        found[f"exif-{name}.png"] = with_chunks(png, hostile.chunk(b"eXIf", block))
        found[f"exif-{name}-profile.png"] = hexadecimal("exif", b"Exif\0\0" + block)
        found[f"exif-{name}.tif"] = block
        found[f"exif-{name}.jp2"] = jp2 + box(b"uuid", b"JpgTiffExif->JP2" + block)
        found[f"exif-{name}.psd"] = document(resource(0x0422, block))
        plain = {tag: value for tag, value in MAIN.items() if tag != 0x9C9E}
        # exiftool reads Windows' words and further directories of a BigTIFF wrong.
        found[f"exif-{name}-wide.tif"] = tiff(order, plain, wide=True)
        found[f"exif-{name}.nef"] = block
        found[f"exif-{name}-bare.png"] = hexadecimal("exif", block)
        found[f"exif-{name}-resource.jpg"] = with_segments(JPEG, photoshop(resource(0x0422, block)))
        found[f"exif-{name}.jxl"] = JXL + box(b"Exif", bytes(4) + block)
        apart = [(1, MAIN), (2, SHOT), (4, GPS)]
        canon = b"".join(box(b"CMT%d" % number, tiff(order, tags)) for number, tags in apart)
        found[f"exif-{name}.cr3"] = CR3 + box(b"moov", uuid(CANON_BOX, canon))
    found |= {f"xmp.{end}": saved(scene(), kind, xmp=WORDS) for end, kind in KINDS.items()}
    found["xmp.jpg"] = with_segments(JPEG, hostile.xmp_segment(WORDS))
    found["xmp.png"] = with_chunks(png, text_chunk("XML:com.adobe.xmp", WORDS.decode()))
    found["xmp.gif"] = gif(b"\x21\xff\x0bXMP DataXMP" + WORDS + b"\1" + bytes(range(255, -1, -1)) + b"\0")
    found["xmp.jp2"] = jp2 + uuid(XMP_BOX, WORDS)
    found["xmp.psd"] = document(resource(0x0424, WORDS))
    found["xmp.tif"] = saved(scene(), "TIFF", tiffinfo={700: WORDS})
    found["xmp-profile.png"] = hexadecimal("xmp", WORDS)
    found["xmp.jxl"] = JXL + box(b"xml ", WORDS)
    found["xmp.cr3"] = CR3 + uuid(XMP_BOX, WORDS)
    found["xmp-utf-16.jpg"] = with_segments(JPEG, hostile.xmp_segment(WORDS.decode().encode("utf-16")))
    found["sidecar.jpg.xmp"], found["sidecar-utf-16.jpg.xmp"] = WORDS, WORDS.decode().encode("utf-16")
    found |= {f"xmp-{name}.jpg": with_segments(JPEG, hostile.xmp_segment(single)) for name, single in SINGLE.items()}
    found["iptc.jpg"] = with_segments(JPEG, hostile.iptc_segment(IIM))
    found["iptc.tif"] = saved(scene(), "TIFF", tiffinfo={33723: IIM})
    found["iptc.jp2"] = jp2 + uuid(IPTC_BOX, IIM)
    found["iptc-profile.png"] = hexadecimal("iptc", resource(0x0404, IIM), "IPTC profile")
    found["iptc-resources.png"] = hexadecimal("8bim", resource(0x0404, IIM))
    found["iptc.psd"] = document(resource(0x0404, IIM))
    found["comment.jpg"] = with_segments(JPEG, hostile.segment(0xFE, "Grüße".encode()))
    found["comment.gif"] = gif(b"\x21\xfe\x06Gr\xc3\xbcn!\0")
    found["comment.png"] = hostile.png_texts(Comment="Gruen", Creation_Time="2012:03:04 05:06:07")
    return found


CORPUS = corpus()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What exiftool says of each file, asked once for all."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed: apt-get install libimage-exiftool-perl")
    folder = tmp_path_factory.mktemp("corpus")
    for name, content in CORPUS.items():
        (folder / name).write_bytes(content)
    done = subprocess.run(
        [program, "-json", "-G1", "-struct", "-n", "-a", folder], capture_output=True, text=True, check=False
    )
    return {Path(record["SourceFile"]).name: record for record in json.loads(done.stdout)}


def first(record: Mapping[str, Any], *names: str) -> Any:
    """The first of some tags that a record has, whatever group number stands behind."""
    return next((record[name] for name in names if record.get(name) not in (None, "", 0)), None)


def listed(value: Any) -> tuple[str, ...]:
    """A list, which exiftool writes as a single text where it has one item."""
    return tuple(map(str, value)) if isinstance(value, list) else () if value is None else (str(value),)


def date(record: Mapping[str, Any]) -> str | None:
    """The time a picture was taken, from the fields that we read, in our order."""
    agency = " ".join(filter(None, (record.get("IPTC:DateCreated"), record.get("IPTC:TimeCreated"))))
    told = first(record, "ExifIFD:DateTimeOriginal", "XMP-exif:DateTimeOriginal", "XMP-photoshop:DateCreated")
    told = (
        told
        or agency
        or first(record, "ExifIFD:CreateDate", "XMP-xmp:CreateDate", "IFD0:ModifyDate", "PNG:CreationTime")
    )
    return str(told)[:19].replace(":", "-", 2).replace(" ", "T") if told else None


def stars(record: Mapping[str, Any]) -> int | None:
    """The rating; Microsoft's in stars."""
    percent = {1: 1, 25: 2, 50: 3, 75: 4, 99: 5}.get(record.get("XMP-microsoft:RatingPercent", 0))
    rating = first(record, "XMP-xmp:Rating", "IFD0:Rating")
    return int(rating) if rating else percent


def people(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Names from regions and lists."""
    mwg = (record.get("XMP-mwg-rs:RegionInfo") or {}).get("RegionList", [])
    microsoft = (record.get("XMP-MP:RegionInfoMP") or {}).get("Regions", [])
    names = [face.get("Name") for face in mwg] + [face.get("PersonDisplayName") for face in microsoft]
    return (*filter(None, names), *listed(record.get("XMP-iptcExt:PersonInImage")))


def keywords(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Keywords, and the leaves of hierarchies."""
    flat = first(record, "XMP-dc:Subject", "IPTC:Keywords")
    windows = record.get("IFD0:XPKeywords")
    leaves = [text.rpartition(sign)[2] for name, sign in TREES.items() for text in listed(record.get(f"XMP-{name}"))]
    return (*listed(flat), *leaves) or tuple(windows.split(";") if windows else ())


def caption(record: Mapping[str, Any]) -> str | None:
    """What a person wrote below the picture."""
    told = first(record, "XMP-dc:Description", "IPTC:Caption-Abstract", "IFD0:ImageDescription")
    if isinstance(told, dict):
        told = next(iter(told.values()))
    return told or first(record, "File:Comment", "GIF:Comment", "PNG:Comment")


def near(theirs: float | None, ours: float | None) -> bool:
    """Whether two coordinates are one, to a metre."""
    return theirs == ours if theirs is None or ours is None else abs(theirs - ours) < 1e-5


@pytest.mark.parametrize("name", CORPUS)
def test_it_reads_what_we_read(name: str, theirs: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    """Date, position, camera, lens, keywords, caption, people and rating are the same."""
    record, picture, content = theirs[name], tmp_path / name, CORPUS[name]
    if name.endswith(".xmp"):
        picture.write_bytes(content)
        picture, content = picture.with_suffix(""), JPEG
    found = read_facts(picture, content, now=NOW)
    assert found != Facts(), "each file says something"
    assert (found.taken_at, found.caption, found.rating) == (date(record), caption(record), stars(record))
    assert (found.keywords, found.people) == (keywords(record), people(record))
    assert found.lens == first(record, "ExifIFD:LensModel", "XMP-exifEX:LensModel", "XMP-aux:Lens")
    assert found.camera == first(record, "IFD0:Model", "XMP-tiff:Model")
    latitude, longitude = (
        first(record, f"Composite:GPS{side}", f"XMP-exif:GPS{side}") for side in ("Latitude", "Longitude")
    )
    assert near(latitude, found.latitude), (latitude, found.latitude)
    assert near(longitude, found.longitude), (longitude, found.longitude)
