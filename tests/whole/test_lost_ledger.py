"""A ledger that is lost beside a table: never taken for a new library, and filled again from what the table holds."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.domain.errors import LedgerLost, UsageError
from indexer.library.api import Library
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index, search
from tests.support.virtual import opened

KEPT = sorted((Path(__file__).parent / "kept").glob("*.tar.xz"))[0]
ASKED = {"provider": "gemini", "workers": 0}


@pytest.fixture
def lost(tmp_path: Path) -> Path:
    """A library with eleven paid descriptions, without its ledger."""
    folder = tmp_path / "library"
    with tarfile.open(KEPT) as archive:
        archive.extractall(folder, filter="data")
    (folder / "ledger.sqlite3").unlink()
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The pictures that were described."""
    return shutil.copytree(SAMPLES, tmp_path / "photos", ignore=shutil.ignore_patterns("*.md"))


def test_the_answers_of_the_table_are_not_bought_again(lost: Path, photos: Path, emulator: Emulator) -> None:
    """Every path and description is back, the same photos anywhere ask for nothing, and a rebuild keeps the words."""
    before = {Path(row["path"]).name: row["description"] for row in Index.open(lost).to_arrow().to_pylist()}
    with opened(lost, emulator) as held:
        assert held.rebuild(from_table=True) == 11
        report = held.status()
        assert (report.files.described, report.rows, report.cost.spent_usd) == (11, 11, 0)
        done = held.index([photos], approve=False, **ASKED)
        assert (done.files.described, done.requests.reused, done.requests.submitted) == (11, 11, 0)
        assert not held.accounts().faults
        held.rebuild()
    assert emulator.served() == []
    rows = Index.open(lost).to_arrow().to_pylist()
    assert {Path(row["path"]).name: row["description"] for row in rows} == before


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_nothing_goes_on_without_the_ledger(lost: Path, photos: Path, emulator: Emulator, *, empty: bool) -> None:
    """Each way in says that it is lost, and both ways out; nothing is sent, searching works."""
    if empty:
        (lost / "ledger.sqlite3").touch()
    ways: list[Callable[[Library], object]] = [
        lambda held: held.index([photos], approve=True, **ASKED),
        lambda held: held.plan([photos], **ASKED),
        lambda held: held.collect(),
        lambda held: held.status(),
        lambda held: held.failures(),
        lambda held: held.rebuild(),
        lambda held: held.forget([photos]),
    ]
    with opened(lost, emulator) as held:
        for way in ways:
            with pytest.raises(LedgerLost) as fault:
                way(held)
            assert "backup" in fault.value.hint
            assert "index rebuild --from-table" in fault.value.hint
    assert emulator.books()["requests"] == {}
    assert Index.open(lost).search("dog", min_score=0)


def test_commands_say_it_in_a_line(lost: Path, photos: Path) -> None:
    """Exit 1 with a hint that works when it is typed."""
    for arguments in (["--library", lost, photos], ["status", "--library", lost], ["doctor", "--library", lost]):
        done = index(*arguments)
        assert done.code == 1
        assert "index rebuild --from-table" in done.out + done.err
        assert "Traceback" not in done.err
    assert index("rebuild", "--from-table", "--library", lost).code == 0
    assert index("status", "--library", lost).code == 0
    assert search("--library", lost, "dog").code == 0


def test_a_whole_ledger_is_not_filled_again(photos: Path, tmp_path: Path) -> None:
    """The table is made from it, not the other way round; a library whose photos were all forgotten is whole."""
    with Library.open(tmp_path / "other") as held:
        held.index([photos], provider="local", workers=0)
        with pytest.raises(UsageError):
            held.rebuild(from_table=True)
        held.forget([photos], confirm=True)
        assert held.status().files.seen == 0


def test_an_own_prompt_is_asked_for_again_and_then_owns_its_answers(
    photos: Path, emulator: Emulator, tmp_path: Path
) -> None:
    """Its words stand in no table; given once more, its answers are known."""
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Say what you see, in {language}.")
    folder = tmp_path / "own"
    with opened(folder, emulator) as held:
        held.index([photos], approve=True, pilot=0, prompt=prompt, **ASKED)
    served = emulator.books()["served"]
    for name in ("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"):
        (folder / name).unlink(missing_ok=True)
    with opened(folder, emulator) as held:
        assert held.rebuild(from_table=True) == 11
        assert held.index([photos], approve=False, prompt=prompt, **ASKED).files.described == 11
    assert emulator.books()["served"] == served
