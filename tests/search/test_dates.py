"""Dates in words, in four languages: a filter alone, a preference beside other words."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search import Index
from search.dates import named
from tests.support.libraries import make_library, photo_row

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("text", "days", "rest"),
    [
        ("2017", "2017-01-01 to 2017-12-31", ""),
        ("photos from november 2018", "2018-11-01 to 2018-11-30", ""),
        ("2018 November", "2018-11-01 to 2018-11-30", ""),
        ("may 2016 beach", "2016-05-01 to 2016-05-31", "beach"),
        ("beach in may 2016", "2016-05-01 to 2016-05-31", "beach in"),
        ("summer 2020", "2020-06-01 to 2020-08-31", ""),
        ("winter 2019", "2019-01-01 to 2019-02-28, 2019-12-01 to 2020-02-29", ""),
        ("last christmas", "2025-12-24 to 2025-12-26", ""),
        ("christmas 2019", "2019-12-24 to 2019-12-26", ""),
        ("easter 2024", "2024-03-29 to 2024-04-01", ""),
        ("Halloween 2021", "2021-10-31", ""),
        ("last summer", "2026-06-01 to 2026-08-31", ""),
        ("last november", "2025-11-01 to 2025-11-30", ""),
        ("last week", "2026-11-16 to 2026-11-22", ""),
        ("last weekend", "2026-11-21 to 2026-11-22", ""),
        ("last month", "2026-10-01 to 2026-10-31", ""),
        ("this year", "2026-01-01 to 2026-12-31", ""),
        ("yesterday", "2026-11-25", ""),
        ("12 July 2019", "2019-07-12", ""),
        ("July 12th, 2019", "2019-07-12", ""),
        ("2019-07-12 picnic", "2019-07-12", "picnic"),
        ("12.07.2019", "2019-07-12", ""),
        ("11/2018", "2018-11-01 to 2018-11-30", ""),
        ("fog, 11/2018", "2018-11-01 to 2018-11-30", "fog,"),
        ("2015-2018", "2015-01-01 to 2018-12-31", ""),
        ("the 1990s", "1990-01-01 to 1999-12-31", ""),
        ("März 2011", "2011-03-01 to 2011-03-31", ""),
        ("Sommer 2020 in Italien", "2020-06-01 to 2020-08-31", "in Italien"),
        ("letzte Weihnachten", "2025-12-24 to 2025-12-26", ""),
        ("12. Juli 2019", "2019-07-12", ""),
        ("août 2014", "2014-08-01 to 2014-08-31", ""),
        ("l'été dernier", "2026-06-01 to 2026-08-31", ""),
        ("diciembre de 2014", "2014-12-01 to 2014-12-31", ""),
        ("12 de julio de 2019", "2019-07-12", ""),
    ],
)
def test_a_date_is_what_people_call_it(text: str, days: str, rest: str) -> None:
    """The days, both included, and the words that are no date."""
    when = named(text, TODAY)
    assert when is not None
    assert (", ".join(map(str, when.spans)), when.rest) == (days, rest)


@pytest.mark.parametrize(
    "text",
    [
        "may flowers",
        "march of the dogs",
        "may",
        "march",
        "mayo",
        "nov",
        "1/2/20",
        "route 66",
        "20190712",
        "last dog",
        "9999",
        "2019-13-01",
    ],
)
def test_other_words_are_no_dates(text: str) -> None:
    """A month alone may be a verb, and not every number is a year."""
    when = named(text, TODAY)
    assert when is None or when.said == "2019"


@pytest.mark.parametrize(("text", "month", "rest"), [("november", 11, ""), ("fog in März", 3, "fog in")])
def test_a_month_alone_is_that_of_any_year(text: str, month: int, rest: str) -> None:
    """Its name counts where it is no other word."""
    when = named(text, TODAY)
    assert when is not None
    assert (when.month, when.spans, when.rest) == (month, (), rest)


@given(st.text(max_size=40), st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_any_text_on_any_day(text: str, today: date) -> None:
    """Nothing breaks, and a date that is found begins before it ends."""
    when = named(text, today)
    assert when is None or all(span.first <= span.last for span in when.spans)


@pytest.mark.parametrize("which", ["last", "this"])
@pytest.mark.parametrize("what", ["christmas", "summer", "winter", "may", "week", "month", "year", "easter"])
@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2026, 1, 1), date(2025, 12, 25), date(2026, 12, 31)])
def test_days_that_move_with_today(today: date, which: str, what: str) -> None:
    """What was last is over; what is this has begun or is to come in this year or the next."""
    when = named(f"{which} {what}", today)
    assert when is not None
    if which == "last":
        assert all(span.last < today for span in when.spans)
    else:
        assert any(today.year in (span.first.year, span.last.year) for span in when.spans)


ROWS = [
    photo_row("/p/a.jpg", "Waves on a sandy beach.", taken_at=datetime(2016, 5, 3, 9)),
    photo_row("/p/b.jpg", "Waves on a wide sandy beach.", taken_at=datetime(2012, 8, 3)),
    photo_row("/p/c.jpg", "A birthday cake with candles.", taken_at=datetime(2016, 5, 31, 23, 59, 59)),
    photo_row("/p/d.jpg", "A shop sign that reads 2016.", taken_at=datetime(2012, 1, 1)),
    photo_row("/p/2018-11 album/e.jpg", "A dog runs over a meadow."),
    photo_row("/p/f.jpg", "A cat sleeps on a chair.", taken_at=datetime(2016, 6, 1)),
    photo_row("/p/g.jpg", "A red tractor in a field.", taken_at=datetime(2018, 11, 30, 23, 0)),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Photos of four years, one with a year on it, one without a date in a folder that has one."""
    return Index.open(make_library(tmp_path_factory.mktemp("dates"), ROWS))


