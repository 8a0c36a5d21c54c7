"""What the ledger knows of files and photos: the transitions of a crawl, and most of the questions it asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from indexer.domain.answer import Failure
from indexer.domain.photo import Facts, Rendition
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.storage.paths import is_inside, parent

_OFFLINE_COPIES = "INSERT OR IGNORE INTO dirty SELECT path FROM files WHERE state = 'offline' AND photo IN ({})"
"""What changes of a photo: its offline paths stand in the table only while it has no living one."""


class Stat(NamedTuple):
    """A file as it looked when it was opened, and what a refusal to read it depended on (see `crawl.grounds`)."""

    size: int
    mtime_ns: int
    sidecar_ns: int
    ctime_ns: int
    grounds: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A file that was opened in this run, and what was found: a photo, a reason why not, or no picture at all.

    `photo` is the id of known bytes, `rendition` the decoded picture of unknown ones; `facts_reader` the version of
    the reader of its facts; `left_out` says of what kind a picture is that is not a photo.
    """

    path: bytes
    folder: bytes
    stat: Stat
    picture: bool
    sha256: str
    facts: Facts | None
    photo: str | None
    rendition: Rendition | None
    failure: Failure | None
    facts_reader: int = 0
    left_out: str = ""


def knows(ledger: Ledger, scope: Scope) -> bool:
    """Say whether present or offline files are known in `scope`."""
    condition, values = scope.where()
    question = f"SELECT 1 FROM files f WHERE f.state <> 'gone' AND {condition} LIMIT 1"
    return ledger.connection.execute(question, values).fetchone() is not None


def folders(ledger: Ledger, root: bytes) -> Iterator[bytes]:
    """Yield the folders at and below `root`, and the one that it lies in, in which present or offline files are known.

    A look-up each: files are a hundred times more.
    """
    stem = root.rstrip(b"/")
    for first, end in ((parent(root), parent(root) + b"\0"), (stem, stem + b"0")):
        row = (first,)
        condition = "folder >= ?"
        while row[0] is not None:
            question = f"SELECT min(folder) FROM files WHERE {condition} AND folder < ? AND state <> 'gone'"
            row = ledger.connection.execute(question, (row[0], end)).fetchone()
            condition = "folder > ?"
            if row[0] is not None and (row[0] == first or is_inside(row[0], stem or b"/")):
                yield row[0]


def count_before(ledger: Ledger, run: int, scope: Scope) -> int:
    """Return how many files of `scope` were present before `run`; asked before `run` lets any of them go."""
    condition, values = scope.where()
    row = ledger.connection.execute(
        f"SELECT count(*) FROM files f WHERE f.state = 'present' AND {condition}"
        " AND NOT (f.changed_run = ? AND f.change IN ('new', 'back'))",
        (*values, run),
    ).fetchone()
    return int(row[0])


def seen_elsewhere(ledger: Ledger, run: int, paths: Iterable[bytes]) -> frozenset[bytes]:
    """Return those of `paths` whose photo turned up at another path in this run: they moved."""
    question = (
        "SELECT 1 FROM files f JOIN files g ON g.photo = f.photo"
        " WHERE f.path = ? AND g.path <> f.path AND g.changed_run = ? AND g.state = 'present'"
    )
    return frozenset(path for path in paths if ledger.connection.execute(question, (path, run)).fetchone())


def photo_id(rendition: Rendition, version: int) -> str:
    """Name a photo by its pixels: the digest with the version of the way it is taken."""
    return f"{version}-{rendition.digest[:40]}"


def record_sightings(ledger: Ledger, run: int, sightings: Sequence[Sighting], digest_version: int) -> dict[str, str]:
    """Keep what was found in opened files, mark their rows to be composed; returns photo id by sha256."""
    photos: dict[str, str] = {}
    with ledger.transaction("sightings") as transaction:
        for seen in sightings:
            photo = _photo_of(transaction, seen, digest_version)
            if photo:
                photos[seen.sha256] = photo
            was = transaction.execute("SELECT photo FROM files WHERE path = ?", (seen.path,)).fetchone()
            if _put_file(transaction, run, seen, photo):
                transaction.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (seen.path,))
                transaction.execute(_OFFLINE_COPIES.format("?, ?"), (photo, was[0] if was else None))
    return photos


