"""Two copies of one library: each would send what the other sends, and neither knows of the other's jobs."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.domain.errors import CaptionaryError
from indexer.ledger.store import Ledger
from indexer.ledger.work import shards
from indexer.storage.layout import LEDGER_FILE
from indexer.storage.paths import shown

_HOME = "home"  # a setting of the ledger: where it was written last


def of_another(ledger: Ledger, folder: Path) -> str:
    """Say, once, that the library in `folder` is a copy of one that is still there; "" where it is not, or moved."""
    before, here = ledger.setting(_HOME), os.fsencode(folder).hex()
    if before == here:
        return ""
    with ledger.transaction("home", uncounted=True) as transaction:
        transaction.set_setting(_HOME, here)
    other = Path(os.fsdecode(bytes.fromhex(before))) if before else folder
    if other == folder or not os.path.lexists(other / LEDGER_FILE) or (told := _jobs(other, ledger.library_id)) is None:
        return ""
    return (
        f"this library is a copy of {shown(os.fsencode(other))}: photos that both send are paid twice, and neither "
        f"fetches the other's jobs{told}. Go on with one of them only"
    )


def _jobs(folder: Path, library: str) -> str | None:
    """Say what the library in `folder` has at a service; None where it is another library, or cannot be read."""
    try:
        ledger = Ledger.read(folder)
    except CaptionaryError:
        return None
    try:
        if ledger.library_id != library:
            return None
        jobs, photos = shards.at_service(ledger)
        return f", of which {jobs:,} with {photos:,} photos are out now" if jobs else ""
    finally:
        ledger.close()
