"""What files say of themselves, from a run to the search: people, stars, dates no finer than they are, Takeout."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from indexer import Library
from indexer.domain.photo import Facts
from indexer.domain.prompts import fill, given_facts, read_given
from search import Index
from tests.fakes.gemini import Emulator
from tests.media.test_metadata import array, packet
from tests.media.test_sidecars import SPACES, TAKEOUT
from tests.support.commands import search
from tests.support.hostile import saved, scene
from tests.support.virtual import opened


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos and the library that describes them by their pixels."""
    home = tmp_path_factory.mktemp("said")
    told = {
        "ada.jpg": array("Iptc4xmpExt:PersonInImage", "Ada Byrön", "Bob") + "<xmp:Rating>4</xmp:Rating>",
        "joanna.jpg": array("Iptc4xmpExt:PersonInImage", "Joanna") + "<xmp:Rating>5</xmp:Rating>",
        "bird.jpg": array("lr:hierarchicalSubject", "Fauna|Birds|Kingfisher") + "<xmp:Rating>2</xmp:Rating>",
        "composed.jpg": array("dc:subject", "caf\u00e9"),
        "decomposed.jpg": array("dc:subject", "cafe\u0301"),
        "year.jpg": "<photoshop:DateCreated>2016</photoshop:DateCreated>",
        "month.jpg": "<photoshop:DateCreated>2016-08</photoshop:DateCreated>",
        "day.jpg": "<photoshop:DateCreated>2016-08-09</photoshop:DateCreated>",
    }
    for number, (name, inside) in enumerate(told.items()):
        path = home / "photos" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(saved(scene((80 + number, 64)), "JPEG"))
        path.with_name(f"{name}.xmp").write_bytes(packet(inside, SPACES))
    index(home)
    return home


def index(home: Path) -> Any:
    """Run over the photos."""
    with Library.open(home / "library") as library:
        return library.index([home / "photos"], provider="local", workers=0, approve=True)


def found(home: Path, text: str = "", **asked: Any) -> set[str]:
    """The names of the files that a search finds."""
    hits = Index.open(home / "library").search(text, limit=0, collapse="none", **asked)
    return {Path(hit.path).stem for hit in hits}


@pytest.mark.parametrize(
    ("name", "stems"),
    [
        ("ada", {"ada"}),
        ("Byron", {"ada"}),
        ("byrön ada", {"ada"}),
        ("Anna", set()),
        ("Bob", {"ada"}),
        ("Ada Bob", set()),
    ],
)
def test_a_person_is_found_by_name(home: Path, name: str, stems: set[str]) -> None:
    """By all words of it, whatever case and accents; Anna is not Joanna, and two people are not one."""
    assert found(home, person=name) == stems


def test_a_person_is_found_by_words_too(home: Path) -> None:
    """In the one box, as a word and as a filter."""
    assert "joanna" in found(home, "joanna")
    assert found(home, 'person:"ada byron"') == {"ada"}
    people = {
        row["path"]: row["people"] for row in Index.open(home / "library").to_arrow(["path", "people"]).to_pylist()
    }
    assert people[str(home / "photos/ada.jpg")] == ["Ada Byrön", "Bob"]


def test_stars_are_a_filter(home: Path) -> None:
    """So many, or more."""
    assert found(home, rating=4) == {"ada", "joanna"}
    assert found(home, rating=1) == {"ada", "joanna", "bird"}


def test_the_command_line_knows_both(home: Path) -> None:
    """With what may have been meant where nobody is named so."""
    done = search("--library", str(home / "library"), "--person", "ada", "--rating", "4", "-l")
    assert (done.code, Path(done.out.strip()).name) == (0, "ada.jpg")
    done = search("--library", str(home / "library"), "--person", "joana", "-l")
    assert done.code == 1
    assert "Joanna" in done.err


