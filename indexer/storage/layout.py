"""The names of what lies in a library, and where a library lies when nobody says."""

from __future__ import annotations

from pathlib import Path

LEDGER_FILE = "ledger.sqlite3"
SETTINGS_FILE = "captionary.toml"
TABLE_FOLDER = "lancedb"
ENCODER_FOLDER = "encoder"
IMAGE_ENCODER_FOLDER = "image_encoder"
BATCHES_FOLDER = "batches"
INBOX_FOLDER = "inbox"
RENDITIONS_FILE = "renditions.sqlite3"


def remains(folder: Path) -> tuple[str, ...]:
    """Return what stands of a library in `folder` besides its ledger: a table, batches; () for none of them."""
    table = (TABLE_FOLDER,) if next(folder.glob(f"{TABLE_FOLDER}/*.lance"), None) else ()
    batches = (BATCHES_FOLDER,) if next(folder.glob(f"{BATCHES_FOLDER}/*.jsonl*"), None) else ()
    return (*table, *batches)


def default_folder() -> Path:
    """Where a library lies when nobody says: the user's data directory, because it holds paid work."""
    from platformdirs import user_data_path

    return user_data_path("captionary", appauthor=False)
