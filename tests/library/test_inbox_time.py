"""The inbox in time: what gathers, what hurries, what the budget holds, and what is kept how long."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import ApprovalRequired, UsageError
from indexer.library.api import Library, Seams
from indexer.library.inbox import Inbox
from indexer.pipeline import intake
from tests.support.services import SHOPS, environ
from tests.support.uploads import CHECKS, CODED, Hand, Judge, picture
from tests.whole.hostile_uploads import play

HOUR = 3600.0
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
_SOME = 0.0003  # US dollars, enough for some uploads of a day


@pytest.fixture(scope="module")
def service() -> Iterator[Judge]:
    """The service that looks."""
    with Judge() as running:
        yield running


@pytest.fixture
def judge(service: Judge) -> Judge:
    """The same, with empty books; jobs take an hour."""
    for book in (
        service.calls,
        service.served,
        service.jobs,
        service.files,
        service.faults,
        service.after,
        service.log,
    ):
        book.clear()
    service.seconds, service.refused, service.billed = HOUR, None, 0.0
    service.now = NOON
    return service


class Desk:
    """A library with an inbox, and the hand on its clock."""

    def __init__(self, folder: Path, *services: Judge) -> None:
        self.clock = Hand(*services)
        told: dict[str, str] = {}
        for service, shop in zip(services, ("openai", "mistral"), strict=False):
            told |= environ(SHOPS[shop], service)
        self.folder = folder
        self.library = Library.open(folder / "library", seams=Seams(environ=told, clock=self.clock))
        self.checks = folder / "checks.toml"
        self.checks.write_text(CHECKS)

    def inbox(self, **options: Any) -> Inbox:
        """The inbox as of now."""
        return self.library.inbox(self.checks, **{"provider": "openai", **options})


@pytest.fixture
def desk(judge: Judge, tmp_path: Path) -> Desk:
    """A new library before the service."""
    return Desk(tmp_path, judge)


def decisions(inbox: Inbox) -> dict[str, str]:
    """The decision that holds of each upload."""
    return {verdict.id: verdict.decision for verdict in inbox.verdicts()}


def created(judge: Judge) -> int:
    """How many batches were made."""
    return judge.calls["POST /v1/batches"]


def test_uploads_gather_while_there_is_time(judge: Judge, desk: Desk) -> None:
    """None goes alone: they wait as long as a batch of all would surely be back, then go together, each asked once."""
    inbox = desk.inbox(within="60h")
    for number in range(6):
        inbox.add(f"u{number}", picture(10, 10, number * 20))
        inbox.advance()
        desk.clock.sleep(HOUR)
    assert created(judge) == 0
    while not decisions(inbox):
        desk.clock.sleep(4 * HOUR)
        inbox.advance()
    assert NOON + 12 * HOUR < desk.clock.time() < NOON + 60 * HOUR
    assert list(decisions(inbox).values()) == ["approve"] * 6
    assert [job["request_counts"]["total"] for job in judge.jobs.values()] == [6]
    assert set(judge.served.values()) == {1}


def test_a_full_batch_waits_for_nobody(judge: Judge, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fill a batch go at once."""
    monkeypatch.setattr(intake, "FULL", 3)
    inbox = desk.inbox(within="60h")
    for number in range(3):
        assert created(judge) == 0
        inbox.add(f"u{number}", picture(10, 10, number * 20))
        inbox.advance()
    assert [job["request_counts"]["total"] for job in judge.jobs.values()] == [3]


def test_uploads_wait_for_company_as_long_as_the_file_says(judge: Judge, desk: Desk) -> None:
    """With `gather`, nothing is sent before, and no longer is waited although there is time."""
    desk.checks.write_text(f'{CHECKS}\n[inbox]\ngather = "2h"\n')
    inbox = desk.inbox(within="60h")
    inbox.add("one", CODED["fine"][0])
    inbox.advance()
    desk.clock.sleep(HOUR)
    inbox.add("two", CODED["red"][0])
    inbox.advance()
    assert created(judge) == 0
    desk.clock.sleep(HOUR)
    inbox.advance()
    assert [job["request_counts"]["total"] for job in judge.jobs.values()] == [2]


def test_what_a_batch_would_miss_goes_by_a_call(judge: Judge, desk: Desk) -> None:
    """Ten minutes against a batch of hours: answered in time by an immediate route, the cheapest one."""
    inbox = desk.inbox(within="10m")
    inbox.add("red", CODED["red"][0])
    assert inbox.advance() == 1
    assert decisions(inbox) == {"red": "reject"}
    assert created(judge) == 0
    sent = [call.json() for call in judge.log if call.path.endswith("/chat/completions")]
    assert sent[-1]["service_tier"] == "flex", "half the price, and quick enough"


def test_what_a_batch_holds_too_long_is_fetched_from_it_and_goes_by_a_call(judge: Judge, desk: Desk) -> None:
    """The job is stopped before anything is asked again, and nobody is served twice."""
    inbox = desk.inbox(within="23h")
    inbox.add("one", CODED["fine"][0])
    inbox.advance()
    judge.seconds = 1000 * HOUR
    desk.clock.sleep(23 * HOUR - 60)
    for _ in range(3):
        inbox.advance()
    assert [job["status"] for job in judge.jobs.values()] == ["cancelled"]
    assert decisions(inbox) == {"one": "approve"}
    assert sum(judge.served.values()) == 1


