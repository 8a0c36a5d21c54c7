"""Work items, attempts and shards step by step: what each transition leaves behind, for a crash to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from indexer.domain.answer import Answer, Failure, Reason, Usage
from indexer.domain.job import Job, JobState
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.spend import approvals, caps
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.spend.caps import Caps
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.ledger.work import answers, items, modes, questions, shards
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.items import Work
from indexer.ledger.work.shards import Line, Packed, Refusal, Shard
from indexer.pipeline.send.batch import BatchSender
from indexer.pipeline.send.lanes import Lanes
from indexer.storage.settings import Config

QUESTION = Question("gemini", "gemini-3.5-flash-lite", "Describe it.", "{}")
PHOTOS = [f"1-{number:040x}" for number in range(4)]
ANSWER = Answer("A red cup.", ("cup",), model=QUESTION.model)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with four photos that are wanted by batch, under a cap of one dollar."""
    held = Ledger.open(tmp_path)
    with held.transaction("photos") as transaction:
        for photo in PHOTOS:
            transaction.execute("INSERT INTO photos VALUES (?, 0, 9, 9, 'JPEG', '', 0)", (photo,))
        campaign = approvals.begin_campaign(transaction)
        approvals.approve(transaction, campaign, Yes('{"most_usd": 1.0}', 1.0))
        items.want(transaction, QUESTION, PHOTOS, campaign, Mode.BATCH)
    yield held
    held.close()


def number(ledger: Ledger) -> int:
    """The number of the question."""
    found = questions.known_question(ledger, QUESTION)
    assert found is not None
    return found


def waiting(ledger: Ledger) -> list[Work]:
    """The work items that wait, in either mode."""
    return [work for mode in (Mode.BATCH, Mode.INTERACTIVE) for work in items.wanted(ledger, number(ledger), mode, 100)]


def pack(ledger: Ledger, works: list[Work], name: str = "5" * 8) -> list[Line]:
    """Commit a shard of these work items, each at ten cents."""
    lines = [Line(work, f"{work.key}-lib-{work.attempts + 1}", 0.1) for work in works]
    shards.record_packed(ledger, Packed(name, number(ledger), 1, 1000, 4000), lines)
    return lines


def state(ledger: Ledger, key: str) -> tuple[str, str | None]:
    """State and reason of a work item."""
    found = ledger.connection.execute("SELECT state, reason FROM works WHERE key = ?", (key,)).fetchone()
    return found[0], found[1]


def test_a_transaction_keeps_all_or_nothing(ledger: Ledger) -> None:
    """An error in the middle takes back what was written before it."""

    def fail_half_way() -> None:
        with ledger.transaction("half") as transaction:
            transaction.set_setting("half", "written")
            assert transaction.ledger.setting("half") == "written"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert ledger.setting("half") == ""


def test_wanting_twice_is_wanting_once(ledger: Ledger) -> None:
    """A work item that is there already stays as it is."""
    with ledger.transaction("again") as transaction:
        items.want(transaction, QUESTION, PHOTOS, 1, Mode.INTERACTIVE)
    assert [work.attempts for work in waiting(ledger)] == [0] * 4
    assert items.unsent(ledger, number(ledger), Mode.BATCH) == 4


def test_packing_reserves_the_high_price_until_an_answer_books_the_real_one(ledger: Ledger) -> None:
    """The budget's arithmetic: reserved while out, spent when answered, free again when void."""
    first, second, third, _ = pack(ledger, waiting(ledger))
    assert approvals.budget(ledger).reserved == pytest.approx(0.4)
    with ledger.transaction("collected") as transaction:
        answers.record_answer(transaction, Booking(first.key, first.work.key, 0.03, Usage(700, 80)), ANSWER, 30)
        failure = Failure(Reason.BLOCKED, "the service refused it")
        answers.record_failure(transaction, Booking(second.key, second.work.key, 0.02, None), failure)
        items.void(transaction, third.key, third.work.key)
    purse = approvals.budget(ledger)
    assert (purse.spent, purse.reserved) == (pytest.approx(0.05), pytest.approx(0.1))
    assert [state(ledger, line.work.key) for line in (first, second, third)] == [
        ("answered", None),
        ("failed", "blocked"),
        ("wanted", None),
    ]


def test_a_failure_never_takes_an_answer_away(ledger: Ledger) -> None:
    """What is answered stays answered, whatever a later line says."""
    line = pack(ledger, waiting(ledger)[:1])[0]
    booking = Booking(line.key, line.work.key, 0.0, None)
    with ledger.transaction("both") as transaction:
        answers.record_answer(transaction, booking, ANSWER, 30)
        answers.record_failure(transaction, booking, Failure(Reason.MALFORMED, "a second line"))
    assert state(ledger, line.work.key) == ("answered", None)


def test_a_call_in_doubt_is_asked_again_once(ledger: Ledger) -> None:
    """Booked at its high price; the second time its work item fails, and nothing is asked for ever."""
    work = waiting(ledger)[0]
    for attempt in (1, 2):
        with ledger.transaction("intent") as transaction:
            items.begin_call(transaction, work, f"{work.key}-lib-{attempt}", 0.2, Mode.INTERACTIVE)
        assert items.doubt_calls(ledger) == 1
        assert approvals.budget(ledger).spent == pytest.approx(0.2 * attempt)
        assert state(ledger, work.key)[0] == ("wanted" if attempt == 1 else "failed")
    assert counts.count_in_doubt(ledger) == 2
    assert state(ledger, work.key) == ("failed", "server_error")


