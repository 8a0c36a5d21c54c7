"""What the ledger knows of one path: the file, its photo, all that was said about it, and where else it lies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.domain.answer import Answer
from indexer.domain.answer_fields import Field
from indexer.domain.correction import Correction, corrected_fields
from indexer.domain.photo import Facts
from indexer.domain.tags import distinct
from indexer.ledger.photos.files import facts_from
from indexer.ledger.store import Ledger
from indexer.ledger.views.prompts import own_fields
from indexer.ledger.views.tags import tagging
from indexer.ledger.work.answers import BEST_FIRST
from indexer.ledger.work.corrections import correction_of


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A picture's file as it was last seen: `size` in bytes, `mtime_ns` since the epoch, `state` present or offline."""

    path: bytes
    photo: str
    size: int
    mtime_ns: int
    state: str


@dataclass(frozen=True, slots=True)
class Said:
    """One answer about a photo, as it came: who gave it, to which prompt, when (seconds since the epoch).

    `inherited` is 1 where it describes another photo of the burst.
    """

    answer: Answer
    provider: str
    rank: int
    prompt_version: str
    prompt_name: str
    answered_at: float
    inherited: int


@dataclass(frozen=True, slots=True)
class KnownPhoto:
    """A path with all that is known of it; `said` has the answer that is shown first, `reason` is why it failed.

    `tags` are those that a search finds: of the shown answer by people's rules and the settings, and the keywords;
    `own_tags` are the same without the keywords. `correction` is what a person says instead, `fields` are those of the
    shown answer with it, and `known_fields` all that a schema of one's own has in this library.
    `copies` are other paths of the same pixels, `burst` those of other photos of its burst. `width` and `height` are
    upright pixels, `format` is the kind of file it was first seen in.
    """

    file: KnownFile
    facts: Facts
    width: int
    height: int
    format: str
    note: str
    reason: str
    detail: str
    said: tuple[Said, ...]
    correction: Correction | None
    fields: Mapping[str, Any]
    known_fields: Sequence[Field]
    own_tags: tuple[str, ...]
    tags: tuple[str, ...]
    copies: tuple[bytes, ...]
    burst: tuple[bytes, ...]


def known_file(ledger: Ledger, path: bytes) -> KnownFile | None:
    """Return the file at `path`, None where no picture that could be read is known."""
    row = ledger.connection.execute(
        "SELECT path, photo, size, mtime_ns, state FROM files"
        " WHERE path = ? AND picture = 1 AND state <> 'gone' AND photo IS NOT NULL",
        (path,),
    ).fetchone()
    return KnownFile(*row) if row else None


def known_photo(ledger: Ledger, path: bytes) -> KnownPhoto | None:
    """Return everything that is known of the photo at `path`, None where no picture that could be read is known."""
    file = known_file(ledger, path)
    if file is None:
        return None
    facts, reason, detail = ledger.connection.execute(
        "SELECT facts, coalesce(reason, ''), coalesce(detail, '') FROM files WHERE path = ?", (path,)
    ).fetchone()
    width, height, format_, note = ledger.connection.execute(
        "SELECT width, height, format, note FROM photos WHERE id = ?", (file.photo,)
    ).fetchone()
    read, said = facts_from(facts), tuple(_said(ledger, file.photo))
    correction = correction_of(ledger, file.photo)
    shown = tagging(ledger).of(said[0].answer.tags) if said else ()
    own = correction.tags if correction is not None and correction.tags is not None else shown
    return KnownPhoto(
        file=file,
        facts=read,
        width=width,
        height=height,
        format=format_,
        note=note,
        reason=reason,
        detail=detail,
        said=said,
        correction=correction,
        fields=corrected_fields(said[0].answer.fields if said else {}, correction),
        known_fields=own_fields(ledger),
        own_tags=own,
        tags=distinct(own, read.keywords),
        copies=_paths(ledger, "photo = ? AND path <> ?", (file.photo, path)),
        burst=_paths(ledger, _IN_BURST, (file.photo, file.photo)),
    )


_IN_BURST = """
    photo IN (SELECT b.photo FROM bursts b JOIN bursts own ON own.burst = b.burst WHERE own.photo = ?) AND photo <> ?
"""


def _paths(ledger: Ledger, condition: str, values: tuple[str | bytes, ...]) -> tuple[bytes, ...]:
    rows = ledger.connection.execute(
        f"SELECT path FROM files WHERE picture = 1 AND state <> 'gone' AND {condition} ORDER BY path", values
    )
    return tuple(row[0] for row in rows)


def _said(ledger: Ledger, photo: str) -> list[Said]:
    rows = ledger.connection.execute(
        f"""
        SELECT a.description, a.tags, a.visible_text, a.fields, a.model, a.provider, a.standing, q.prompt_version,
               coalesce(t.name, ''), a.answered_at, a.inherited
        FROM photo_answers a JOIN questions q ON q.id = a.question LEFT JOIN texts t ON t.version = q.prompt_version
        WHERE a.holder = ? ORDER BY {BEST_FIRST}
        """,
        (photo,),
    )
    said = []
    for description, tags, visible_text, fields, model, *rest in rows:
        answer = Answer(description, tuple(json.loads(tags)), visible_text, json.loads(fields), model)
        said.append(Said(answer, *rest))
    return said
