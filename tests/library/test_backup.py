"""What was paid for can be copied while it is written, and a library made from the copy buys nothing again."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer import Library
from indexer.domain.errors import Unwritable, UsageError
from indexer.domain.progress import Progress
from indexer.ledger.store import Ledger
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import index
from tests.support.virtual import opened, samples

GEMINI = {"provider": "gemini", "workers": 0}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of four photos, indexed without a key."""
    home = tmp_path_factory.mktemp("backup")
    with Library.open(home / "library") as library:
        library.index([samples(home / "photos", 4)], provider="local", workers=0)
    return home / "library"


def test_a_library_made_from_a_backup_is_searched_and_buys_nothing(tmp_path: Path, emulator: Emulator) -> None:
    """Restore into an empty folder, rebuild: the same rows, and the same photos ask for no request."""
    photos = samples(tmp_path / "photos", 3)
    with opened(tmp_path / "library", emulator) as library:
        library.index([photos], approve=True, **GEMINI)
        done = library.backup(tmp_path / "copy.sqlite3")
    assert done.bytes == (tmp_path / "copy.sqlite3").stat().st_size
    asked = emulator.books()["requests"]
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "copy.sqlite3", tmp_path / "restored" / "ledger.sqlite3")
    with opened(tmp_path / "restored", emulator) as restored:
        assert restored.rebuild() == 3
        report = restored.index([photos], approve=False, **GEMINI)
    assert (report.files.described, emulator.books()["requests"]) == (3, asked)
    rows = [
        Index.open(tmp_path / name).to_arrow().select(["path", "description", "tags"])
        for name in ("library", "restored")
    ]
    assert sorted(map(str, rows[0].to_pylist())) == sorted(map(str, rows[1].to_pylist()))


def test_work_that_was_out_is_fetched_by_the_restored_library(tmp_path: Path, emulator: Emulator) -> None:
    """A job that was created before the backup is collected after it, without being created again."""
    photos = samples(tmp_path / "photos", 3)
    with opened(tmp_path / "library", emulator) as library:
        library.index([photos], approve=True, wait=False, **GEMINI)
        (tmp_path / "restored").mkdir()
        library.backup(tmp_path / "restored")
    with opened(tmp_path / "restored", emulator) as restored:
        report = restored.collect(wait=True)
    assert (report.files.described, report.files.pending) == (3, 0)
    assert emulator.books()["requests"]["create"] == 1


def test_a_backup_is_of_one_moment_and_stops_no_writer(kept: Path, tmp_path: Path) -> None:
    """What is committed while the copy is made is not in it, and the writer does not wait."""
    library, written = shutil.copytree(kept, tmp_path / "library"), []

    def write(_: Progress) -> None:
        if not written:
            ledger = Ledger.open(library)
            with ledger.transaction("meanwhile") as changes:
                changes.set_setting("meanwhile", "yes")
            ledger.close()
        written.append(True)

    with Library.open(library, progress=write) as held:
        held.backup(tmp_path / "copy.sqlite3")
    assert written
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT count(*) FROM library WHERE name = 'meanwhile'").fetchone() == (0,)


def test_nothing_is_replaced(kept: Path, tmp_path: Path) -> None:
    """A file in the way stays as it is, also one called as in a library inside a folder, and the ledger itself."""
    (tmp_path / "there").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "ledger.sqlite3").write_text("mine")
    with Library.open(kept) as library:
        for target in (tmp_path / "there", tmp_path / "folder", kept, kept / "ledger.sqlite3"):
            with pytest.raises(UsageError, match="nothing is replaced"):
                library.backup(target)
    assert (tmp_path / "there").read_text() == (tmp_path / "folder" / "ledger.sqlite3").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a device that is always full")
def test_a_disk_that_refuses_leaves_no_trace(kept: Path, tmp_path: Path) -> None:
    """A folder that cannot take the copy is named, and holds no half of it."""
    with Library.open(kept) as library, pytest.raises(Unwritable, match="cannot be written"):
        library.backup("/proc/backup.sqlite3")


def test_the_command_says_where_how_big_and_ends_with_the_right_code(kept: Path, tmp_path: Path) -> None:
    """0 with JSON or a line; 2 when something is in the way or no folder is there; 2 without TO; 1 without library."""
    target = tmp_path / "copy.sqlite3"
    done = index("--library", kept, "backup", target, "--json")
    assert done.code == 0
    assert json.loads(done.out) == {"to": str(target), "bytes": target.stat().st_size}
    assert target.stat().st_mode & 0o777 == 0o600
    again = index("--library", kept, "backup", target)
    assert (again.code, again.out) == (2, "")
    assert "hint: name a new file" in again.err
    assert index("--library", kept, "backup", tmp_path / "no" / "copy").code == 2
    assert index("--library", tmp_path / "none", "backup", tmp_path / "other").code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.sqlite3"]


def test_doctor_tells_how_big_the_ledger_is(kept: Path) -> None:
    """The line of the ledger has its size."""
    found = {one["what"]: one["words"] for one in index("--library", kept, "doctor", "--json").json}
    assert " MB: ok" in found["ledger"]


def test_a_link_in_the_place_of_a_backup_is_in_the_way(kept: Path, tmp_path: Path) -> None:
    """Also one that leads nowhere: what it would lead to is not made."""
    (tmp_path / "copy").symlink_to(tmp_path / "victim")
    with Library.open(kept) as library, pytest.raises(UsageError, match="nothing is replaced"):
        library.backup(tmp_path / "copy")
    assert not (tmp_path / "victim").exists()