def record_facts(ledger: Ledger, run: int, found: Sequence[tuple[bytes, int, Facts]], facts_reader: int) -> None:
    """Keep (path, ctime, facts) that were read anew of unchanged files, and mark the rows of which they differ."""
    with ledger.transaction("facts") as transaction:
        for path, ctime_ns, facts in found:
            before = transaction.execute("SELECT facts FROM files WHERE path = ?", (path,)).fetchone()
            if before and facts_from(before[0]) != facts:
                transaction.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (path,))
                transaction.execute(
                    "UPDATE files SET facts = ?, changed_run = ?, change = 'facts' WHERE path = ?",
                    (_facts_text(facts), run, path),
                )
            stamps = facts_reader, ctime_ns, path
            transaction.execute("UPDATE files SET facts_reader = ?, ctime_ns = ? WHERE path = ?", stamps)


def _facts_text(facts: Facts) -> str:
    return json.dumps(asdict(facts), ensure_ascii=True)


def with_known_photos(ledger: Ledger, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Give bytes that were seen before their photo, where they were opened by somebody who could not ask the ledger."""
    return [_recognised(ledger, seen) if seen.rendition and seen.sha256 else seen for seen in sightings]


def _recognised(ledger: Ledger, seen: Sighting) -> Sighting:
    known = ledger.connection.execute("SELECT photo FROM contents WHERE sha256 = ?", (seen.sha256,)).fetchone()
    return replace(seen, photo=str(known[0]), rendition=None) if known else seen


def _photo_of(transaction: Transaction, seen: Sighting, digest_version: int) -> str | None:
    if seen.photo or not seen.rendition:
        return seen.photo
    known = transaction.execute("SELECT photo FROM contents WHERE sha256 = ?", (seen.sha256,)).fetchone()
    if known:
        return str(known[0])
    drawn = seen.rendition
    photo = _in_one_orientation(transaction, drawn, digest_version)
    transaction.execute(
        "INSERT INTO photos VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
        " phash = excluded.phash, format = excluded.format, note = excluded.note WHERE phash = ''",
        (photo, drawn.phash, drawn.width, drawn.height, drawn.format, drawn.note, transaction.now()),
    )
    transaction.execute("INSERT INTO contents VALUES (?, ?)", (seen.sha256, photo))
    return photo


def _in_one_orientation(transaction: Transaction, drawn: Rendition, version: int) -> str:
    """Return the photo that is stored as these pixels are, however its orientation flag turned it, else a new id."""
    photo, stored = photo_id(drawn, version), f"{version}-{(drawn.stored or drawn.digest)[:40]}"
    known = transaction.execute(
        "SELECT id FROM photos WHERE id = ?1 UNION ALL SELECT id FROM photos WHERE id = ?2"
        " UNION ALL SELECT photo FROM turned WHERE stored = ?2 LIMIT 1",
        (photo, stored),
    ).fetchone()
    photo = str(known[0]) if known else photo
    if stored != photo:
        transaction.execute("INSERT OR IGNORE INTO turned VALUES (?, ?)", (stored, photo))
    return photo


def _put_file(transaction: Transaction, run: int, seen: Sighting, photo: str | None) -> bool:
    """Keep what was found; returns whether anything is new."""
    facts = _facts_text(seen.facts) if seen.facts else None
    reason, detail = (str(seen.failure.reason), seen.failure.detail) if seen.failure else (None, seen.left_out or None)
    stat = seen.stat
    before = transaction.execute(
        "SELECT size, mtime_ns, sidecar_ns, state, picture, reason, CASE WHEN reason IS NULL THEN photo END,"
        " CASE WHEN reason IS NULL THEN facts END FROM files WHERE path = ?",
        (seen.path,),
    ).fetchone()
    if before == (*stat[:3], "present", int(seen.picture), reason, None if reason else photo, facts):
        transaction.execute(
            "UPDATE files SET ctime_ns = ?, grounds = ?, detail = ?, facts_reader = ? WHERE path = ?",
            (stat.ctime_ns, stat.grounds, detail, seen.facts_reader, seen.path),
        )
        return False
    # A file that cannot be read now keeps the photo and the facts it had: a failure never removes a description.
    transaction.execute(
        """
        INSERT INTO files (path, folder, size, mtime_ns, sidecar_ns, state, picture, photo, facts, reason, detail,
                           changed_run, change, facts_reader, ctime_ns, grounds)
        VALUES (?, ?, ?, ?, ?, 'present', ?, ?, ?, ?, ?, ?, 'new', ?, ?, ?)
        ON CONFLICT (path) DO UPDATE SET
            size = excluded.size, mtime_ns = excluded.mtime_ns, sidecar_ns = excluded.sidecar_ns,
            change = CASE state WHEN 'gone' THEN 'back' ELSE 'changed' END,
            state = 'present', picture = excluded.picture,
            photo = CASE WHEN excluded.reason IS NULL THEN excluded.photo ELSE photo END,
            facts = CASE WHEN excluded.reason IS NULL THEN excluded.facts ELSE facts END,
            facts_reader = CASE WHEN excluded.reason IS NULL THEN excluded.facts_reader ELSE facts_reader END,
            reason = excluded.reason, detail = excluded.detail, changed_run = excluded.changed_run,
            ctime_ns = excluded.ctime_ns, grounds = excluded.grounds, dismissed = 0
        """,
        (
            *(seen.path, seen.folder, *stat[:3], int(seen.picture), photo, facts, reason, detail, run),
            *(seen.facts_reader, stat.ctime_ns, stat.grounds),
        ),
    )
    return True


def record_states(ledger: Ledger, run: int, paths: Iterable[bytes], state: str, change: str) -> int:
    """Move known files to `state` without opening them, and mark their rows; returns how many moved."""
    moved = 0
    paths = list(paths)
    if not paths:
        return 0
    with ledger.transaction(f"files {change}") as transaction:
        for path in paths:
            done = transaction.execute(
                "UPDATE files SET state = ?, change = ?, changed_run = ? WHERE path = ? AND state <> ?",
                (state, change, run, path, state),
            )
            if done.rowcount:
                moved += 1
                transaction.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (path,))
                transaction.execute(_OFFLINE_COPIES.format("SELECT photo FROM files WHERE path = ?"), (path,))
    return moved


def mark_moves(ledger: Ledger, run: int) -> int:
    """Call a new path a move where its photo lost a path in the same run; returns how many."""
    if not ledger.connection.execute(
        "SELECT 1 FROM files WHERE changed_run = ? AND change = 'gone' LIMIT 1", (run,)
    ).fetchone():
        return 0
    with ledger.transaction("moves") as transaction:
        done = transaction.execute(
            """
            UPDATE files SET change = 'moved' WHERE path IN (
                SELECT path FROM (
                    SELECT f.path, f.photo, row_number() OVER (PARTITION BY f.photo ORDER BY f.path) AS place
                    FROM files f WHERE f.changed_run = ?1 AND f.change = 'new' AND f.photo IS NOT NULL)
                AS fresh WHERE place <= (
                    SELECT count(*) FROM files g WHERE g.photo = fresh.photo AND g.changed_run = ?1
                    AND g.change = 'gone'))
            """,
            (run,),
        )
    return done.rowcount


def copies_outside(ledger: Ledger, run: int, scope: Scope) -> list[bytes]:
    """Return the present paths outside `scope` of photos that `run` found at a new path."""
    condition, values = scope.where("g.path")
    rows = ledger.connection.execute(
        "SELECT DISTINCT g.path FROM files f JOIN files g ON g.photo = f.photo AND g.state = 'present'"
        f" WHERE f.changed_run = ? AND f.change IN ('new', 'back') AND f.state = 'present' AND NOT {condition}",
        (run, *values),
    )
    return [row[0] for row in rows]


def present_in(ledger: Ledger, scope: Scope) -> list[bytes]:
    """Return the present paths of `scope`."""
    condition, values = scope.where()
    return [
        row[0]
        for row in ledger.connection.execute(
            f"SELECT path FROM files f WHERE state = 'present' AND {condition}", values
        )
    ]


def with_copy_outside(ledger: Ledger, scope: Scope, other: Scope) -> list[bytes]:
    """Return the present paths of `scope` whose photo has a present path outside `other`."""
    condition, values = scope.where()
    outside, more = other.where("g.path")
    rows = ledger.connection.execute(
        f"SELECT f.path FROM files f WHERE f.state = 'present' AND {condition} AND EXISTS (SELECT 1 FROM files g"
        f" WHERE g.photo = f.photo AND g.state = 'present' AND g.reason IS NULL AND NOT {outside})",
        (*values, *more),
    )
    return [row[0] for row in rows]


def left_out_in(ledger: Ledger, scope: Scope) -> dict[bytes, int]:
    """Return how many files were not even opened, by folder of `scope`; only folders that have any."""
    condition, values = scope.where("f.folder")
    return dict(ledger.connection.execute(f"SELECT folder, files FROM left_out f WHERE {condition}", values).fetchall())


def record_left_out(ledger: Ledger, counts: Mapping[bytes, int]) -> None:
    """Commit how many files of these folders were not even opened."""
    if not counts:
        return
    with ledger.transaction("left out") as transaction:
        transaction.executemany("INSERT OR REPLACE INTO left_out VALUES (?, ?)", counts.items())
        transaction.execute("DELETE FROM left_out WHERE files = 0")


def known_roots(ledger: Ledger) -> list[tuple[bytes, int]]:
    """Return every root that was crawled, with the device on which it was last seen."""
    return ledger.connection.execute("SELECT path, device FROM roots").fetchall()


def root_device(ledger: Ledger, root: bytes) -> int | None:
    """Return the device number on which `root` was last seen, None when it is new."""
    found = ledger.connection.execute("SELECT device FROM roots WHERE path = ?", (root,)).fetchone()
    return int(found[0]) if found else None


def record_roots(ledger: Ledger, devices: Sequence[tuple[bytes, int]]) -> None:
    """Keep the device of every root that was crawled."""
    devices = [one for one in devices if root_device(ledger, one[0]) != one[1]]
    if not devices:
        return
    with ledger.transaction("roots", uncounted=True) as transaction:
        transaction.executemany("INSERT OR REPLACE INTO roots VALUES (?, ?)", devices)


def photo_of(ledger: Ledger, sha256: str) -> str | None:
    """Return the photo of bytes that were seen before, None of others."""
    found = ledger.connection.execute("SELECT photo FROM contents WHERE sha256 = ?", (sha256,)).fetchone()
    return str(found[0]) if found else None


def paths_of(ledger: Ledger, photo: str) -> list[bytes]:
    """Return the present paths at which `photo` lies."""
    rows = ledger.connection.execute(
        "SELECT path FROM files WHERE photo = ? AND state = 'present' AND reason IS NULL ORDER BY path", (photo,)
    )
    return [row[0] for row in rows]


def sizes_of(ledger: Ledger, photos: Iterable[str]) -> list[tuple[int, int]]:
    """Return the upright size in pixels of each of these photos."""
    found = (ledger.connection.execute("SELECT width, height FROM photos WHERE id = ?", (each,)) for each in photos)
    return [(width, height) for rows in found for width, height in rows]


def facts_from(text: str | None) -> Facts:
    """Read facts back from the ledger's JSON; None gives empty facts."""
    if not text:
        return Facts()
    values = json.loads(text)
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Facts(**{**values, **lists})
