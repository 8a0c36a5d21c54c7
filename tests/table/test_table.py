"""The table keeps one row a path, whatever is written in whatever order."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import lancedb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.errors import LibraryError, LibraryMissing, LibraryUnwritable
from indexer.table import maintenance, photo_table
from indexer.table.dataset import dataset_uri, open_dataset, schema
from indexer.table.photo_table import PhotoRow, PhotoTable, to_arrow

FULL = PhotoRow(
    path="/photos/it's.jpg",
    photo="p1",
    document="A red boat.",
    words="photos it's",
    digest="d1",
    path_bytes=b"/photos/\xff.jpg",
    description="A red boat.",
    tags=("boat", "sea"),
    visible_text="K 17",
    caption="Our boat",
    people=("Ada", "Bob"),
    taken_at=datetime(2015, 7, 4, 23, 59, 59),
    camera="Canon",
    lens="50 mm",
    place="Kiel",
    latitude=54.3,
    longitude=10.1,
    width=4000,
    height=3000,
    rating=5,
    provider="gemini",
    model="m",
    prompt_version="abc",
    described=True,
    cluster="c",
    offline=True,
    vector=np.eye(1, 384, dtype=np.float32)[0],
)


def rows_of(home: Path) -> dict[str, dict[str, object]]:
    """All rows by path."""
    return {str(row["path"]): row for row in open_dataset(home).to_table().to_pylist()}


def test_every_column_comes_back(tmp_path: Path) -> None:
    """What is written is what is read, with the terms beside it."""
    opened = PhotoTable.open(tmp_path)
    assert opened.upsert([FULL]) == 1
    row = rows_of(tmp_path)[FULL.path]
    for name in schema().names:
        if name not in ("terms", "vector", "tags", "people"):
            assert row[name] == getattr(FULL, name), name
    assert (row["tags"], row["people"]) == (list(FULL.tags), list(FULL.people))
    assert row["terms"] == " a red boat photo it "
    assert np.array_equal(opened.vectors([FULL.path])[FULL.path], FULL.vector)


def test_a_path_has_one_row_and_the_last_writing_wins(tmp_path: Path) -> None:
    """Twice in one batch, in two batches, and after maintenance."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL, replace(FULL, description="second")])
    assert rows_of(tmp_path)[FULL.path]["description"] == "second"
    opened.upsert([replace(FULL, description="third", vector=None)])
    opened.maintain()
    opened.upsert([replace(FULL, description="fourth", vector=None)])
    assert opened.count() == 1
    assert rows_of(tmp_path)[FULL.path]["description"] == "fourth"
    assert opened.vectors([FULL.path]) == {}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 9), st.booleans()), max_size=12))
def test_the_table_is_what_a_dictionary_would_be(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    """Any order of writes and deletions leaves what it leaves in a dictionary."""
    home = tmp_path_factory.mktemp("table")
    opened, expected = PhotoTable.open(home), dict[str, int]()
    for path, rating, removed in steps:
        if removed:
            opened.delete([path, "never there"])
            expected.pop(path, None)
        else:
            opened.upsert([PhotoRow(path=path, photo=path, rating=rating)])
            expected[path] = rating
    assert {path: row["rating"] for path, row in rows_of(home).items()} == expected
    assert sorted(opened.paths()) == sorted(expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=30), unique=True, min_size=1, max_size=8))
def test_any_path_can_be_written_and_deleted(tmp_path_factory: pytest.TempPathFactory, paths: list[str]) -> None:
    """Quotes, wildcards, newlines: a path is data and never a filter."""
    paths = [path.encode("utf-8", "replace").decode() for path in paths]
    opened = PhotoTable.open(tmp_path_factory.mktemp("table"))
    opened.upsert(PhotoRow(path=path, photo="p") for path in paths)
    opened.delete(paths[:1])
    assert set(opened.paths()) == set(paths) - {paths[0]}


