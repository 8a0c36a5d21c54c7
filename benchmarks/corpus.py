"""Captioned photos to measure search with, and synthetic libraries of any size made of them.

The captions are those of Flickr8k (M. Hodosh, P. Young, J. Hockenmaier, JAIR 47, 2013), a table with the columns
image, number of the caption (0 to 4), caption. They are not part of this project: give the path as an argument, or in
CAPTIONARY_CAPTIONS.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from indexer.domain.answer import Answer
from indexer.domain.photo import Facts
from indexer.table.document import compose
from indexer.table.encoder.load import ensure_encoder
from indexer.table.encoder.onnx import Encoder
from indexer.table.meaning import vectors
from indexer.table.photo_table import PhotoRow, PhotoTable
from indexer.table.words import STOP_WORDS

DESCRIPTION = 3
"""The first captions of a photo are its description, the others the queries."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """A photo with five captions by different people."""

    name: str
    captions: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where the photo would lie."""
        return f"/photos/{self.name}"

    @property
    def description(self) -> str:
        """What a model would have said."""
        return " ".join(self.captions[:DESCRIPTION])


def captions_file() -> Path:
    """The table of captions that the caller names, or the end of the benchmark."""
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("CAPTIONARY_CAPTIONS", "")
    if not named or not Path(named).is_file():
        raise SystemExit(f"usage: {sys.argv[0]} CAPTIONS.tsv   (or set CAPTIONARY_CAPTIONS)")
    return Path(named)


def read_captions(path: Path) -> list[Captioned]:
    """The photos that have all five captions, in order of the table."""
    captions: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        name, _, caption = line.split("\t")
        captions.setdefault(name, []).append(caption)
    return [Captioned(name, tuple(texts)) for name, texts in captions.items() if len(texts) == 5]


def rarest(photos: list[Captioned], count: int = 3) -> list[str]:
    """For each photo the rarest words of its fourth caption, in their order: a query by keywords."""
    holders = Counter(word for photo in photos for word in {w for text in photo.captions for w in _words(text)})
    queries = []
    for photo in photos:
        words = list(dict.fromkeys(_words(photo.captions[DESCRIPTION])))
        chosen = sorted(words, key=lambda word: holders[word])[:count]
        queries.append(" ".join(word for word in words if word in chosen))
    return queries


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word not in STOP_WORDS and len(word) > 1]


def encoder_in(home: Path) -> Encoder:
    """The encoder of a library, copied from the machine's."""
    return ensure_encoder(home / "encoder", cache=user_cache_path("captionary", appauthor=False))


def rows_of(photos: list[Captioned], encoder: Encoder) -> list[PhotoRow]:
    """The rows that projecting would write for described photos."""
    documents = [compose(photo.path, Facts(), Answer(photo.description)) for photo in photos]
    meant = vectors(encoder, documents, threads=os.cpu_count() or 1)
    return [
        PhotoRow(
            path=photo.path,
            photo=photo.name,
            document=document.text,
            words=document.words,
            digest=document.digest,
            description=document.description,
            described=True,
            vector=vector,
        )
        for photo, document, vector in zip(photos, documents, meant, strict=True)
    ]


def library_of(photos: list[Captioned]) -> tuple[Path, list[PhotoRow]]:
    """A library of the photos in a folder of its own, and its rows."""
    home = Path(tempfile.mkdtemp(prefix="captionary-bench-"))
    rows = rows_of(photos, encoder_in(home))
    table = PhotoTable.open(home / "lancedb")
    table.upsert(rows)
    table.maintain()
    return home, rows


def synthetic_rows(seeds: list[PhotoRow], count: int) -> Iterator[PhotoRow]:
    """Rows with real text: each joins what two photos say, with a vector between theirs and some noise."""
    draw = np.random.default_rng(0)
    words = sorted({word for row in seeds for word in _words(row.document) if len(word) > 3})
    matrix = np.stack([row.vector for row in seeds if row.vector is not None])
    for start in range(0, count, 4096):
        size = min(4096, count - start)
        first, second = draw.integers(0, len(seeds), (2, size))
        vectors = matrix[first] + 0.6 * matrix[second] + 0.025 * draw.standard_normal((size, matrix.shape[1]))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        chosen = draw.integers(0, len(words), (size, 6))
        minutes = draw.integers(0, 525_600, size)
        for at in range(size):
            number = start + at
            text = f"{seeds[first[at]].document} {seeds[second[at]].document}"
            tags = tuple(words[index] for index in chosen[at])
            yield replace(
                seeds[first[at]],
                path=f"/photos/{2000 + number % 25}/album {number % 400}/IMG_{number:07}.jpg",
                photo=f"{number:064x}",
                document=f"{text}\n{', '.join(tags)}",
                words=f"photos {2000 + number % 25} album {number % 400} IMG {number:07}",
                digest=f"{number:064x}",
                description=text,
                tags=tags,
                taken_at=datetime(2000 + number % 25, 1, 1) + timedelta(minutes=int(minutes[at])),
                camera=f"Camera {number % 50}",
                vector=vectors[at],
            )


def interval(values: np.ndarray, other: np.ndarray | None = None) -> str:
    """The mean of `values`, or its ratio to the mean of `other`, with the 95 % interval of a paired bootstrap."""
    draw = np.random.default_rng(0)
    picks = (draw.integers(0, len(values), len(values)) for _ in range(1000))
    if other is None:
        means = np.sort([values[pick].mean() for pick in picks])
        return f"{values.mean():.4f} [{means[25]:.4f}, {means[975]:.4f}]"
    ratios = np.sort([values[pick].mean() / other[pick].mean() for pick in picks])
    return f"{values.mean() / other.mean():.3f} [{ratios[25]:.3f}, {ratios[975]:.3f}]"


def told(kept: bool) -> str:
    """How a row of figures says whether its claim held."""
    return "yes" if kept else "**no**"
