"""Ranking: meaning and words together against each alone, on captions that other people wrote.

Claims: on sentences at least 1.04 times the MRR of cosine alone, on three rare words at least 1.09 times, and never
below the better of the two legs. Cosine alone is that of the text as a whole, without its sentences.

Usage: bench_ranking.py CAPTIONS.tsv
"""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
from corpus import Captioned, captions_file, interval, library_of, rarest, read_captions, told

from indexer.table.encoder.onnx import Encoder
from indexer.table.words import query_terms
from search import Index
from search.reader import Reader

QUERIES = 1500
DEPTH = 50


class Bench:
    """A library of the photos, and the three ways to rank it."""

    def __init__(self, photos: list[Captioned]) -> None:
        self.home, rows = library_of(photos)
        self.paths = [row.path for row in rows]
        self.index = Index.open(self.home)
        self.view = Reader(self.home / "lancedb").view()
        self.encoder = Encoder.open(self.home / "encoder")
        self.matrix = self.encoder.encode([row.document for row in rows], threads=os.cpu_count() or 1)

    def both(self, query: str) -> list[str]:
        """As search ranks."""
        return [hit.path for hit in self.index.search(query, limit=DEPTH, min_score=0)]

    def meaning(self, query: str) -> list[str]:
        """By cosine alone."""
        cosines = self.matrix @ self.encoder.encode([query])[0]
        return [self.paths[at] for at in np.argsort(-cosines, kind="stable")[:DEPTH]]

    def words(self, query: str) -> list[str]:
        """By BM25 alone."""
        terms = query_terms(query)
        return [one.path for one in self.view.shown(self.view.by_words(terms, None, DEPTH))] if terms else []


def reciprocal(found: list[str], wanted: str) -> float:
    """One over the rank of the wanted path, 0 below the depth."""
    return 1 / (found.index(wanted) + 1) if wanted in found else 0.0


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    photos = read_captions(captions_file())
    bench, keywords = Bench(photos), rarest(photos)
    draw, held = np.random.default_rng(1), True
    for kind, least in (("sentences", 1.04), ("three rare words", 1.09)):
        asked = draw.permutation(len(photos))[:QUERIES]
        queries = [keywords[at] if kind != "sentences" else photos[at].captions[3 + at % 2] for at in asked]
        both, meaning, words = (
            np.array([reciprocal(way(query), photos[at].path) for at, query in zip(asked, queries, strict=True)])
            for way in (bench.both, bench.meaning, bench.words)
        )
        better = meaning if meaning.mean() >= words.mean() else words
        print(f"{kind}, {len(asked)} queries on {len(photos)} photos: MRR [95 % interval]")
        print(f"  meaning and words  {interval(both)}")
        print(f"  meaning alone      {interval(meaning)}")
        print(f"  words alone        {interval(words)}")
        for name, other, claim in (("cosine alone", meaning, least), ("the better leg", better, 1.0)):
            kept = bool(both.mean() >= claim * other.mean())
            print(f"| MRR on {kind}, to {name} | {interval(both, other)} | at least {claim} | {told(kept)} |")
            held &= kept
    shutil.rmtree(bench.home)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
