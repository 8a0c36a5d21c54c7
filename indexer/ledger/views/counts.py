"""The books: how many files, works, dollars and jobs there are, and whether the numbers add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from indexer.domain.mode import Mode
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.views.count_cache import kept
from indexer.ledger.work import partners

_SCREENSHOTS = (
    *("screenshot", "screen shot", "screen_shot", "screen-shot", "bildschirmfoto", "capture d_écran"),
    *("captura de pantalla", "schermata", "schermafbeelding"),
)
"""How telephones and desktops call them, as patterns."""


@dataclass(frozen=True, slots=True)
class ProviderCounts:
    """How the files of a scope stand with a provider: `seen = described + pending + failed`."""

    seen: int
    described: int
    pending: int
    failed: int
    ignored: int
    offline: int
    duplicate: int


@dataclass(frozen=True, slots=True)
class WorkCount:
    """How the work items of a scope stand with a question."""

    planned: int
    described: int
    failed: int
    pending: int


@dataclass(frozen=True, slots=True)
class FailedPath:
    """A path without a description, and the one reason why."""

    path: bytes
    reason: str
    detail: str
    attempts: int
    job: str


class Spent(NamedTuple):
    """What was paid in US dollars, the tokens it was billed for, and how many requests were begun."""

    usd: float
    input_tokens: int
    output_tokens: int
    requests: int


class LastAsked(NamedTuple):
    """What the last run asked: the number of its question, and the mode."""

    question: int
    mode: Mode


def begin_run(ledger: Ledger, command: str) -> int:
    """Number an invocation of a writing command."""
    with ledger.transaction("begin run", uncounted=True) as transaction:
        number = transaction.execute("INSERT INTO runs (command, started_at) VALUES (?, ?)", (command, ledger.now()))
    return int(number.lastrowid or 0)


def record_asked(transaction: Transaction, run: int, question: int, mode: Mode) -> None:
    """Keep what a run asked."""
    transaction.execute("UPDATE runs SET question = ?, mode = ? WHERE id = ?", (question, str(mode), run))


def end_run(ledger: Ledger, run: int) -> None:
    """Keep that an invocation ended in good order."""
    with ledger.transaction("end run", uncounted=True) as transaction:
        transaction.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (ledger.now(), run))


def last_asked(ledger: Ledger) -> LastAsked | None:
    """Return what the library's last run asked, None before any."""
    row = ledger.connection.execute(
        "SELECT question, mode FROM runs WHERE question IS NOT NULL ORDER BY id DESC LIMIT 1"
    ).fetchone()
    return LastAsked(row[0], Mode(row[1])) if row else None


def standing_of_files(ledger: Ledger, scope: Scope, provider: str, question: int | None) -> ProviderCounts:
    """Count the paths of `scope` by how they stand with `provider`; each path counts once."""
    name = f"files {provider} {question}"
    return ProviderCounts(*map(int, kept(ledger, name, scope, lambda: _standing(ledger, scope, provider, question))))


def _standing(ledger: Ledger, scope: Scope, provider: str, question: int | None) -> tuple[int, ...]:
    number, own = question, partners.family(ledger, question)
    others = f"OR a.question IN {partners.listed(own[1:])}" if own[1:] else ""
    # `+f.photo` sorts the photos first, so that the look-ups run along their index instead of all over it; for the
    # whole library the index of files has that order.
    sign = "" if scope.roots is None else "+"
    condition, values = scope.where()
    row = ledger.connection.execute(
        f"""
        WITH p AS MATERIALIZED (
            SELECT g.*,
                   EXISTS (SELECT 1 FROM photo_answers a WHERE a.holder = g.photo AND (a.provider = ? {others}))
                   AS described,
                   coalesce(i.source, g.photo) IN (
                       SELECT w.photo FROM works w WHERE w.question IN {partners.listed(own)} AND w.state = 'failed')
                   AS failed
            FROM (SELECT f.photo AS photo, count(*) AS paths, total(f.state = 'offline') AS offline,
                         total(f.reason IS NOT NULL) AS broken, total(f.dismissed) AS dismissed,
                         total(f.dismissed = 1 AND f.reason IS NOT NULL) AS given_up
                  FROM files f WHERE f.picture = 1 AND f.state <> 'gone' AND {condition} GROUP BY {sign}f.photo) g
            LEFT JOIN stands_for i ON i.photo = g.photo AND i.question = ?)
        SELECT total(paths), total(paths * described),
               total(CASE WHEN described THEN 0 WHEN failed THEN paths ELSE broken END), total(offline),
               total(CASE WHEN photo IS NOT NULL THEN paths - 1 END),
               total(CASE WHEN described THEN 0 WHEN failed THEN dismissed ELSE given_up END)
        FROM p
        """,
        (provider, *values, number),
    ).fetchone()
    seen, described, failed, offline, duplicate, dismissed = (int(value) for value in row)
    pending = seen - described - failed
    ignored = _ignored(ledger, scope) + dismissed
    return seen - dismissed, described, pending, failed - dismissed, ignored, offline, duplicate


