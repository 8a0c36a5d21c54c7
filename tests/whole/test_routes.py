"""Routes: the quote of every provider, the best one within bounds, and who goes on when it dies."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import ApprovalRequired, CaptionaryError
from indexer.library.api import Library, Seams
from indexer.providers.prices import STALE_AFTER, TABLE
from tests.fakes.services import Answer, Service
from tests.support.commands import index
from tests.support.services import SHOPS, environ, library, photos
from tests.support.uploads import Hand


class Street:
    """Several services at once, and the variables that lead to them."""

    def __init__(self, stack: ExitStack, *names: str) -> None:
        self.services: dict[str, Any] = {name: stack.enter_context(SHOPS[name].service()) for name in names}
        self.environ: dict[str, str] = {}
        for name, service in self.services.items():
            self.environ |= environ(SHOPS[name], service)

    def served(self) -> dict[str, int]:
        """How many photos each of them was asked about."""
        return {name: service.served.total() for name, service in self.services.items() if service.served}


@pytest.fixture
def street() -> Any:
    """OpenAI, Anthropic and Mistral."""
    with ExitStack() as stack:
        yield Street(stack, "openai", "anthropic", "mistral")


def calls(service: Service) -> int:
    """How many requests a service has seen."""
    return service.calls.total()


def test_a_quote_asks_nobody_and_names_the_cheapest(street: Street, tmp_path: Path) -> None:
    """Every route with a key, usable ones first by price, and one that is chosen."""
    with library(tmp_path / "library", street.environ) as opened:
        offer = opened.quote([photos(tmp_path / "photos")])
    assert (offer.photos, offer.new) == (5, 5)
    assert {route.provider for route in offer.routes} == {"openai", "anthropic", "mistral"}
    highs = [route.usd.high for route in offer.routes if route.usable]
    assert highs == sorted(highs)
    assert [route.chosen for route in offer.routes].count(True) == 1
    assert offer.best is offer.routes[0]
    assert str(offer.best.mode) == "batch"
    assert sum(map(calls, street.services.values())) == 0


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ({"deadline": 60.0}, "too late"),
        ({"budget": 0.000001}, "above the budget"),
        ({"max_per_1000": 0.0001}, "above the price"),
    ],
)
def test_a_bound_makes_routes_unusable_with_its_reason(
    street: Street, bounds: dict[str, Any], why: str, tmp_path: Path
) -> None:
    """What cannot be used says why."""
    with library(tmp_path / "library", street.environ) as opened:
        offer = opened.quote([photos(tmp_path / "photos")], **bounds)
    assert any(why in route.why_not for route in offer.routes)
    assert not any(route.usable and str(route.mode) == "batch" for route in offer.routes)


def test_all_routes_are_shown_on_request(tmp_path: Path) -> None:
    """Without a key too, each with the variable that it needs."""
    with library(tmp_path / "library", {}) as opened:
        pictures = photos(tmp_path / "photos")
        assert opened.quote([pictures]).routes == ()
        offer = opened.quote([pictures], all_routes=True)
    assert {"gemini", "openai", "anthropic", "mistral", "deepseek", "openrouter"} <= {r.provider for r in offer.routes}
    assert all("is not set" in route.why_not for route in offer.routes)


def test_the_best_route_describes_and_later_runs_ask_nothing(street: Street, tmp_path: Path) -> None:
    """Bought once, of the cheapest."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        best = opened.quote([pictures]).best.provider
        report = opened.index([pictures], provider="best", pilot=0, approve=True)
        assert report.provider == best
        assert report.files.described == 5
        assert street.served() == {best: 5}
        opened.index([pictures], pilot=0, approve=False)
        assert street.served() == {best: 5}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(402, {"error": {"message": "Insufficient Balance"}}),
        Answer(401, {"error": {"message": "no such key"}}),
        Answer(404, {"error": {"message": "the model does not exist", "code": "model_not_found"}}),
    ],
)
def test_a_route_that_dies_hands_on_what_was_not_sent(street: Street, answer: Answer, tmp_path: Path) -> None:
    """The next one within the approved bounds goes on, and nothing is asked twice."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        first, *_ = opened.quote([pictures]).routes
        street.services[first.provider].fail_once("POST", answer, times=10_000)
        report = opened.index([pictures], provider="best", pilot=0, budget=1.0, approve=True)
    assert report.files.described == 5
    assert report.provider != first.provider
    assert sum(street.served().values()) == 5


def test_a_route_that_dies_in_mid_run_hands_on_the_rest_only(street: Street, tmp_path: Path) -> None:
    """What it has answered counts, what nobody answered goes on, and the books know who was paid what."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        chosen = opened.quote([pictures], deadline=60.0).best
        first = street.services[chosen.provider]
        answered = _dies_after(first, 2)
        report = opened.index([pictures], provider="best", deadline=60.0, pilot=0, budget=1.0, approve=True)
        assert answered() == 2
        assert sum(street.served().values()) == 5
        assert first.served.total() == 2
        assert (report.files.described, report.files.pending, report.requests.described) == (5, 0, 5)
        assert report.exit_code == 0
        books = opened.accounts()
        assert not books.faults
        told = {row["name"]: row["answered"] for row in books.to_dict()["by_provider"]}
        assert (told[chosen.provider], sum(told.values())) == (2, 5)
        assert opened.status().files.described == 5
        again = opened.index([pictures], provider="best", deadline=60.0, pilot=0, approve=False)
        assert (again.files.described, again.requests.submitted) == (5, 0)
    assert sum(street.served().values()) == 5


