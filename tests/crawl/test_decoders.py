"""Small copies are made by processes that may die: the one that asks goes on."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image

from indexer.crawl.decoders import Decoders
from indexer.crawl.inspect import WorkOptions
from indexer.media.refusal import PictureError
from indexer.media.rendition import shrink
from tests.support import hostile
from tests.support.dying import Deadly


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """Decoders that die over some names and hang over others."""
    made = Decoders(WorkOptions(seconds=2), Deadly)
    yield made
    made.close()


def photo(path: Path) -> Path:
    """Save a picture larger than its copy."""
    Image.effect_noise((400, 300), 50).save(path, "JPEG")
    return path


def workers() -> list[psutil.Process]:
    """The processes that decode for this one."""
    return [one for one in psutil.Process().children() if "indexer.crawl.worker" in " ".join(one.cmdline())]


def test_a_copy_is_what_this_process_would_make(decoders: Decoders, tmp_path: Path) -> None:
    """A file and a content give the same JPEG, whichever thread asks, and no more workers than cores are started."""
    path = photo(tmp_path / "fine.jpg")
    wanted = shrink(path, 120, quality=75)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda source: decoders.shrink(source, 120, quality=75), [path, path.read_bytes()] * 8))
    assert set(made) == {wanted}
    assert len(workers()) <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("name", "tries", "words"), [("dies", 2, "crashed on it twice"), ("hangs", 1, "within 2 seconds")]
)
def test_a_decoder_that_dies_costs_one_picture(
    decoders: Decoders, tmp_path: Path, name: str, tries: int, words: str
) -> None:
    """It is not tried again before the file changes; other pictures are made all the while."""
    path, other = photo(tmp_path / f"{name}.jpg"), photo(tmp_path / "other.jpg")
    for turn in (1, 1, 2):
        os.utime(path, (turn, turn))
        with pytest.raises(PictureError, match=words):
            decoders.shrink(path, 120, quality=75)
        assert path.with_suffix(".log").read_text() == "opened\n" * tries * turn
        assert decoders.shrink(other, 120, quality=75)


def test_a_worker_that_was_killed_while_idle_costs_nothing(decoders: Decoders, tmp_path: Path) -> None:
    """The system may kill any of them when memory is short."""
    path = photo(tmp_path / "fine.jpg")
    decoders.shrink(path, 120, quality=75)
    for worker in workers():
        worker.send_signal(signal.SIGKILL)
    assert decoders.shrink(path, 120, quality=75)


def test_bombs_are_refused_and_cost_no_memory(decoders: Decoders, tmp_path: Path) -> None:
    """What claims or holds more pixels than the crawl allows is an error with a reason, in a small worker."""
    bombs = [
        hostile.png_bomb(40_000, 40_000),
        hostile.png_claiming(60_000, 60_000),
        hostile.bmp_claiming(50_000, 50_000),
    ]
    for bomb in bombs:
        with pytest.raises(PictureError):
            decoders.shrink(bomb, 120, quality=75)
    assert 0 < max(worker.memory_info().rss for worker in workers()) < 200e6
    with (
        io.BytesIO(decoders.shrink(photo(tmp_path / "fine.jpg"), 120, quality=75)) as stream,
        Image.open(stream) as made,
    ):
        assert made.size == (120, 90)


def test_closed_decoders_leave_no_process(tmp_path: Path) -> None:
    """Not even one that hangs over a picture at that moment."""
    before = workers()
    made = Decoders(WorkOptions(seconds=60), Deadly)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(made.shrink, photo(tmp_path / "hangs.jpg"), 120, quality=75)
        while not (tmp_path / "hangs.log").exists():
            time.sleep(0.02)
        made.close()
        with suppress(PictureError):
            asked.result(20)
    assert [one for one in workers() if one not in before] == []
