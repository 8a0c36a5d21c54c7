"""A pipe in the place of a file is refused at once: nobody waits for a writer who never comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from indexer.crawl.ignore import read_ignore_file
from indexer.crawl.inspect import Examined, Examiner, WorkOptions
from indexer.crawl.listing import Found, found_alone
from indexer.crawl.pool import examine
from indexer.domain.errors import CaptionaryError
from indexer.library.api import Library
from indexer.library.configuration import settings
from indexer.library.doctor import examine_installation
from indexer.library.door import is_picture, keep_bytes, read_upload
from indexer.library.vocabulary import read_vocabulary
from indexer.media.metadata import read_facts
from indexer.media.picture import PictureError
from indexer.media.rendition import render, shrink
from indexer.pipeline.resolve import read_schema
from indexer.pipeline.send.framing import read_lines
from indexer.storage.bounded_cache import BoundedCache
from indexer.storage.lock import WriterLock
from indexer.storage.regular import read_words
from indexer.storage.settings import read_config
from indexer.table.encoder.onnx import MANIFEST, Manifest
from search.likeness import _photo as photo_of
from tests.attack.tally import typed
from tests.support.commands import SAMPLES

PATIENCE = 5


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Whoever waits for a pipe is interrupted, and the test fails."""

    def too_long(*_: object) -> None:
        raise AssertionError("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _locked(folder: Path) -> None:
    with WriterLock(folder, "a test"):
        pass


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a picture that is decoded": ("a.jpg", lambda folder: render(folder / "a.jpg")),
    "a picture of the gallery": ("a.jpg", lambda folder: shrink(folder / "a.jpg", 100)),
    "a picture's metadata": ("a.jpg", lambda folder: read_facts(folder / "a.jpg")),
    "a sidecar": ("a.jpg.xmp", lambda folder: read_facts(folder / "a.jpg")),
    "a picture to look like": ("a.jpg", lambda folder: photo_of(folder, folder / "a.jpg")),
    "an ignore file": (".captionignore", lambda folder: read_ignore_file(os.fsencode(folder) + b"/")),
    "an upload": ("a.jpg", lambda folder: read_upload(folder / "a.jpg")),
    "a kept upload": ("a.jpg", lambda folder: is_picture(os.fsencode(folder / "a.jpg"))),
    "the place of an upload": ("a.jpg", lambda folder: keep_bytes(folder / "a.jpg", b"")),
    "the settings": ("captionary.toml", lambda folder: read_config(folder, {})),
    "the settings that are shown": ("captionary.toml", lambda folder: list(settings(folder, {}))),
    "who writes": (".writer", _locked),
    "a prompt": ("a.txt", lambda folder: read_words(folder / "a.txt")),
    "a schema": ("a.json", lambda folder: read_schema(folder / "a.json")),
    "a vocabulary": ("a.txt", lambda folder: read_vocabulary(folder / "a.txt")),
    "checks of an inbox": ("checks.toml", lambda folder: Library.open(folder / "l").inbox(folder / "checks.toml")),
    "answers of a model": ("a.jsonl", lambda folder: list(read_lines(folder / "a.jsonl"))),
    "queries": ("a.tsv", lambda folder: typed("index", "--library", folder, "evaluate", folder / "a.tsv")),
    "a startup file": (".bashrc", lambda folder: list(examine_installation({"HOME": str(folder), "SHELL": "bash"}))),
    "an encoder": (MANIFEST, Manifest.read),
    "a cache": ("a", lambda folder: BoundedCache(folder, 1000).get("a")),
}


@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    """Every reader of a file comes back, with nothing or with an error that is expected of a file."""
    file, read = READERS[name]
    os.mkfifo(tmp_path / file)
    with suppress(CaptionaryError, PictureError, OSError):
        read(tmp_path)


def test_a_picture_swapped_for_a_pipe_in_mid_look_costs_no_minutes(tmp_path: Path) -> None:
    """Between its digest and its decoding, which opens it anew."""
    path = tmp_path / "a.jpg"
    path.write_bytes((SAMPLES / "dogs_window.jpg").read_bytes())

    class Swapping(Examiner):
        def _look(self, found: Found, path: Path, sha256: str) -> Examined:
            path.unlink()
            os.mkfifo(path)
            return super()._look(found, path, sha256)

    seen = found_alone(os.fsencode(path))
    assert seen
    (result,) = examine([seen], options=WorkOptions(workers=0), examiners=Swapping)
    assert result.failure
    assert "changed while it was read" in result.failure.detail or "not a file" in result.failure.detail
