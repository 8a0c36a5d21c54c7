"""What several routes said about the same photos, and what each answer cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """What one question brought for a photo: an answer, or why there is none; `usd` is all that was paid for it."""

    description: str
    tags: tuple[str, ...]
    failure: str
    usd: float
    input_tokens: int
    output_tokens: int


def said(ledger: Ledger, question: int | None, photos: Sequence[str]) -> dict[str, ComparedAnswer]:
    """Return what a question brought for each of `photos` that it was asked of."""
    found = {}
    for photo in photos:
        row = ledger.connection.execute(
            """
            SELECT coalesce(a.description, ''), coalesce(a.tags, '[]'), w.state,
                   coalesce(w.reason, ''), coalesce(w.detail, ''),
                   (SELECT total(t.spent_usd) FROM attempts t WHERE t.work = w.key),
                   (SELECT total(t.input_tokens) FROM attempts t WHERE t.work = w.key),
                   (SELECT total(t.output_tokens) FROM attempts t WHERE t.work = w.key)
            FROM works w LEFT JOIN answers a ON a.work = w.key WHERE w.photo = ? AND w.question = ?
            """,
            (photo, question),
        ).fetchone()
        if row:
            failure = f"{row[3]}: {row[4]}" if row[2] == "failed" else "" if row[0] else "not answered yet"
            found[photo] = ComparedAnswer(row[0], tuple(json.loads(row[1])), failure, row[5], int(row[6]), int(row[7]))
    return found


def unasked(ledger: Ledger, question: int | None, photos: Sequence[str]) -> list[str]:
    """Return those of `photos` that this question was never asked of."""
    known = "SELECT 1 FROM works WHERE photo = ? AND question = ?"
    return [photo for photo in photos if not ledger.connection.execute(known, (photo, question)).fetchone()]


def paths(ledger: Ledger, photos: Sequence[str]) -> list[bytes]:
    """Return a path of each photo that is there, in the order of `photos`."""
    where = "SELECT min(path) FROM files WHERE photo = ? AND state = 'present'"
    return [ledger.connection.execute(where, (photo,)).fetchone()[0] or b"" for photo in photos]
