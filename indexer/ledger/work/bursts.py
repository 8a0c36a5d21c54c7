"""Bursts as the ledger knows them, and photos that inherit the description of another photo of their burst.

An inheritance is kept with the question it was decided for, and lasts until somebody asks for these photos one by
one: the view `photo_answers` gives every photo the answers of its own and those it inherits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from indexer.domain.bursts import Shot, bursts
from indexer.ledger.photos import dirty_rows
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work import items

_SEEN = "bursts of run"
_NO_TIME = "%T00:00:00"  # a date without a time reads like this


@dataclass(slots=True)
class Split:
    """Photos to ask about, and for the others of their bursts the photo whose description they take.

    `released` of those to ask about have inherited so far.
    """

    ask: list[str] = field(default_factory=list)
    inherit: dict[str, str] = field(default_factory=dict)
    released: int = 0


def regroup(ledger: Ledger) -> None:
    """Commit which photos are bursts, if any file has changed since that was last looked at."""
    newest = str(ledger.connection.execute("SELECT max(changed_run) FROM files").fetchone()[0])
    if ledger.setting(_SEEN) == newest:
        return
    before = dict(ledger.connection.execute("SELECT photo, burst FROM bursts"))
    after = {photo: group[0] for group in bursts(_shots(ledger)) for photo in group}
    changed = [photo for photo in before.keys() | after.keys() if before.get(photo) != after.get(photo)]
    with ledger.transaction("bursts", uncounted=True) as transaction:
        transaction.executemany("DELETE FROM bursts WHERE photo = ?", ((photo,) for photo in changed))
        transaction.executemany(
            "INSERT INTO bursts VALUES (?, ?)", ((photo, after[photo]) for photo in changed if photo in after)
        )
        for photo in changed:
            dirty_rows.mark_photo(transaction, photo)
        transaction.set_setting(_SEEN, newest)


def _shots(ledger: Ledger) -> Iterator[Shot]:
    found = ledger.connection.execute(
        """
        SELECT f.photo, min(json_extract(f.facts, '$.taken_at')) AS taken, json_extract(f.facts, '$.camera'), p.phash
        FROM files f JOIN photos p ON p.id = f.photo
        WHERE f.state <> 'gone' AND f.picture = 1 AND p.phash <> '' AND json_extract(f.facts, '$.taken_at') NOT LIKE ?
        GROUP BY f.photo ORDER BY taken, min(f.path)
        """,
        (_NO_TIME,),
    )
    return (Shot(*row) for row in found)


def to_ask(ledger: Ledger, question: int | None, scope: Scope, one_per_burst: bool | None) -> Split:
    """Return the photos of `scope` that are still to be asked about; `one_per_burst` is as in `Ask`."""
    photos = list(items.unasked(ledger, question, scope))
    if one_per_burst:
        return _split(ledger, question, photos)
    alone = _inheriting(ledger, question, scope) if one_per_burst is False else []
    return Split([*photos, *alone], released=len(alone))


def _split(ledger: Ledger, question: int | None, photos: Iterable[str]) -> Split:
    """Choose one photo of each burst among `photos`, which were never asked about; others may have been."""
    found = Split()
    photos = dict.fromkeys(photos)
    chosen: dict[str, str] = {}
    for photo in photos:
        row = ledger.connection.execute("SELECT burst FROM bursts WHERE photo = ?", (photo,)).fetchone()
        if row is None:
            found.ask.append(photo)
            continue
        if row[0] not in chosen:
            first = row[0] if row[0] in photos else photo
            chosen[row[0]] = _asked(ledger, question, row[0]) or first
        if chosen[row[0]] == photo:
            found.ask.append(photo)
        else:
            found.inherit[photo] = chosen[row[0]]
    return found


def _asked(ledger: Ledger, question: int | None, burst: str) -> str | None:
    """A photo of the burst, or one its photos inherit from, that has been asked about or will be; none that failed."""
    row = ledger.connection.execute(
        """
        SELECT w.photo FROM works w WHERE w.question = ?1 AND w.state <> 'failed' AND w.photo IN (
            SELECT photo FROM bursts WHERE burst = ?2 UNION ALL
            SELECT i.source FROM bursts b JOIN inherited i ON i.photo = b.photo AND i.question = ?1 WHERE b.burst = ?2)
        ORDER BY w.state <> 'answered', w.photo LIMIT 1
        """,
        (question, burst),
    ).fetchone()
    return row[0] if row else None


def inherit(transaction: Transaction, question: int, sources: dict[str, str]) -> None:
    """Let photos take the descriptions of others, and mark their rows."""
    transaction.executemany(
        "INSERT OR REPLACE INTO inherited VALUES (?, ?, ?)",
        ((photo, question, source) for photo, source in sources.items()),
    )
    for photo in sources:
        dirty_rows.mark_photo(transaction, photo)


def _inheriting(ledger: Ledger, question: int | None, scope: Scope) -> list[str]:
    """The photos of `scope` that inherit an answer to this question, or wait for one, and were never bought."""
    condition, values = scope.where()
    found = ledger.connection.execute(
        f"""
        SELECT f.photo FROM files f JOIN stands_for i ON i.photo = f.photo AND i.question = ?
        WHERE f.state = 'present' AND f.reason IS NULL AND {condition} GROUP BY f.photo ORDER BY min(f.path)
        """,
        (question, *values),
    )
    return [row[0] for row in found]
