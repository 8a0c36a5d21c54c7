"""What answers have cost so far: the measure that corrects every estimate."""

from __future__ import annotations

from typing import NamedTuple

from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger

_LATEST = 2000


class Used(NamedTuple):
    """Tokens that one finished request was billed for."""

    input: int
    output: int


def used(ledger: Ledger, question: int | None) -> list[Used]:
    """Return what the latest finished requests of a question used, failed ones too: they are paid as well."""
    rows = ledger.connection.execute(
        "SELECT t.input_tokens, t.output_tokens FROM attempts t CROSS JOIN works w ON w.key = t.work"
        " WHERE w.question = ? AND t.state IN ('answered', 'failed') AND t.input_tokens IS NOT NULL"
        " ORDER BY t.ended_at DESC LIMIT ?",
        (question, _LATEST),
    )
    return [Used(*row) for row in rows]


def answered_otherwise(ledger: Ledger, question: int | None, provider: str, scope: Scope) -> int:
    """Count the photos of `scope` that this question was never asked of, but another one of the same provider was."""
    condition, values = scope.where()
    row = ledger.connection.execute(
        f"""
        SELECT count(DISTINCT f.photo) FROM files f
        WHERE f.state = 'present' AND f.reason IS NULL AND f.photo IS NOT NULL AND {condition}
          AND NOT EXISTS (SELECT 1 FROM works w WHERE w.photo = f.photo AND w.question = ?)
          AND EXISTS (SELECT 1 FROM answers a WHERE a.photo = f.photo AND a.provider = ?)
        """,
        (*values, question, provider),
    ).fetchone()
    return int(row[0])
