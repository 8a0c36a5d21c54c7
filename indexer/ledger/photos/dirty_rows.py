"""Which rows of the table are dirty, and what they are composed of; the questions that projecting asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from indexer.domain.photo import Facts
from indexer.ledger.photos.files import facts_from
from indexer.ledger.store import Ledger, Transaction


@dataclass(frozen=True, slots=True)
class Source:
    """What the ledger knows of one dirty path; `photo` is None where no row may stand."""

    path: bytes
    photo: str | None
    facts: Facts
    width: int
    height: int
    offline: bool
    row_digest: str | None
    burst: str | None


def dirty(ledger: Ledger, limit: int) -> list[Source]:
    """Return up to `limit` paths whose rows must be composed again."""
    rows = ledger.connection.execute(
        """
        SELECT d.path,
               CASE WHEN f.picture = 1 AND (f.state = 'present' OR f.state = 'offline' AND NOT EXISTS (
                   SELECT 1 FROM files g WHERE g.photo = f.photo AND g.state = 'present' AND g.picture = 1
                   AND g.reason IS NULL)) THEN f.photo END, f.facts,
               coalesce(p.width, 0), coalesce(p.height, 0), f.state = 'offline', f.row_digest,
               (SELECT burst FROM bursts b WHERE b.photo = f.photo)
        FROM (SELECT path FROM dirty ORDER BY path LIMIT ?) d
        LEFT JOIN files f ON f.path = d.path LEFT JOIN photos p ON p.id = f.photo
        """,
        (limit,),
    )
    return [Source(row[0], row[1], facts_from(row[2]), row[3], row[4], bool(row[5]), *row[6:]) for row in rows]


def twins(ledger: Ledger, digests: Sequence[str]) -> dict[str, bytes]:
    """Return, for documents that already stand in the table, a path at which they do."""
    found: dict[str, bytes] = {}
    for start in range(0, len(digests), 500):
        part = digests[start : start + 500]
        marks = ",".join("?" * len(part))
        found.update(
            ledger.connection.execute(
                f"SELECT row_digest, min(path) FROM files WHERE row_digest IN ({marks}) GROUP BY row_digest", part
            ).fetchall()
        )
    return found


def clear(ledger: Ledger, digests: Mapping[bytes, str | None]) -> None:
    """Commit that the rows of these paths stand in the table with these digests (None: no row), and are clean."""
    with ledger.transaction("projected rows") as transaction:
        transaction.executemany(
            "UPDATE files SET row_digest = ? WHERE path = ?", ((value, path) for path, value in digests.items())
        )
        transaction.executemany("DELETE FROM dirty WHERE path = ?", ((path,) for path in digests))


def mark_all(ledger: Ledger, *, anew: bool = True) -> None:
    """Mark every row dirty: the next projection composes the whole table again, and embeds its texts `anew`."""
    with ledger.transaction("mark all rows") as transaction:
        if anew:
            transaction.execute("UPDATE files SET row_digest = NULL")
        transaction.execute("INSERT OR IGNORE INTO dirty SELECT path FROM files WHERE picture = 1")


def mark_photo(transaction: Transaction, photo: str) -> None:
    """Mark the rows of a photo dirty, and of those that inherit from it."""
    transaction.execute(
        "INSERT OR IGNORE INTO dirty SELECT path FROM files WHERE state <> 'gone'"
        " AND photo IN (SELECT ?1 UNION ALL SELECT photo FROM inherited WHERE source = ?1)",
        (photo,),
    )
