"""Result lines -> answers, failures and spend, in one ledger transaction a shard.

Lines are matched by key and by nothing else. Every request of the shard ends here: answered, failed for a reason,
or back among the waiting because it was never served.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from indexer.batchfile import read_lines
from indexer.errors import NoCredit
from indexer.ledger import shards, works
from indexer.ledger.shards import Shard
from indexer.ledger.works import Booking
from indexer.pipeline.session import Session
from indexer.providers import standing
from indexer.providers.base import Provider
from indexer.records import Failure, Handling, JobState, Mode, Question, Reason, Row

_MISSING = Failure(Reason.MISSING, "the service returned no line for this photo")
_ENDED = {
    JobState.EXPIRED: Failure(Reason.EXPIRED, "the job expired before it was served"),
    JobState.CANCELLED: Failure(Reason.EXPIRED, "the job was cancelled", Handling.AGAIN),
}


def collect_results(session: Session, shard: Shard, provider: Provider, results: Path) -> None:
    """Keep everything that a shard's result lines say; raises `NoCredit` when they blame the account."""
    question = works.question_of(session.ledger, shard.question)
    waiting = shards.out_attempts(session.ledger, shard.id)
    failed: dict[str, Row] = {}
    answered: list[str] = []
    with session.ledger.transaction("collected shard"):
        for line in read_lines(results):
            row = provider.decode(line)
            if row.key is None or row.key not in waiting:
                continue  # not ours, or a second line for a photo that has its answer
            if isinstance(row.outcome, Failure):
                failed.setdefault(row.key, row)  # an answer may still follow under the same key
                continue
            booking = booked(session, waiting.pop(row.key), (question, Mode.BATCH), row)
            works.record_answer(session.ledger, booking, row.outcome, standing(provider.name))
            answered.append(booking.work)
        for key, booking in waiting.items():
            _record(session, booking, question, failed.get(key) or Row(key, _MISSING))
        shards.record_collected(session.ledger, shard.id)
    session.spool.drop(works.photos_of(session.ledger, answered))
    _blame_account(failed.values())


def fail_shard(session: Session, shard: Shard, provider: Provider | None) -> None:
    """Give every request of a shard that ended without results its outcome; without a provider nothing was sent."""
    failure = _ENDED.get(shard.job_state, Failure(Reason.SERVER_ERROR, shard.error or "the job failed without results"))
    with session.ledger.transaction("shard without results"):
        for key, booking in shards.out_attempts(session.ledger, shard.id).items():
            if provider is None or failure.handling is Handling.AGAIN:
                works.void(session.ledger, key, booking.work)
            else:
                works.record_failure(session.ledger, Booking(key, booking.work, 0.0, None), failure)
        shards.record_collected(session.ledger, shard.id)


def booked(session: Session, booking: Booking, lane: tuple[Question, Mode], row: Row) -> Booking:
    """Price a finished request by its measured usage; without usage it stays at its high price."""
    cost = booking.spent_usd if row.usage is None else session.pricing.cost(*lane, row.usage)
    return Booking(booking.attempt, booking.work, cost, row.usage)


def _record(session: Session, booking: Booking, question: Question, row: Row) -> None:
    outcome = row.outcome
    if isinstance(outcome, Failure) and outcome.handling is Handling.KEEP:
        works.record_failure(session.ledger, booked(session, booking, (question, Mode.BATCH), row), outcome)
    else:
        works.void(session.ledger, booking.attempt, booking.work)


def _blame_account(rows: Iterable[Row]) -> None:
    for row in rows:
        if isinstance(row.outcome, Failure) and row.outcome.handling is Handling.PAUSE:
            raise NoCredit(
                f"the service stopped serving this account: {row.outcome.detail}",
                hint="mend the account, then run `index collect`; nothing that was served is asked again",
            )
