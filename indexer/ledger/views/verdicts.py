"""Uploads and what was decided of them: kept in order, so that a reader goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.domain.keys import canonical_json
from indexer.domain.question import Versions
from indexer.ledger.store import Ledger
from indexer.ledger.work.questions import VERSIONS, read_versions, stored

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of one upload, and why, in seconds since the epoch; `cursor` is where a reader goes on.

    One that is `late` was decided because its time was over: an answer that comes yet is told as a new verdict.
    """

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
    late: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The verdict as programs are promised it."""
        names = ("id", "decision", "reasons", "moderation", "checks", "description", "tags", "decided_at", "cursor")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Standing:
    """How one upload stands: why its file or its work failed ("" where neither did), its answer's fields (None: none).

    `since` is when its time began, `state` whether a verdict is waited for, `held` why it was not asked about, `out`
    whether it is being asked about now, `refused_by` which provider its failure came from. `last` is the decision that
    holds, None before the first; `rules` are those it was made by.
    """

    id: str
    since: float
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
    state: str
    held: str
    refused_by: str
    out: bool


def standing(ledger: Ledger, asked: Versions, *, only: str | None = None, decided: bool = False) -> Iterator[Standing]:
    """Yield how each upload that waits for a verdict stands (or one), the oldest first.

    `asked` are the versions that uploads will be asked with which were not asked yet. With `decided` those that have
    their verdict too, as far as they were asked with these versions. What was added a moment ago, so that its bytes
    are only in the ledger, does not stand yet.
    """
    placed = "NOT EXISTS (SELECT 1 FROM intake i WHERE i.id = u.id)"
    which = "u.id = ?2" if only is not None else f"u.state IN ('waiting', 'late') AND {placed}"
    if decided:
        which = "u.state IN ('waiting', 'late', 'done') AND u.asked IN ('', ?1) AND " + placed
    rows = ledger.connection.execute(
        f"""
        WITH v AS MATERIALIZED (
            SELECT u.id, coalesce(nullif(u.asked, ''), ?1) AS asked FROM uploads u WHERE {which} AND ?2 IS ?2)
        SELECT u.id, u.since, coalesce(f.reason, w.reason, ''), coalesce(f.detail, w.detail, ''),
               a.fields, coalesce(a.description, ''), coalesce(a.tags, '[]'), coalesce(a.model, ''),
               d.decision, coalesce(d.reasons, '[]'), coalesce(d.rules, ''), coalesce(d.person, 0), u.path,
               u.state, u.held, coalesce(w.provider, ''), v.asked,
               EXISTS (SELECT 1 FROM works o WHERE o.photo = f.photo AND o.state IN ('wanted', 'out')
                       AND o.question IN (SELECT id FROM questions q WHERE {VERSIONS} = v.asked))
        FROM v JOIN uploads u ON u.id = v.id
        LEFT JOIN files f ON f.path = u.path
        LEFT JOIN (SELECT x.photo, x.reason, x.detail, group_concat(q.provider) AS provider,
                          {VERSIONS} AS asked, max(x.attempts)
                   FROM works x JOIN questions q ON q.id = x.question WHERE x.state = 'failed' GROUP BY 1, 5) w
          ON w.photo = f.photo AND w.asked = v.asked
        LEFT JOIN answers a ON a.photo = f.photo AND a.work = (
            SELECT b.work FROM answers b JOIN questions q ON q.id = b.question
            WHERE b.photo = f.photo AND {VERSIONS} = v.asked
            ORDER BY b.standing DESC, b.answered_at DESC LIMIT 1)
        LEFT JOIN verdicts d ON d.cursor = (SELECT max(cursor) FROM verdicts WHERE id = u.id)
        ORDER BY u.since, u.id
        """,
        (stored(asked), only),
    )
    for row in rows:
        yield Standing(
            id=row[0],
            since=row[1],
            reason=row[2],
            detail=row[3],
            fields=json.loads(row[4]) if row[4] is not None else None,
            description=row[5],
            tags=tuple(json.loads(row[6])),
            model=row[7],
            prompt_version=read_versions(row[16]).prompt,
            last=(row[8], tuple(json.loads(row[9]))) if row[8] else None,
            rules=row[10],
            person=bool(row[11]),
            path=row[12],
            state=row[13],
            held=row[14],
            refused_by=row[15],
            out=bool(row[17]),
        )


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
        transaction.executemany(
            "UPDATE uploads SET state = ?, done_at = ? WHERE id = ? AND state <> 'deleted'",
            (("late" if each.late else "done", each.decided_at, each.id) for each in verdicts),
        )


def end_late(ledger: Ledger) -> None:
    """Commit that late uploads of which nothing is out any more are done: no answer will come."""
    nothing_out = (
        "state = 'late' AND NOT EXISTS (SELECT 1 FROM files f JOIN works w ON w.photo = f.photo"
        " WHERE f.path = uploads.path AND w.state IN ('wanted', 'out'))"
    )
    if ledger.connection.execute(f"SELECT 1 FROM uploads WHERE {nothing_out} LIMIT 1").fetchone():
        with ledger.transaction("late uploads", uncounted=True) as transaction:
            transaction.execute(f"UPDATE uploads SET state = 'done' WHERE {nothing_out}")


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
