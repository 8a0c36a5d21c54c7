"""How good the ranking is on somebody's own questions: lines of `query<TAB>path`, where path is the picture meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.domain.errors import UsageError
from indexer.storage.paths import resolve_root, to_text
from search.query import Index

DEPTH = 100
"""Hits looked at for each query; a picture further down counts as not found."""
_RESAMPLES = 2000
_SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the 95 % interval that resampling the queries gives it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The mean reciprocal rank, and the shares of queries whose picture came first and among the first ten."""

    queries: int
    mrr: Interval
    recall_1: Interval
    recall_10: Interval


def evaluate(index: Index, lines: Iterable[str]) -> Evaluation:
    """Measure `index` on `query<TAB>path` lines; empty lines and those that start with # are skipped."""
    ranks = [_rank(index, *asked) for number, line in enumerate(lines, 1) for asked in _parsed(line, number)]
    if not ranks:
        raise UsageError("there are no queries to evaluate", hint="each line is: query<TAB>path")
    return Evaluation(
        queries=len(ranks),
        mrr=interval([1 / rank if rank else 0.0 for rank in ranks]),
        recall_1=interval([float(rank == 1) for rank in ranks]),
        recall_10=interval([float(rank is not None and rank <= 10) for rank in ranks]),
    )


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of `values` with its bootstrap interval."""
    import numpy as np

    draw = np.random.default_rng(_SEED)
    array = np.asarray(values, dtype=float)
    means = np.sort([array[draw.integers(0, len(array), len(array))].mean() for _ in range(_RESAMPLES)])
    return Interval(float(array.mean()), float(means[int(0.025 * _RESAMPLES)]), float(means[int(0.975 * _RESAMPLES)]))


def _parsed(line: str, number: int) -> list[tuple[str, str]]:
    line = line.rstrip("\r\n")
    if not line.strip() or line.startswith("#"):
        return []
    query, tab, path = line.partition("\t")
    if not (tab and query.strip() and path.strip()):
        raise UsageError(f"line {number} is not a query and a path", hint="each line is: query<TAB>path")
    return [(query.strip(), to_text(resolve_root(path.strip())))]


def _rank(index: Index, query: str, path: str) -> int | None:
    hits = index.search(query, limit=DEPTH, min_score=0)
    return next((rank for rank, hit in enumerate(hits, 1) if path == hit.path or path in hit.also_at), None)
