"""Batches over days: canary, queue, deadline, retry, what status says, and that nothing strays or leaks."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from indexer.commands.wording import report_lines
from indexer.domain.errors import ApprovalRequired, BudgetReached, CaptionaryError, UsageError
from indexer.domain.plan import Plan
from indexer.library.api import Library
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, environment
from tests.support.virtual import KEY, VirtualTime, opened, samples

GEMINI = {"provider": "gemini", "workers": 0}


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """A new library before a new service."""
    with opened(tmp_path / "library", emulator) as ours:
        yield ours


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pictures than go without a canary, each of its own colours."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(510):
        image = Image.new("RGB", (96, 64), (number % 256, number * 7 % 256, number // 2))
        image.paste((255 - number % 256, 40, number * 3 % 256), (0, 0, 8 + number % 40, 4 + number // 20))
        image.save(folder / f"{number:03}.png")
    return folder


def spent(library: Library) -> float:
    """Dollars that the library has booked in all."""
    return library.status().cost.spent_usd


def test_a_canary_that_comes_back_wrong_stops_the_run_and_names_the_setting(
    tmp_path: Path, emulator: Emulator, many: Path
) -> None:
    """Fifty of 510 photos are paid for, the run says why it stopped, and with the other setting it finishes."""
    emulator.change(batch_ignores="response_schema")
    with opened(tmp_path / "library", emulator) as library:
        report = library.index([many], approve=True, pilot=0, **GEMINI)
    assert report.exit_code == 5
    assert "schema_field" in report.stopped
    assert emulator.books()["served"]["batch"] == 50
    assert report.files.failed == 50
    with opened(tmp_path / "library", emulator, environ={"CAPTIONARY_SCHEMA_FIELD": "response_json_schema"}) as library:
        report = library.index([many], approve=True, pilot=0, **GEMINI)
        assert (report.exit_code, report.files.described) == (4, 460)
        assert library.retry(approve=True).files.described == 510


def test_no_canary_goes_ahead_where_batches_have_come_back_well(tmp_path: Path, emulator: Emulator, many: Path) -> None:
    """What has answered eleven photos is trusted with the next 510, all in one batch."""
    with opened(tmp_path / "library", emulator) as library:
        library.index([samples(tmp_path / "photos")], approve=True, **GEMINI)
        report = library.index([many], approve=True, pilot=0, **GEMINI)
    assert report.exit_code == 0
    assert [job["requests"] for job in emulator.jobs()] == [11, 510]


def test_a_canary_without_a_verdict_holds_nothing_up_for_longer_than_an_hour(
    tmp_path: Path, emulator: Emulator, many: Path
) -> None:
    """When its job hangs, one normal shard at a time goes after it."""
    emulator.fault("job", "slow", times=1, seconds=5 * 3600.0)
    with opened(tmp_path / "library", emulator) as library:
        report = library.index([many], approve=True, pilot=0, **GEMINI)
    assert report.exit_code == 0
    canary, rest = emulator.jobs()
    assert (canary["requests"], rest["requests"]) == (50, 460)
    assert 3600 <= rest["created"] - canary["created"] < 2 * 3600


def test_photos_wait_in_the_ledger_until_the_queue_frees(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """With room for three photos in the service's queue, eleven go in one after the other, each served once."""
    emulator.change(enqueued_tokens={"gemini-3.5-flash-lite": 3400})
    report = library.index([samples(tmp_path / "photos")], approve=True, **GEMINI)
    assert (report.exit_code, report.files.described) == (0, 11)
    assert emulator.books()["served"] == {"batch": 11, "interactive": 0}


