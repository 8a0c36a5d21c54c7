"""Filters let through exactly what they say, and user text stays text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from indexer.domain.errors import UsageError
from indexer.table import maintenance
from indexer.table.dataset import open_dataset
from indexer.table.photo_table import PhotoRow, PhotoTable
from indexer.table.words import query_terms, terms
from search.filters import EARTH_RADIUS_KM, Circle, Filters, Query, matching, predicate, typed
from search.spelling import tag_spellings

NASTY = ["it's", "100%", "a_b", "\\", '"', "') OR true --", "tag\n2", "naïve", "🐶", "NULL", "[x]", "a,b", "''"]
TAGS = ["dog", "red car", *NASTY]
CAMERAS = [None, "Canon EOS R6", "canon powershot", "NIKON D750", "O'Neil 5%_", "Leica Q2  (black)"]
FOLDERS = ["/p", "/p/a", "/p/a/b", "/p/a0", "/p/a.", "/p/a%", "/p/a_b", "/p/it's", "/p/a\\x", "/p/é", "/p/🐶"]
DAYS = [date(2015, 7, 4), date(2015, 12, 31), date(2016, 2, 29), date(1999, 1, 1), date(2024, 6, 30)]
MOMENTS = [timedelta(0), timedelta(hours=12), timedelta(days=1) - timedelta(microseconds=1)]
PLACES = [None, (0.0, 0.0), (48.1, 11.6), (48.1, 12.0), (-89.9, 40.0), (90.0, 0.0), (10.0, 179.9), (10.0, -179.9)]
WORDS = ["dog", "dogs running", "red", "window", "it's 5%", "犬が走る", ""]


def some_rows() -> Iterator[PhotoRow]:
    """Rows of everything that a filter may stumble over, and of nothing at all."""
    random = Random(0)
    moments = [None, *(datetime.combine(day, datetime.min.time()) + part for day, part in product(DAYS, MOMENTS))]
    for number in range(150):
        place = random.choice(PLACES)
        yield PhotoRow(
            path=f"{random.choice(FOLDERS)}/{number % 40}{random.choice(['', '.jpg'])}",
            photo=f"p{number % 90}",
            document=" ".join(random.sample(WORDS, 2)),
            tags=tuple(random.sample(TAGS, random.randrange(4))),
            taken_at=random.choice(moments),
            camera=random.choice(CAMERAS),
            latitude=place[0] if place else None,
            longitude=place[1] if place else None,
        )


ROWS = list({row.path: row for row in some_rows()}.values())


@pytest.fixture(scope="module", params=["scanned", "indexed"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The rows in a table, once without indexes and once with all of them."""
    home = tmp_path_factory.mktemp("filters")
    opened = PhotoTable.open(home)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "indexed":
            patch.setattr(maintenance, "SMALL_ROWS", 1)
        opened.upsert(ROWS[:100])
        opened.maintain()
    opened.upsert(ROWS[100:])  # an index does not know these yet
    return open_dataset(home)


