"""Collecting and projecting: answers into the ledger and rows into the table, without the time of the text encoder.

Claims: at least 4,000 rows a second, one version of the table a batch, fewer than 100 fragments after a run.
Usage: bench_project.py [ROWS]

The ledger is filled in through its own transitions. The photos have answers, but the encoder is replaced by one that
hands out ready vectors: what is measured is everything around it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from indexer.domain.answer import Answer
from indexer.domain.keys import digest
from indexer.domain.mode import Mode
from indexer.domain.photo import Facts, Rendition
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question
from indexer.ledger.photos import files
from indexer.ledger.photos.files import Sighting, Stat
from indexer.ledger.spend import approvals
from indexer.ledger.store import Ledger
from indexer.ledger.work import answers, items
from indexer.ledger.work.answers import Booking
from indexer.media.rendition import DIGEST_VERSION
from indexer.storage.layout import TABLE_FOLDER
from indexer.table.dataset import DIMENSION, open_dataset
from indexer.table.projector import Embedding, Projector

ROWS = 100_000
BATCH = 4096
_WORDS = ("dog", "boat", "window", "harbour", "child", "red", "snow", "mountain", "coffee", "table", "street", "night")


class Ready:
    """Stands in for the encoder: vectors that cost nothing."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0).standard_normal((BATCH, DIMENSION)).astype(np.float32)
        self._vectors = draw / np.linalg.norm(draw, axis=1, keepdims=True)

    def encode(self, texts: Sequence[str], *, threads: int = 1) -> np.ndarray:
        """As many vectors as texts."""
        del threads
        return self._vectors[np.arange(len(texts)) % BATCH]

    def reads(self, text: str) -> bool:
        """Every text can be read."""
        return bool(text)


def crawl(ledger: Ledger, rows: int) -> list[str]:
    """Record the sightings of so many photos; returns their ids."""
    photos: list[str] = []
    for start in range(0, rows, BATCH):
        paths = [
            os.fsencode(f"/photos/{at // 500:04}/IMG_{at:07}.jpg") for at in range(start, min(rows, start + BATCH))
        ]
        photos += files.record_sightings(ledger, 1, [_sighting(path) for path in paths], DIGEST_VERSION).values()
    return photos


def _sighting(path: bytes) -> Sighting:
    drawn = Rendition(digest(path), "0" * 16, 4032, 3024, "jpeg", b"")
    facts = Facts(taken_at="2024-05-01T12:00:00", camera="Camera 1")
    stat = Stat(1000, 0, 0, 0)
    return Sighting(path, path.rpartition(b"/")[0], stat, True, digest(b"bytes", path), facts, None, drawn, None)


def said(number: int) -> Answer:
    """An answer of usual length that no other photo has."""
    draw = [_WORDS[(number * step + step) % len(_WORDS)] for step in range(1, 41)]
    return Answer(f"{' '.join(draw)} {number}", tuple(dict.fromkeys(draw[:8])), model="bench-1")


def collect(ledger: Ledger, answered: Sequence[tuple[Booking, Answer]]) -> None:
    """Record the answers, a transaction a batch, as collecting does."""
    for start in range(0, len(answered), BATCH):
        with ledger.transaction("answers") as transaction:
            for booking, answer in answered[start : start + BATCH]:
                answers.record_answer(transaction, booking, answer, 30)


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        ledger = Ledger.open(home)
        question = Question("gemini", "bench-1", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
        photos = crawl(ledger, rows)
        with ledger.transaction("campaign") as transaction:
            campaign = approvals.begin_campaign(transaction)
            items.want(transaction, question, photos, campaign, Mode.BATCH)
        keys = [question.work_key(photo) for photo in photos]
        begun = [(items.Work(key, photo, 0), f"{key}-a-1", 0.0) for key, photo in zip(keys, photos, strict=True)]
        with ledger.transaction("intents") as transaction:
            for work, attempt, high in begun:
                items.begin_call(transaction, work, attempt, high, Mode.INTERACTIVE)
        answered = [(Booking(f"{key}-a-1", key, 0.0, None), said(at)) for at, key in enumerate(keys)]
        projector = Projector(ledger, home, Embedding())
        projector._loaded = Ready()  # type: ignore[assignment]
        started = time.perf_counter()
        collect(ledger, answered)
        collected = time.perf_counter()
        told: list[int] = []
        projector.run(told.append)
        projected = time.perf_counter()
        versions = open_dataset(home / TABLE_FOLDER).version - 2  # empty table, word index
        projector.finish()
        finished = time.perf_counter()
        dataset = open_dataset(home / TABLE_FOLDER)
        fragments = len(dataset.get_fragments())
        assert dataset.count_rows(filter="described AND vector IS NOT NULL") == rows
    rate = rows / (projected - started)
    print(f"{rows:,} answers: collected in {collected - started:.1f} s, projected in {projected - collected:.1f} s")
    print(f"  {rate:,.0f} rows/s   claim 4,000   (with maintenance {rows / (finished - started):,.0f} rows/s)")
    print(f"  {versions} versions for {len(told)} batches, {fragments} fragments after the run   claims: equal, < 100")
    return 0 if rate >= 4000 and versions == len(told) and fragments < 100 else 1


if __name__ == "__main__":
    sys.exit(main())
