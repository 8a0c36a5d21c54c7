"""Evaluation measures the ranking on anybody's own questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.domain.errors import UsageError
from search import Index
from search.evaluate import evaluate, interval
from tests.support.libraries import make_library, photo_row


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Three photos."""
    rows = [
        photo_row("/p/boat.jpg", "A red boat at a pier."),
        photo_row("/p/cake.jpg", "A birthday cake with candles."),
        photo_row("/p/ship.jpg", "A large white ship on the sea."),
    ]
    return Index.open(make_library(tmp_path_factory.mktemp("evaluate"), rows))


def test_ranks_become_measures(index: Index) -> None:
    """First, second and not there: reciprocal ranks 1, 1/2 and 0."""
    lines = ["# mine\n", "\n", "birthday cake\t/p/cake.jpg\n", "red boat\t/p/ship.jpg\n", "boat\t/p/missing.jpg"]
    measured = evaluate(index, lines)
    assert measured.queries == 3
    assert measured.mrr.mean == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert measured.recall_1.mean == pytest.approx(1 / 3)
    assert measured.recall_10.mean == pytest.approx(2 / 3)
    assert measured.mrr.low <= measured.mrr.mean <= measured.mrr.high


def test_paths_may_be_relative(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is resolved as a shell would."""
    monkeypatch.chdir("/")
    assert evaluate(index, ["birthday cake\tp/cake.jpg"]).mrr.mean == 1


@pytest.mark.parametrize("lines", [[], ["# only a comment"], ["no tab"], ["\tpath"], ["query\t"]])
def test_a_file_without_questions_is_told_in_words(index: Index, lines: list[str]) -> None:
    """The form of a line is in the hint."""
    with pytest.raises(UsageError) as caught:
        evaluate(index, lines)
    assert "<TAB>" in caught.value.hint


def test_an_interval_narrows_with_more_values() -> None:
    """Resampling says how far a mean can be trusted, and says the same each time."""
    few, many = interval([0.0, 1.0] * 5), interval([0.0, 1.0] * 500)
    assert few.high - few.low > 4 * (many.high - many.low)
    assert interval([0.0, 1.0] * 5) == few


def test_a_library_can_be_anywhere(tmp_path: Path) -> None:
    """An evaluation of an empty library finds nothing."""
    index = Index.open(make_library(tmp_path, []))
    assert evaluate(index, ["dog\t/p/dog.jpg"]).mrr.mean == 0
