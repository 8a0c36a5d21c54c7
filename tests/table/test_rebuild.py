"""A rebuild makes the table aside: whoever searches meanwhile sees the old one or the new one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from indexer.domain.errors import CaptionaryError
from indexer.library.api import Library
from search import Index
from tests.support.commands import SAMPLES, index


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the sample pictures, described by their pixels."""
    folder = tmp_path_factory.mktemp("rebuilt") / "library"
    assert index("--library", folder, SAMPLES, "--provider", "local").code == 0
    return folder


def test_twenty_threads_search_while_the_table_is_made_again(library: Path) -> None:
    """No search fails, and none comes back empty."""
    searches, stop, wrong = Index.open(library), threading.Event(), []

    def search() -> None:
        while not stop.is_set():
            try:
                if not searches.search("a dog", min_score=0, limit=3):
                    wrong.append("empty")
            except CaptionaryError as fault:
                wrong.append(repr(fault))

    threads = [threading.Thread(target=search) for _ in range(20)]
    for thread in threads:
        thread.start()
    try:
        with Library.open(library) as opened:
            for _ in range(3):
                assert opened.rebuild() == 11
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_rebuild_that_is_cut_off_leaves_the_old_table(library: Path) -> None:
    """What ends it early costs no row, and the next run makes it whole."""

    class Cut(Exception):
        """The end of the process, as it were."""

    def step(name: str) -> None:
        if name == "after commit rebuild begins":
            steps.append(name)
        elif steps:
            raise Cut

    from indexer.library.folder import Seams

    steps: list[str] = []
    before = Index.open(library).search(since="1900", limit=0) + Index.open(library).search("a dog", min_score=0)
    with pytest.raises(Cut), Library.open(library, seams=Seams(step=step)) as opened:
        opened.rebuild()
    after = Index.open(library).search(since="1900", limit=0) + Index.open(library).search("a dog", min_score=0)
    assert [hit.path for hit in after] == [hit.path for hit in before]
    with Library.open(library) as opened:
        assert opened.rebuild() == 11
    assert not (library / "lancedb.coming").exists()


def test_a_program_gets_the_table_itself(library: Path) -> None:
    """`Index.table` is LanceDB's own, and `Index.embed` gives the vector that it is searched with."""
    with Index.open(library) as opened:
        vector = opened.embed("a red cup")
        found = opened.table.search(vector).metric("cosine").limit(3).to_list()
    assert len(vector) == 384
    assert {"path", "description", "tags"} <= set(found[0])
