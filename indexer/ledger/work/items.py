"""Work items: one question about one photo, from wanted to out to answered or failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from indexer.domain.answer import Failure
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work import partners
from indexer.ledger.work.prompt_facts import given_now
from indexer.ledger.work.questions import question_id

_MOST_BEGUN = 20  # so that a service which takes requests and never serves them cannot keep us busy for ever


@dataclass(frozen=True, slots=True)
class Work:
    """One question about one photo, as it stands.

    `attempts` counts requests that were begun, `reason` says why the last one failed ("" where none did); `given` is
    the JSON of the facts that its prompt is given.
    """

    key: str
    photo: str
    attempts: int
    given: str = "{}"
    reason: str = ""


def unasked(ledger: Ledger, question: int | None, scope: Scope) -> Iterator[str]:
    """Yield the photos of `scope` that this question was never approved for and that inherit no answer, by path.

    What a partner of the question was approved for is left to it.
    """
    condition, values = scope.where()
    asked = partners.listed(partners.family(ledger, question))
    yield from (
        row[0]
        for row in ledger.connection.execute(
            f"""
            SELECT f.photo FROM files f
            WHERE f.state = 'present' AND f.reason IS NULL AND f.photo IS NOT NULL AND {condition}
              AND NOT EXISTS (SELECT 1 FROM works w WHERE w.photo = f.photo AND w.question IN {asked})
              AND NOT EXISTS (SELECT 1 FROM inherited i WHERE i.photo = f.photo AND i.question IN {asked})
            GROUP BY f.photo ORDER BY min(f.path)
            """,
            values,
        )
    )


def want(transaction: Transaction, question: Question, photos: Iterable[str], campaign: int, mode: Mode) -> None:
    """Begin the work items of `photos`: approved, not yet sent.

    The facts that the template asks for are fixed here: every attempt at a work sends the prompt that was approved.
    """
    number, ledger = question_id(transaction, question), transaction.ledger
    transaction.executemany(
        "INSERT OR IGNORE INTO works (key, photo, question, campaign, mode, state, given, attempts)"
        " VALUES (?1, ?2, ?3, ?4, ?5, 'wanted', ?6, (SELECT coalesce(max(number), 0) FROM attempts WHERE work = ?1))",
        (
            (
                question.work_key(photo),
                photo,
                number,
                campaign,
                str(mode),
                given_now(ledger, question, photo),
            )
            for photo in photos
        ),
    )


def wanted(ledger: Ledger, question: int, mode: Mode, limit: int, after: str = "") -> list[Work]:
    """Return up to `limit` works that wait to be sent, by key, beginning after `after`."""
    rows = ledger.connection.execute(
        "SELECT key, photo, attempts, given, coalesce(reason, '') FROM works"
        " WHERE state = 'wanted' AND question = ? AND mode = ? AND key > ?"
        " ORDER BY key LIMIT ?",
        (question, str(mode), after, limit),
    )
    return [Work(*row) for row in rows]


def open_questions(ledger: Ledger) -> list[tuple[int, Mode, int]]:
    """Return (question, mode, number of work items) for all that waits to be sent."""
    rows = ledger.connection.execute(
        "SELECT question, mode, count(*) FROM works WHERE state = 'wanted' GROUP BY question, mode ORDER BY question"
    )
    return [(row[0], Mode(row[1]), row[2]) for row in rows]


def begin_call(transaction: Transaction, work: Work, key: str, high_usd: float, mode: Mode) -> None:
    """Write down that a single call is out under the attempt `key`."""
    transaction.execute("UPDATE works SET state = 'out', attempts = attempts + 1 WHERE key = ?", (work.key,))
    transaction.execute(
        "INSERT INTO attempts (key, work, number, campaign, question, mode, state, high_usd, started_at)"
        " SELECT ?, key, attempts, campaign, question, ?, 'out', ?, ? FROM works WHERE key = ?",
        (key, str(mode), high_usd, transaction.now(), work.key),
    )


def doubt_calls(ledger: Ledger) -> int:
    """Put single calls that a crash cut off in doubt: booked at their high price, to be asked again once."""
    question = "SELECT key, work FROM attempts WHERE state = 'out' AND shard IS NULL"
    lost = ledger.connection.execute(question).fetchall()
    if not lost:
        return 0
    with ledger.transaction("calls in doubt") as transaction:
        for key, work in lost:
            doubt(transaction, key, work, "the process ended before the answer came")
    return len(lost)


def doubt(transaction: Transaction, attempt: str, work: str, detail: str) -> None:
    """Book one call at its high price, because its outcome is unknown; a second time the work fails."""
    transaction.execute(
        "UPDATE attempts SET state = 'in_doubt', spent_usd = high_usd, detail = ?, ended_at = ? WHERE key = ?",
        (detail, transaction.now(), attempt),
    )
    twice = transaction.execute(
        "SELECT count(*) FROM attempts WHERE work = ? AND state = 'in_doubt' AND shard IS NULL", (work,)
    ).fetchone()[0]
    if twice < 2:
        transaction.execute("UPDATE works SET state = 'wanted' WHERE key = ? AND state = 'out'", (work,))
    else:
        fail(transaction, work, "server_error", detail)


def void(transaction: Transaction, attempt: str, work: str) -> None:
    """Take back a call that was surely not served: nothing was paid, the work waits again."""
    transaction.execute("UPDATE attempts SET state = 'void', ended_at = ? WHERE key = ?", (transaction.now(), attempt))
    begun = transaction.execute("SELECT attempts FROM works WHERE key = ?", (work,)).fetchone()[0]
    if begun < _MOST_BEGUN:
        transaction.execute("UPDATE works SET state = 'wanted' WHERE key = ? AND state = 'out'", (work,))
    else:
        fail(transaction, work, "server_error", f"sent {begun} times and never served")


def fail(transaction: Transaction, work: str, reason: str, detail: str) -> None:
    """Keep why a work failed; what was asked anew falls back on the answer it has: a failure never takes one away."""
    transaction.execute("UPDATE works SET state = 'answered', renewing = 0 WHERE key = ? AND renewing = 1", (work,))
    transaction.execute(
        "UPDATE works SET state = 'failed', reason = ?, detail = ? WHERE key = ? AND state <> 'answered'",
        (reason, detail, work),
    )


def fail_unsent(ledger: Ledger, work: str, failure: Failure) -> None:
    """Keep that a work cannot be sent at all: its picture can no longer be made."""
    with ledger.transaction("unsendable work") as transaction:
        fail(transaction, work, str(failure.reason), failure.detail)


def give_up(transaction: Transaction, provider: str) -> None:
    """Forget the approved work of a provider that was never sent: another one does it."""
    transaction.execute(
        "DELETE FROM works WHERE state = 'wanted' AND renewing = 0"
        " AND question IN (SELECT id FROM questions WHERE provider = ?)",
        (provider,),
    )


def give_up_question(transaction: Transaction, question: int) -> None:
    """Forget the approved work of a question that was never sent: nobody can answer it."""
    transaction.execute(
        "UPDATE works SET state = 'answered', renewing = 0 WHERE state = 'wanted' AND renewing = 1 AND question = ?",
        (question,),
    )
    transaction.execute("DELETE FROM works WHERE state = 'wanted' AND question = ?", (question,))


def waiting(ledger: Ledger, question: int | None, mode: Mode) -> list[str]:
    """Return the photos whose work items wait to be sent in `mode`."""
    rows = ledger.connection.execute(
        "SELECT photo FROM works WHERE state = 'wanted' AND question = ? AND mode = ?", (question, str(mode))
    )
    return [row[0] for row in rows]


def photos_of(ledger: Ledger, keys: Sequence[str]) -> list[str]:
    """Return the photos of these works."""
    found = (ledger.connection.execute("SELECT photo FROM works WHERE key = ?", (key,)).fetchone() for key in keys)
    return [row[0] for row in found]


def unsent(ledger: Ledger, question: int | None, mode: Mode | None = None) -> int:
    """Return how many approved work items of this question still wait to be sent, in one mode or in any."""
    row = ledger.connection.execute(
        f"SELECT count(*) FROM works WHERE state = 'wanted' AND question = ?{' AND mode = ?' if mode else ''}",
        (question, str(mode)) if mode else (question,),
    ).fetchone()
    return int(row[0])


def retryable(ledger: Ledger, question: int, reasons: Sequence[str], most_attempts: int) -> list[Work]:
    """Return the work items of a question that failed for these reasons after fewer than `most_attempts` attempts.

    Only those of photos that are there, or from which one that is there inherits.
    """
    condition, values = _failed_for(question, reasons, most_attempts)
    rows = ledger.connection.execute(f"SELECT key, photo, attempts, given, reason FROM works WHERE {condition}", values)
    return [Work(*row) for row in rows]


def want_again(transaction: Transaction, failed: Iterable[Work], campaign: int, mode: Mode) -> None:
    """Let failed work items wait again, in `mode` and at the cost of `campaign`."""
    transaction.executemany(
        "UPDATE works SET state = 'wanted', campaign = ?, mode = ? WHERE key = ? AND state = 'failed'",
        ((campaign, str(mode), work.key) for work in failed),
    )


def _failed_for(question: int, reasons: Sequence[str], most_attempts: int) -> tuple[str, tuple[object, ...]]:
    there = (
        "SELECT 1 FROM files f WHERE f.state = 'present' AND f.reason IS NULL AND f.photo IN (SELECT works.photo"
        " UNION ALL SELECT i.photo FROM inherited i WHERE i.source = works.photo AND i.question = works.question)"
    )
    marks = ",".join("?" * len(reasons))
    condition = f"question = ? AND state = 'failed' AND attempts < ? AND reason IN ({marks}) AND EXISTS ({there})"
    return condition, (question, most_attempts, *reasons)