def test_the_budget_of_a_day_is_never_passed_and_old_ones_go_first(judge: Judge, desk: Desk) -> None:
    """A burst waits its turn; what is still held when its time is over is for a person, with that reason."""
    inbox = desk.inbox(within="36h", budget_per_day=_SOME)
    for number in range(8):
        inbox.add(f"u{number}", picture(10, 10, number * 15))
        desk.clock.sleep(1)
    days: dict[int, float] = {}
    for _ in range(40):
        before = judge.billed
        inbox.advance()
        day = int(desk.clock.time() // 86_400)
        days[day] = days.get(day, 0.0) + judge.billed - before
        desk.clock.sleep(HOUR)
    assert max(days.values()) <= _SOME
    found = {verdict.id: verdict for verdict in inbox.verdicts()}
    assert len(found) == 8
    held = [name for name, verdict in found.items() if verdict.decision == "human"]
    assert 0 < len(held) < 8
    assert held == sorted(found)[-len(held) :], "the oldest were asked about first"
    assert {found[name].reasons for name in held} == {
        ("the budget of the day was reached before it could be asked about",)
    }
    assert not desk.library.accounts().faults


@pytest.mark.parametrize("second", ["", "mistral"])
def test_what_is_refused_by_policy_goes_to_a_second_provider_only_if_the_file_says_so(
    judge: Judge, tmp_path: Path, second: str
) -> None:
    """Else it is for a person, with the words of the one that refused."""
    from tests.fakes.services import FakeMistral

    judge.refused = (240, 10, 10)

    class Other(FakeMistral):
        say = Judge.say

    with Other() as other:
        desk = Desk(tmp_path, judge, other)  # type: ignore[arg-type]
        if second:
            desk.checks.write_text(f'{CHECKS}\n[inbox]\nsecond_provider = "{second}"\n')
        inbox = desk.inbox(within="10m")
        inbox.add("red", CODED["red"][0])
        for _ in range(3):
            inbox.advance()
        (verdict,) = inbox.verdicts()
        assert sum(other.served.values()) == bool(second)
    if second:
        assert verdict.decision == "reject"
    else:
        assert verdict.decision == "human"
        assert "blocked" in verdict.reasons[0]


def test_rules_changed_twice_ask_nobody_and_other_questions_ask_only_on_a_yes(judge: Judge, desk: Desk) -> None:
    """New verdicts stand behind the old ones; uploads to come get the new questions."""
    inbox = desk.inbox(within="10m")
    for name, (raw, _) in CODED.items():
        inbox.add(name, raw)
    inbox.advance()
    first = list(inbox.verdicts())
    served = sum(judge.served.values())
    for rules in (CHECKS.replace('"minors:low"', '"minors:high"'), CHECKS):
        desk.checks.write_text(rules)
        assert desk.inbox(within="10m").advance() == 1
    assert [v.decision for v in inbox.verdicts(first[-1].cursor)] == ["approve", "human"]
    desk.checks.write_text(CHECKS + '\n[[check]]\nname = "sharp"\nask = "Is it sharp?"\nreject_if = true\n')
    desk.clock.sleep(HOUR)
    asking = desk.inbox(within="10m")
    assert asking.advance() == 0
    with pytest.raises(ApprovalRequired):
        asking.ask_again()
    assert sum(judge.served.values()) == served
    assert asking.ask_again(approve=True) == len(CODED)
    asking.advance()
    assert sum(judge.served.values()) == 2 * served
    assert all("sharp" in verdict.checks for verdict in list(asking.verdicts())[-len(CODED) :])


def test_bytes_go_after_their_time_and_verdicts_stay(judge: Judge, desk: Desk) -> None:
    """Retention counts from the verdict."""
    desk.checks.write_text(f'{CHECKS}\n[inbox]\nkeep = "2d"\n')
    inbox = desk.inbox(within="10m")
    inbox.add("one", CODED["fine"][0])
    inbox.advance()
    kept = [path for path in (desk.library.folder / "inbox").rglob("*") if path.is_file() and len(path.name) == 64]
    assert len(kept) == 1
    desk.clock.sleep(49 * HOUR)
    inbox.advance()
    assert not kept[0].exists()
    assert decisions(inbox) == {"one": "approve"}
    assert desk.library.status().files.seen == 0


def test_forgetting_takes_all_of_one_upload_out(judge: Judge, desk: Desk) -> None:
    """Bytes, answers, verdicts, the lines kept of its batch; what another upload shares stays until it goes, too."""
    inbox = desk.inbox(within="20h")
    inbox.add("one", CODED["fine"][0])
    inbox.add("two", CODED["red"][0])
    inbox.add("twin", CODED["fine"][0])
    inbox.advance()
    assert inbox.forget("two") is False, "it is at the service"
    desk.clock.sleep(2 * HOUR)
    inbox.advance()
    assert decisions(inbox) == {"one": "approve", "twin": "approve"}
    assert inbox.forget("one")
    assert len(_kept_lines(desk)) == 1
    assert inbox.forget("twin")
    assert _kept_lines(desk) == []
    assert not [path for path in (desk.library.folder / "inbox").rglob("*") if len(path.name) == 64]
    with sqlite3.connect(desk.library.folder / "ledger.sqlite3") as ledger:
        for table in ("uploads", "verdicts", "answers", "works"):
            assert ledger.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert judge.files == {}, "nor does the service keep its files"
    with pytest.raises(UsageError, match="no upload"):
        inbox.forget("one")


def _kept_lines(desk: Desk) -> list[bytes]:
    files = (desk.library.folder / "batches").glob("*.results.jsonl.gz")
    return [line for path in files for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_hostile_uploads_are_refused_or_for_a_person(tmp_path: Path) -> None:
    """Broken, lying, huge or merely odd: never a crash, and nothing is approved that nobody answered for."""
    ends, faults = play(tmp_path, damaged=0)
    assert faults == []
    assert ends["refused"] >= 9
    assert ends["human"] >= 20
    assert ends["approve"] >= 1