tags = st.lists(st.one_of(st.sampled_from(TAGS), st.text(max_size=5)), max_size=3).map(tuple)
days = st.one_of(st.none(), st.sampled_from(DAYS), st.dates(date(1998, 1, 1), date(2026, 1, 1)))
circles = st.builds(
    Circle,
    st.one_of(st.sampled_from([0.0, 48.1, 10.0, 89.0, -89.9]), st.floats(-90, 90)),
    st.one_of(st.sampled_from([0.0, 11.6, 180.0, -180.0]), st.floats(-180, 180)),
    st.one_of(st.sampled_from([0.0, 1.0, 30.0, 2000.0, 20000.0]), st.floats(0, 25000)),
)
filters = st.builds(
    Filters,
    tags=tags,
    any_tags=tags,
    no_tags=tags,
    not_terms=st.one_of(st.sampled_from(WORDS), st.text(max_size=6)).map(lambda text: tuple(query_terms(text))),
    since=days.map(lambda day: datetime.combine(day, datetime.min.time()) if day else None),
    before=days.map(lambda day: datetime.combine(day, datetime.min.time()) if day else None),
    camera=st.one_of(st.none(), st.sampled_from(["canon", "q2 (b", "%", "_", "o'neil", ""]), st.text(max_size=4)),
    within=st.one_of(st.none(), st.sampled_from(["/", *FOLDERS, "/p/a/", ROWS[0].path]), st.text(max_size=6)),
    near=st.one_of(st.none(), circles),
)
single = st.one_of(
    st.builds(Filters, tags=tags),
    st.builds(Filters, any_tags=tags),
    st.builds(Filters, no_tags=tags),
    st.builds(Filters, not_terms=st.sampled_from(WORDS).map(lambda text: tuple(query_terms(text)))),
    st.builds(Filters, since=st.sampled_from(DAYS).map(lambda day: datetime.combine(day, datetime.min.time()))),
    st.builds(Filters, before=st.sampled_from(DAYS).map(lambda day: datetime.combine(day, datetime.min.time()))),
    st.builds(Filters, camera=st.sampled_from(["canon", "CANON".casefold(), "%", "_", "o'neil", "(black)"])),
    st.builds(Filters, within=st.sampled_from(["/", "/p/", *FOLDERS, ROWS[0].path])),
    st.builds(Filters, near=circles),
)


@settings(max_examples=1000, deadline=None)
@given(asked=st.one_of(single, filters))
def test_filters_agree_with_looking_at_every_row(table: Any, asked: Filters) -> None:
    """The compiled predicate lets through the rows that a plain reading of the filter lets through."""
    if asked.near:
        assume(all(abs(distance(asked.near, row) - asked.near.kilometres) > 1e-6 for row in ROWS))
    cameras = matching(asked.camera, CAMERAS) if asked.camera is not None else ()
    where = predicate(asked, cameras)
    found = table.to_table(columns=["path"], filter=where).column("path").to_pylist()
    assert sorted(found) == sorted(row.path for row in ROWS if passes(asked, row))


def passes(asked: Filters, row: PhotoRow) -> bool:
    """What the filter says, read plainly."""
    folder = (asked.within or "").rstrip("/")
    held = terms(row.document)
    return (
        all(tagged(row, tag) for tag in asked.tags)
        and (not asked.any_tags or any(tagged(row, tag) for tag in asked.any_tags))
        and not any(tagged(row, tag) for tag in asked.no_tags)
        and not any(term in held for term in asked.not_terms)
        and (asked.since is None or (row.taken_at is not None and row.taken_at >= asked.since))
        and (asked.before is None or (row.taken_at is not None and row.taken_at < asked.before))
        and (
            asked.camera is None or (row.camera is not None and asked.camera in " ".join(row.camera.split()).casefold())
        )
        and (asked.within is None or row.path == asked.within or row.path.startswith(folder + "/"))
        and (asked.near is None or distance(asked.near, row) <= asked.near.kilometres)
    )


def tagged(row: PhotoRow, tag: str) -> bool:
    """Whether a row has a tag in any of its spellings."""
    return not {tag, *tag_spellings(tag)}.isdisjoint(row.tags)


def distance(circle: Circle, row: PhotoRow) -> float:
    """Kilometres from the circle's centre, by the spherical law of cosines; infinite without a position."""
    if row.latitude is None or row.longitude is None:
        return math.inf
    here, there = math.radians(circle.latitude), math.radians(row.latitude)
    across = math.radians(row.longitude - circle.longitude)
    chord = math.sqrt(
        (math.cos(there) * math.cos(across) - math.cos(here)) ** 2
        + (math.cos(there) * math.sin(across)) ** 2
        + (math.sin(there) - math.sin(here)) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, chord / 2))


