"""Uploads: what was taken in, what waits for a verdict, and what may be asked about now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.domain.mode import Mode
from indexer.domain.question import Versions
from indexer.ledger import handles
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.items import Work
from indexer.ledger.work.questions import VERSIONS, stored

_ASKED = f"w.question IN (SELECT id FROM questions q WHERE {VERSIONS} = ?)"


@dataclass(frozen=True, slots=True)
class Due:
    """A photo that somebody waits for since then (seconds since the epoch), and no question about it is on its way."""

    photo: str
    since: float


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request that carried an upload in a batch: its key, its shard, and where its files lie."""

    key: str
    shard: str
    provider: str
    account: str
    handles: tuple[str, ...]


def known(ledger: Ledger, upload: str) -> tuple[str, bytes] | None:
    """Return (sha256, where the bytes lie) of an upload, None for one that is not known."""
    row = ledger.connection.execute("SELECT sha256, path FROM uploads WHERE id = ?", (upload,)).fetchone()
    return (str(row[0]), bytes(row[1])) if row else None


def add(ledger: Ledger, upload: str, sha256: str, path: bytes, raw: bytes | None = None) -> str:
    """Commit an upload whose bytes are on disk, else with its bytes; returns the sha256 that stands under its name."""
    with ledger.transaction("upload", uncounted=True) as transaction:
        now = ledger.now()
        added = transaction.execute(
            "INSERT OR IGNORE INTO uploads (id, sha256, path, added_at, since) VALUES (?, ?, ?, ?, ?)",
            (upload, sha256, path, now, now),
        )
        if added.rowcount and raw is not None:
            transaction.execute("INSERT INTO intake VALUES (?, ?)", (upload, raw))
        if added.rowcount:
            return sha256
        row = transaction.execute("SELECT sha256 FROM uploads WHERE id = ?", (upload,)).fetchone()
    return str(row[0])


def taken_in(ledger: Ledger, limit: int) -> list[tuple[str, bytes]]:
    """Return (id, bytes) of some uploads whose bytes do not lie at their path yet."""
    return ledger.connection.execute("SELECT id, bytes FROM intake ORDER BY rowid LIMIT ?", (limit,)).fetchall()


def clear_intake(ledger: Ledger, written: Iterable[str]) -> None:
    """Commit that the bytes of these lie at their path; nothing of them stays in the ledger's pages."""
    ledger.connection.execute("PRAGMA secure_delete = ON")
    with ledger.transaction("uploads at their path", uncounted=True) as transaction:
        transaction.executemany("DELETE FROM intake WHERE id = ?", ((upload,) for upload in written))


def empty_log(ledger: Ledger) -> None:
    """Leave nothing that was deleted in the ledger's log, as far as no reader needs it."""
    ledger.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def unread(ledger: Ledger) -> list[bytes]:
    """Return where the bytes of waiting uploads lie that no crawl has seen yet; not what is only in the ledger."""
    rows = ledger.connection.execute(
        "SELECT DISTINCT u.path FROM uploads u WHERE u.state = 'waiting'"
        " AND NOT EXISTS (SELECT 1 FROM files f WHERE f.path = u.path)"
        " AND NOT EXISTS (SELECT 1 FROM intake i WHERE i.id = u.id)"
    )
    return [row[0] for row in rows]


def due(ledger: Ledger, asked: Versions) -> list[Due]:
    """Return the photos of waiting uploads that nobody was asked about with these versions, the oldest first."""
    rows = ledger.connection.execute(
        f"""
        SELECT f.photo, min(u.since) FROM uploads u JOIN files f ON f.path = u.path
        WHERE u.state = 'waiting' AND u.asked IN ('', ?1) AND f.state = 'present' AND f.reason IS NULL
          AND f.photo IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM works w WHERE w.photo = f.photo AND {_ASKED.replace("?", "?1")})
        GROUP BY f.photo ORDER BY 2, 1
        """,
        (stored(asked),),
    )
    return [Due(*row) for row in rows]


def refused(ledger: Ledger, asked: Versions, provider: str) -> list[Due]:
    """Return the photos of waiting uploads that were refused by policy, and that `provider` was not asked about."""
    rows = ledger.connection.execute(
        f"""
        SELECT f.photo, min(u.since) FROM uploads u JOIN files f ON f.path = u.path
        JOIN works w ON w.photo = f.photo AND w.state = 'failed' AND w.reason = 'blocked' AND {_ASKED}
        WHERE u.state = 'waiting' AND NOT EXISTS (
            SELECT 1 FROM works o JOIN questions q ON q.id = o.question WHERE o.photo = f.photo AND q.provider = ?)
        GROUP BY f.photo ORDER BY 2, 1
        """,
        (stored(asked), provider),
    )
    return [Due(*row) for row in rows]


def failed(ledger: Ledger, reasons: Sequence[str], most_attempts: int) -> list[tuple[int, Mode, Work]]:
    """Return (question, mode, work) of waiting uploads that failed for these reasons and may be asked once more."""
    rows = ledger.connection.execute(
        f"""
        SELECT DISTINCT w.question, w.mode, w.key, w.photo, w.attempts, w.given, w.reason
        FROM uploads u JOIN files f ON f.path = u.path JOIN works w ON w.photo = f.photo AND w.state = 'failed'
        WHERE u.state = 'waiting' AND w.attempts < ? AND w.reason IN ({",".join("?" * len(reasons))})
        """,
        (most_attempts, *reasons),
    )
    return [(row[0], Mode(row[1]), Work(*row[2:])) for row in rows]


