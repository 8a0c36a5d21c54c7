"""Answers and failures as they are kept, and which answer of a photo is the best one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from indexer.domain.answer import Answer, Failure, Usage
from indexer.domain.keys import canonical_json
from indexer.ledger.photos import dirty_rows
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.items import fail
from indexer.ledger.work.prompt_facts import set_aside
from indexer.ledger.work.questions import CHOSEN_LAST, CHOSEN_PROMPT, CHOSEN_SCHEMA

_FITS_PROMPT = f"(q.prompt_version = (SELECT value FROM library WHERE name = '{CHOSEN_PROMPT}'))"
_FITS_SCHEMA = f"(q.schema_version = (SELECT value FROM library WHERE name = '{CHOSEN_SCHEMA}'))"
BEST_FIRST = f"""
    a.standing DESC, a.inherited,
    {_FITS_SCHEMA} AND EXISTS (SELECT 1 FROM library WHERE name = '{CHOSEN_LAST}' AND value = 'schema') DESC,
    {_FITS_PROMPT} DESC, {_FITS_SCHEMA} DESC, a.answered_at DESC, a.work
"""
"""The order of a photo's answers `a` (of `photo_answers`) to questions `q`: the first one is shown."""
_CAME_SECOND = (
    "EXISTS (SELECT 1 FROM partners p JOIN works o ON o.question = p.partner AND o.photo = w.photo"
    " WHERE p.question = w.question AND o.campaign = w.campaign AND o.state = 'answered')"
)
"""Whether a partner has answered for the same run: the first answer serves, the second ranks one lower."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A finished request: what it was, what it cost, and until then booked at `high_usd`."""

    attempt: str
    work: str
    spent_usd: float
    usage: Usage | None


def stored(answer: Answer) -> tuple[str, ...]:
    """Return the columns model, description, tags, visible_text and fields of an answer."""
    tags, fields = canonical_json(list(answer.tags)), canonical_json(dict(answer.fields))
    return (answer.model, answer.description, tags, answer.visible_text, fields)


def record_answer(transaction: Transaction, booking: Booking, answer: Answer, standing: int) -> None:
    """Keep an answer and what it cost, mark the rows of its photo."""
    _book(transaction, booking, "answered", None, None)
    photo, renewing = transaction.execute(
        "UPDATE works SET state = 'answered', reason = NULL, detail = NULL WHERE key = ? RETURNING photo, renewing",
        (booking.work,),
    ).fetchall()[0]
    if renewing:
        set_aside(transaction, booking.work)
    transaction.execute(
        f"INSERT OR IGNORE INTO answers SELECT w.key, w.photo, w.question, q.provider, ? - {_CAME_SECOND},"
        " ?, ?, ?, ?, ?, ?, w.given"
        " FROM works w JOIN questions q ON q.id = w.question WHERE w.key = ?",
        (
            standing,
            *stored(answer),
            transaction.now(),
            booking.work,
        ),
    )
    dirty_rows.mark_photo(transaction, photo)


def record_failure(transaction: Transaction, booking: Booking, failure: Failure) -> None:
    """Keep why a request brought no answer, and what it cost."""
    _book(transaction, booking, "failed", str(failure.reason), failure.detail)
    fail(transaction, booking.work, str(failure.reason), failure.detail)


def _book(transaction: Transaction, booking: Booking, state: str, reason: str | None, detail: str | None) -> None:
    usage = booking.usage
    transaction.execute(
        "UPDATE attempts SET state = ?, spent_usd = ?, input_tokens = ?, output_tokens = ?, reason = ?, detail = ?,"
        " ended_at = ? WHERE key = ?",
        (
            state,
            booking.spent_usd,
            usage.input_tokens if usage else None,
            usage.output_tokens if usage else None,
            reason,
            detail,
            transaction.now(),
            booking.attempt,
        ),
    )


def count_answers(ledger: Ledger, question: int | None) -> int:
    """Return how many photos have an answer to this question."""
    return int(ledger.connection.execute("SELECT count(*) FROM answers WHERE question = ?", (question,)).fetchone()[0])


@dataclass(frozen=True, slots=True)
class BestAnswer:
    """The answer of a photo that is shown: whose it is, to which prompt, and its rank."""

    answer: Answer
    provider: str
    prompt_version: str
    rank: int


def best_answer(ledger: Ledger, photo: str) -> BestAnswer | None:
    """Return the best answer that `photo` has, None without any.

    One that it inherits from another photo of its burst counts, if it has none as good of its own.
    """
    row = ledger.connection.execute(
        "SELECT a.description, a.tags, a.visible_text, a.fields, a.model, a.provider, q.prompt_version, a.standing"
        f" FROM photo_answers a JOIN questions q ON q.id = a.question WHERE a.holder = ? ORDER BY {BEST_FIRST} LIMIT 1",
        (photo,),
    ).fetchone()
    if not row:
        return None
    answer = Answer(row[0], tuple(json.loads(row[1])), row[2], json.loads(row[3]), row[4])
    return BestAnswer(answer, row[5], row[6], row[7])
