"""What RAW files say of themselves that are no TIFFs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.media.metadata import older_raw, read_facts
from tests.support import odd


def test_a_crw_tells_its_camera_and_when_it_was_taken(tmp_path: Path) -> None:
    """Both lie in records of its heaps; the time is the camera's own."""
    path = tmp_path / "a.crw"
    path.write_bytes(odd.crw(b"\xff\xd8\xff" + bytes(100)))
    facts = read_facts(path)
    assert (facts.camera, facts.taken_at) == ("Canon EOS D60", "2002-08-22T07:06:40")


def test_an_mrw_carries_a_tiff(tmp_path: Path) -> None:
    """It is read as that of any other RAW file is."""
    found = older_raw.read(odd.mrw(b"\xff\xd8\xff" + bytes(100)))
    assert found
    assert found.exif.startswith(b"MM\0*")  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b"", b"II*\0", b"\xff\xd8\xff"])
def test_other_files_are_nothing_to_it(data: bytes) -> None:
    """Only these two."""
    assert older_raw.read(data) is None


@given(st.binary(max_size=300))
def test_broken_heaps_are_no_fault(tail: bytes) -> None:
    """Whatever stands behind the head of a CRW or MRW."""
    for head in (b"II\x1a\0\0\0HEAPCCDR", b"\0MRM"):
        older_raw.read(head + tail)
