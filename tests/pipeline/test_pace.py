"""The pace of single calls: it grows while the service keeps up and halves when it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.pipeline.send.pace import Pace


@pytest.mark.parametrize(("most", "first"), [(1, 1), (2, 2), (4, 4), (64, 4), (0, 1)])
def test_it_begins_small_and_never_above_the_most(most: int, first: int) -> None:
    """Whoever allows sixty-four begins with four; whoever allows two with two."""
    assert Pace(most).window == first


def test_it_is_full_after_a_few_rounds_of_steady_answers() -> None:
    """It doubles with every round: sixty answers lead from four to sixty-four."""
    pace = Pace(64)
    for _ in range(60):
        pace.answered(1.0)
    assert pace.window == 64


def test_it_does_not_grow_while_answers_get_slower() -> None:
    """A queue at the service is not made longer; when answers are quick again it goes on."""
    pace = Pace(64)
    for _ in range(4):
        pace.answered(1.0)
    for _ in range(50):
        pace.answered(10.0)
    held = pace.window
    assert held < 16
    for _ in range(100):
        pace.answered(1.0)
    assert pace.window == 64


def test_it_halves_when_limited_and_grows_slowly_from_then_on() -> None:
    """By one a round: the service said where its limit lies."""
    pace = Pace(64)
    for _ in range(60):
        pace.answered(1.0)
    pace.limit()
    assert pace.window == 32
    for _ in range(33):
        pace.answered(1.0)
    assert pace.window == 33


@given(st.integers(0, 100), st.lists(st.one_of(st.none(), st.floats(0, 1e6)), max_size=200))
def test_it_stays_between_one_and_the_most(most: int, events: list[float | None]) -> None:
    """Whatever comes."""
    pace = Pace(most)
    for seconds in events:
        pace.limit() if seconds is None else pace.answered(seconds)
        assert 1 <= pace.window <= max(1, most)