def found(index: Index, text: str, **options: object) -> list[str]:
    """The names of the hits."""
    return [Path(hit.path).stem for hit in index.search(text, **options)]  # type: ignore[arg-type]


def test_a_date_alone_is_a_filter(index: Index) -> None:
    """The newest first; a photo that has the date in words is not lost."""
    assert found(index, "may 2016") == ["c", "a"]
    assert found(index, "november 2018") == ["g"]
    assert found(index, "2018-11") == found(index, "11/2018") == ["e", "g"]
    assert found(index, "november") == ["g"]
    assert found(index, "august") == ["b"]
    assert found(index, "2016") == ["d", "f", "c", "a"]
    assert found(index, "may 2016", limit=1, offset=1) == ["a"]
    assert found(index, "1950") == []


def test_a_date_is_preferred_beside_other_words(index: Index) -> None:
    """Of two beaches the one of that month comes first, and the other one stays."""
    assert found(index, "may 2016 beach")[:2] == ["a", "b"]
    assert found(index, "beach august 2012")[:2] == ["b", "a"]
    assert found(index, "shop sign 2016")[0] == "d"


def test_why_tells_the_date(index: Index) -> None:
    """The words of the query that name it, on photos taken then."""
    hits = index.search("may 2016 beach")
    assert hits[0].why["date"] == "may 2016"
    assert "date" not in hits[1].why
    assert index.search("may 2016")[0].why == {"date": "may 2016", "words": [], "tags": [], "meaning": None}


def test_quotes_make_a_date_words(index: Index) -> None:
    """In quotes a year is what stands in a caption or a name."""
    assert found(index, '"2016"')[0] == "d"
    assert "a" not in found(index, '"2016"')


def test_a_date_and_filters_hold_together(index: Index) -> None:
    """A filter beside a date in words is true of every hit."""
    assert found(index, "2016 in:/p/2018-11") == []
    assert found(index, "2016 -cake -sign") == ["f", "a"]
