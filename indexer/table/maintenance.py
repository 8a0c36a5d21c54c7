"""What keeps the table quick: compaction and indexes, each only where it pays.

The numbers are measured: below `SMALL_ROWS` a scan answers any filter in milliseconds, below `VECTOR_ROWS` comparing
all vectors is as quick as an index, and a vector index is trained again when the table has outgrown it.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from indexer.table.dataset import VECTORS, dataset_uri, index_words

if TYPE_CHECKING:
    import lance
    from lancedb.table import LanceTable

ScalarKind = Literal["BTREE", "BITMAP", "LABEL_LIST"]
SMALL_ROWS = 2_000
VECTOR_ROWS = 50_000
MANY_FRAGMENTS = 16
FRAGMENT_ROWS = 131_072
"""Fragments of this size are not rewritten again, so compaction costs what is new and not what is there."""

_SCALARS: dict[str, ScalarKind] = {
    "path": "BTREE",
    "photo": "BTREE",
    "taken_at": "BTREE",
    "camera": "BITMAP",
    "tags": "LABEL_LIST",
}
_GROWTH = 3
_PARTITION_ROWS = 2048
_KEPT = timedelta(hours=1)
"""A reader may stay on a version for this long."""
_SPARE_DISK = 1.3


def maintain(table: LanceTable, database: Path) -> None:
    """Compact, index and clear old versions as far as it pays.

    What LanceDB's `optimize` does in one is done here in parts, on the dataset behind the table: `optimize` rewrites
    every fragment below a million rows, which costs all that is there and not what is new.
    """
    index_columns(table)
    table.checkout_latest()
    dataset = table.to_lance()
    _compact(dataset, dataset_uri(database))
    if any(index.num_rows_indexed != dataset.count_rows() for index in dataset.describe_indices()):
        dataset.optimize.optimize_indices()
    dataset.cleanup_old_versions(older_than=_KEPT, error_if_tagged_old_versions=False)
    table.checkout_latest()


def index_columns(table: LanceTable) -> None:
    """Make the indexes that pay at the size of the table, wherever it lies."""
    _index_scalars(table)
    for column in VECTORS:
        if column in table.schema.names:
            _index_vectors(table, column)


def purge(table: LanceTable) -> None:
    """Leave nothing of rows that were deleted: not in the files that hold their neighbours, in indexes or versions."""
    dataset = table.to_lance()
    dataset.optimize.compact_files(
        target_rows_per_fragment=FRAGMENT_ROWS, materialize_deletions=True, materialize_deletions_threshold=0.0
    )
    table.checkout_latest()
    there = [index.name for index in table.list_indices()]
    for name in there:
        table.drop_index(name)
    index_words(table)
    index_columns(table)
    table.to_lance().cleanup_old_versions(older_than=timedelta(0), error_if_tagged_old_versions=False)
    table.checkout_latest()


def _compact(dataset: lance.LanceDataset, uri: Path) -> None:
    if len(dataset.get_fragments()) < MANY_FRAGMENTS:
        return
    size = sum(path.stat().st_size for path in uri.rglob("*") if path.is_file())
    if shutil.disk_usage(uri).free > size * _SPARE_DISK:
        dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)


def _index_scalars(table: LanceTable) -> None:
    if table.count_rows() < SMALL_ROWS:
        return
    there = {column for index in table.list_indices() for column in index.columns}
    for column, kind in _SCALARS.items():
        if column not in there:
            table.create_scalar_index(column, index_type=kind)


def _index_vectors(table: LanceTable, column: str) -> None:
    vectors = table.count_rows(filter=f"{column} IS NOT NULL")
    name = f"{column}_idx"
    if vectors < VECTOR_ROWS or vectors < _GROWTH * _trained_on(table, name):
        return
    table.create_index(
        "cosine",
        vector_column_name=column,
        index_type="IVF_RQ",
        name=name,
        num_partitions=max(1, vectors // _PARTITION_ROWS),
        num_bits=1,
        replace=True,
    )
    table.to_lance().update_config({name: str(vectors)})
    table.checkout_latest()


def _trained_on(table: LanceTable, index: str) -> int:
    return int(table.to_lance().config().get(index, 0))
