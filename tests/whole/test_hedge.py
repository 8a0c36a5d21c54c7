"""--hedge: what would miss the deadline is asked of a second provider while the first request is out, if approved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import UsageError
from indexer.library.api import Library, Seams
from tests.fakes.services import Answer
from tests.support.commands import index
from tests.support.services import photos
from tests.support.uploads import Hand
from tests.whole.test_routes import Street

DEADLINE = 7 * 3600.0
_NEVER = 1e9
_DEAD = Answer(401, {"error": {"message": "dead"}})


class Dozing(Hand):
    """A clock that is looked at rarely until ten minutes before the deadline, so that a night takes a few looks."""

    ends = 0.0

    def sleep(self, seconds: float) -> None:
        """Let at least so many seconds go by."""
        super().sleep(max(seconds, min(1800.0, self.ends - 600.0 - self.time())))


class Race:
    """A library before Anthropic and Mistral, by their clock; `first` has the batch, `second` is asked as well."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.street = Street(stack, "anthropic", "mistral")
        self.pictures = photos(folder / "photos")
        self.notes: list[str] = []
        self.plans: list[Any] = []
        self.clock = Dozing(*self.street.services.values())
        self.clock.ends = self.clock.time() + DEADLINE
        seams = Seams(environ=self.street.environ, clock=self.clock)
        self.library = Library.open(folder / "library", seams=seams, note=self.notes.append)
        self.chosen = self.library.quote([self.pictures], deadline=DEADLINE).best.provider
        self.first = self.street.services[self.chosen]
        self.other = next(name for name in self.street.services if name != self.chosen)
        self.second = self.street.services[self.other]
        self.first.seconds = _NEVER

    def run(self, **options: Any) -> Any:
        """Index by the best route."""
        told = {"deadline": DEADLINE, "hedge": True, "budget": 1.0} | options
        began = self.clock.time()
        report = self.library.index(
            [self.pictures],
            provider="best",
            pilot=0,
            workers=0,
            approve=lambda plan: not self.plans.append(plan),
            **told,
        )
        assert self.clock.time() - began < DEADLINE + 3600.0
        books = self.library.accounts()
        assert not books.faults
        assert books.total.spent_usd == pytest.approx(self.first.billed + self.second.billed)
        return report

    def served(self) -> tuple[int, int]:
        """How many photos were answered by the first and by the second."""
        return self.first.served.total(), self.second.served.total()

    def shown_by(self) -> set[str]:
        """Whose answers are shown."""
        known = (self.library.photo(str(path)) for path in sorted(self.pictures.glob("*.jpg")))
        return {photo.said[0].provider for photo in known if photo}


@pytest.fixture
def race(tmp_path: Path) -> Iterator[Race]:
    """Two services, of which the batch of the first never ends."""
    with ExitStack() as stack:
        yield Race(tmp_path, stack)


def test_a_stuck_batch_is_overtaken_before_the_deadline(race: Race) -> None:
    """The second answers in time, the batch is stopped, and nothing of it is asked again."""
    ends = race.clock.time() + DEADLINE
    report = race.run()
    assert (report.exit_code, report.files.described, report.files.pending) == (0, 5, 0)
    assert race.served() == (0, 5)
    assert race.clock.time() < ends
    assert any("deadline is near" in note for note in race.notes)
    assert race.shown_by() == {race.other}
    race.clock.sleep(1.0)
    assert race.run().requests.submitted == 0


def test_both_are_paid_and_the_first_answer_stays(race: Race) -> None:
    """A batch that is done before it can be stopped: booked, kept, and shown of nobody."""

    def too_late(call: Any) -> Answer | None:
        if not call.path.endswith("cancel"):
            return None
        race.first.seconds = 0.0
        return Answer(409, {"error": {"message": "the batch is nearly done"}})

    race.first.faults.append(too_late)
    report = race.run()
    assert (report.exit_code, report.files.described, report.files.pending) == (0, 5, 0)
    assert race.served() == (5, 5)
    assert race.shown_by() == {race.other}
    assert race.library.accounts().total.spent_usd <= race.plans[0].most_usd


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, 3600.0), ({"hedge": False}, _NEVER)],
    ids=["a batch in time", "nobody asked for it"],
)
def test_nothing_is_asked_twice_without_need_or_leave(race: Race, options: dict[str, Any], seconds: float) -> None:
    """The second provider is not asked."""
    race.first.seconds = seconds
    report = race.run(**options)
    assert (report.exit_code, report.files.described) == (0, 5)
    assert race.served() == (5, 0)


def test_a_second_that_cannot_answer_leaves_the_first_as_it_was(race: Race) -> None:
    """It is told in a line; the rest goes as without it, each photo once."""
    race.second.fail_once("POST", _DEAD, times=1000)
    report = race.run()
    assert (report.exit_code, report.files.described) == (0, 5)
    assert race.served() == (5, 0)
    assert sum("in their place" in note for note in race.notes) == 1


def test_the_plan_has_the_price_of_both_and_the_budget_holds_it(race: Race) -> None:
    """What could be paid twice stands in the plan; a budget that cannot carry it has nothing asked twice."""
    paths = [race.pictures]
    alone = race.library.plan(paths, provider="best", deadline=DEADLINE)
    both = race.library.plan(paths, provider="best", deadline=DEADLINE, hedge=True)
    assert both.most_usd > alone.most_usd
    assert both.cost.high > alone.cost.high
    assert any(line.startswith("--hedge: ") and race.other in line for line in both.warnings)
    batch = alone.most_usd / 2
    cap = batch + 0.5 * (both.most_usd - alone.most_usd) / 5
    report = race.run(budget=cap)
    assert race.served() == (5, 0)
    assert report.files.described == 5
    assert race.library.accounts().total.spent_usd <= cap


def test_it_survives_the_process_that_began_it(race: Race) -> None:
    """Sent without waiting, collected later by another process: the approval and its second route are remembered."""
    race.run(wait=False)
    assert race.library.collect(wait=True).files.described == 5
    assert race.served() == (0, 5)


@pytest.mark.parametrize("flags", [(), ("--provider", "best"), ("--provider", "openai", "--deadline", "6h")])
def test_it_needs_best_and_a_deadline(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Anything else could not be late, or has no second route."""
    done = index(photos(tmp_path / "photos"), "--hedge", *flags, "--library", tmp_path / "library")
    assert done.code == 2
    assert "--provider best and a --deadline" in done.err
    with Library.open(tmp_path / "other") as opened, pytest.raises(UsageError):
        opened.plan([tmp_path / "photos"], hedge=True)


def test_without_a_second_provider_it_is_said_to_change_nothing(tmp_path: Path) -> None:
    """One service alone cannot be hedged."""
    with ExitStack() as stack:
        street = Street(stack, "mistral")
        notes: list[str] = []
        seams = Seams(environ=street.environ, clock=Hand(*street.services.values()))
        opened = Library.open(tmp_path / "library", seams=seams, note=notes.append)
        opened.plan([photos(tmp_path / "photos")], provider="best", deadline=DEADLINE, hedge=True)
    assert any("--hedge changes nothing" in note for note in notes)
