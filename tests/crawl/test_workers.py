"""Files are opened in processes that may break without breaking the run."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from indexer.crawl.inspect import Examined, Examiner, WorkOptions
from indexer.crawl.listing import Found, found_alone
from indexer.crawl.pool import TASKS_A_WORKER, WINDOW, examine, usable_cores
from indexer.domain.answer import Failure, Reason
from indexer.domain.errors import CaptionaryError
from tests.support import breaking
from tests.support.nobody import as_nobody

SAMPLES = Path(__file__).parents[2] / "sample_images"
HERE = WorkOptions(workers=0)


def found_at(path: Path) -> Found:
    """Look at one file."""
    seen = found_alone(os.fsencode(path))
    assert seen
    return seen


def named(*names: str, folder: Path = Path("/nowhere")) -> list[Found]:
    """Make up files that only their names matter of."""
    return [Found(os.fsencode(folder / name), 1, 1) for name in names]


def photo(path: Path, colour: str = "red") -> Path:
    """Save a small picture."""
    Image.new("RGB", (40, 30), colour).save(path)
    return path


def outcome(path: Path, options: WorkOptions = HERE) -> Examined:
    """Examine one file in this process."""
    (examined,) = examine([found_at(path)], options=options)
    return examined


def alive(pid: int) -> bool:
    """Say whether a process runs, one that ended and waits to be counted aside."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pids: set[int], seconds: float = 10) -> bool:
    """Wait until none of the processes runs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


def test_pictures_are_opened_in_workers_as_they_are_here() -> None:
    """Digest, facts and rendition come through the socket as they are, in the order of the files."""
    files = [found_at(path) for path in sorted(SAMPLES.glob("*.jpg"))]
    results = list(examine(files, options=WorkOptions(workers=2)))
    assert [result.found for result in results] == files
    assert results == list(examine(files, options=HERE))
    for result in results:
        assert result.sha256 == hashlib.sha256(Path(os.fsdecode(result.found.path)).read_bytes()).hexdigest()
        assert result.rendition
        assert result.rendition.jpeg.startswith(b"\xff\xd8")
        assert (result.photo, result.failure, result.ignored) == (None, None, False)
    assert any(result.facts and result.facts.caption for result in results)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("broken.jpg", b"<html>404</html>", Reason.UNREADABLE),
        ("empty.jpg", b"", Reason.UNREADABLE),
        ("cut.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", Reason.UNREADABLE),
        ("poster.psd", b"8BPS\x00\x01", Reason.UNREADABLE),
        ("cut", b"\x89PNG\r\n\x1a\n\x00\x00", Reason.UNREADABLE),
    ],
)
def test_what_says_picture_and_is_none_fails_with_a_reason(
    tmp_path: Path, name: str, content: bytes, reason: Reason
) -> None:
    """Content or extension says picture: then it is seen, and somebody is told why it stays without words."""
    (tmp_path / name).write_bytes(content)
    result = outcome(tmp_path / name)
    assert result.failure
    assert result.failure.reason is reason
    assert "\n" not in result.failure.detail
    assert not result.ignored
    assert result.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["notes.txt", "noextension", "film.mp4"])
def test_what_does_not_say_picture_is_ignored(tmp_path: Path, name: str) -> None:
    """Neither content nor extension says picture."""
    (tmp_path / name).write_bytes(b"just words")
    assert replace(outcome(tmp_path / name), grounds="") == Examined(found_at(tmp_path / name), ignored=True)


def test_the_content_counts_more_than_the_extension(tmp_path: Path) -> None:
    """A picture under a wrong name, or under none, is a picture."""
    photo(tmp_path / "a.png").rename(tmp_path / "letter.txt")
    rendition = outcome(tmp_path / "letter.txt").rendition
    assert rendition
    assert (rendition.format, rendition.width, rendition.height) == ("png", 40, 30)


def test_a_file_that_is_gone_or_became_something_else_is_ignored(tmp_path: Path) -> None:
    """Between the listing and the look a file may vanish or turn into a pipe, which must not be waited for."""
    before = [found_at(photo(tmp_path / "gone.jpg")), found_at(photo(tmp_path / "pipe.jpg"))]
    (tmp_path / "gone.jpg").unlink()
    (tmp_path / "pipe.jpg").unlink()
    os.mkfifo(tmp_path / "pipe.jpg")
    assert [result.ignored for result in examine(before, options=HERE)] == [True, True]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file whose reading fails")
def test_a_file_that_cannot_be_read_fails_in_words() -> None:
    """An error of the disk is a reason, not an exception."""
    result = outcome(Path("/proc/self/mem"))
    assert result.failure == Failure(Reason.UNREADABLE, "it cannot be read: Input/output error")


def test_a_file_that_may_not_be_read_fails_in_words(tmp_path: Path) -> None:
    """No permission is said as such."""
    outcome(photo(tmp_path / "warm.jpg"))  # for nobody may import nothing here
    with as_nobody() as folder:
        path = photo(folder / "a.jpg")
        path.chmod(0)
        result = outcome(path)
    assert result.failure == Failure(Reason.UNREADABLE, "no permission to read it")


def test_a_file_that_changes_while_it_is_read_fails(tmp_path: Path) -> None:
    """Bytes keep their photo for ever, so the pixels of other bytes must not come with them."""
    path = photo(tmp_path / "a.jpg")

    class Slow(Examiner):
        def _look(self, found: Found, path: Path, sha256: str) -> Examined:
            result = super()._look(found, path, sha256)
            photo(path, "blue")
            return result

    (result,) = examine([found_at(path)], options=HERE, examiners=Slow)
    assert result.failure
    assert "changed while it was read" in result.failure.detail
    assert outcome(path).rendition


def test_limits_are_passed_on(tmp_path: Path) -> None:
    """Too many bytes or pixels fail as too large, and a file of too many bytes is not even digested."""
    path = photo(tmp_path / "a.png")
    many_bytes = outcome(path, WorkOptions(workers=0, max_bytes=20))
    many_pixels = outcome(path, WorkOptions(workers=0, max_pixels=1199))
    assert many_bytes.failure
    assert many_pixels.failure
    assert (many_bytes.failure.reason, many_pixels.failure.reason) == (Reason.TOO_LARGE, Reason.TOO_LARGE)
    assert (many_bytes.sha256, bool(many_pixels.sha256)) == ("", True)
    assert outcome(path, WorkOptions(workers=0, max_pixels=1200)).rendition


@pytest.mark.parametrize("workers", [0, 1])
def test_known_bytes_are_not_decoded(tmp_path: Path, workers: int) -> None:
    """What the ledger knows by its digest comes with its photo and its facts, without a rendition."""
    path = tmp_path / "known.jpg"
    shutil.copy(SAMPLES / "dogs_window.jpg", path)
    ledger = tmp_path / "ledger #1?.sqlite3"
    connection = sqlite3.connect(ledger)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE contents (sha256 TEXT, photo TEXT)")
    options = WorkOptions(workers=workers, ledger=ledger)
    unknown = outcome(path, options)
    assert unknown.rendition
    connection.execute("INSERT INTO contents VALUES (?, ?)", (unknown.sha256, "1-abc"))
    connection.commit()
    known = outcome(path, options)
    connection.close()
    assert (known.photo, known.rendition, known.sha256) == ("1-abc", None, unknown.sha256)
    assert known.facts == unknown.facts


def test_what_kills_a_worker_costs_only_itself() -> None:
    """Crashes, kills and exits are told apart; all other files come through, in order."""
    names = [f"fine{number}" for number in range(60)]
    names[0], names[7], names[8], names[59] = "segfault1", "killed", "exit", "segfault2"
    results = list(examine(named(*names), options=WorkOptions(workers=2), examiners=breaking.by_name))
    assert [result.found for result in results] == named(*names)
    failures = {names[at]: result.failure for at, result in enumerate(results) if result.failure}
    assert {name: failure.reason for name, failure in failures.items()} == {
        "segfault1": Reason.UNREADABLE,
        "killed": Reason.TOO_LARGE,
        "exit": Reason.UNREADABLE,
        "segfault2": Reason.UNREADABLE,
    }
    assert "SIGSEGV" in failures["segfault1"].detail
    assert "memory" in failures["killed"].detail
    assert "exit code 3" in failures["exit"].detail


def test_a_file_that_lost_its_worker_once_is_not_given_up(tmp_path: Path) -> None:
    """A kill may be the fault of a neighbour's memory, so the file is tried again by itself."""
    files = named("a", "once", "b", "c", folder=tmp_path)
    results = list(examine(files, options=WorkOptions(workers=1), examiners=breaking.by_name))
    assert [result.failure for result in results] == [None] * 4


