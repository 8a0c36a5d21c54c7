"""A comparison: a few photos asked of several routes at once, kept as ordinary answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from indexer.domain.errors import ApprovalRequired, UsageError
from search import Index
from tests.fakes.services import Answer
from tests.support.commands import index
from tests.support.services import library, photos
from tests.whole.test_routes import Street


@pytest.fixture
def street() -> Iterator[Street]:
    """Two services."""
    with ExitStack() as stack:
        yield Street(stack, "openai", "anthropic")


def test_answers_stand_side_by_side_with_their_measured_price_and_count(street: Street, tmp_path: Path) -> None:
    """The same photos of both; the route that is chosen then buys only the rest, and asking again buys nothing."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        for _ in range(2):
            found = opened.compare([pictures], routes=["openai", "anthropic"], sample=3, approve=True)
        assert [(route.provider, route.answered, route.failed) for route in found.routes] == [
            ("openai", 3, 0),
            ("anthropic", 3, 0),
        ]
        assert street.served() == {"openai": 3, "anthropic": 3}
        assert all(one is not None and one.description for _, told in found.rows for one in told)
        for route in found.routes:
            assert route.usd == pytest.approx(street.services[route.provider].billed)
            assert route.per_1000_usd == pytest.approx(1000 * route.usd / 3)
        opened.index([pictures], provider="openai", pilot=0, approve=True)
        assert street.served() == {"openai": 5, "anthropic": 3}
        assert not opened.accounts().faults
    sheet = Path(found.sheet).read_text()
    assert sheet.count("<figure>") == 6
    assert len(Index.open(tmp_path / "library").search(within=str(pictures))) == 5


def test_nothing_is_sent_without_a_yes(street: Street, tmp_path: Path) -> None:
    """One plan for all routes, with the sum of their prices."""
    with library(tmp_path / "library", street.environ) as opened:
        with pytest.raises(ApprovalRequired) as caught:
            opened.compare([photos(tmp_path / "photos")], routes=["openai", "anthropic"], sample=2)
        assert opened.status().requests.submitted == 0
    assert caught.value.plan.new == 4
    assert caught.value.plan.most_usd > 0
    assert street.served() == {}


def test_a_route_that_cannot_answer_says_why_and_the_others_go_on(street: Street, tmp_path: Path) -> None:
    """Nothing of it stays behind that a later run would send."""
    pictures = photos(tmp_path / "photos")
    street.services["openai"].fail_once("POST", Answer(401, {"error": {"message": "dead"}}), times=10_000)
    with library(tmp_path / "library", street.environ) as opened:
        found = opened.compare([pictures], sample=2, approve=True)
        assert {route.provider: route.answered for route in found.routes} == {"openai": 0, "anthropic": 2}
        assert next(route.fault for route in found.routes if route.provider == "openai")
        assert opened.status().jobs == []
        opened.collect()
    assert street.served() == {"anthropic": 2}


@pytest.mark.parametrize(
    ("routes", "words"),
    [(["openai"], "two routes"), (["openai", "openai"], "twice"), (["openai", ":x"], "not a route")],
)
def test_routes_that_cannot_be_meant_are_refused(routes: list[str], words: str, tmp_path: Path) -> None:
    """Each with what to write instead."""
    with library(tmp_path / "library", {}) as opened, pytest.raises(UsageError, match=words) as caught:
        opened.compare([photos(tmp_path / "photos")], routes=routes)
    assert caught.value.hint


def test_the_command_prints_a_table_and_json(street: Street, tmp_path: Path) -> None:
    """Without --yes it stops with 5; with it, answers by photo, and the price of a thousand."""
    command = ("compare", photos(tmp_path / "photos"), "--sample", "2", "--routes", "openai,anthropic:claude-haiku-5-5")
    command = (*command, "--library", tmp_path / "library")
    assert index(*command, env=street.environ).code == 5
    done = index(*command, "--yes", env=street.environ)
    assert done.code == 0, done.err
    assert "for 1,000 photos as measured" in done.out
    told = index(*command, "--json", env=street.environ).json
    assert told["photos"] == 2
    assert [route["provider"] for route in told["routes"]] == ["openai", "anthropic"]
    assert {"path", "answers"} == told["rows"][0].keys()
    assert street.served() == {"openai": 2, "anthropic": 2}
