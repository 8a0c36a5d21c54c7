"""Unwanted words leave out exactly the rows that hold them, in every way of finding rows."""

from __future__ import annotations

from datetime import datetime
from random import Random

import numpy as np
import pytest

from indexer.table import maintenance
from indexer.table.photo_table import PhotoRow, PhotoTable
from search.filters import Filters
from search.probes import Probe
from search.reader import Reader, View
from search.sieve import Sieve

WORDS = ["dog", "beach", "red", "window", "boat", "犬", "naïve", "5"]


@pytest.fixture(scope="module", params=["scanned", "indexed"])
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> View:
    """Rows in some of which "photo" stands and "dog" in most, once without indexes, once with some rows in them."""
    home = tmp_path_factory.mktemp("sieve")
    random, draw = Random(0), np.random.default_rng(0)
    vectors = draw.standard_normal((300, 384)).astype(np.float32)
    rows = [
        PhotoRow(
            path=f"/p/{number:03}.jpg",
            photo=f"p{number}",
            document=" ".join([*random.sample(WORDS, 3), *(["dog"] if number % 10 else []), "photo"]),
            taken_at=datetime(2000 + number % 20, 1, 1) if number % 7 else None,
            vector=vector / np.linalg.norm(vector) if number % 9 else None,
        )
        for number, vector in enumerate(vectors)
    ]
    table = PhotoTable.open(home)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "indexed":
            patch.setattr(maintenance, "SMALL_ROWS", 1)
        table.upsert(rows[:200])
        table.maintain()
    table.upsert(rows[200:])
    return Reader(home).view()


UNWANTED = [("beach",), ("dog",), ("photo",), ("beach", "5"), ("nothing",), ("犬",), ("naiv",), ("dog", "red", "boat")]


@pytest.mark.parametrize("without", UNWANTED)
@pytest.mark.parametrize("since", [None, datetime(2010, 1, 1)])
@pytest.mark.parametrize("limit", [1, 5, 40, 300])
def test_a_sieve_lets_through_what_its_filter_does(
    view: View, without: tuple[str, ...], since: datetime | None, limit: int
) -> None:
    """Both legs and the list hold the rows that reading the words of every row would leave, in the same order."""
    sieve = Sieve.of(Filters(not_terms=without, since=since), (), ())
    assert sieve.exact is not None
    assert "contains" in sieve.exact
    assert sieve.listing(view) == view.listing(sieve.exact)
    vector = np.full(384, 384**-0.5, dtype=np.float32)
    assert sieve.by_meaning(view, Probe(vector), limit) == view.by_meaning(Probe(vector), sieve.exact, limit)
    asked = ["dog", "red", "boat"]
    everything = view.by_words(asked, sieve.exact, 300)
    assert sorted(sieve.by_words(view, asked, 300)) == sorted(everything)
    assert len(sieve.by_words(view, asked, limit)) == min(limit, len(everything))
    assert set(sieve.by_words(view, asked, limit)) <= set(everything)
    assert sieve.by_words(view, list(without), limit) == []


def test_a_sieve_without_words_is_its_filter(view: View) -> None:
    """Nothing is read twice where no word is unwanted."""
    sieve = Sieve.of(Filters(since=datetime(2010, 1, 1)), (), ())
    assert sieve.where == sieve.exact
    assert sieve.listing(view) == view.listing(sieve.where)
    assert Sieve.of(Filters(), (), ()).where is None