def test_vectors_are_found_by_path(tmp_path: Path) -> None:
    """Where a document stays as it was, its vector is there to take; rows without one and unknown paths give none."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL, PhotoRow(path="/bare", photo="p2", digest="d2")])
    assert list(opened.vectors([FULL.path, "/bare", "/it's"])) == [FULL.path]


def test_a_batch_is_one_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come in large batches, and each batch is one commit."""
    monkeypatch.setattr(photo_table, "BATCH_ROWS", 100)
    opened = PhotoTable.open(tmp_path)
    before = open_dataset(tmp_path).version
    opened.upsert(PhotoRow(path=f"/{number}", photo="p") for number in range(250))
    assert open_dataset(tmp_path).version == before + 3


def test_rows_are_found_by_words_before_any_maintenance(tmp_path: Path) -> None:
    """Words that no index has seen yet are found all the same."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([PhotoRow(path="/one", photo="p", document="an orange giraffe")])
    opened.maintain()
    opened.upsert([PhotoRow(path="/two", photo="p", document="a zebra")])
    dataset = open_dataset(tmp_path)
    for word, path in (("zebra", "/two"), ("giraff", "/one")):
        found = dataset.to_table(columns=["path", "_score"], full_text_query=word).to_pylist()
        assert [row["path"] for row in found] == [path]


def test_long_words_are_found(tmp_path: Path) -> None:
    """The index keeps words as long as the normaliser gives them."""
    word = "x" * 64
    opened = PhotoTable.open(tmp_path)
    opened.upsert([PhotoRow(path="/one", photo="p", document=word)])
    opened.maintain()
    assert open_dataset(tmp_path).to_table(columns=["path", "_score"], full_text_query=word).num_rows == 1


@pytest.fixture
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds of maintenance that a test can reach."""
    monkeypatch.setattr(maintenance, "SMALL_ROWS", 20)
    monkeypatch.setattr(maintenance, "VECTOR_ROWS", 600)
    monkeypatch.setattr(maintenance, "MANY_FRAGMENTS", 4)


@pytest.mark.usefixtures("small_numbers")
def test_maintenance_indexes_and_compacts_what_pays(tmp_path: Path) -> None:
    """Few rows get no further index; many get all, few fragments, and answer as before."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL])
    opened.maintain()
    assert indexed(tmp_path) == {"terms"}
    draw = np.random.default_rng(0)
    for start in range(0, 700, 100):
        vectors = draw.standard_normal((100, 384)).astype(np.float32)
        opened.upsert(
            PhotoRow(path=f"/{start + number}", photo="p", document="zebra", vector=vector / np.linalg.norm(vector))
            for number, vector in enumerate(vectors)
        )
    opened.maintain()
    assert indexed(tmp_path) >= {"terms", "path", "taken_at", "tags", "camera", "photo", "vector"}
    dataset = open_dataset(tmp_path)
    assert len(dataset.get_fragments()) < 4
    assert opened.count() == 701
    assert all(index.num_rows_indexed == 701 for index in dataset.describe_indices() if index.name != "vector_idx")
    version = dataset.version
    opened.maintain()
    assert open_dataset(tmp_path).version == version, "with nothing new, nothing is done"


def indexed(home: Path) -> set[str]:
    """The columns that have an index."""
    return {name for index in open_dataset(home).describe_indices() for name in index.field_names}


def test_lancedb_opens_the_table(tmp_path: Path) -> None:
    """The table is a LanceDB table: its own client reads and searches it."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL, PhotoRow(path="/bare", photo="p2")])
    opened.maintain()
    theirs = lancedb.connect(tmp_path).open_table("photos")
    assert theirs.count_rows() == 2
    assert theirs.search("boat", query_type="fts").limit(1).to_list()[0]["path"] == FULL.path
    assert theirs.search(FULL.vector.tolist()).distance_type("cosine").limit(1).to_list()[0]["path"] == FULL.path  # type: ignore[union-attr]
    assert theirs.search().where("array_has(tags, 'sea')").to_list()[0]["path"] == FULL.path


