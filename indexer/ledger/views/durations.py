"""How long jobs and calls of this library took, by provider, model and mode."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.store import Ledger

_LATEST = 500


@dataclass(frozen=True, slots=True)
class Took:
    """How long one job took, in seconds from its submission, and how many of these it waited (None: nobody saw).

    One that did not finish says how long it did not: it is not `ended`, and `seconds` is its age.
    """

    model: str
    seconds: float
    requests: int
    submitted_at: float
    waited: float | None = None
    ended: bool = True


def jobs(ledger: Ledger, provider: str, now: float) -> list[Took]:
    """Return the latest jobs of a provider, whatever became of them, the newest first; `now` is since the epoch."""
    rows = ledger.connection.execute(
        """
        SELECT q.model, coalesce(s.cancelled_at, s.ended_at, ?1) - s.submitted_at, s.requests, s.submitted_at,
               s.running_at - s.submitted_at, s.job_state = 'finished'
        FROM shards s JOIN questions q ON q.id = s.question
        WHERE q.provider = ?2 AND s.submitted_at IS NOT NULL
          AND s.job_state IN ('finished', 'queued', 'running', 'cancelled', 'expired')
        ORDER BY s.submitted_at DESC LIMIT ?3
        """,
        (now, provider, _LATEST),
    )
    found = (Took(row[0], max(0.0, row[1]), row[2], row[3], row[4], bool(row[5])) for row in rows)
    return [took for took in found if took.ended or took.seconds > 0]


def calls(ledger: Ledger, question: Question, mode: Mode) -> list[float]:
    """Return how many seconds the latest answered calls of this provider, model and mode took, sorted."""
    rows = ledger.connection.execute(
        "SELECT t.ended_at - t.started_at FROM questions q JOIN attempts t ON t.question = q.id AND t.mode = ?"
        " WHERE q.provider = ? AND q.model = ? AND t.shard IS NULL AND t.ended_at IS NOT NULL AND t.state = 'answered'"
        " ORDER BY t.ended_at DESC LIMIT ?",
        (str(mode), question.provider, question.model, _LATEST),
    )
    return sorted(max(0.0, row[0]) for row in rows)
