"""What an export reads: every present path that can be searched, with its facts and its best answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from indexer.domain.answer import Answer
from indexer.domain.correction import corrected
from indexer.domain.photo import Facts
from indexer.domain.tags import Tagging
from indexer.ledger.photos.files import facts_from
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views.tags import tagging
from indexer.ledger.work.answers import BEST_FIRST
from indexer.ledger.work.corrections import LAST, read_correction
from indexer.storage.paths import is_address

_SEARCHABLE = "f.picture = 1 AND f.photo IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Entry:
    """A path with what is known of it; without an answer, what stands after `answer` is None or false.

    The answer's tags are those that people's rules and the settings let through, as a search shows them. `answered_at`
    is in seconds since the epoch; `inherited` says that the answer describes another photo of the burst, `corrected`
    that a person has changed its description, tags or fields.
    """

    path: bytes
    photo: str
    facts: Facts
    width: int
    height: int
    answer: Answer | None
    provider: str | None
    prompt_version: str | None
    answered_at: float | None
    inherited: bool
    corrected: bool


def entries(ledger: Ledger, scope: Scope) -> Iterator[Entry]:
    """Yield the present paths of `scope` by path, each with the best answer that its photo has; never all at once."""
    condition, values = scope.where()
    shown = tagging(ledger)
    rows = ledger.connection.execute(
        f"""
        SELECT f.path, f.photo, f.facts, p.width, p.height, b.provider, q.prompt_version, b.answered_at,
               b.photo <> f.photo, c.description, c.tags, c.fields, b.description, b.tags, b.visible_text, b.fields,
               b.model
        FROM files f JOIN photos p ON p.id = f.photo
        LEFT JOIN answers b ON b.work = (
            SELECT a.work FROM photo_answers a JOIN questions q ON q.id = a.question
            WHERE a.holder = f.photo ORDER BY {BEST_FIRST} LIMIT 1)
        LEFT JOIN questions q ON q.id = b.question
        LEFT JOIN corrections c ON c.id = {LAST.format(photo="f.photo")}
        WHERE f.state = 'present' AND {_SEARCHABLE} AND {condition} ORDER BY f.path
        """,
        values,
    )
    for path, photo, facts, width, height, provider, version, answered_at, inherited, *rest in rows:
        description, tags, fields, *said = rest
        correction = read_correction(description, tags, fields)
        answer = _answer(shown, *said) if provider else None
        answer = corrected(answer, correction)
        told = (provider, version, answered_at, bool(inherited), correction is not None)
        yield Entry(path, photo, facts_from(facts), width, height, answer, *told)


def _answer(shown: Tagging, description: str, tags: str, visible_text: str, fields: str, model: str) -> Answer:
    return Answer(description, shown.of(json.loads(tags)), visible_text, json.loads(fields), model)


def count_offline(ledger: Ledger, scope: Scope) -> int:
    """Count the paths of `scope` that a search finds although their drive is not there."""
    condition, values = scope.where()
    row = ledger.connection.execute(
        f"SELECT count(*) FROM files f WHERE f.state = 'offline' AND {_SEARCHABLE} AND {condition}", values
    ).fetchone()
    return int(row[0])


def holds_pictures(ledger: Ledger, folder: bytes) -> bool:
    """Say whether a picture that the library knows lies in `folder` or below."""
    condition, values = Scope((folder,)).where()
    row = ledger.connection.execute(
        f"SELECT 1 FROM files f WHERE f.state <> 'gone' AND f.picture = 1 AND {condition} LIMIT 1", values
    ).fetchone()
    return row is not None


def top(ledger: Ledger) -> bytes:
    """Return the folder that holds all pictures of the library on disks: its root, or what its roots have in common.

    Photos that are added below a root do not change it.
    """
    first, last = ledger.connection.execute(
        "SELECT min(path), max(path) FROM files WHERE picture = 1 AND state <> 'gone' AND path >= ? AND path < ?",
        (b"/", b"0"),
    ).fetchone()
    if first is None:
        return b"/"
    every = [root for (root,) in ledger.connection.execute("SELECT path FROM roots") if not is_address(root)]
    roots = [root for root in every if holds_pictures(ledger, root)]
    # All others lie between the first and the last path, so they share what these two have in common.
    return os.path.commonpath([first.rpartition(b"/")[0] or b"/", last.rpartition(b"/")[0] or b"/", *roots])


def stem_is_shared(ledger: Ledger, path: bytes) -> bool:
    """Say whether another picture beside `path` has its name up to the last dot, so that both have one photo.xmp."""
    stem = path.rpartition(b".")[0]
    others = ledger.connection.execute(
        "SELECT path FROM files WHERE path > ? AND path < ? AND path <> ? AND picture = 1 AND state <> 'gone'",
        (stem + b".", stem + b"/", path),
    )
    return any(other.rpartition(b".")[0] == stem for (other,) in others)
