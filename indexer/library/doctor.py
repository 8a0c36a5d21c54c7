"""Is this installation whole, and is this library? Looks only; changes nothing, sends nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from indexer.domain.errors import CaptionaryError, KeyMissing
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.providers import open_provider, specs
from indexer.providers.spec import Opening
from indexer.storage.layout import ENCODER_FOLDER, LEDGER_FILE, TABLE_FOLDER
from indexer.table.encoder.load import ensure_encoder

_PACKAGES = ("pillow", "google-genai", "lancedb", "pylance", "onnxruntime", "sentence-transformers", "torch")
_LITTLE_SPACE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` says what to do when it is not `good`."""

    what: str
    good: bool
    words: str
    fix: str = ""


def examine_installation(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at packages and providers."""
    for package in _PACKAGES:
        try:
            yield Finding(package, True, version(package))
        except PackageNotFoundError:
            yield Finding(package, False, "is not installed", "pip install -c constraints.txt captionary")
    for name in (spec.name for spec in specs()):
        try:
            open_provider(name, Opening(environ))
            yield Finding(f"provider {name}", True, "can be used")
        except KeyMissing as fault:
            yield Finding(f"provider {name}", True, f"cannot be used yet: {fault}", fault.hint)
        except CaptionaryError as fault:
            yield Finding(f"provider {name}", False, str(fault), fault.hint)


def examine_library(folder: Path) -> Iterator[Finding]:
    """Look at the library in `folder`: disk, ledger, table, encoder."""
    yield _space(folder)
    yield _hard_links(folder)
    if not (folder / LEDGER_FILE).exists():
        yield Finding("library", False, f"there is none at {folder}", "make one with: index FOLDER")
        return
    ledger = Ledger.read(folder)
    try:
        yield _ledger(ledger)
        yield _table(folder, ledger)
    finally:
        ledger.close()
    yield _encoder(folder)


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > _LITTLE_SPACE, f"{free / 1e9:.1f} GB free", "make room, or move the library")


def _hard_links(folder: Path) -> Finding:
    """LanceDB commits by hard link, which some file systems do not have."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as place:
        source = Path(place) / "a"
        source.touch()
        try:
            (Path(place) / "b").hardlink_to(source)
        except OSError as fault:
            words = f"the file system has no hard links ({fault.strerror})"
            return Finding("file system", False, words, "move the library to a local disk: --library DIR")
    return Finding("file system", True, "can hold the table")


def _ledger(ledger: Ledger) -> Finding:
    try:
        (words,) = ledger.connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as fault:
        words = str(fault)
    return Finding("ledger", words == "ok", f"{os.fspath(ledger.path)}: {words}", "restore the library from a backup")


def _table(folder: Path, ledger: Ledger) -> Finding:
    from indexer.table.photo_table import PhotoTable

    expected = counts.count_rows(ledger)
    try:
        found = PhotoTable.open(folder / TABLE_FOLDER, create=False).count() if expected else 0
    except CaptionaryError as fault:
        return Finding("table", False, str(fault), "index rebuild")
    return Finding("table", found == expected, f"{found} rows, the ledger says {expected}", "index rebuild")


def _encoder(folder: Path) -> Finding:
    if not (folder / ENCODER_FOLDER).is_dir():
        return Finding("encoder", True, "not made yet: the first photo with words makes it")
    try:
        encoder = ensure_encoder(folder / ENCODER_FOLDER, cache=None)
    except CaptionaryError as fault:
        return Finding("encoder", False, str(fault), fault.hint)
    return Finding("encoder", True, encoder.name)
