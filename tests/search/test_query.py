"""Search finds what is meant and what is said, says no where there is nothing, and shows each picture once."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.errors import CaptionaryError, LibraryMissing, UsageError
from indexer.table.photo_table import PhotoRow, PhotoTable
from search import Hit, Index
from tests.support.libraries import make_library, photo_row

DESCRIBED = {
    "beach.jpg": ("A small child in a yellow raincoat digs in the sand of a wide beach.", ["child", "beach", "yellow"]),
    "boat.jpg": ("A red fishing boat lies at a wooden pier in calm water at dawn.", ["boat", "pier", "red"]),
    "cake.jpg": ("A birthday cake with seven burning candles on a kitchen table.", ["cake", "candles", "birthday"]),
    "climber.jpg": ("A climber in a blue helmet hangs from a steep grey rock wall.", ["climbing", "rock", "helmet"]),
    "market.jpg": ("Two women sell oranges and lemons at a crowded street market.", ["market", "fruit", "women"]),
    "train.jpg": ("A green locomotive pulls old carriages over a stone bridge.", ["train", "bridge", "steam"]),
    "puppies.jpg": ("Three brown puppies sleep in a basket near a fireplace.", ["dog", "puppy", "basket"]),
    "skier.jpg": ("A skier in a red jacket jumps over a snow ridge under a clear sky.", ["skiing", "snow", "red"]),
}


def described() -> list[PhotoRow]:
    """The described photos, each taken in a year of its own."""
    return [
        photo_row(f"/photos/{name}", text, tags, taken_at=datetime(2010 + year, 6, 1, 12), camera=f"Camera {year}")
        for year, (name, (text, tags)) in enumerate(DESCRIBED.items())
    ]


BARE = [
    photo_row("/photos/trip/dogs_window.jpg"),
    photo_row("/photos/trip/IMG_20190712_0042.jpg", place="Bellagio, Italy"),
    photo_row("/photos/old/scan.jpg", caption="Grandmother feeds the hens behind the barn"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """A small library: described photos, and some of which only facts are known."""
    return Index.open(make_library(tmp_path_factory.mktemp("library"), [*described(), *BARE]))


def names(hits: list[Hit]) -> list[str]:
    """The file names of hits, in order."""
    return [hit.path.rsplit("/", 1)[1] for hit in hits]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("kid playing on the shore", "beach.jpg"),
        ("steam engine on a viaduct", "train.jpg"),
        ("dessert with lit candles", "cake.jpg"),
        ("mountaineer", "climber.jpg"),
        ("fruit stall", "market.jpg"),
        ("sleeping baby dogs", "puppies.jpg"),
        ("winter sports", "skier.jpg"),
        ("fishing boats", "boat.jpg"),
        ("BOATS, fishing!", "boat.jpg"),
        ("two dogs leaning out of a window", "dogs_window.jpg"),
        ("bellagio", "IMG_20190712_0042.jpg"),
        ("20190712", "IMG_20190712_0042.jpg"),
        ("IMG_20190712_0042", "IMG_20190712_0042.jpg"),
        ("chickens on a farm with an old woman", "scan.jpg"),
        ("grandmother", "scan.jpg"),
    ],
)
def test_the_right_photo_comes_first(index: Index, text: str, first: str) -> None:
    """By meaning, by words in any form, by names and places, by human captions."""
    assert names(index.search(text))[:1] == [first]


@pytest.mark.parametrize(
    "text",
    ["kubernetes pod eviction policy", "quarterly tax return", "mitochondrial membrane potential", "!!!", "🫥", "q"],
)
def test_nothing_that_fits_is_an_answer(index: Index, text: str) -> None:
    """A question that the photos do not answer gets no hits, unless the cut-off is off."""
    assert index.search(text) == []
    assert len(index.search(text, min_score=0, limit=3)) > 0 or text in ("!!!", "q", "🫥")


def test_the_list_ends_where_relevance_falls_off(index: Index) -> None:
    """One photo fits, and among so few three are shown; a number as least score is taken as it is."""
    assert names(index.search("birthday cake"))[0] == "cake.jpg"
    assert len(index.search("birthday cake", limit=0)) == 3
    everything = index.search("birthday cake", min_score=0, limit=0)
    assert len(everything) > 5
    bound = everything[2].score
    assert index.search("birthday cake", min_score=bound, limit=0) == [h for h in everything if h.score >= bound]


def test_a_photo_with_all_the_words_is_never_cut(index: Index) -> None:
    """Whatever else scores better, a photo that holds every word is a hit."""
    assert "skier.jpg" in names(index.search("red clear"))
    assert set(names(index.search("red"))[:2]) == {"boat.jpg", "skier.jpg"}


def test_why_tells_what_brought_a_hit(index: Index) -> None:
    """Words as they were typed, tags, and the cosine; words alone where nothing is described."""
    hit = index.search("a RED Boats at sunrise")[0]
    assert hit.why["words"] == ["RED", "Boats"]
    assert hit.why["tags"] == ["boat", "red"]
    assert 0.3 < hit.why["meaning"] < 1
    assert index.search("dogs window")[0].why == {"words": ["dogs", "window"], "tags": [], "meaning": None}


def test_a_hit_has_the_fields_of_the_row(index: Index) -> None:
    """Date as ISO text without a zone, tags in order, a score between 0 and 1."""
    hit = index.search("birthday cake")[0]
    assert hit.taken_at == "2012-06-01T12:00:00"
    assert hit.tags == ("cake", "candles", "birthday")
    assert hit.description == DESCRIBED["cake.jpg"][0]
    assert 0 < hit.score <= 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"tags": ["red"]}, ["skier.jpg", "boat.jpg"]),
        ({"tags": ["red", "snow"]}, ["skier.jpg"]),
        ({"any_tags": ["snow", "cake"]}, ["skier.jpg", "cake.jpg"]),
        ({"since": "2015", "until": "2016"}, ["puppies.jpg", "train.jpg"]),
        ({"camera": "camera 3"}, ["climber.jpg"]),
        ({"within": "/photos/old"}, ["scan.jpg"]),
        ({"tags": ["red"], "not_words": "boats"}, ["skier.jpg"]),
        ({"tags": ["red"], "no_tags": ["snow"]}, ["boat.jpg"]),
        ({"tags": ["red' OR '1'='1"]}, []),
        ({"tags": ["red"], "limit": 1, "offset": 1}, ["boat.jpg"]),
        ({"tags": ["red"], "limit": 0, "offset": 2}, []),
    ],
)
def test_filters_alone_list_the_newest_first(index: Index, options: dict[str, object], expected: list[str]) -> None:
    """Without words the photos that pass come by date."""
    assert names(index.search(**options)) == expected  # type: ignore[arg-type]


def test_words_and_filters_hold_together(index: Index) -> None:
    """A filter is true of every hit, however well another photo answers."""
    assert names(index.search("red boat", tags=["snow"], min_score=0)) == ["skier.jpg"]
    assert index.search("red boat", camera="no such camera") == []


def test_photos_by_date_have_those_without_one_last(index: Index) -> None:
    """Newest first; a photo without a date comes last."""
    hits = index.search("red dogs child window", sort="date", min_score=0.01, limit=0)
    dates = [hit.taken_at for hit in hits]
    known = [taken for taken in dates if taken]
    assert known == sorted(known, reverse=True)
    assert len(known) > 3
    assert dates[-1] is None
    assert dates[: len(known)] == known


def test_nothing_at_all_is_usage(index: Index) -> None:
    """A search needs words, a picture or a filter."""
    for text in ("", "   "):
        with pytest.raises(UsageError, match="nothing to search for"):
            index.search(text, sort="date", limit=3)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_query(index: Index, text: str) -> None:
    """No text breaks the search or becomes its language."""
    if text.strip():
        index.search(text)
        index.search("dog", not_words=text, tags=[text], camera=text)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_together_are_the_whole(index: Index, size: int) -> None:
    """Paging loses nothing and repeats nothing, also among equal scores."""
    whole = index.search("red dogs child", min_score=0, limit=0)
    pages = [index.search("red dogs child", min_score=0, limit=size, offset=at) for at in range(0, len(whole), size)]
    assert [hit for page in pages for hit in page] == whole


def copies(first: PhotoRow) -> list[PhotoRow]:
    """A photo at three places, and another one of the same burst."""
    return [
        replace(first, path="/photos/a.jpg", photo="same", cluster="burst"),
        replace(first, path="/photos/b.jpg", photo="same", cluster="burst"),
        replace(first, path="/photos/c.jpg", photo="same", cluster="burst"),
        replace(first, path="/photos/d.jpg", photo="other", cluster="burst"),
    ]


@pytest.mark.parametrize(
    ("collapse", "shown", "also"),
    [
        ("copies", ["a.jpg", "d.jpg"], ("/photos/b.jpg", "/photos/c.jpg")),
        ("bursts", ["a.jpg"], ("/photos/b.jpg", "/photos/c.jpg", "/photos/d.jpg")),
        ("none", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"], ()),
    ],
)
def test_a_picture_is_shown_once(tmp_path: Path, collapse: str, shown: list[str], also: tuple[str, ...]) -> None:
    """Copies are one hit that names the other places; so are bursts, when asked for."""
    index = Index.open(make_library(tmp_path, copies(described()[0])))
    for hits in (
        index.search("child on a beach", collapse=collapse),  # type: ignore[arg-type]
        index.search(tags=["beach"], collapse=collapse),  # type: ignore[arg-type]
    ):
        assert names(hits) == shown
        assert hits[0].also_at == also


def test_also_at_names_places_outside_the_filter(tmp_path: Path) -> None:
    """A filter chooses hits; where else the picture lies stays true."""
    index = Index.open(make_library(tmp_path, copies(described()[0])))
    assert index.search(within="/photos/b.jpg")[0].also_at == ("/photos/a.jpg", "/photos/c.jpg")


def test_photos_like_one(index: Index, tmp_path: Path) -> None:
    """Nearest by meaning, without the picture itself; a number as least score keeps all."""
    hits = index.search(like="/photos/boat.jpg", min_score=0, limit=0)
    assert "boat.jpg" not in names(hits)
    assert len(hits) == len(DESCRIBED)  # the others that are described, and the captioned scan
    assert hits == sorted(hits, key=lambda hit: -hit.score)
    assert names(index.search(like="/photos/boat.jpg", min_score=0, tags=["red"])) == ["skier.jpg"]


def test_like_needs_a_picture_that_is_known(index: Index, tmp_path: Path) -> None:
    """A picture that is not indexed, not there, or not described is told in words."""
    stranger = tmp_path / "stranger.jpg"
    stranger.write_bytes(b"picture")
    for image, says in (
        (stranger, "does not know"),
        (tmp_path / "missing.jpg", "no such file"),
        ("/photos/trip/dogs_window.jpg", "no description yet"),
        (tmp_path, "directory"),
    ):
        with pytest.raises(UsageError, match=says) as caught:
            index.search(like=image)
        assert caught.value.hint


def test_like_knows_a_copy_by_its_content(tmp_path: Path) -> None:
    """A file that lies elsewhere is known by its bytes, as the ledger has them."""
    library = make_library(tmp_path / "library", described())
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(b"picture")
    ledger = sqlite3.connect(library / "ledger.sqlite3")
    ledger.execute("CREATE TABLE contents (sha256 TEXT PRIMARY KEY, photo TEXT)")
    digest = "e11d3ad0b9a5b4eb08f2f3e5db4d84b3fa2c4c0a8a5a4d0c6f6f3f6f3f6f3f6f"
    ledger.execute("INSERT INTO contents VALUES (?, ?)", (digest, "photo of /photos/boat.jpg"))
    ledger.commit()
    with pytest.raises(UsageError, match="does not know"):
        Index.open(library).search(like=copy)
    import hashlib

    ledger.execute("UPDATE contents SET sha256 = ?", (hashlib.sha256(b"picture").hexdigest(),))
    ledger.commit()
    ledger.close()
    assert "boat.jpg" not in names(Index.open(library).search(like=copy, min_score=0))


def test_words_serve_before_any_vector(tmp_path: Path) -> None:
    """A library that has been crawled and nothing else answers by words."""
    rows = [replace(row, vector=None, described=False) for row in [*described(), *BARE]]
    index = Index.open(make_library(tmp_path, rows, with_encoder=False))
    assert names(index.search("fishing boats")) == ["boat.jpg"]
    assert names(index.search("dogs window"))[0] == "dogs_window.jpg"
    assert index.search("kubernetes pod eviction policy") == []
    assert index.coverage().described == 0


def test_an_empty_library_answers_with_nothing(tmp_path: Path) -> None:
    """No rows, no hits, no error."""
    index = Index.open(make_library(tmp_path, []))
    assert index.search("dog") == []
    assert index.search(tags=["dog"], limit=0) == []
    assert index.to_arrow().num_rows == 0


def test_new_rows_are_seen_without_reopening(tmp_path: Path) -> None:
    """What a writer has added, changed or removed is there at the next search."""
    index = Index.open(make_library(tmp_path, described()))
    assert index.search("penguins on ice") == []
    table = PhotoTable.open(tmp_path / "lancedb")
    table.upsert([photo_row("/photos/new.jpg", "Four penguins stand on a floe of ice.", ["penguin"])])
    assert names(index.search("penguins on ice"))[0] == "new.jpg"
    table.maintain()
    assert names(index.search("penguins on ice"))[0] == "new.jpg"
    table.delete(["/photos/new.jpg"])
    assert index.search("penguins on ice") == []


def test_threads_share_an_index_while_a_writer_writes(tmp_path: Path) -> None:
    """Many searches at once, amid commits and maintenance, each get a whole answer."""
    index = Index.open(make_library(tmp_path, described()))
    table = PhotoTable.open(tmp_path / "lancedb")
    failures: list[BaseException] = []
    done = threading.Event()

    def searching() -> None:
        try:
            while not done.is_set():
                assert names(index.search("birthday cake with candles"))[0] == "cake.jpg"
        except BaseException as failure:  # noqa: BLE001 - whatever it is, the test must see it
            failures.append(failure)

    threads = [threading.Thread(target=searching) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(15):
        table.upsert([photo_row(f"/more/{number}.jpg")])
        if number % 5 == 0:
            table.maintain()
    done.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_the_table_is_handed_out_as_arrow(index: Index) -> None:
    """All of it, or the columns that are asked for."""
    assert index.to_arrow().num_rows == len(DESCRIBED) + len(BARE)
    assert index.to_arrow(["path", "tags"]).column_names == ["path", "tags"]


def test_a_missing_library_is_told_in_words(tmp_path: Path) -> None:
    """Where nothing is indexed, the hint says what to do."""
    with pytest.raises(LibraryMissing, match="nothing is indexed") as caught:
        Index.open(tmp_path)
    assert "index" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [
        lambda home: [path.unlink() for path in (home / "lancedb" / "photos.lance" / "data").iterdir()],
        lambda home: (home / "encoder" / "model.onnx").write_bytes(b"no model"),
        lambda home: [
            path.write_bytes(b"?") for path in (home / "lancedb" / "photos.lance" / "_versions").glob("*.manifest")
        ],
    ],
    ids=["data", "encoder", "manifest"],
)
def test_damage_is_told_in_words(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """A library whose files are broken gives one line and a way out, never a traceback."""
    make_library(tmp_path, described())
    damage(tmp_path)
    with pytest.raises(CaptionaryError) as caught:
        Index.open(tmp_path).search("dog")
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_library_may_be_moved(tmp_path: Path) -> None:
    """Nothing in a library depends on where it lies."""
    make_library(tmp_path / "here", described())
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert names(Index.open(os.fspath(tmp_path / "there")).search("birthday cake", limit=1)) == ["cake.jpg"]


def test_a_guess_is_found_below_a_description(tmp_path: Path) -> None:
    """What a classifier takes a picture for answers queries in other words, behind what a model has described."""
    rows = [
        photo_row("/p/1.jpg", guesses={"Cocker Spaniel": 0.5, "Irish Setter": 0.3, "tennis ball": 0.02}),
        photo_row("/p/2.jpg", guesses={"espresso": 0.9, "tea cup": 0.05}),
        photo_row("/p/3.jpg", "A spaniel runs over a meadow.", ["dog"]),
        photo_row("/p/4.jpg", guesses={"valley": 0.7, "mountain": 0.2}),
    ]
    index = Index.open(make_library(tmp_path, rows))
    assert names(index.search("a dog"))[:2] == ["3.jpg", "1.jpg"]
    assert names(index.search("a hot drink", min_score="weak"))[0] == "2.jpg"
    assert index.search("quarterly tax return") == []