def test_a_decoder_that_hangs_is_ended() -> None:
    """Patience with one file is limited, and the files behind it are examined by another worker."""
    started = time.monotonic()
    options = WorkOptions(workers=1, seconds=0.5)
    results = list(examine(named("a", "hang", "b"), options=options, examiners=breaking.by_name))
    assert [result.failure and result.failure.detail for result in results] == [
        None,
        "its decoder did not finish within 0.5 seconds",
        None,
    ]
    assert results[0].sha256 != results[2].sha256
    assert time.monotonic() - started < 30


def test_files_are_drawn_only_as_they_are_needed() -> None:
    """An endless archive does not fill the memory: what is ahead of the consumer is bounded."""
    drawn = 0

    def endless() -> Iterator[Found]:
        nonlocal drawn
        while True:
            drawn += 1
            yield named(f"{drawn}")[0]

    results = examine(endless(), options=WorkOptions(workers=2), examiners=breaking.by_name)
    for count in range(1, 200):
        next(results)
        assert drawn <= count + WINDOW
    results.close()


def test_closing_early_ends_the_workers() -> None:
    """Whoever stops half-way leaves no process behind, not even a busy one."""
    results = examine(named(*"abcdefgh", "hang1", "hang2"), options=WorkOptions(workers=2), examiners=breaking.by_name)
    pids = {int(next(results).sha256) for _ in range(8)}
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 5
    assert not any(map(alive, pids))


