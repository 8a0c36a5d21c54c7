"""What a query is compared with: its vector, and the scale on which the encoder's cosines are told.

Ranking and cut-off were fitted to the default encoder; cosines of any other one are brought to its scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.table.encoder.scale import SAME, Scale

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Probe:
    """A vector of length 1 to compare with those of the table, and the scale of its cosines."""

    vector: np.ndarray
    scale: Scale = SAME

    def cosines(self, column: pa.ChunkedArray) -> list[float | None]:
        """Return how near each vector of a column is, None where there is none; a guess stays as short as it is."""
        import numpy as np

        matrix, there = matrix_of(column)
        products = matrix @ self.vector
        if self.scale != SAME:
            lengths = np.maximum(np.linalg.norm(matrix, axis=1), 1e-6)
            products = self.scale.told(products / lengths) * np.minimum(lengths, 1.0)
        return [float(product) if known else None for product, known in zip(products, there, strict=True)]


def matrix_of(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of a column, shape (n, dimension), and which rows have one."""
    import numpy as np

    array = column.combine_chunks()
    there = np.asarray(array.is_valid())
    # A missing vector has its place in the values all the same, so rows and values keep step.
    dimension = array.type.list_size
    values = array.values.to_numpy(zero_copy_only=False)[array.offset * dimension :]
    return values[: len(array) * dimension].reshape(-1, dimension), there
