"""The names of what lies in a library, and where a library lies when nobody says."""

from __future__ import annotations

from pathlib import Path

LEDGER_FILE = "ledger.sqlite3"
SETTINGS_FILE = "captionary.toml"
TABLE_FOLDER = "lancedb"
ENCODER_FOLDER = "encoder"
BATCHES_FOLDER = "batches"
INBOX_FOLDER = "inbox"
RENDITIONS_FILE = "renditions.sqlite3"


def default_folder() -> Path:
    """Where a library lies when nobody says: the user's data directory, because it holds paid work."""
    from platformdirs import user_data_path

    return user_data_path("captionary", appauthor=False)
