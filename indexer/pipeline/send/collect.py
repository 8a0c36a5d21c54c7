"""Result lines -> answers, failures and spend, in one ledger transaction a shard.

Lines are matched by key and by nothing else. Every request of the shard ends here: answered, failed for a reason,
or back among the waiting because it was never served.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from indexer.domain.answer import Failure, Handling, Reason, Row
from indexer.domain.errors import NoCredit
from indexer.domain.job import JobState
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.store import Transaction
from indexer.ledger.work import answers, items, questions, shards
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.shards import Shard
from indexer.pipeline.send.canary import judge
from indexer.pipeline.send.framing import read_lines
from indexer.pipeline.send.outcomes import Outcome
from indexer.pipeline.session import Session
from indexer.providers.seam import BatchService

_MISSING = Failure(Reason.MISSING, "the service returned no line for this photo")
_CANCELLED = Failure(Reason.MISSING, "the job was cancelled before this photo's turn", Handling.AGAIN)
_EXPIRED = Failure(Reason.EXPIRED, "the job expired before this photo's turn")
_UNBILLED = (Reason.REJECTED, Reason.SERVER_ERROR, Reason.EXPIRED)
"""What a service refused or failed to serve costs nothing; an answer without its usage costs nobody knows what."""


def looks_damaged(session: Session, shard: Shard, batches: BatchService, results: Path) -> bool:
    """Say whether a line cannot be read, or names no photo of the shard: on the way, a bit may have been lost."""
    waiting = shards.out_attempts(session.ledger, shard.id)
    return any(_is_doubtful(batches.decode(line), waiting) for line in read_lines(results))


def refusal_of_all(batches: BatchService, results: Path) -> str:
    """Return why the service refused the first photo, if it refused every one; "" otherwise."""
    words = ""
    for line in read_lines(results):
        outcome = batches.decode(line).outcome
        if not isinstance(outcome, Failure) or outcome.reason is not Reason.REJECTED:
            return ""
        words = words or outcome.detail
    return words


def _is_doubtful(row: Row, asked: Container[str]) -> bool:
    malformed = isinstance(row.outcome, Failure) and row.outcome.reason is Reason.MALFORMED
    return malformed or row.key is None or row.key not in asked


def collect_results(session: Session, shard: Shard, batches: BatchService, results: Sequence[Path]) -> Shard:
    """Keep everything that a shard's result lines say; raises `NoCredit` when they blame the account.

    `results` are downloads of the same lines: what is whole in one of them counts.
    """
    question = questions.question_of(session.ledger, shard.question)
    waiting = shards.out_attempts(session.ledger, shard.id)
    asked = frozenset(waiting)
    failed: dict[str, Row] = {}
    answered: list[str] = []
    strangers = 0
    with session.ledger.transaction("collected shard") as transaction:
        for line in (line for path in results for line in read_lines(path)):
            row = batches.decode(line)
            if row.key is None or row.key not in waiting:
                strangers += row.key not in asked
                continue  # not ours, or a second line for a photo that has its answer
            if isinstance(row.outcome, Failure):
                if row.key not in failed or _is_doubtful(failed[row.key], asked):
                    failed[row.key] = row  # an answer may still follow under the same key
                continue
            booking = booked(session, waiting.pop(row.key), (question, Mode.BATCH), row)
            answers.record_answer(transaction, booking, row.outcome, session.spec(question.provider).rank)
            answered.append(booking.work)
        unserved = Row(None, _unserved(shard))
        for key, booking in waiting.items():
            _record(session, transaction, booking, question, failed.get(key) or unserved)
        judge(session, transaction, shard, question)
        collected = shards.record_collected(transaction, shard)
    session.spool.drop(items.photos_of(session.ledger, answered))
    if strangers >= len(results):
        session.watcher.note(
            f"{shard.job}: {strangers // len(results)} result lines belong to no photo of this job and were ignored"
        )
    _blame_account(failed[key] for key in waiting if key in failed)
    return collected


def _unserved(shard: Shard) -> Failure:
    """What it means for a request that the job ended without a line for it."""
    if shard.cancelled_at:
        return _CANCELLED
    return _EXPIRED if shard.job_state is JobState.EXPIRED else _MISSING


def end_without_results(session: Session, shard: Shard, ending: Outcome) -> Shard:
    """Give every request of a shard the outcome that `ending` means for it."""
    with session.ledger.transaction("shard without results") as transaction:
        for key, booking in shards.out_attempts(session.ledger, shard.id).items():
            if ending.failure.handling is Handling.AGAIN:
                items.void(transaction, key, booking.work)
            else:
                spent = booking.spent_usd if ending.served else 0.0
                answers.record_failure(transaction, Booking(key, booking.work, spent, None), ending.failure)
        return shards.record_collected(transaction, shard)


def booked(session: Session, booking: Booking, asked: tuple[Question, Mode], row: Row) -> Booking:
    """Price a finished request by its measured usage; without usage it stays at its high price."""
    if row.usage is not None:
        return Booking(booking.attempt, booking.work, session.pricing.cost(*asked, row.usage), row.usage)
    unbilled = isinstance(row.outcome, Failure) and row.outcome.reason in _UNBILLED
    return Booking(booking.attempt, booking.work, 0.0 if unbilled else booking.spent_usd, None)


def _record(session: Session, transaction: Transaction, booking: Booking, question: Question, row: Row) -> None:
    outcome = row.outcome
    if isinstance(outcome, Failure) and outcome.handling is Handling.KEEP:
        answers.record_failure(transaction, booked(session, booking, (question, Mode.BATCH), row), outcome)
    else:
        items.void(transaction, booking.attempt, booking.work)


def _blame_account(rows: Iterable[Row]) -> None:
    for row in rows:
        if isinstance(row.outcome, Failure) and row.outcome.handling is Handling.PAUSE:
            raise NoCredit(
                f"the service stopped serving this account: {row.outcome.detail}",
                hint="fix the account, then run index collect; nothing that was answered is asked again",
            )
