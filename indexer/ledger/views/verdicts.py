"""Uploads and what was decided of them: kept in order, so that a reader goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.domain.keys import canonical_json
from indexer.ledger.store import Ledger

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of one upload, and why, in seconds since the epoch; `cursor` is where a reader goes on."""

    id: str
    decision: str
    reasons: tuple[str, ...]
    moderation: dict[str, str]
    checks: dict[str, bool | None]
    description: str
    tags: tuple[str, ...]
    decided_at: float
    cursor: str = ""
    model: str = ""
    prompt_version: str = ""
    rules: str = ""
    person: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The verdict as programs are promised it."""
        names = ("id", "decision", "reasons", "moderation", "checks", "description", "tags", "decided_at", "cursor")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one upload stands: why its file or its work failed ("" where neither did), its answer's fields (None: none).

    `last` is the decision that holds, None before the first; `rules` are those it was made by.
    """

    id: str
    added_at: float
    reason: str
    detail: str
    fields: dict[str, Any] | None
    description: str
    tags: tuple[str, ...]
    model: str
    prompt_version: str
    last: tuple[str, tuple[str, ...]] | None
    rules: str
    person: bool
    path: bytes


def known(ledger: Ledger, upload: str) -> str | None:
    """Return the sha256 of an upload, None for one that is not known."""
    row = ledger.connection.execute("SELECT sha256 FROM uploads WHERE id = ?", (upload,)).fetchone()
    return str(row[0]) if row else None


def add(ledger: Ledger, upload: str, sha256: str, path: bytes) -> None:
    """Commit an upload whose bytes are on disk; one that is known stays as it is."""
    with ledger.transaction("upload", uncounted=True) as transaction:
        transaction.execute(
            "INSERT OR IGNORE INTO uploads (id, sha256, path, added_at) VALUES (?, ?, ?, ?)",
            (upload, sha256, path, ledger.now()),
        )


def standing(
    ledger: Ledger, prompt_version: str, schema_version: str, *, only: str | None = None
) -> Iterator[Standing]:
    """Yield how each upload (or one) stands with the question of these versions, the oldest first."""
    rows = ledger.connection.execute(
        """
        SELECT u.id, u.added_at, coalesce(f.reason, w.reason, ''), coalesce(f.detail, w.detail, ''),
               a.fields, coalesce(a.description, ''), coalesce(a.tags, '[]'), coalesce(a.model, ''),
               v.decision, coalesce(v.reasons, '[]'), coalesce(v.rules, ''), coalesce(v.person, 0), u.path
        FROM uploads u
        LEFT JOIN files f ON f.path = u.path
        LEFT JOIN works w ON w.photo = f.photo AND w.state = 'failed'
          AND w.question IN (SELECT id FROM questions WHERE prompt_version = ?1 AND schema_version = ?2)
        LEFT JOIN answers a ON a.photo = f.photo AND a.work = (
            SELECT b.work FROM answers b JOIN questions q ON q.id = b.question
            WHERE b.photo = f.photo AND q.prompt_version = ?1 AND q.schema_version = ?2
            ORDER BY b.standing DESC, b.answered_at DESC LIMIT 1)
        LEFT JOIN verdicts v ON v.cursor = (SELECT max(cursor) FROM verdicts WHERE id = u.id)
        WHERE ?3 IS NULL OR u.id = ?3
        GROUP BY u.id ORDER BY u.added_at, u.id
        """,
        (prompt_version, schema_version, only),
    )
    for row in rows:
        last = (row[8], tuple(json.loads(row[9]))) if row[8] else None
        fields = json.loads(row[4]) if row[4] is not None else None
        answer = (fields, row[5], tuple(json.loads(row[6])), row[7], prompt_version)
        yield Standing(row[0], row[1], row[2], row[3], *answer, last, row[10], bool(row[11]), row[12])


def record(ledger: Ledger, verdicts: list[Verdict]) -> None:
    """Commit verdicts, in this order."""
    with ledger.transaction("verdicts", uncounted=True) as transaction:
        transaction.executemany(
            "INSERT INTO verdicts (id, decision, reasons, moderation, checks, description, tags, model, prompt_version,"
            " rules, person, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    each.id,
                    each.decision,
                    canonical_json(list(each.reasons)),
                    canonical_json(each.moderation),
                    canonical_json(each.checks),
                    each.description,
                    canonical_json(list(each.tags)),
                    each.model,
                    each.prompt_version,
                    each.rules,
                    int(each.person),
                    each.decided_at,
                )
                for each in verdicts
            ),
        )


def after(ledger: Ledger, cursor: int) -> Iterator[Verdict]:
    """Yield the verdicts behind `cursor`, in order; a page at a time, so that nothing stays open between them."""
    while True:
        rows = ledger.connection.execute(
            "SELECT cursor, id, decision, reasons, moderation, checks, description, tags, decided_at, model,"
            " prompt_version, rules, person FROM verdicts WHERE cursor > ? ORDER BY cursor LIMIT ?",
            (cursor, _PAGE),
        ).fetchall()
        for row in rows:
            cursor = int(row[0])
            reasons, moderation, checks, tags = (json.loads(row[place]) for place in (3, 4, 5, 7))
            yield Verdict(
                id=row[1],
                decision=row[2],
                reasons=tuple(reasons),
                moderation=moderation,
                checks=checks,
                description=row[6],
                tags=tuple(tags),
                decided_at=row[8],
                cursor=str(cursor),
                model=row[9],
                prompt_version=row[10],
                rules=row[11],
                person=bool(row[12]),
            )
        if len(rows) < _PAGE:
            return


def waiting(ledger: Ledger) -> float | None:
    """Return when the oldest upload without a verdict was added, None where none waits."""
    row = ledger.connection.execute(
        "SELECT min(added_at) FROM uploads u WHERE NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.id = u.id)"
    ).fetchone()
    return None if row[0] is None else float(row[0])


def paths(ledger: Ledger) -> list[bytes]:
    """Return where the bytes of uploads without a verdict lie."""
    rows = ledger.connection.execute(
        "SELECT DISTINCT path FROM uploads u WHERE NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.id = u.id)"
    )
    return [row[0] for row in rows]
