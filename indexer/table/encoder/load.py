"""The encoder of a library: opened by its kind, made when it is first needed, whole or not at all."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.storage.atomic import sync_file, sync_folder
from indexer.table.encoder.onnx import (
    DEFAULT_NAME,
    EXPORT_VERSION,
    MANIFEST,
    MODEL,
    TOKENIZER,
    WEIGHTS_SHA256,
    Encoder,
    Manifest,
)

if TYPE_CHECKING:
    from indexer.table.encoder.image import ImageEncoder

log = logging.getLogger("captionary.encoder")
_LONGEST_EXPORT = 3600.0


def open_encoder(directory: Path) -> Encoder:
    """Load the encoder kept in `directory`; raises `LibraryError` when it is missing or broken."""
    manifest = Manifest.read(directory)
    if manifest is None or manifest.name == DEFAULT_NAME:
        return Encoder.open(directory)
    from indexer.table.encoder.named import open_named

    return open_named(manifest, directory)


def ensure_encoder(directory: Path, *, cache: Path | None, named: str | None = None) -> Encoder:
    """Open the encoder in `directory`, and make it first where there is none.

    `named` is a model of a person's choice, see `named_encoder`. `cache` is a folder shared by all libraries of this
    machine, so that only the first one waits for the export; None exports for this library alone. An encoder that is
    not as it was made is made anew, and a cache that cannot be used costs time only.
    """
    if named is None and Manifest.damaged(directory):
        shutil.rmtree(directory)
    if named is not None and Manifest.read(directory) is None:
        from indexer.table.encoder.named import copy_model

        with _Whole(directory) as partial:
            copy_model(named, partial)
    elif Manifest.read(directory) is None:
        shared = cache / "encoders" / f"{WEIGHTS_SHA256[:16]}-{EXPORT_VERSION}" if cache else None
        if shared is None or not _taken_from(shared, directory):
            _export(directory)
    return open_encoder(directory)


def ensure_image_encoder(directory: Path, named: str) -> ImageEncoder:
    """Open the encoder of pictures in `directory`, made of the model `named` where there is none; or `BadSetting`."""
    from indexer.table.encoder.image import ImageEncoder

    if Manifest.read(directory) is None or Manifest.damaged(directory):
        from indexer.table.encoder.image_export import export_image_encoder

        shutil.rmtree(directory, ignore_errors=True)
        with _Whole(directory) as partial:
            export_image_encoder(named, partial)
    return ImageEncoder.open(directory)


def _export(directory: Path) -> None:
    from indexer.table.encoder.export import export_encoder

    with _Whole(directory) as partial:
        export_encoder(partial)


def _taken_from(shared: Path, directory: Path) -> bool:
    """Copy the encoder of this machine, made first where there is none; False where its cache does not serve."""
    try:
        if Manifest.read(shared) is None or Manifest.damaged(shared):
            shutil.rmtree(shared, ignore_errors=True)
            _export(shared)
        _copy(shared, directory)
    except OSError as fault:
        log.warning("the cache at %s is not used: %s", shared, fault)
        return False
    return True


def _copy(source: Path, directory: Path) -> None:
    with _Whole(directory) as partial:
        for name in (MODEL, TOKENIZER, MANIFEST):
            shutil.copyfile(source / name, partial / name)


class _Whole:
    """A directory that appears whole or not at all, replacing what was there."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __enter__(self) -> Path:
        self._target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self._target.parent)
        self._partial = Path(tempfile.mkdtemp(prefix=".encoder-", dir=self._target.parent))
        return self._partial

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            for path in self._partial.rglob("*"):
                (sync_folder if path.is_dir() else sync_file)(path)
            sync_folder(self._partial)
            self._replace()
            sync_folder(self._target.parent)
        shutil.rmtree(self._partial, ignore_errors=True)

    def _replace(self) -> None:
        try:
            self._partial.rename(self._target)
        except OSError:
            if Manifest.read(self._target) is not None:
                return  # another process was first; its encoder is the same
            shutil.rmtree(self._target)
            self._partial.rename(self._target)


def _sweep(folder: Path) -> None:
    """Remove what exports left that were killed; one that may still be going on is left alone."""
    for path in folder.glob(".encoder-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _LONGEST_EXPORT:
                shutil.rmtree(path)
