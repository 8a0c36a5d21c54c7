"""What a query is compared with: a vector for a column of the table, and how near rows are by all of them together.

Texts say what is in a photo; an image model, where one is set, sees the picture itself. Both are told on the scale of
the default text encoder, to which ranking and cut-off were fitted. What is seen lifts a described photo a little and
never lowers it; a photo that nobody has described, or that is only guessed at, is as near as it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

from indexer.table.dataset import PIXELS
from indexer.table.encoder.scale import SAME, Scale

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pyarrow as pa

SEEN_SHARE = 0.3
"""How much of what a picture looks nearer than its description is told counts."""
_SPREAD = 1.5
"""An image model's cosines of a text with pictures lie closer together than those of texts: what answers is about four
deviations from what does not, where it is six among texts."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A vector of length 1, the column of the table that it is compared with, and the scale of its cosines."""

    vector: np.ndarray
    column: str = "vector"
    scale: Scale = SAME

    @property
    def share(self) -> float:
        """How many of the rows that a leg may propose this one does: each is one more to be read for all legs."""
        return 0.5 if self.column == PIXELS else 1.0


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near rows are: on the scale of the text encoder, and as an image model sees it; None where nobody knows."""

    cosines: Iterable[float | None]
    seen: Iterable[float | None]


def of_looks(neutral: np.ndarray, seen: np.ndarray) -> Scale:
    """Return the scale of cosines between texts and pictures.

    `neutral` are vectors of texts that say nothing about the library, `seen` those of some of its pictures.
    """
    cosines = neutral @ seen.T
    return Scale.of(float(cosines.mean()), float(cosines.std()) / _SPREAD)


def alike(vector: np.ndarray, seen: np.ndarray) -> Probe:
    """Return the probe for pictures like the one with this vector: two of the library are 0 apart, the same is 1."""
    number = len(seen)
    apart = (float((seen.sum(axis=0) ** 2).sum()) - number) / max(1, number * (number - 1))
    slope = 1 / max(1 - apart, 1e-3)
    return Probe(vector, PIXELS, Scale(slope, 1 - slope))


def nearness(columns: Sequence[tuple[Probe, np.ndarray, np.ndarray]], rows: int) -> Nearness:
    """Return how near each of so many rows is.

    `columns` are the probes, each with the vectors of its column, shape (rows, dimension), and which rows have one.
    """
    nothing = Nearness(repeat(None, rows), repeat(None, rows))
    if not columns:
        return nothing
    if len(columns) == 1 and columns[0][0].column != PIXELS:
        return Nearness(_listed(*_told(*columns[0])), nothing.seen)
    return _together(columns, rows)


def _together(columns: Sequence[tuple[Probe, np.ndarray, np.ndarray]], rows: int) -> Nearness:
    import numpy as np

    from indexer.table.meaning import GUESSED

    said, seen, guessed = np.full(rows, np.nan), np.full(rows, np.nan), np.zeros(rows, bool)
    for probe, matrix, there in columns:
        told, _ = _told(probe, matrix, there)
        if probe.column == PIXELS:
            seen = np.where(there, told, np.nan)
        else:
            said = np.where(there, told, np.nan)
            guessed = there & (np.linalg.norm(matrix, axis=1) < (1 + GUESSED) / 2)
    share = np.where(guessed, 1.0, SEEN_SHARE)
    lifted = np.fmax(said, said + share * (seen - said))
    both = np.where(np.isnan(said), seen, lifted)
    return Nearness(_listed(both, ~np.isnan(both)), _listed(seen, ~np.isnan(seen)))


def _told(probe: Probe, matrix: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosines on the common scale, and which rows have one; a guess stays as short as its vector."""
    import numpy as np

    products = matrix @ probe.vector
    if probe.scale == SAME:
        return products, there
    lengths = np.maximum(np.linalg.norm(matrix, axis=1), 1e-6)
    return probe.scale.told(products / lengths) * np.minimum(lengths, 1.0), there


def _listed(values: np.ndarray, there: np.ndarray) -> list[float | None]:
    return [float(value) if known else None for value, known in zip(values, there, strict=True)]


def matrix_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of a column, shape (n, dimension), and which rows have one."""
    import numpy as np

    array = column.combine_chunks()
    there = np.asarray(array.is_valid())
    # A missing vector has its place in the values all the same, so rows and values keep step.
    dimension = array.type.list_size
    values = array.values.to_numpy(zero_copy_only=False)[array.offset * dimension :]
    return values[: len(array) * dimension].reshape(-1, dimension), there