def _dies_after(service: Any, count: int) -> Any:
    """Let the account of a service run dry after so many answers; returns how many there were."""

    def fault(call: Any) -> Answer | None:
        dry = service.served.total() >= count and call.method == "POST"
        return Answer(402, {"error": {"message": "Insufficient Balance"}}) if dry else None

    service.faults.append(fault)
    return service.served.total


def test_a_named_provider_describes_its_own(street: Street, tmp_path: Path) -> None:
    """Answers count for each other only where somebody asked for the best route."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        best = opened.index([pictures], provider="best", pilot=0, budget=1.0, approve=True).provider
        other = next(name for name in street.services if name != best)
        report = opened.index([pictures], provider=other, pilot=0, budget=1.0, approve=True)
    assert (report.provider, report.files.described) == (other, 5)
    assert street.served() == {best: 5, other: 5}


def test_what_is_in_flight_is_not_asked_again(street: Street, tmp_path: Path) -> None:
    """A key that dies while its batch is out: the photos in it stay with it, and the run says what is out."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        first = street.services[opened.quote([pictures]).best.provider]
        first.seconds = 10_000.0
        opened.index([pictures], provider="best", pilot=0, budget=1.0, wait=False, approve=True)
        first.fail_once("", Answer(401, {"error": {"message": "dead"}}), times=10_000)
        report = opened.index([pictures], provider="best", pilot=0, budget=1.0, approve=True)
        assert (report.exit_code, report.files.pending, len(report.jobs)) == (3, 5, 1)
        assert sum(street.served().values()) == 0
        first.faults.clear()
        first.now += 20_000.0
        report = opened.collect(wait=True)
    assert report.files.described == 5
    assert sum(street.served().values()) == 5


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        (Answer(503, {"error": {"message": "overloaded"}}), ""),
        (
            Answer(429, {"error": {"message": "Enqueued token limit reached", "code": "token_limit_exceeded"}}),
            "batches",
        ),
    ],
    ids=["the service is away", "its queue is full for hours"],
)
def test_hours_of_trouble_end_at_the_deadline_at_the_latest(
    street: Street, answer: Answer, where: str, tmp_path: Path
) -> None:
    """Somebody else goes on, or the same service by calls; everything is described, once, and it is told in a line."""
    clock, notes = Hand(*street.services.values()), []
    pictures = photos(tmp_path / "photos")
    seams = Seams(environ=street.environ, clock=clock)
    with Library.open(tmp_path / "library", seams=seams, note=notes.append) as opened:
        first = street.services[opened.quote([pictures], deadline=20 * 3600.0).best.provider]
        began = clock.time()
        if where:
            first.fail_once(f"POST {first.prefix}/{where}", answer, times=100_000)
        else:
            first.fail_once("", answer, times=100_000)
        report = opened.index(
            [pictures], provider="best", deadline=20 * 3600.0, pilot=0, budget=1.0, workers=0, approve=True
        )
    assert (report.files.described, report.files.pending) == (5, 0)
    assert sum(street.served().values()) == 5
    assert clock.time() - began < 21 * 3600.0
    assert any("cannot go on" in note or "deadline" in note for note in notes)


def test_the_plan_names_the_choice_and_the_runner_up(street: Street, tmp_path: Path) -> None:
    """Why this one, and who would go on."""
    with library(tmp_path / "library", street.environ) as opened:
        plan = opened.plan([photos(tmp_path / "photos")], provider="best")
    assert "best route" in plan.warnings[0]
    assert "the next one" in plan.warnings[0]


def test_an_old_price_table_is_told_in_one_line_and_used(street: Street, tmp_path: Path) -> None:
    """By the quote and by the plan; both go on with the prices that they have."""
    clock = Hand(*street.services.values())
    today = datetime.fromtimestamp(clock.time(), UTC).date()
    clock.sleep(((TABLE.read_on - today + STALE_AFTER).days + 1) * 86_400.0)
    pictures = photos(tmp_path / "photos")
    with Library.open(tmp_path / "library", seams=Seams(environ=street.environ, clock=clock)) as opened:
        offer, plan = opened.quote([pictures]), opened.plan([pictures], provider="best")
    assert len(offer.warnings) == 1
    assert [line for line in plan.warnings if "days old" in line] == list(offer.warnings)
    assert offer.best.usd.high > 0
    assert plan.most_usd > 0