def test_without_files_nothing_is_started() -> None:
    """A run over an unchanged archive pays for no process."""
    assert list(examine([], options=WorkOptions(), examiners=breaking.broken)) == []


def test_a_worker_that_cannot_start_is_an_error_in_words() -> None:
    """The cause is named, instead of blaming every file."""
    with pytest.raises(CaptionaryError, match="could not start: ValueError: the decoder is not what it was") as caught:
        list(examine(named("a"), options=WorkOptions(), examiners=breaking.broken))
    assert caught.value.hint


def test_a_worker_is_replaced_after_its_share() -> None:
    """Decoders leak, so no process lives for a whole archive."""
    names = [str(number) for number in range(TASKS_A_WORKER + 1)]
    results = examine(named(*names), options=WorkOptions(workers=1), examiners=breaking.by_name)
    assert len({result.sha256 for result in results}) == 2


def test_decoders_write_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """What a C library says of a broken picture is text from a file."""
    list(examine(named("noisy"), options=WorkOptions(), examiners=breaking.by_name))
    assert capfd.readouterr() == ("", "")


def test_a_worker_loads_only_what_decoding_takes(tmp_path: Path) -> None:
    """No table, no model and no command line in the processes that open files."""
    (result,) = examine([found_at(photo(tmp_path / "a.jpg"))], options=WorkOptions(), examiners=breaking.modules)
    loaded = set(result.sha256.split())
    assert "PIL.Image" in loaded
    assert not loaded & {"lancedb", "lance", "pyarrow", "torch", "numpy", "click", "onnxruntime", "pathspec"}


UNGUARDED = """
import os, sys
from indexer.crawl.inspect import WorkOptions
from indexer.crawl.listing import Found
from indexer.crawl.pool import examine
from tests.support import breaking
from tests.support.nobody import as_nobody

names = sys.argv[1:]
files = [Found(os.fsencode("/nowhere/" + name), 1, 1) for name in names]
for result in examine(files, options=WorkOptions(workers=1), examiners=breaking.by_name):
    print(result.sha256, flush=True)
"""


def script(tmp_path: Path, *names: str) -> subprocess.Popen[str]:
    """Run a script without a main guard that examines `names`."""
    (tmp_path / "script.py").write_text(UNGUARDED)
    path = os.pathsep.join([str(SAMPLES.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, tmp_path / "script.py", *names],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_no_more_workers_than_cores() -> None:
    """By default there is one worker a core that may be used."""
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """Workers do not run the caller's main module again."""
    with script(tmp_path, "a", "b") as running:
        out, err = running.communicate(timeout=60)
    assert (len(out.split()), err, running.returncode) == (2, "", 0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    """After an interrupt or a kill of the parent no worker that waits for work is left."""
    with script(tmp_path, "a", "once", "segfault") as running:
        assert running.stdout
        pid = int(running.stdout.readline())
        running.send_signal(how)
        running.communicate(timeout=60)
    assert ended({pid})