def _ignored(ledger: Ledger, scope: Scope) -> int:
    """Count the files that are no photos, or were not even opened."""
    condition, values = scope.where()
    folder, folders = scope.where("f.folder")
    opened = f"SELECT count(*) FROM files f WHERE f.picture = 0 AND f.state = 'present' AND {condition}"
    unopened = f"SELECT total(f.files) FROM left_out f WHERE {folder}"
    return int(
        ledger.connection.execute(opened, values).fetchone()[0]
        + ledger.connection.execute(unopened, folders).fetchone()[0]
    )


def changes_of_run(ledger: Ledger, run: int) -> dict[str, int]:
    """Count the pictures that changed in `run`, by how."""
    rows = ledger.connection.execute(
        "SELECT change, count(*) FROM files WHERE changed_run = ? AND picture = 1 GROUP BY change", (run,)
    )
    return {row[0]: row[1] for row in rows}


def count_works(ledger: Ledger, scope: Scope, question: int | None) -> WorkCount:
    """Count the distinct work items that the paths of `scope` need of a question."""
    told = kept(ledger, f"works {question}", scope, lambda: _works(ledger, scope, question))
    planned, described, failed = map(int, told)
    return WorkCount(planned, described, failed, planned - described - failed)


def _works(ledger: Ledger, scope: Scope, question: int | None) -> tuple[int, ...]:
    own = partners.listed(partners.family(ledger, question))
    condition, values = scope.where()
    row = ledger.connection.execute(  # of several states the first one counts: answered, failed, out, wanted
        f"""
        SELECT count(*), total(state = 'answered'), total(state = 'failed') FROM (
            SELECT (SELECT min(w.state) FROM works w WHERE w.photo = p.photo AND w.question IN {own}) AS state FROM (
                SELECT DISTINCT coalesce(i.source, f.photo) AS photo
                FROM files f LEFT JOIN stands_for i ON i.photo = f.photo AND i.question = ?
                WHERE f.picture = 1 AND f.state <> 'gone' AND f.photo IS NOT NULL AND f.reason IS NULL AND {condition})
            AS p)
        """,
        (question, *values),
    ).fetchone()
    return tuple(row)


def count_in_doubt(ledger: Ledger) -> int:
    """Count the calls that are booked at their high price because nobody knows whether they were served."""
    return int(ledger.connection.execute("SELECT count(*) FROM attempts WHERE state = 'in_doubt'").fetchone()[0])


def spent(ledger: Ledger, since_run: int | None = None) -> Spent:
    """Return what was spent in all, or since a run began."""
    if since_run is None:
        row = kept(ledger, "spent", Scope(), lambda: _spent(ledger))
        return Spent(row[0], int(row[1]), int(row[2]), int(row[3]))
    since = ledger.connection.execute("SELECT started_at FROM runs WHERE id = ?", (since_run,)).fetchone()[0]
    row = ledger.connection.execute(
        "SELECT total(spent_usd), total(input_tokens), total(output_tokens),"
        " (SELECT count(*) FROM attempts WHERE started_at >= ?1) FROM attempts WHERE ended_at >= ?1",
        (since,),
    ).fetchone()
    return Spent(float(row[0]), int(row[1]), int(row[2]), int(row[3]))


