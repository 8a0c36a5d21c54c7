"""The other side of the pool: two nodes of Ray on this machine give what processes give, whoever dies meanwhile."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import indexer
from indexer import Library
from indexer.crawl.inspect import Examined, WorkOptions
from indexer.crawl.listing import Found, found_alone
from indexer.crawl.pool import examine
from indexer.crawl.ray_pool import Looked, joined, own_version, refuse_unfit
from indexer.domain.answer import Answer, Reason
from indexer.domain.errors import CaptionaryError, UsageError
from indexer.domain.photo import Facts
from indexer.table.document import compose
from indexer.table.encoder.on_ray import vectors_of
from indexer.table.meaning import vectors
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.cluster import CLIENTS, REPOSITORY, kill_a_worker, long, two_nodes, what_ray_leaves_open
from tests.support.commands import index
from tests.support.dying import POISON, Poisoned, Slow
from tests.support.libraries import encoder, encoder_home
from tests.support.virtual import opened

pytestmark = what_ray_leaves_open


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two nodes for this file."""
    with two_nodes() as made:
        yield made


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty small pictures, a broken one, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(60):
        image = Image.radial_gradient("L").resize((96, 64)).rotate(6 * number)
        image.save(folder / f"{number:02}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    (folder / "notes.txt").write_text("no picture")
    return folder


def found_in(folder: Path) -> list[Found]:
    """What a walk would find in `folder`."""
    return [found for path in sorted(folder.iterdir()) if (found := found_alone(os.fsencode(path)))]


def by_path(outcomes: Iterator[Examined]) -> dict[bytes, tuple[object, ...]]:
    """Outcomes by path, as far as they are kept."""
    kept = {}
    for seen in outcomes:
        assert seen.found.path not in kept
        digest = seen.rendition.digest if seen.rendition else None
        kept[seen.found.path] = (seen.sha256, digest, seen.facts, seen.failure, seen.ignored)
    return kept


@long
def test_a_cluster_gives_what_processes_give(cluster: Any, photos: Path) -> None:
    """The same bytes, pixels, facts and failures, each file once, in whatever order."""
    files = found_in(photos)
    near = by_path(examine(files, options=WorkOptions(workers=0)))
    far = by_path(examine(files, options=WorkOptions(workers="ray")))
    assert far == near
    assert len(far) == 62


@long
def test_a_file_that_kills_is_one_failed_photo(cluster: Any, photos: Path) -> None:
    """Whoever shared a group with it is examined all the same."""
    files = found_in(photos)[:20]
    poisoned = [found.path for found in files if found.path.endswith(POISON)]
    assert poisoned
    options = WorkOptions(workers="ray")
    outcomes = {seen.found.path: seen for seen in examine(files, options=options, examiners=Poisoned)}
    failed = {path: seen.failure for path, seen in outcomes.items() if seen.failure}
    assert sorted(failed) == sorted(poisoned)
    assert all(failure.reason is Reason.UNREADABLE for failure in failed.values())
    assert (len(outcomes), len(poisoned)) == (20, 2)


@long
def test_workers_and_a_node_that_die_lose_nothing(cluster: Any, photos: Path) -> None:
    """Six workers and a node killed at random moments: every file once, as if nothing had happened."""
    files = found_in(photos)
    near = by_path(examine(files, options=WorkOptions(workers=0)))
    extra = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    over = threading.Event()

    def kill() -> None:
        chance = random.Random(20)
        for number in range(7):
            if over.wait(chance.uniform(0.2, 0.6)):
                return
            if number == 3:
                cluster.remove_node(extra, allow_graceful=False)
            else:
                kill_a_worker(chance)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        far = by_path(examine(files, options=WorkOptions(workers="ray"), examiners=Slow))
    finally:
        over.set()
        killer.join()
    assert far == near


@long
def test_a_library_is_the_same_and_buys_nothing_twice(
    cluster: Any, photos: Path, tmp_path: Path, emulator: Emulator
) -> None:
    """Rows of a run on the cluster equal those of a local run; what was described is not asked of anybody again."""
    with opened(tmp_path / "library", emulator) as library:
        library.index([photos], approve=True, provider="gemini", workers="ray", pilot=0)
        asked = emulator.books()["rows"] if "rows" in emulator.books() else emulator.books()["requests"]
        for path in photos.glob("*1.jpg"):
            os.utime(path, ns=(1, time.time_ns()))
        again = library.index([photos], approve=False, provider="gemini", workers="ray")
    assert (again.files.described, again.files.failed) == (60, 1)
    books = emulator.books()
    assert (books["rows"] if "rows" in books else books["requests"]) == asked
    with Library.open(tmp_path / "near") as near:
        near.index([photos], provider="local", workers=0)
    rows = [
        Index.open(tmp_path / name).to_arrow().select(["path", "photo"]).to_pylist() for name in ("library", "near")
    ]
    assert sorted(map(str, rows[0])) == sorted(map(str, rows[1]))


@long
def test_a_cluster_embeds_as_this_machine_does(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vector for vector and in order, by nobody here; what a worker of another version gives is made here instead."""
    words = ["A red boat lies on the beach. {} gulls fly.", "{} dogs lean out of a window.", "窗边的狗"]
    answers = [Answer(words[number % 3].format(number), ()) for number in range(200)]
    documents = [compose("/p/a.jpg", Facts(), answer) for answer in answers]
    near = vectors(encoder(), documents, threads=2)
    nobody: Any = None
    with joined("ray") as ray:
        assert same(vectors_of(ray, encoder_home(), nobody, documents), near)
        monkeypatch.setattr(indexer, "__version__", "0.0.9")
        assert same(vectors_of(ray, encoder_home(), encoder(), documents), near)


def same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether two lists of vectors are equal to the bit, the missing ones too."""
    pairs = zip(one, other, strict=True)
    return all((a is None and b is None) or (a is not None and np.array_equal(a, b)) for a, b in pairs)


@long
def test_the_command_takes_a_cluster_and_refuses_what_is_none(cluster: Any, photos: Path, tmp_path: Path) -> None:
    """`--workers ray` indexes quietly; another word is exit 2, a cluster that does not answer exit 1 with a hint."""
    done = index("--library", tmp_path / "library", photos, "--provider", "local", "--workers", "ray")
    assert (done.code, done.out.count("\n")) == (4, 1), done.err
    assert "raylet" not in done.err
    far = f"ray://127.0.0.1:{CLIENTS}"
    done = index("--library", tmp_path / "client", photos, "--provider", "local", "--workers", far, "--json")
    assert (done.code, done.json["files"]["described"], done.json["files"]["failed"]) == (4, 60, 1), done.err
    assert index("--library", tmp_path / "library", photos, "--workers", "many").code == 2
    done = index("--library", tmp_path / "none", photos, "--provider", "local", "--workers", "ray://127.0.0.1:9")
    assert (done.code, "no Ray cluster answers at ray://127.0.0.1:9" in done.err) == (1, True), done.err


def test_a_worker_of_another_version_is_refused() -> None:
    """Photo ids must be taken in one way, so all nodes run one Captionary."""
    with pytest.raises(CaptionaryError, match=r"runs Captionary 0\.0\.9") as caught:
        refuse_unfit(Looked("0.0.9 (photo ids of kind 1)", [], []))
    assert "same version" in caught.value.hint
    refuse_unfit(Looked(own_version(), [], []))


def test_workers_that_cannot_see_the_photos_are_refused(tmp_path: Path) -> None:
    """A folder of this machine that a node does not have is not a folder of deleted photos."""
    here = tmp_path / "a.jpg"
    here.touch()
    with pytest.raises(UsageError, match="cannot see"):
        refuse_unfit(Looked(own_version(), [], [os.fsencode(here)]))
    refuse_unfit(Looked(own_version(), [], [os.fsencode(tmp_path / "gone.jpg")]))


def test_without_the_extras_a_run_misses_nothing(photos: Path, tmp_path: Path) -> None:
    """Photos of a folder are indexed where neither obstore nor Ray can be imported; nobody tries to."""
    code = """
import sys
sys.modules |= {"ray": None, "obstore": None}
from indexer import Library
with Library.open(sys.argv[1]) as library:
    report = library.index(sys.argv[2:], provider="local", workers=0)
    assert library.index(sys.argv[2:], provider="local", workers="ray").files.unchanged == 2
print(report.files.described, [name for name in sys.modules if name.partition(".")[0] in ("ray", "obstore")])
"""
    command = [sys.executable, "-c", code, tmp_path / "library", photos / "00.jpg", photos / "01.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "2 ['ray', 'obstore']", done.stderr


def test_what_is_left_out_is_told() -> None:
    """A run of the tests without a cluster names those that it did not run, and what runs them."""
    environ = {name: value for name, value in os.environ.items() if name != "CAPTIONARY_TEST_CLUSTER"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/whole/test_cluster.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY, env=environ)
    told = re.findall(
        r"^SKIPPED \[\d\] tests/whole/test_cluster\.py:\d+: .*make cluster runs it$", done.stdout, re.MULTILINE
    )
    assert len(told) == 2
