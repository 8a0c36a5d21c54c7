"""Facts are read anew, and nothing else is done, when the reader of facts has learned more since."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer import Library
from indexer.crawl.inspect import Examiner, WorkOptions
from indexer.crawl.listing import Found
from indexer.media.versions import FACTS_READER
from search import Index
from tests.support import hostile


def photo(number: int) -> bytes:
    """A small photo with a caption of its own."""
    image = hostile.scene((64 + number, 48))
    return hostile.with_segments(
        hostile.saved(image, "JPEG"), hostile.exif_segment(hostile.exif_tags({0x10E: f"caption {number}"}))
    )


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Two photos, described by what their pixels say."""
    (tmp_path / "photos").mkdir()
    for number in (1, 2):
        (tmp_path / f"photos/{number}.jpg").write_bytes(photo(number))
    with Library.open(tmp_path / "library") as opened:
        index(opened, tmp_path)
        yield opened


def index(library: Library, home: Path) -> Any:
    """Run over the photos."""
    return library.index([home / "photos"], provider="local", workers=0, approve=True)


def as_read_before(home: Path, version: int) -> None:
    """Make the ledger one whose facts an older reader read, which saw nothing in them."""
    with sqlite3.connect(home / "library/ledger.sqlite3") as connection:
        connection.execute("UPDATE files SET facts_reader = ?, facts = json_set(facts, '$.caption', NULL)", (version,))


def captions(home: Path) -> list[str]:
    """The captions in the table."""
    return sorted(row["caption"] for row in Index.open(home / "library").to_arrow(["caption"]).to_pylist())


def test_facts_of_unchanged_files_are_read_anew_by_a_better_reader(library: Library, tmp_path: Path) -> None:
    """Their rows follow; the files count as unchanged, and nothing is asked of anybody."""
    as_read_before(tmp_path, FACTS_READER - 1)
    report = index(library, tmp_path)
    assert captions(tmp_path) == ["caption 1", "caption 2"]
    assert (report.files.unchanged, report.files.changed, report.files.new) == (2, 0, 0)
    assert report.requests.submitted == 0


def test_the_same_reader_reads_nothing_twice(library: Library, tmp_path: Path) -> None:
    """What today's reader saw stands, whatever it was."""
    as_read_before(tmp_path, FACTS_READER)
    index(library, tmp_path)
    with sqlite3.connect(tmp_path / "library/ledger.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM files WHERE facts ->> '$.caption' IS NULL").fetchone() == (2,)


def test_a_file_that_cannot_be_read_now_keeps_its_facts(tmp_path: Path) -> None:
    """Nothing is told of it, so nothing is kept, and the next run tries again."""
    gone = Found(os.fsencode(tmp_path / "gone.jpg"), 1, 1, known=True)
    assert Examiner(WorkOptions(workers=0))(gone).facts is None
