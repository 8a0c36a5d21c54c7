"""People's corrections as they are kept: each is a row, the last one that was not taken back holds."""

from __future__ import annotations

import json

from indexer.domain.correction import Correction
from indexer.domain.keys import canonical_json
from indexer.ledger.photos import dirty_rows
from indexer.ledger.store import Ledger, Transaction

LAST = "(SELECT max(k.id) FROM corrections k WHERE k.photo = {photo} AND k.undone_at IS NULL)"
"""The number of the correction of a photo that holds; `photo` is a column or a parameter."""


def correction_of(ledger: Ledger, photo: str) -> Correction | None:
    """Return the correction of `photo` that holds, None where nobody has corrected it."""
    row = ledger.connection.execute(
        f"SELECT description, tags FROM corrections WHERE id = {LAST.format(photo='?')}", (photo,)
    ).fetchone()
    return read_correction(*row) if row else None


def read_correction(description: str | None, tags: str | None) -> Correction | None:
    """Read a correction from its columns, both NULL where there is none."""
    if description is None and tags is None:
        return None
    return Correction(description, None if tags is None else tuple(json.loads(tags)))


def corrected_tags(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    """Return the tags of every photo whose tags a person has corrected."""
    rows = ledger.connection.execute(
        f"SELECT c.photo, c.tags FROM corrections c WHERE c.tags IS NOT NULL AND c.id = {LAST.format(photo='c.photo')}"
    )
    return {photo: tuple(json.loads(tags)) for photo, tags in rows}


def correct(transaction: Transaction, photo: str, correction: Correction) -> None:
    """Keep a correction of `photo` and mark its rows; what it leaves out stays as it was corrected before."""
    before = correction_of(transaction.ledger, photo) or Correction()
    description = before.description if correction.description is None else correction.description
    tags = before.tags if correction.tags is None else correction.tags
    transaction.execute(
        "INSERT INTO corrections (photo, description, tags, made_at) VALUES (?, ?, ?, ?)",
        (photo, description, None if tags is None else canonical_json(list(tags)), transaction.now()),
    )
    dirty_rows.mark_photo(transaction, photo)


def take_back(transaction: Transaction, photo: str) -> bool:
    """Take back the last correction of `photo` that holds, and mark its rows; False where there is none."""
    done = transaction.execute(
        f"UPDATE corrections SET undone_at = ? WHERE id = {LAST.format(photo='?')}", (transaction.now(), photo)
    )
    dirty_rows.mark_photo(transaction, photo)
    return bool(done.rowcount)
