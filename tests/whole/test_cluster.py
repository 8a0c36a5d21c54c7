"""Two thousand pictures of a bucket through a cluster whose workers and nodes die: what a local run of them gives."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from indexer.domain.progress import Progress
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.buckets import Bucket, serving
from tests.support.cluster import kill_a_worker, long, two_nodes, what_ray_leaves_open
from tests.support.virtual import opened

pytestmark = [long, pytest.mark.timeout(400), *what_ray_leaves_open]
PICTURES, WORKERS, NODES = 2000, 20, 2
COLUMNS = ("photo", "description", "tags", "width", "height", "vector")
Rows = dict[str, tuple[object, ...]]


class Archive(NamedTuple):
    """The pictures in a bucket, a cluster that can read them, and the rows that a local run makes of them."""

    bucket: Bucket
    cluster: Any
    rows: Rows


def picture(number: int) -> bytes:
    """A small picture like no other one."""
    colours = random.Random(number).randbytes(12 * 8 * 3)
    image = Image.frombytes("RGB", (12, 8), colours).resize((96, 64), Image.Resampling.BICUBIC)
    image.save(told := io.BytesIO(), "JPEG")
    return told.getvalue()


def indexed(home: Path, root: str, workers: int | str, progress: Callable[[Progress], None] | None = None) -> Rows:
    """Index `root` by batch; every picture is described and was asked about once. Returns the rows by key."""
    with (
        Emulator(home / "emulator", pending_seconds=0.0, running_seconds=0.0) as emulator,
        opened(home / "library", emulator, progress=progress) as library,
    ):
        report = library.index([root], approve=True, provider="gemini", workers=workers, pilot=0)
        asked = emulator.books()["images"]
    assert (report.files.seen, report.files.described, report.files.failed) == (PICTURES, PICTURES, 0)
    assert list(asked.values()) == [{"batch": 1}] * PICTURES
    table = Index.open(home / "library").to_arrow().select(["path", *COLUMNS])
    return {
        row["path"].removeprefix(root): tuple(map(str, (row[name] for name in COLUMNS))) for row in table.to_pylist()
    }


class Killer:
    """Kills a worker, or one of two more nodes, whenever a drawn number of files is back, and a moment later."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self._extra = [cluster.add_node(num_cpus=1) for _ in range(NODES)]
        cluster.wait_for_nodes()
        self._chance = random.Random(20)
        moments = range(50, PICTURES * 4 // 5)
        self._moments = sorted(self._chance.sample(moments, WORKERS + NODES), reverse=True)
        self._ends_a_node = set(self._chance.sample(self._moments, NODES))
        self.workers = self.nodes = 0

    def __call__(self, progress: Progress) -> None:
        """Be told how far the crawl is."""
        if not self._moments or (progress.files or 0) < self._moments[-1]:
            return
        time.sleep(self._chance.uniform(0, 0.2))
        if self._moments[-1] in self._ends_a_node:
            self._cluster.remove_node(self._extra.pop(), allow_graceful=False)
            self.nodes += 1
        elif kill_a_worker(self._chance):
            self.workers += 1
        else:
            return  # none is at work: at the next file
        self._moments.pop()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Make the pictures, in a folder and in a bucket, and index the folder."""
    home = tmp_path_factory.mktemp("near")
    with serving() as store, two_nodes() as cluster:
        bucket = store.bucket()
        for number in range(PICTURES):
            key = f"{number // 100:02}/{number:04}.jpg"
            (home / "photos" / key).parent.mkdir(parents=True, exist_ok=True)
            (home / "photos" / key).write_bytes(picture(number))
            bucket.put(key, home / "photos" / key)
        yield Archive(bucket, cluster, indexed(home, str(home / "photos"), 2))


def test_rows_and_answers_are_those_of_a_local_run(archive: Archive, tmp_path: Path) -> None:
    """The same photos, descriptions and tags from a bucket through two nodes, each picture asked about once."""
    assert indexed(tmp_path, archive.bucket.address, "ray") == archive.rows


def test_twenty_workers_and_two_nodes_that_die_change_nothing(archive: Archive, tmp_path: Path) -> None:
    """Killed at random moments of the crawl: the same rows, and no picture asked about twice."""
    killer = Killer(archive.cluster)
    assert indexed(tmp_path, archive.bucket.address, "ray", killer) == archive.rows
    assert (killer.workers, killer.nodes) == (WORKERS, NODES)
