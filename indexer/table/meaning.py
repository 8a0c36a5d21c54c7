"""The vector of a photo: the direction between its text as a whole and the mean of its sentences.

A long text drowns what one of its sentences says. The sum of both finds 3 % more of what other people ask for
(`benchmarks/bench_ranking.py`), is one vector as before, and costs search nothing.

A picture that nobody has described but a classifier has seen stands between the names of its likeliest classes, by
their probabilities (ConSE: Norouzi et al., ICLR 2014). Such a vector is shorter, so that it counts for less than a
description.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer.table.document import Document

if TYPE_CHECKING:
    import numpy as np

    from indexer.table.encoder.onnx import Encoder


GUESSED = 0.66
"""The length of a vector that is a guess."""


def vectors(encoder: Encoder, documents: Sequence[Document], *, threads: int = 1) -> list[np.ndarray | None]:
    """Return a vector of length 1 for each document, of `GUESSED` for one that is only guessed at.

    None for one without a text that `encoder` can read.
    """
    import numpy as np

    readable = [bool(document.text) and encoder.reads(document.text) for document in documents]
    parts = [_parts(document) if readable[number] else [] for number, document in enumerate(documents)]
    encoded = encoder.encode([text for texts in parts for text in texts], threads=threads)
    found = _between(encoded, [len(texts) for texts in parts])
    names = list(dict.fromkeys(name for document in documents for name, _ in document.guesses))
    of_name = dict(zip(names, encoder.encode(names, threads=threads), strict=True))
    for number, document in enumerate(documents):
        if found[number] is None and document.guesses:
            mean = np.sum([share * of_name[name] for name, share in document.guesses], axis=0)
            found[number] = (GUESSED * mean / np.linalg.norm(mean)).astype(np.float32)
    return found


def _between(encoded: np.ndarray, counts: Sequence[int]) -> list[np.ndarray | None]:
    """The vectors of documents with so many texts each, the whole first; None for one with none."""
    import numpy as np

    held = np.array([count for count in counts if count], dtype=np.intp)
    starts = np.cumsum(held) - held
    whole = encoded[starts]
    several = held > 1
    if several.any():
        sentences = np.add.reduceat(encoded, starts, axis=0)[several] - whole[several]
        sums = whole[several] + sentences / (held[several, None] - 1)
        whole[several] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    found = iter(whole)
    return [next(found) if count else None for count in counts]


def _parts(document: Document) -> list[str]:
    """The texts to encode: the whole, then its sentences where they say anything else."""
    sentences = list(dict.fromkeys(document.sentences))
    return [document.text] if sentences in ([], [document.text]) else [document.text, *sentences]