def test_what_was_cut_off_gets_more_room_and_keeps_its_work(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """The second attempt at a truncated photo asks for twice the tokens under the same work, and nothing else does."""
    emulator.fault("row", "max_tokens", nth=1)
    photos = samples(tmp_path / "photos")
    assert library.index([photos], approve=True, **GEMINI).files.failed == 1
    with opened(tmp_path / "library", emulator, environ={"CAPTIONARY_KEEP_BATCHES": "1"}) as keeping:
        assert keeping.retry(approve=True).files.described == 11
    (kept,) = (path for path in (tmp_path / "library" / "batches").glob("*.jsonl") if "results" not in path.name)
    (line,) = (json.loads(text) for text in kept.read_text().splitlines())
    assert line["request"]["generation_config"]["max_output_tokens"] == 1024
    assert line["key"].endswith("-2")


def test_a_tenth_of_the_approved_price_covers_retries_and_no_more(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """One of eleven photos is asked again without a question; three of eleven need a yes, and cost nothing without."""
    emulator.fault("row", "error", code=13, nth=1)
    library.index([samples(tmp_path / "photos")], approve=True, **GEMINI)
    assert library.retry().files.described == 11
    more = tmp_path / "more"
    more.mkdir()
    for number in range(11):
        Image.new("RGB", (64, 48), (number * 20, 90, 10)).save(more / f"{number}.png")
    emulator.fault("row", "error", code=13, nth=1, times=3)
    assert library.index([more], approve=True, **GEMINI).files.failed == 3
    before = emulator.books()["requests"]
    with pytest.raises(ApprovalRequired):
        library.retry()
    assert emulator.books()["requests"] == before
    assert library.retry(approve=True).files.failed == 0


def test_three_attempts_are_enough(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """A photo that the service fails again and again is left alone after the third time, with its reason."""
    emulator.fault("row", "error", code=13, every=1)
    library.index([samples(tmp_path / "photos", 1)], approve=True, **GEMINI)
    for _ in range(4):
        library.retry(approve=True)
    assert emulator.books()["rows"]["batch"] == {"error": 3}
    assert [(one.reason, one.attempts) for one in library.failures()] == [("server_error", 3)]


def test_blocked_photos_are_asked_again_only_when_they_are_named(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """A plain retry leaves them alone; retry of blocked ones asks; a reason that is none is a usage error."""
    emulator.fault("row", "block", nth=1)
    library.index([samples(tmp_path / "photos")], approve=True, **GEMINI)
    assert library.retry(approve=True).files.failed == 1
    assert emulator.books()["served"]["batch"] == 11
    assert library.retry(only="blocked", approve=True).files.failed == 0
    with pytest.raises(UsageError):
        library.retry(only="tired")


def test_an_account_without_credit_pauses_and_fails_no_photo(tmp_path: Path, emulator: Emulator) -> None:
    """The run ends with an error that blames the account, and goes on with a key that has credit."""
    photos = samples(tmp_path / "photos")
    with opened(tmp_path / "library", emulator, key="no-credit") as library:
        with pytest.raises(CaptionaryError, match="credit"):
            library.index([photos], approve=True, **GEMINI)
        assert (library.status().files.failed, library.status().files.pending) == (0, 11)
    with opened(tmp_path / "library", emulator) as library:
        VirtualTime(emulator).sleep(200)
        assert library.index([photos], approve=True, **GEMINI).files.described == 11


def test_a_free_key_is_told_what_to_use_instead(tmp_path: Path, emulator: Emulator) -> None:
    """Its batch calls are refused: single calls work, and what is sent by them may be used for training."""
    photos = samples(tmp_path / "photos", 2)
    with opened(tmp_path / "library", emulator, key="free-tier") as library:
        with pytest.raises(CaptionaryError) as told:
            library.index([photos], approve=True, **GEMINI)
        words = f"{told.value} {told.value.hint}"
        assert "--mode interactive" in words
        assert "train" in words
        assert library.index([photos], approve=True, mode="interactive", **GEMINI).files.described == 2


def test_what_waits_may_change_its_lane(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """Photos that a full queue holds up are asked by single calls when somebody says so, each once."""
    emulator.fault("create", "429", times=1000)
    photos = samples(tmp_path / "photos", 3)
    assert library.index([photos], approve=True, wait=False, **GEMINI).exit_code == 3
    report = library.index([photos], approve=True, mode="interactive", **GEMINI)
    assert (report.exit_code, report.files.described) == (0, 3)
    assert emulator.books()["served"] == {"batch": 0, "interactive": 3}


def test_status_tells_when_a_job_will_be_ready_and_calls_a_stuck_one_stuck(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """By what the service publishes at first, by this library's own jobs after three of them."""
    photos = samples(tmp_path / "photos")
    emulator.change(pending_seconds=600.0)
    for path in sorted(photos.iterdir())[:3]:
        library.index([path], approve=True, wait=False, **GEMINI)
        (job,) = library.status().jobs
        assert job.eta_s is not None
        assert (job.eta_s["source"], job.stuck) == ("published", False)
        library.collect(wait=True)
    emulator.fault("job", "stuck_running", times=1)
    library.index([photos], approve=True, wait=False, **GEMINI)
    (job,) = library.status().jobs
    assert job.eta_s is not None
    assert job.eta_s["source"] == "history"
    assert 0 < job.eta_s["high"] <= 1200
    VirtualTime(emulator).sleep(3 * 3600)
    library.collect()
    (job,) = library.status().jobs
    assert job.stuck
    assert job.age_s >= 3 * 3600
    assert library.collect(wait=True, deadline=60, budget=1.0, approve=True).files.described == 11


def test_who_leaves_is_told_the_date_before_which_to_come_back(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """The service keeps files and results for two days, so the report of a detached run names a moment before that."""
    emulator.change(pending_seconds=600.0)
    report = library.index([samples(tmp_path / "photos", 1)], approve=True, wait=False, **GEMINI)
    assert report.collect_before is not None
    left = report.collect_before - VirtualTime(emulator).time()
    assert 46 * 3600 < left < 48 * 3600
    told = list(report_lines(report))
    assert f"{datetime.fromtimestamp(report.collect_before):%A %d %B, %H:%M}" in told[-1]
    assert "ready in 5 min to 24 h (as the provider promises)" in told[-2]
    assert library.collect(wait=True).collect_before is None


def test_collect_does_not_raise_the_cap_by_itself(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """A larger budget needs a yes; a smaller one does not, and nothing is spent beyond it."""
    emulator.fault("create", "429", times=1000)
    photos = samples(tmp_path / "photos")
    library.index([photos], approve=True, budget=0.001, wait=False, **GEMINI)
    with pytest.raises(BudgetReached, match="more than"):
        library.collect(budget=2.0)
    emulator.clear_faults()
    VirtualTime(emulator).sleep(3600)
    library.collect(wait=True, budget=2.0, approve=True)
    assert library.status().files.described == 11


def test_two_libraries_under_one_key_keep_to_their_own_jobs(tmp_path: Path, emulator: Emulator) -> None:
    """The same photos twice, the second library's create without an answer: each adopts its own job only."""
    photos = samples(tmp_path / "photos")
    emulator.change(pending_seconds=600.0)
    with opened(tmp_path / "one", emulator) as one, opened(tmp_path / "two", emulator) as two:
        one.index([photos], approve=True, wait=False, **GEMINI)
        emulator.fault("create", "drop", nth=1)
        two.index([photos], approve=True, wait=False, **GEMINI)
        for library in (one, two):
            assert library.collect(wait=True).files.described == 11
    assert [job["cancelled"] for job in emulator.jobs()] == [0, 0]
    assert set(emulator.books()["images"].values().__iter__().__next__().items()) == {("batch", 2)}


def test_the_key_is_in_no_file_and_no_message(
    tmp_path: Path, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the library after faults of every kind, not in errors, their chains or logs, and not in the emulator's."""
    caplog.set_level("DEBUG")
    photos = samples(tmp_path / "photos", 2)
    told: list[str] = []
    for kind in ("400", "403", "500", "drop", "garbage"):
        emulator.fault("create", kind, nth=1)
        with opened(tmp_path / "library", emulator, environ={"CAPTIONARY_KEEP_BATCHES": "1"}) as library:
            try:
                library.index([photos], approve=True, **GEMINI)
            except CaptionaryError as fault:
                told += [repr(fault), fault.hint, repr(fault.__cause__), repr(fault.__context__)]
        VirtualTime(emulator).sleep(300)
    assert told
    assert KEY not in "".join(told) + caplog.text
    for path in (tmp_path / "library").rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_a_retry_asks_the_question_that_failed_and_nothing_else(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """Not what an earlier prompt failed on, nor photos that are gone; and by the lane that it names."""
    photos = samples(tmp_path / "photos", 5)
    emulator.fault("row", "not_json", times=5)
    assert library.index([photos], approve=True, **GEMINI).files.failed == 5
    (tmp_path / "other.txt").write_text("Describe this photo in {language}, in one sentence.")
    report = library.index([photos], approve=True, prompt=tmp_path / "other.txt", **GEMINI)
    assert (report.files.described, library.failures()) == (5, [])
    served = emulator.books()["served"]["batch"]
    assert library.retry(approve=True).requests.submitted == 0
    assert emulator.books()["served"]["batch"] == served
    (tmp_path / "third.txt").write_text("Describe this photo in {language}, in two sentences.")
    emulator.fault("generate", "block", times=5)
    library.index([photos], approve=True, prompt=tmp_path / "third.txt", mode="interactive", **GEMINI)
    assert len(library.failures()) == 5
    for path in sorted(photos.iterdir())[:2]:
        path.unlink()
    library.index([photos], approve=True, mode="batch", confirm_deleted=True, **GEMINI)
    shown: list[Plan] = []
    library.retry(only="blocked", approve=lambda plan: not shown.append(plan))
    assert [(plan.new, plan.mode) for plan in shown] == [(3, "batch")]
    assert emulator.books()["served"] == {"batch": served + 3, "interactive": 5}


@pytest.mark.parametrize("odd", [{"enum": ["receipt", "photo"]}, {"const": "a"}, {"type": "array"}])
def test_a_schema_that_the_service_refuses_is_refused_before_it_costs(
    tmp_path: Path, emulator: Emulator, library: Library, odd: object
) -> None:
    """By the plan already; the library goes on with a mended one."""
    schema = {"type": "object", "properties": {"description": {"type": "string"}, "kind": odd}}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    photos = samples(tmp_path / "photos", 2)
    with pytest.raises(UsageError, match="would refuse"):
        library.plan([photos], schema=tmp_path / "schema.json", **GEMINI)
    assert emulator.books()["requests"] == {}
    assert library.index([photos], approve=True, **GEMINI).files.described == 2


def test_a_batch_that_would_be_refused_ends_and_the_next_one_goes(
    tmp_path: Path, emulator: Emulator, library: Library
) -> None:
    """What our own check finds was not sent: its photos have failed, for a reason, and cost nothing."""
    photos = samples(tmp_path / "photos", 2)
    batches = tmp_path / "library" / "batches"

    def spoil(step: str) -> None:
        if step == "after commit packed shard":
            for path in batches.glob("*.jsonl"):
                path.write_bytes(path.read_bytes().replace(b"contents", b"contentz"))

    with opened(tmp_path / "library", emulator, step=spoil) as spoiling:
        report = spoiling.index([photos], approve=True, **GEMINI)
    assert (report.files.failed, report.exit_code, report.cost.spent_usd) == (2, 4, 0.0)
    assert {one.reason for one in library.failures()} == {"rejected"}
    assert library.retry(approve=True).files.described == 2


def test_the_key_is_in_no_process_argument(tmp_path: Path, emulator: Emulator) -> None:
    """While a command and its workers run, no process of this machine shows the key to whoever lists them."""
    env = environment(GOOGLE_API_KEY=KEY, GOOGLE_GEMINI_BASE_URL=emulator.url, CAPTIONARY_POLL_SECONDS="0.1")
    call = [Path(sys.executable).with_name("index"), "--library", tmp_path / "library", SAMPLES, "--workers", "2"]
    shown: set[bytes] = set()
    with subprocess.Popen([*call, "--provider", "gemini", "--yes", "--quiet"], env=env) as process:
        while process.poll() is None:
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    shown.add(place.read_bytes())
    assert process.returncode == 0
    assert any(b"indexer.crawl.worker" in line for line in shown), "the workers were seen"
    assert not [line for line in shown if KEY.encode() in line]


def test_a_ledger_that_was_closed_has_no_open_money(tmp_path: Path, emulator: Emulator, library: Library) -> None:
    """After a whole run nothing is reserved, and every attempt has its end."""
    emulator.fault("row", "no_usage", nth=1)
    library.index([samples(tmp_path / "photos")], approve=True, **GEMINI)
    with sqlite3.connect(tmp_path / "library" / "ledger.sqlite3") as ledger:
        states = dict(ledger.execute("SELECT state, count(*) FROM attempts GROUP BY state"))
    assert states == {"answered": 11}
    assert spent(library) > emulator.books()["usd"], "usage that nobody told stays booked high"
