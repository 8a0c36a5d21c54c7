"""What search uses of the engine below LanceDB although it is not public: pinned, so that a new release shows."""

from __future__ import annotations

import inspect
from pathlib import Path

import lance
import pyarrow as pa
import pytest


@pytest.fixture
def dataset(tmp_path: Path) -> lance.LanceDataset:
    """Two fragments of two rows."""
    for number in (0, 2):
        rows = pa.table({"path": [f"p{number}", f"p{number + 1}"], "n": [number, number + 1]})
        lance.write_dataset(rows, str(tmp_path / "t.lance"), mode="append" if number else "create")
    return lance.dataset(str(tmp_path / "t.lance"))


def test_take_rows_wants_row_ids_and_keeps_their_order(dataset: lance.LanceDataset) -> None:
    """`_take_rows` of pylance: by what a scan calls `_rowid`, some columns only, in the order that was asked."""
    assert "columns" in inspect.signature(dataset._take_rows).parameters
    ids = dataset.scanner(columns=["n"], with_row_id=True).to_table().column("_rowid").to_pylist()
    taken = dataset._take_rows([ids[3], ids[0], ids[2]], columns=["n"])
    assert taken.to_pydict() == {"n": [3, 0, 2]}


def test_a_reader_keeps_its_caches_over_versions(dataset: lance.LanceDataset) -> None:
    """`session()` hands the caches of one version on to the next."""
    lance.write_dataset(pa.table({"path": ["p4"], "n": [4]}), dataset.uri, mode="append")
    assert dataset.latest_version == dataset.version + 1
    newer = lance.dataset(dataset.uri, session=dataset.session())
    assert newer.count_rows() == 5