def test_the_path_of_a_keyword_is_searched_and_its_leaf_is_a_tag(home: Path) -> None:
    """A filter by tag knows the leaf alone."""
    assert Path(Index.open(home / "library").search("fauna")[0].path).stem == "bird"
    assert found(home, tags=["kingfisher"]) == {"bird"}
    assert found(home, tags=["fauna"]) == set()


@pytest.mark.parametrize("tag", ["caf\u00e9", "cafe\u0301", "CAFE\u0301"])
def test_a_tag_is_one_in_whatever_unicode_form(home: Path, tag: str) -> None:
    """Systems write an accent with its letter or behind it."""
    assert found(home, tags=[tag]) == {"composed", "decomposed"}


def test_a_date_is_shown_no_finer_than_it_is_known(home: Path) -> None:
    """A year is a year, in hits and in filters: what may have been later is not before."""
    hits = Index.open(home / "library").search(since="2016", until="2016", limit=0)
    assert {Path(hit.path).stem: hit.taken_at for hit in hits} == {
        "year": "2016",
        "month": "2016-08",
        "day": "2016-08-09",
    }
    assert found(home, until="2016-08") == {"month", "day"}
    assert found(home, until="2016-08-09") == {"day"}
    assert found(home, since="2016-08") == {"month", "day"}


def test_google_takeout_may_come_later(home: Path, tmp_path: Path) -> None:
    """A JSON file laid beside a known photo is read by the next run, and is never written to."""
    shutil.copytree(home, tmp_path / "copy")
    copy = tmp_path / "copy"
    index(copy)
    beside = copy / "photos/day.jpg.supplemental-metadata.json"
    beside.write_text(json.dumps(TAKEOUT))
    before = beside.read_bytes()
    index(copy)
    rows = Index.open(copy / "library").to_arrow(["path", "caption"]).to_pylist()
    assert [row["path"] for row in rows if row["caption"] == "Harbour at dusk"] == [str(copy / "photos/day.jpg")]
    assert beside.read_bytes() == before


def test_facts_read_anew_ask_nothing_of_anybody(tmp_path: Path, emulator: Emulator) -> None:
    """An answer whose prompt was given facts stands when a better reader sees others, until they are asked for."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(saved(scene(), "JPEG"))
    (photos / "a.jpg.xmp").write_bytes(packet(array("Iptc4xmpExt:PersonInImage", "Ada"), SPACES))
    (tmp_path / "prompt.txt").write_text("Describe it. Shown: {people}, on {date}.")
    asked = {"provider": "gemini", "prompt": tmp_path / "prompt.txt", "approve": True, "workers": 0}
    with opened(tmp_path / "library", emulator) as library:
        assert library.index([photos], **asked).requests.submitted == 1
        with sqlite3.connect(tmp_path / "library/ledger.sqlite3") as ledger:
            ledger.execute("UPDATE files SET facts_reader = 0, facts = json_set(facts, '$.people', json('[]'))")
            ledger.execute("UPDATE works SET given = '{}'")
        again = library.index([photos], **asked)
        assert (again.requests.submitted, again.files.described, again.files.unchanged) == (0, 1, 1)
        assert Index.open(tmp_path / "library").search(person="ada")
        assert library.index([photos], refresh="given", **asked).requests.submitted == 1
    with sqlite3.connect(tmp_path / "library/ledger.sqlite3") as ledger:
        assert ledger.execute("SELECT given FROM works").fetchall() == [('{"people":"Ada"}',)]


def test_a_prompt_may_ask_who_is_there() -> None:
    """The fact is given like others, and a date no finer than it is known."""
    facts = Facts(people=("Ada", "Bob"), taken_at="2016-01-01T00:00:00", taken_source="folder name (year)")
    given = read_given(given_facts("{people} {date} {time}", facts, "/a.jpg"))
    assert given == {"people": "Ada, Bob", "date": "2016"}
    assert fill("Who: {people}. When: {date} {time}", "English", given) == "Who: Ada, Bob. When: 2016 unknown"