def out_in_batches(ledger: Ledger, since: float) -> list[tuple[int, int]]:
    """Return (question, works) of batches that hold a photo for which somebody waits since then or longer."""
    rows = ledger.connection.execute(
        f"SELECT w.question, count(*) FROM works w WHERE w.key IN ({_LATE_WORKS}) GROUP BY 1", (since,)
    )
    return [(row[0], row[1]) for row in rows]


def leave_batches(transaction: Transaction, since: float) -> None:
    """Let what is out in these batches go on by single calls; what they have answered by then is kept."""
    transaction.execute(f"UPDATE works SET mode = 'interactive' WHERE key IN ({_LATE_WORKS})", (since,))


_LATE_WORKS = """
    SELECT w.key FROM works w JOIN attempts t ON t.work = w.key AND t.state = 'out'
    WHERE w.state = 'out' AND w.mode = 'batch' AND t.shard IN (
        SELECT o.shard FROM uploads u JOIN files f ON f.path = u.path JOIN works v ON v.photo = f.photo
        JOIN attempts o ON o.work = v.key AND o.state = 'out' AND o.shard IS NOT NULL
        WHERE u.state = 'waiting' AND u.since <= ?)
"""


def mark_asked(transaction: Transaction, photos: Iterable[str], asked: Versions) -> None:
    """Keep with which versions the waiting uploads of these photos were asked about."""
    transaction.executemany(
        "UPDATE uploads SET asked = ?, held = '' WHERE state = 'waiting'"
        " AND path IN (SELECT path FROM files WHERE photo = ?)",
        ((stored(asked), photo) for photo in photos),
    )


def hold(ledger: Ledger, photos: Sequence[str], why: str) -> None:
    """Commit why these photos were not asked about; "" when nothing holds them."""
    with ledger.transaction("held uploads", uncounted=True) as transaction:
        transaction.executemany(
            "UPDATE uploads SET held = ? WHERE state = 'waiting' AND path IN (SELECT path FROM files WHERE photo = ?)",
            ((why, photo) for photo in photos),
        )


def answerable_again(ledger: Ledger, asked: Versions) -> int:
    """Count the decided uploads whose bytes are here and that were asked with other versions."""
    rows = ledger.connection.execute(f"SELECT count(*) FROM uploads u WHERE {_AGAIN}", (stored(asked),))
    return int(rows.fetchone()[0])


def want_again(ledger: Ledger, asked: Versions) -> int:
    """Commit that these wait for a verdict once more, from now on; returns how many."""
    with ledger.transaction("uploads asked again") as transaction:
        changed = transaction.execute(
            f"UPDATE uploads AS u SET state = 'waiting', since = ?2, asked = '', held = '' WHERE {_AGAIN}",
            (stored(asked), ledger.now()),
        )
    return int(changed.rowcount)


_AGAIN = f"""
    u.state = 'done' AND u.asked <> ?1
    AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.id = u.id AND v.person = 1)
    AND NOT EXISTS (
        SELECT 1 FROM files f JOIN works w ON w.photo = f.photo AND w.state = 'answered'
        JOIN questions q ON q.id = w.question AND {VERSIONS} = ?1
        WHERE f.path = u.path)
"""


def expired(ledger: Ledger, before: float) -> list[str]:
    """Return the uploads that were decided before then (seconds since the epoch) and whose bytes are still here."""
    rows = ledger.connection.execute(
        "SELECT id FROM uploads WHERE state = 'done' AND done_at < ? ORDER BY done_at", (before,)
    )
    return [row[0] for row in rows]


def forgotten(ledger: Ledger) -> list[str]:
    """Return the uploads that are to be forgotten as soon as the service is done with them."""
    return [row[0] for row in ledger.connection.execute("SELECT id FROM uploads WHERE state = 'forgotten'")]


def is_shared(ledger: Ledger, upload: str) -> bool:
    """Say whether another upload has the same bytes."""
    return bool(
        ledger.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM uploads o JOIN uploads u ON u.path = o.path WHERE u.id = ? AND o.id <> ?"
            " AND o.state NOT IN ('deleted', 'forgotten'))",
            (upload, upload),
        ).fetchone()[0]
    )


def set_state(ledger: Ledger, upload: str, state: str) -> None:
    """Commit the state of an upload: deleted keeps its verdicts, forgotten takes them as well."""
    with ledger.transaction("upload state", uncounted=True) as transaction:
        transaction.execute("UPDATE uploads SET state = ? WHERE id = ?", (state, upload))
        if state == "forgotten":
            transaction.execute("DELETE FROM verdicts WHERE id = ?", (upload,))


def drop(ledger: Ledger, upload: str) -> None:
    """Commit that an upload was never seen."""
    with ledger.transaction("forgotten upload", uncounted=True) as transaction:
        transaction.execute("DELETE FROM verdicts WHERE id = ?", (upload,))
        transaction.execute("DELETE FROM uploads WHERE id = ?", (upload,))


def sent(ledger: Ledger, path: bytes) -> list[SentRequest]:
    """Return each request that carried the bytes at `path` in a batch."""
    rows = ledger.connection.execute(
        """
        SELECT t.key, s.id, q.provider, s.account, s.uploads, s.output_file
        FROM files f JOIN works w ON w.photo = f.photo JOIN attempts t ON t.work = w.key
        JOIN shards s ON s.id = t.shard JOIN questions q ON q.id = s.question WHERE f.path = ?
        """,
        (path,),
    )
    return [SentRequest(row[0], row[1], row[2], row[3], (*handles.read(row[4]), *handles.read(row[5]))) for row in rows]
