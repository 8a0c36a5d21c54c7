"""Which photos a pilot may take, and what became of those it took."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import NamedTuple

from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger


class PilotPhoto(NamedTuple):
    """A photo with its folder, the month it was taken in ("" unknown), and its shape."""

    photo: str
    folder: bytes
    month: str
    shape: str


class Piloted(NamedTuple):
    """A photo of a pilot: where it lies, what came back or why nothing did, and what it cost."""

    path: bytes
    description: str
    tags: tuple[str, ...]
    reason: str
    detail: str
    input_tokens: int
    output_tokens: int
    usd: float


def candidates(ledger: Ledger, photos: Container[str] | None, scope: Scope) -> list[PilotPhoto]:
    """Return those of `photos` (None: of all) that lie in `scope`, like beside like."""
    condition, values = scope.where()
    rows = ledger.connection.execute(
        f"""
        SELECT f.photo, min(f.folder), coalesce(substr(json_extract(f.facts, '$.taken_at'), 1, 7), ''),
               CASE WHEN p.width > 1.1 * p.height THEN 'wide' WHEN p.height > 1.1 * p.width THEN 'tall'
                    ELSE 'square' END
        FROM files f JOIN photos p ON p.id = f.photo
        WHERE f.state = 'present' AND f.reason IS NULL AND {condition}
        GROUP BY f.photo ORDER BY 2, 3, 4, min(f.path)
        """,
        values,
    )
    return [PilotPhoto(*row) for row in rows if photos is None or row[0] in photos]


def taken(ledger: Ledger, question: int, campaign: int) -> list[Piloted]:
    """Return what became of the photos that this campaign asked by interactive requests, by path."""
    rows = ledger.connection.execute(
        """
        SELECT (SELECT min(f.path) FROM files f WHERE f.photo = w.photo AND f.state <> 'gone'),
               coalesce(a.description, ''), coalesce(a.tags, '[]'), coalesce(w.reason, ''), coalesce(w.detail, ''),
               total(t.input_tokens), total(t.output_tokens), total(t.spent_usd)
        FROM works w JOIN attempts t ON t.work = w.key LEFT JOIN answers a ON a.work = w.key
        WHERE w.question = ? AND w.campaign = ? AND w.mode = 'interactive' AND w.state IN ('answered', 'failed')
          AND t.campaign = w.campaign
        GROUP BY w.key ORDER BY 1
        """,
        (question, campaign),
    )
    return [
        Piloted(path or b"", words, tuple(json.loads(tags)), reason, detail, int(entered), int(left), usd)
        for path, words, tags, reason, detail, entered, left, usd in rows
    ]