def test_a_daily_cap_holds_over_all_providers(street: Street, tmp_path: Path) -> None:
    """What one was paid today is not there for the other."""
    pictures = photos(tmp_path / "photos")
    with library(tmp_path / "library", street.environ) as opened:
        first = opened.index([pictures], provider="anthropic", mode="interactive", pilot=0, approve=True)
        paid = opened.accounts().total.spent_usd
    with library(tmp_path / "library", {**street.environ, "CAPTIONARY_BUDGET_PER_DAY": str(paid)}) as opened:
        second = opened.index([pictures], provider="mistral", mode="interactive", pilot=0, approve=True)
        assert opened.accounts().total.spent_usd == paid
    assert (first.exit_code, second.exit_code) == (0, 5)
    assert "day" in second.stopped
    assert street.services["mistral"].served.total() == 0


def test_a_dearer_successor_needs_a_new_yes(street: Street, tmp_path: Path) -> None:
    """What was approved covers the price that was shown, and no other."""
    pictures = photos(tmp_path / "photos")
    plans: list[Any] = []

    def once(plan: Any) -> bool:
        plans.append(plan)
        return len(plans) == 1

    with library(tmp_path / "library", street.environ) as opened:
        routes = opened.quote([pictures]).routes
        for provider in {route.provider for route in routes} - {routes[-1].provider}:
            street.services[provider].fail_once("POST", Answer(401, {"error": {"message": "dead"}}), times=10_000)
        with pytest.raises(ApprovalRequired):
            opened.index([pictures], provider="best", pilot=0, approve=once)
    assert street.served() == {}


def test_no_route_left_is_told(street: Street, tmp_path: Path) -> None:
    """When all of them are dead, the error says where to look."""
    for service in street.services.values():
        service.fail_once("POST", Answer(401, {"error": {"message": "dead"}}), times=10_000)
    with library(tmp_path / "library", street.environ) as opened:
        with pytest.raises(CaptionaryError, match="no route") as caught:
            opened.index([photos(tmp_path / "photos")], provider="best", pilot=0, budget=1.0, approve=True)
        assert opened.status().files.pending == 5
    assert "quote" in caught.value.hint


def test_the_command_prints_a_table_and_json(tmp_path: Path) -> None:
    """For people and for programs."""
    pictures = photos(tmp_path / "photos")
    done = index("quote", pictures, "--all", "--library", tmp_path / "library")
    assert done.code == 0, done.err
    assert "5 photos, 5 without a description" in done.out
    told = index("quote", pictures, "--all", "--json", "--library", tmp_path / "library").json
    assert {
        "provider",
        "model",
        "mode",
        "usd",
        "per_1000_usd",
        "ready_s",
        "waves",
        "trains",
        "usable",
        "why_not",
    } <= set(told["routes"][0])


def test_a_number_of_photos_is_quoted_in_waves_and_days(street: Street, tmp_path: Path) -> None:
    """From 10^5 to 10^8, waves, money and time grow as the photos do, and nobody is asked."""
    with library(tmp_path / "library", street.environ) as opened:
        told = [opened.quote(photos=10**power) for power in (5, 6, 7, 8)]
    for number, (less, more) in enumerate(pairwise(told), start=5):
        assert (less.photos, less.new) == (10**number, 10**number)
        pairs = {(route.provider, str(route.mode)): route for route in less.routes}
        for route in more.routes:
            before = pairs[route.provider, str(route.mode)]
            assert route.usd.high == pytest.approx(10 * before.usd.high, rel=0.01)
            assert route.ready_s.p50 >= before.ready_s.p50
            if (route.provider, str(route.mode)) == ("openai", "batch"):  # whose queue is counted in tokens
                assert 9 * before.waves <= route.waves <= 10 * before.waves
    waves = {route.provider: route.waves for route in told[2].routes if str(route.mode) == "batch"}
    assert (waves["anthropic"], waves["mistral"]) == (50, 10)  # whose queues are counted in requests
    assert sum(map(calls, street.services.values())) == 0


def test_a_quote_is_of_paths_or_of_a_number(tmp_path: Path) -> None:
    """Neither and both are usage errors; a number alone needs no photo."""
    folder = ("--library", tmp_path / "library", "quote")
    assert index(*folder).code == 2
    assert index(*folder, tmp_path, "--photos", "5").code == 2
    done = index(*folder, "--photos", "10000000", "--all", env={"OPENAI_API_KEY": "none"})
    assert done.code == 0
    assert " waves" in done.out
    assert " days" in done.out
