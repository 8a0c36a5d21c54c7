"""People's corrections as they are kept: each is a row, the last one that was not taken back holds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from indexer.domain.correction import Correction
from indexer.domain.keys import canonical_json
from indexer.ledger.photos import dirty_rows
from indexer.ledger.store import Ledger, Transaction

LAST = "(SELECT max(k.id) FROM corrections k WHERE k.photo = {photo} AND k.undone_at IS NULL)"
"""The number of the correction of a photo that holds; `photo` is a column or a parameter."""


def correction_of(ledger: Ledger, photo: str) -> Correction | None:
    """Return the correction of `photo` that holds, None where nobody has corrected it."""
    row = ledger.connection.execute(
        f"SELECT description, tags, fields FROM corrections WHERE id = {LAST.format(photo='?')}", (photo,)
    ).fetchone()
    return read_correction(*row) if row else None


def corrections_of(ledger: Ledger, photos: Sequence[str]) -> dict[str, Correction]:
    """Return the corrections that hold of those of `photos` that somebody has corrected."""
    found: dict[str, Correction] = {}
    if ledger.connection.execute("SELECT 1 FROM corrections LIMIT 1").fetchone():
        every = ((photo, correction_of(ledger, photo)) for photo in photos)
        found.update((photo, correction) for photo, correction in every if correction)
    return found


def read_correction(description: str | None, tags: str | None, fields: str | None) -> Correction | None:
    """Read a correction from its columns, all NULL where there is none."""
    if description is None and tags is None and fields is None:
        return None
    return Correction(description, None if tags is None else tuple(json.loads(tags)), json.loads(fields or "{}"))


def corrected_tags(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    """Return the tags of every photo whose tags a person has corrected."""
    rows = ledger.connection.execute(
        f"SELECT c.photo, c.tags FROM corrections c WHERE c.tags IS NOT NULL AND c.id = {LAST.format(photo='c.photo')}"
    )
    return {photo: tuple(json.loads(tags)) for photo, tags in rows}


def correct(transaction: Transaction, photo: str, correction: Correction) -> None:
    """Keep a correction of `photo` and mark its rows; what it leaves out stays as it was corrected before."""
    made = correction.over(correction_of(transaction.ledger, photo) or Correction())
    tags = None if made.tags is None else canonical_json(list(made.tags))
    fields = canonical_json(dict(made.fields)) if made.fields else None
    transaction.execute(
        "INSERT INTO corrections (photo, description, tags, fields, made_at) VALUES (?, ?, ?, ?, ?)",
        (photo, made.description, tags, fields, transaction.now()),
    )
    dirty_rows.mark_photo(transaction, photo)


def take_back(transaction: Transaction, photo: str) -> bool:
    """Take back the last correction of `photo` that holds, and mark its rows; False where there is none."""
    done = transaction.execute(
        f"UPDATE corrections SET undone_at = ? WHERE id = {LAST.format(photo='?')}", (transaction.now(), photo)
    )
    dirty_rows.mark_photo(transaction, photo)
    return bool(done.rowcount)
