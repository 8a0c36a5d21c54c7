"""What a crawl compares files with: of most the ledger says only how they looked, of others what is special."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.domain.answer import Failure, Reason
from indexer.domain.photo import Facts, Rendition
from indexer.ledger.photos import files
from indexer.ledger.photos.files import Sighting, Stat
from indexer.ledger.photos.known import Known, failed_for, known_in
from indexer.ledger.store import Ledger

READER = 7
PATH = b"/photos/a.jpg"
STAT = Stat(1000, 1, 2, 3, "pictures 2")
PHOTO = Sighting(
    path=PATH,
    folder=b"/photos",
    stat=STAT,
    picture=True,
    sha256="0" * 64,
    facts=Facts(),
    photo=None,
    rendition=Rendition("1" * 64, "0" * 16, 40, 30, "jpeg", b""),
    failure=None,
    facts_reader=READER,
)
BROKEN = replace(PHOTO, rendition=None, facts=None, failure=Failure(Reason.UNREADABLE, "it is cut off"))
NO_PICTURE = replace(PHOTO, picture=False, rendition=None, facts=None)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    held = Ledger.open(tmp_path)
    yield held
    held.close()


def known(ledger: Ledger, reader: int = READER) -> Known:
    """What is known of the one file."""
    return known_in(ledger, b"/photos", reader)[PATH]


def told(one: Known) -> tuple[str, str | None, str, bool, bool]:
    """What a crawl asks of a file beside how it looked."""
    return one.state, one.reason, one.grounds, one.outdated, one.photo_read


@pytest.mark.parametrize(
    ("seen", "reader", "expected"),
    [
        pytest.param(PHOTO, READER, ("present", None, "", False, True), id="a photo at hand"),
        pytest.param(PHOTO, READER + 1, ("present", None, "pictures 2", True, True), id="read by an older reader"),
        pytest.param(BROKEN, READER, ("present", "unreadable", "pictures 2", False, False), id="a broken file"),
        pytest.param(BROKEN, READER + 1, ("present", "unreadable", "pictures 2", False, False), id="broken, read anew"),
        pytest.param(NO_PICTURE, READER, ("present", None, "pictures 2", False, False), id="no picture"),
    ],
)
def test_what_is_special_about_a_file_is_told(
    ledger: Ledger, seen: Sighting, reader: int, expected: tuple[object, ...]
) -> None:
    """Only a photo at hand has nothing to be said of; how the file looked is told of every one."""
    files.record_sightings(ledger, 1, [seen], 1)
    one = known(ledger, reader)
    assert told(one) == expected
    assert one[:5] == (PATH, *STAT[:4])
    assert bool(one.special) == (expected != ("present", None, "", False, True))


@pytest.mark.parametrize("state", ["offline", "gone"])
def test_a_file_that_is_not_there_keeps_its_photo(ledger: Ledger, state: str) -> None:
    """It is not a photo at hand, so that coming back is noticed."""
    files.record_sightings(ledger, 1, [PHOTO], 1)
    files.record_states(ledger, 2, [PATH], state, state)
    one = known(ledger)
    assert (one.state, one.photo_read, bool(one.special)) == (state, True, True)


def test_a_photo_that_broke_since_keeps_its_photo_and_tells_its_reason(ledger: Ledger) -> None:
    """The photo is known, but is not what lies there now."""
    files.record_sightings(ledger, 1, [PHOTO], 1)
    files.record_sightings(ledger, 2, [BROKEN], 1)
    one = known(ledger)
    assert (bool(one.photo), one.reason, one.photo_read) == (True, "unreadable", False)


def test_only_files_that_failed_so_are_looked_at_again(ledger: Ledger) -> None:
    """By their path, and none that is gone."""
    gone = replace(BROKEN, path=b"/photos/b.jpg")
    files.record_sightings(ledger, 1, [BROKEN, gone, replace(PHOTO, path=b"/photos/c.jpg")], 1)
    files.record_states(ledger, 2, [gone.path], "gone", "gone")
    assert list(failed_for(ledger, [str(Reason.UNREADABLE)])) == [PATH]
    assert failed_for(ledger, [str(Reason.UNSUPPORTED)]) == {}