def test_requests_that_are_taken_and_never_served_end(ledger: Ledger) -> None:
    """After twenty of them a photo has failed."""
    key = waiting(ledger)[0].key
    for attempt in range(1, 21):
        work = next(work for work in waiting(ledger) if work.key == key)
        with ledger.transaction("intent") as transaction:
            items.begin_call(transaction, work, f"{key}-lib-{attempt}", 0.2, Mode.INTERACTIVE)
        with ledger.transaction("void") as transaction:
            items.void(transaction, f"{key}-lib-{attempt}", key)
    assert state(ledger, key) == ("failed", "server_error")
    assert approvals.budget(ledger).spent == 0


def test_what_is_out_belongs_to_a_batch_and_what_waits_can_change_its_mode(ledger: Ledger) -> None:
    """A shard in no job yet follows as well; one at the service does not."""
    pack(ledger, waiting(ledger)[:2])
    assert modes.in_other_mode(ledger, number(ledger), Mode.INTERACTIVE) == 4
    with ledger.transaction("change") as transaction:
        modes.change_mode(transaction, number(ledger), Mode.INTERACTIVE)
    assert modes.in_other_mode(ledger, number(ledger), Mode.INTERACTIVE) == 0
    assert not modes.wants_batch(ledger, "5" * 8)


STEPS: list[tuple[str, Callable[[Ledger, Shard], Shard]]] = [
    ("intended", shards.intend),
    ("creating", lambda ledger, held: shards.record_upload(ledger, held, "files/1")),
    ("creating", shards.record_creating),
    ("submitted", lambda ledger, held: shards.record_job(ledger, held, Job("j/1", JobState.RUNNING), sure=True)),
    ("submitted", lambda ledger, held: shards.record_poll(ledger, held, Job("j/1", JobState.RUNNING))),
    ("ended", lambda ledger, held: shards.record_poll(ledger, held, Job("j/1", JobState.FINISHED))),
    ("fetched", shards.record_fetched),
]


def packed(ledger: Ledger) -> Shard:
    """A shard of all that waits."""
    pack(ledger, waiting(ledger))
    (held,) = shards.open_shards(ledger)
    return held


def test_a_shard_goes_from_packed_to_closed_one_commit_at_a_time(ledger: Ledger, tmp_path: Path) -> None:
    """Each step returns the shard as it stands now, and who opens the ledger between two steps finds the same."""
    held = packed(ledger)
    for expected, step in STEPS:
        held = step(ledger, held)
        assert held.state == expected
        reader = Ledger.read(tmp_path)
        assert shards.open_shards(reader) == [held]
        reader.close()
    assert shards.close(ledger, held).state == "closed"
    assert shards.open_shards(ledger) == []


def test_a_create_is_remembered_before_it_is_sent(ledger: Ledger) -> None:
    """From the upload on a job may exist: the state says so, and the count of creates grows before each."""
    held = shards.record_upload(ledger, shards.intend(ledger, packed(ledger)), "files/1")
    assert held.creates == 0
    held = shards.record_creating(ledger, held)
    assert (held.creates, held.refusal, held.state) == (1, Refusal.UNKNOWN, "creating")


def test_a_full_queue_gives_the_job_another_name(ledger: Ledger) -> None:
    """What failed for want of room was not served; the next create counts as a new attempt and waits."""
    held = packed(ledger)
    for _, step in STEPS[:4]:
        held = step(ledger, held)
    held = shards.record_queue_full(ledger, held, "queue full", 1e12)
    assert (held.state, held.job, held.attempt, held.refusal) == ("creating", "", 2, Refusal.QUEUE)
    shards.end_waits(ledger)
    assert [waited.not_before for waited in shards.open_shards(ledger)] == [0]


def test_what_was_taken_back_and_not_closed_counts_as_moved(ledger: Ledger, tmp_path: Path) -> None:
    """Whoever was killed in between had no time for the table: it follows once the batch is closed."""
    held = packed(ledger)
    with ledger.transaction("taken back") as transaction:
        for line in shards.out_attempts(ledger, held.id).values():
            items.void(transaction, line.attempt, line.work)
        held = shards.record_collected(transaction, held)
    session: Any = SimpleNamespace(ledger=ledger, batches=tmp_path, config=Config())
    sender = BatchSender(session, Lanes(session))
    sender.advance(held)
    assert (shards.open_shards(ledger), sender.moved) == ([], True)


def test_a_campaign_ends_when_nothing_waits_or_is_out(ledger: Ledger) -> None:
    """Until then a later run adds to it, under its cap."""
    approvals.end_campaign_when_done(ledger)
    assert approvals.current_campaign(ledger) == 1
    with ledger.transaction("given up") as transaction:
        items.give_up(transaction, "gemini")
    approvals.end_campaign_when_done(ledger)
    assert approvals.current_campaign(ledger) is None


@pytest.mark.parametrize(
    ("limits", "left"),
    [(Caps(), float("inf")), (Caps(total=1.0), 0.6), (Caps(per_day=0.5), 0.1), (Caps(total=1.0, per_day=0.5), 0.1)],
)
def test_the_caps_of_a_library_count_what_is_in_flight(ledger: Ledger, limits: Caps, left: float) -> None:
    """Four requests of ten cents are out, so each limit has forty cents less."""
    pack(ledger, waiting(ledger))
    assert caps.headroom(ledger, limits) == pytest.approx(left)


def test_a_question_that_was_never_asked_has_no_number_and_no_counts(ledger: Ledger) -> None:
    """`None` is the one way to say it, in SQL as in Python."""
    never = questions.known_question(ledger, Question("gemini", "another", "Describe it.", "{}"))
    assert never is None
    assert counts.count_works(ledger, Scope(), never).described == 0
    assert answers.count_answers(ledger, never) == items.unsent(ledger, never) == 0
    assert list(items.unasked(ledger, never, Scope())) == []