def _spent(ledger: Ledger) -> Sequence[float]:
    row: tuple[float, ...] = ledger.connection.execute(
        "SELECT total(spent_usd), total(CASE WHEN ended_at IS NOT NULL THEN input_tokens END),"
        " total(CASE WHEN ended_at IS NOT NULL THEN output_tokens END), count(*) FROM attempts"
    ).fetchone()
    return row


def failed_paths(ledger: Ledger, scope: Scope, question: int | None) -> list[FailedPath]:
    """Return one entry for each path that failed, by path."""
    condition, values = scope.where()
    own = partners.listed(partners.family(ledger, question))
    rows = ledger.connection.execute(
        f"""
        SELECT f.path, coalesce(f.reason, w.reason), coalesce(f.detail, w.detail, ''),
               CASE WHEN f.reason IS NULL THEN w.attempts ELSE 0 END,
               coalesce((SELECT s.job FROM attempts t JOIN shards s ON s.id = t.shard
                         WHERE t.work = w.key AND f.reason IS NULL ORDER BY t.number DESC LIMIT 1), '')
        FROM files f LEFT JOIN stands_for i ON i.photo = f.photo AND i.question = ?
        LEFT JOIN works w ON w.photo = coalesce(i.source, f.photo) AND w.question IN {own} AND w.state = 'failed'
        WHERE f.picture = 1 AND f.state <> 'gone' AND (f.reason IS NOT NULL OR w.key IS NOT NULL)
          AND f.dismissed = 0 AND {condition}
        GROUP BY f.path ORDER BY f.path
        """,
        (question, *values),
    )
    return [FailedPath(*row) for row in rows]


def count_rows(ledger: Ledger) -> int:
    """Count the rows that the table should hold."""
    return int(kept(ledger, "rows", Scope(), lambda: (count_rows_anew(ledger),))[0])


def count_rows_anew(ledger: Ledger) -> int:
    """Count the rows that the table should hold, trusting no count that was kept."""
    question = "SELECT count(*) FROM files WHERE row_digest IS NOT NULL"
    return int(ledger.connection.execute(question).fetchone()[0])


def keep_everything(ledger: Ledger) -> None:
    """Count the whole library while somebody who may write is here, so that a reader need not."""
    asked = last_asked(ledger)
    if asked is None:
        return
    question = asked[0]
    (provider,) = ledger.connection.execute("SELECT provider FROM questions WHERE id = ?", (question,)).fetchone()
    standing_of_files(ledger, Scope(), provider, question)
    count_works(ledger, Scope(), question)
    count_rows(ledger)
    spent(ledger)


def count_pictures(ledger: Ledger, scope: Scope) -> int:
    """Count the paths of `scope` that are pictures and not gone."""
    condition, values = scope.where()
    seen = f"SELECT count(*) FROM files f WHERE f.picture = 1 AND f.state <> 'gone' AND {condition}"
    return int(ledger.connection.execute(seen, values).fetchone()[0])


def count_screenshots(ledger: Ledger, run: int | None = None) -> int:
    """Count the pictures here that their paths call screenshots, all or those that `run` saw first."""
    named = " OR ".join("CAST(path AS TEXT) LIKE ?" for _ in _SCREENSHOTS)
    seen = f"SELECT count(*) FROM files WHERE picture = 1 AND state = 'present' AND ({named})"
    if run is not None:
        seen += f" AND changed_run = {run:d} AND change = 'new'"
    return int(ledger.connection.execute(seen, [f"%{name}%" for name in _SCREENSHOTS]).fetchone()[0])


def count_new(ledger: Ledger, scope: Scope, least: int) -> int:
    """Return how many photos of `scope` can be described and have no answer of at least this rank."""
    condition, values = scope.where()
    row = ledger.connection.execute(
        f"""
        SELECT count(DISTINCT f.photo) FROM files f
        WHERE f.state = 'present' AND f.reason IS NULL AND f.photo IS NOT NULL AND {condition}
          AND NOT EXISTS (SELECT 1 FROM answers a WHERE a.photo = f.photo AND a.standing >= ?)
        """,
        (*values, least),
    ).fetchone()
    return int(row[0])
