"""Telling pictures from everything else, by content first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.media.sniff import HEAD_BYTES, Kind, sniff
from tests.support import hostile


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind.JPEG),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind.PNG),
        (b"GIF89a", Kind.GIF),
        (b"RIFF\x10\0\0\0WEBPVP8 ", Kind.WEBP),
        (b"II*\0\x08\0\0\0", Kind.TIFF),
        (b"MM\0*\0\0\0\x08", Kind.TIFF),
        (b"II+\0\x08\0\0\0", Kind.TIFF),
        (b"BM" + bytes(12) + b"\x28\0\0\0", Kind.BMP),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", Kind.AVIF),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", Kind.AVIF),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind.HEIC),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", Kind.RAW),
        (b"II*\0\x10\0\0\0CR\x02\0", Kind.RAW),
        (b"FUJIFILMCCD-RAW 0201", Kind.RAW),
        (b"IIU\0\x08\0\0\0", Kind.RAW),
        (b"\0\0\0\x0cJXL \r\n\x87\n", Kind.JXL),
        (b"\0\0\0\x0cjP  \r\n\x87\n", Kind.JP2),
    ],
)
def test_content_decides(head: bytes, kind: Kind) -> None:
    """The first bytes name the kind, whatever the file is called."""
    assert sniff(head, b"notes.txt") is kind


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"BMW prices of 1998 and other stories", b"notes"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"film.mov"),
        (b"RIFF\x10\0\0\0WAVEfmt ", b"sound.wav"),
        (b"%PDF-1.7", b"paper.pdf"),
        (b"", b"empty"),
        (b"\xff\x0a", b"two-bytes"),
        (b"text", b".jpg"),
        (b"text", b"jpg"),
    ],
)
def test_what_is_no_picture_is_ignored(head: bytes, name: bytes) -> None:
    """Neither content nor extension says picture."""
    assert sniff(head, name) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [(b"a.JPG", Kind.JPEG), (b"b.Heic", Kind.HEIC), (b"c.nef", Kind.RAW), (b"\xff\xfe.png", Kind.PNG)],
)
def test_an_extension_speaks_where_content_is_silent(name: bytes, kind: Kind) -> None:
    """A broken download is still seen as the picture that it was to be."""
    assert sniff(b"", name) is kind
    assert sniff(bytes(HEAD_BYTES), name) is kind


def test_a_raw_file_is_told_from_a_scan_by_its_name() -> None:
    """RAW files of most makers begin as TIFFs; a JPEG with a RAW name stays a JPEG."""
    assert sniff(b"II*\0\x08\0\0\0", b"DSC_0001.NEF") is Kind.RAW
    assert sniff(b"II*\0\x08\0\0\0", b"scan.tif") is Kind.TIFF
    assert sniff(b"\xff\xd8\xff\xe1", b"DSC_0001.NEF") is Kind.JPEG


def test_every_unusual_picture_is_seen_by_its_content() -> None:
    """The pictures of the hostile corpus are told without their names."""
    assert [name for name, data in hostile.unusual().items() if sniff(data[:HEAD_BYTES], b"") is None] == []


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_any_bytes_and_any_name_have_an_answer(head: bytes, name: bytes) -> None:
    """Sniffing never raises, and is a kind or nothing."""
    assert sniff(head, name) in (None, *Kind)
