"""Where table and encoder of a library lie: in it, or on object storage with a copy in the cache of the user."""

from __future__ import annotations

import os
from pathlib import Path

from indexer.domain.errors import LibraryMissing
from indexer.storage.layout import ENCODER_FOLDER, TABLE_FOLDER
from indexer.table.dataset import dataset_uri

_CACHE_GB = 10.0


def database(folder: Path) -> Path:
    """Return the database to search for the library in `folder`: its own, else a copy of the one at `[table] uri`.

    Raises `LibraryMissing` where there is neither.
    """
    local = folder / TABLE_FOLDER
    if dataset_uri(local).is_dir():
        return local
    from indexer.storage.settings import read_config
    from indexer.table.published import address_in

    tables = read_config(folder, os.environ).tables
    if not (uri := address_in(tables)):
        raise LibraryMissing(f"nothing is indexed in {folder}", hint="index a folder first: index ~/Photos")
    from indexer.table.local_copy import local_copy

    return local_copy(uri, _home(), int(float(tables["table"].get("cache_gb", _CACHE_GB)) * 1e9))


def encoder_home(folder: Path, database: Path) -> Path:
    """Return the folder of the encoder; for a table that was fetched, one that is made once on this machine."""
    if (folder / ENCODER_FOLDER).is_dir() or database == folder / TABLE_FOLDER:
        return folder / ENCODER_FOLDER
    from indexer.table.encoder.load import ensure_encoder

    home = _home().parent
    ensure_encoder(home / ENCODER_FOLDER, cache=home)
    return home / ENCODER_FOLDER


def _home() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("captionary", appauthor=False) / "tables"