def test_sync_makes_every_file_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and folder of the table is synced once it is written, and old files not again."""
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), real(handle))[1])
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL])
    opened.sync()
    assert {path.stat().st_ino for path in [tmp_path, *tmp_path.rglob("*")]} <= set(synced)
    old = {path.stat().st_ino for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".json"}
    synced.clear()
    opened.upsert([replace(FULL, path="/new")])
    opened.sync()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_ino for path in files} - set(synced) <= old
    assert not old & set(synced)


def test_a_killed_writer_leaves_a_whole_table(tmp_path: Path) -> None:
    """After SIGKILL amid writing, the table opens with whole batches, and writing goes on."""
    PhotoTable.open(tmp_path)
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_write_for_ever, args=(tmp_path,))
    writer.start()
    while PhotoTable.open(tmp_path, create=False).count() < 30:
        assert writer.is_alive()
    writer.kill()
    writer.join()
    opened = PhotoTable.open(tmp_path, create=False)
    count = opened.count()
    assert count % 10 == 0
    opened.upsert(PhotoRow(path=f"/{number}", photo="p") for number in range(count + 5))
    assert opened.count() == count + 5


def _write_for_ever(home: Path) -> None:
    opened = PhotoTable.open(home)
    for start in range(0, sys.maxsize, 10):
        opened.upsert(PhotoRow(path=f"/{start + number}", photo="p") for number in range(10))


@pytest.mark.parametrize("later", [0.0, 0.02, 0.05])
def test_a_table_gets_its_name_when_it_is_whole(tmp_path: Path, later: float) -> None:
    """After SIGKILL amid the making of a table, the next run makes it."""
    context = multiprocessing.get_context("spawn")
    maker = context.Process(target=_make_for_ever, args=(tmp_path,))
    maker.start()
    while not (tmp_path / "3").exists():
        assert maker.is_alive()
    time.sleep(later)
    maker.kill()
    maker.join()
    for home in tmp_path.iterdir():
        assert PhotoTable.open(home).count() == 0


def _make_for_ever(home: Path) -> None:
    for number in range(sys.maxsize):
        PhotoTable.open(home / str(number))


def test_a_missing_table_is_told_in_words(tmp_path: Path) -> None:
    """Opening without making says what to do."""
    with pytest.raises(LibraryMissing) as caught:
        PhotoTable.open(tmp_path / "no", create=False)
    assert "index" in caught.value.hint


def test_a_broken_table_is_told_in_words(tmp_path: Path) -> None:
    """A table whose files are damaged names the way to make it again."""
    PhotoTable.open(tmp_path)
    for manifest in dataset_uri(tmp_path).glob("_versions/*.manifest"):
        manifest.write_bytes(b"not a manifest")
    with pytest.raises(LibraryError) as caught:
        PhotoTable.open(tmp_path)
    assert "rebuild" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_place_that_is_a_file_is_told_in_words(tmp_path: Path) -> None:
    """Where no table can be made, the error is one line."""
    (tmp_path / "lancedb").write_text("in the way")
    with pytest.raises(LibraryUnwritable, match="cannot be made"):
        PhotoTable.open(tmp_path / "lancedb")


def test_clearing_leaves_an_empty_table(tmp_path: Path) -> None:
    """A rebuild starts from nothing."""
    opened = PhotoTable.open(tmp_path)
    opened.upsert([FULL])
    opened.clear()
    assert opened.count() == 0
    opened.maintain()
    opened.upsert([FULL])
    assert opened.count() == 1


def test_an_empty_batch_writes_nothing(tmp_path: Path) -> None:
    """No rows, no version."""
    opened = PhotoTable.open(tmp_path)
    before = open_dataset(tmp_path).version
    assert opened.upsert([]) == 0
    opened.delete([])
    assert open_dataset(tmp_path).version == before


def test_rows_become_arrow_in_the_schema() -> None:
    """Missing vectors are null and keep their place."""
    made = to_arrow([FULL, PhotoRow(path="/b", photo="p"), replace(FULL, path="/c")], schema())
    assert made.schema == schema()
    assert made.column("vector").is_null().to_pylist() == [False, True, False]
    assert made.column("vector")[2].as_py() == made.column("vector")[0].as_py()