@pytest.mark.parametrize(
    ("since", "until", "inside", "outside"),
    [
        ("2015", "2015", ["2015-01-01T00:00:00", "2015-12-31T23:59:59.999999"], ["2014-12-31T23:59:59", "2016-01-01"]),
        ("2016-02", "2016-02", ["2016-02-01", "2016-02-29T23:59:59"], ["2016-03-01", "2016-01-31T23:00:00"]),
        ("2015-12", "2016-01", ["2015-12-01", "2016-01-31T12:00:00"], ["2016-02-01"]),
        ("2015-07-04", "2015-07-04", ["2015-07-04T23:59:59.999999"], ["2015-07-05", "2015-07-03T23:59:59"]),
        (None, "9999", ["9999-12-31T23:59:59", "0001-01-01"], []),
        ("0001", None, ["0001-01-01"], []),
        (date(2015, 7, 4), date(2015, 7, 4), ["2015-07-04T12:00:00"], ["2015-07-05"]),
        (datetime(2015, 7, 4, 9), datetime(2015, 7, 4, 10), ["2015-07-04T23:00:00"], ["2015-07-05"]),
    ],
)
def test_both_ends_of_a_range_count_in(
    since: str | date | None, until: str | date | None, inside: list[str], outside: list[str]
) -> None:
    """A year, a month or a day means all of it, up to its last microsecond."""
    asked = typed(Query(since=since, until=until))
    for text in inside:
        assert passes(asked, PhotoRow("/", "p", taken_at=datetime.fromisoformat(text))), text
    for text in outside:
        assert not passes(asked, PhotoRow("/", "p", taken_at=datetime.fromisoformat(text))), text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (Query(since="yesterday"), "--since yesterday: not a date"),
        (Query(until="2015-13"), "--until 2015-13: not a date"),
        (Query(until="2015-02-30"), "not a date"),
        (Query(since="15"), "not a date"),
        (Query(since="2015-7-4"), "not a date"),
        (Query(since="٢٠١٥"), "not a date"),
        (Query(since="2015-07-04-01"), "not a date"),
        (Query(since=""), "not a date"),
        (Query(since="2016", until="2015"), "later"),
        (Query(limit=-1), "negative"),
        (Query(offset=-1), "negative"),
        (Query(near=(91, 0, 1)), "outside the globe"),
        (Query(near=(0, 0, -1)), "outside the globe"),
        (Query(near=(math.nan, 0, 1)), "outside the globe"),
        (Query(near=(0, 0, math.inf)), "outside the globe"),
        (Query(near=(0, 0)), "not a circle"),  # type: ignore[arg-type]
        (Query(near=("a", 0, 1)), "not a circle"),  # type: ignore[arg-type]
        (Query(min_score="high"), "not a score"),  # type: ignore[arg-type]
        (Query(min_score=math.nan), "not a score"),
        (Query(collapse="all"), "collapse 'all'"),  # type: ignore[arg-type]
        (Query(tags="dog"), "list"),
    ],
)
def test_what_cannot_be_meant_is_told_in_words(query: Query, says: str) -> None:
    """A wrong value is one line that names it, with what would be right."""
    with pytest.raises(UsageError, match=says) as caught:
        typed(query)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_tags_are_compared_as_they_are_kept() -> None:
    """Case and spaces of a tag in a filter do not matter, and an empty one asks for nothing."""
    asked = typed(Query(tags=["  Red   Car ", ""], no_tags=["DOG"]))
    assert (asked.tags, asked.no_tags) == (("red car",), ("dog",))


def test_no_filter_is_no_predicate() -> None:
    """A query of words alone filters nothing."""
    asked = typed(Query(text="dog", camera=" ", not_words="  "))
    assert not asked
    assert predicate(asked) is None


def test_a_folder_is_resolved_as_the_crawl_resolves_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative folders, links and odd bytes mean the rows that the crawl has written."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.chdir(tmp_path)
    assert typed(Query(within="link")).within == str(real)
    assert typed(Query(within="real/../real/")).within == str(real)
    assert typed(Query(within=real / "caf\udce9")).within == f"{real}/caf\\xe9"
