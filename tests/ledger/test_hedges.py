"""Second requests in the ledger: what a process that died among them leaves to the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.domain.answer import Answer
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.store import Ledger
from indexer.ledger.work import answers, hedges, items, modes, partners, questions, shards
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.hedges import Second
from indexer.ledger.work.shards import Line, Packed

FIRST = Question("anthropic", "claude-haiku-5-5", "Describe it.", "{}")
SECOND = replace(FIRST, provider="mistral", model="mistral-small-2603")
PHOTOS = [f"1-{number:040x}" for number in range(4)]
ANSWERED, DOUBTED, VOID, UNSENT = PHOTOS


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Four photos out in a batch and asked a second time, when the process died: each in another state."""
    held = Ledger.open(tmp_path)
    with held.transaction("approved") as transaction:
        for photo in PHOTOS:
            transaction.execute("INSERT INTO photos VALUES (?, 0, 9, 9, 'JPEG', '', 0)", (photo,))
        campaign = approvals.begin_campaign(transaction)
        approvals.approve(transaction, campaign, Yes('{"most_usd": 1.0}', 1.0))
        items.want(transaction, FIRST, PHOTOS, campaign, Mode.BATCH)
        number = questions.question_id(transaction, SECOND)
        partners.join(transaction, questions.question_id(transaction, FIRST), ["anthropic", "mistral"])
        hedges.promise(transaction, campaign, number, Mode.INTERACTIVE)
    works = items.wanted(held, _number(held, FIRST), Mode.BATCH, 10)
    lines = [Line(work, f"{work.key}-lib-1", 0.1) for work in works]
    shards.record_packed(held, Packed("5" * 8, _number(held, FIRST), campaign, 1000, 4000), lines)
    with held.transaction("asked a second time") as transaction:
        items.want(transaction, SECOND, PHOTOS, campaign, Mode.INTERACTIVE)
    for work in items.wanted(held, number, Mode.INTERACTIVE, 10):
        _leave(held, work)
    items.doubt_calls(held)
    yield held
    held.close()


def _leave(ledger: Ledger, work: items.Work) -> None:
    """Let a second request stand as the crash finds it."""
    attempt = f"{work.key}-lib-1"
    with ledger.transaction("call") as transaction:
        if work.photo != UNSENT:
            items.begin_call(transaction, work, attempt, 0.2, Mode.INTERACTIVE)
        if work.photo == VOID:
            items.void(transaction, attempt, work.key)
        if work.photo == ANSWERED:
            answers.record_answer(transaction, Booking(attempt, work.key, 0.1, None), Answer("A cup.", ("cup",)), 30)


def _number(ledger: Ledger, question: Question) -> int:
    found = questions.known_question(ledger, question)
    assert found is not None
    return found


def _second(ledger: Ledger) -> Second:
    found = hedges.promised(ledger)
    assert found is not None
    return found


def test_after_a_crash_what_was_sent_counts_and_the_rest_may_be(ledger: Ledger) -> None:
    """A second request in doubt is not sent again; one that never went out is, while there is time."""
    second = _second(ledger)
    hedges.take_up(ledger, second)
    assert items.unsent(ledger, second.question) == 0
    assert sorted(hedges.late(ledger, second)) == sorted([VOID, UNSENT])


def test_after_a_crash_and_the_deadline_nobody_is_asked_a_third_time(ledger: Ledger) -> None:
    """Each photo without an answer is left to the first provider, once."""
    second = _second(ledger)
    modes.leave_batch(ledger, second.campaign)
    hedges.take_up(ledger, second)
    hedges.settle(ledger, second)
    assert hedges.late(ledger, second) == []
    with ledger.transaction("the batch was stopped, nothing of it was served") as transaction:
        for work in transaction.execute("SELECT key FROM works WHERE question <> ?", (second.question,)).fetchall():
            items.void(transaction, f"{work[0]}-lib-1", work[0])
    hedges.settle(ledger, second)
    assert items.open_questions(ledger) == [(_number(ledger, FIRST), Mode.INTERACTIVE, 3)]
    assert set(items.waiting(ledger, _number(ledger, FIRST), Mode.INTERACTIVE)) == {DOUBTED, VOID, UNSENT}


def test_what_a_dead_route_handed_to_the_second_is_no_second_request(ledger: Ledger) -> None:
    """Its only request is kept."""
    second = _second(ledger)
    with ledger.transaction("the first is gone") as transaction:
        transaction.execute("DELETE FROM works WHERE photo = ? AND question <> ?", (UNSENT, second.question))
    hedges.take_up(ledger, second)
    assert items.waiting(ledger, second.question, Mode.INTERACTIVE) == [UNSENT]
