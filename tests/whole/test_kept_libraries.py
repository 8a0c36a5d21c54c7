"""Libraries that earlier versions made: they open, report, search, and buy nothing again.

Each archive in `kept/` is named for the version and commit that made it. To add one: index the sample pictures and one
file that is not a picture under /tmp/kept/photos by batch against the Gemini fake, and pack `ledger.sqlite3` and
`lancedb/` of the library.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES
from tests.support.virtual import opened

KEPT = sorted((Path(__file__).parent / "kept").glob("*.tar.xz"))


@pytest.fixture(params=KEPT, ids=lambda path: path.name.removesuffix(".tar.xz"))
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A library as an earlier version left it."""
    folder = tmp_path / "library"
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_it_opens_and_reports_and_searches(library: Path, emulator: Emulator) -> None:
    """The same counts and dollars as on the day it was made."""
    with opened(library, emulator) as held:
        report = held.status()
        failures = held.failures()
    assert (report.files.seen, report.files.described, report.files.failed, report.rows) == (12, 11, 1, 11)
    assert report.cost.spent_usd == pytest.approx(0.00289425)
    assert [Path(failure.path).name for failure in failures] == ["broken.jpg"]
    assert Index.open(library).search("dog", min_score=0)[0].path.endswith(".jpg")
    assert Index.open(library).search(person="Ada") == []  # its table knows neither people nor how coarse dates are
    assert Index.open(library).search(until="2015-05", limit=0) is not None


def test_the_same_pictures_at_another_place_are_not_bought_again(
    library: Path, emulator: Emulator, tmp_path: Path
) -> None:
    """No request, the same answers."""
    before = {Path(row["path"]).name: row["description"] for row in Index.open(library).to_arrow().to_pylist()}
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in SAMPLES.glob("*.jpg"):
        shutil.copy(path, moved)
    with opened(library, emulator) as held:
        report = held.index([moved], provider="gemini", approve=False)
    after = {
        Path(row["path"]).name: row["description"]
        for row in Index.open(library).to_arrow().to_pylist()
        if row["path"].startswith(str(moved))
    }
    assert report.files.described == 11
    assert report.requests.submitted == 0
    assert emulator.served() == []
    assert after == {name: words for name, words in before.items() if name in after}
    assert len(after) == 11


def test_a_newer_default_prompt_is_asked_only_when_somebody_says_so(
    library: Path, emulator: Emulator, tmp_path: Path
) -> None:
    """The prompt that it asked with stays in force; another one is only planned, and old answers stay."""
    with opened(library, emulator) as held:
        assert held.plan([SAMPLES], provider="gemini").new == 0
        known = {one.name: one for one in held.prompts() if one.kind == "prompt"}
        assert (known["default-1"].chosen, known["default"].answers) == (True, 0)
        held.use("default")
        assert held.plan([SAMPLES], provider="gemini").new == 11
    rows = Index.open(library).to_arrow(["path", "described"]).to_pylist()
    assert sum(row["described"] for row in rows) == 11
    assert emulator.served() == []


def test_it_is_embedded_anew_once(library: Path, emulator: Emulator, tmp_path: Path) -> None:
    """The next run composes its rows as this version does, without a request; the one after that composes none."""
    before = Index.open(library).to_arrow(["path", "description", "vector"]).to_pylist()
    for _ in range(2):
        with opened(library, emulator) as held:
            held.index([tmp_path], provider="local", approve=False)
        table = Index.open(library).to_arrow(["path", "description", "vector"]).sort_by("path").to_pylist()
        version = Index.open(library).table.version
    assert emulator.served() == []
    said = {row["path"]: row["description"] for row in before}
    assert said == {row["path"]: row["description"] for row in table}
    vectors = {row["path"]: row["vector"] for row in before}
    assert any(vectors[row["path"]] != row["vector"] for row in table)
    with opened(library, emulator) as held:
        held.index([tmp_path], provider="local", approve=False)
    assert Index.open(library).table.version == version


def test_its_table_can_be_made_again_without_a_request(library: Path, emulator: Emulator) -> None:
    """The ledger holds all that was paid for."""
    with opened(library, emulator) as held:
        assert held.rebuild() == 11


def test_it_reports_and_searches_where_nothing_can_be_written(library: Path) -> None:
    """As on a disk that is mounted read-only: nothing is migrated there, and everything is said."""
    script = (
        f"mount --bind {library} {library} && mount -o remount,ro,bind {library} && "
        f"exec {Path(sys.executable).with_name('index')} --library {library} status"
    )
    mounted = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    if "index" not in mounted.stderr and mounted.returncode not in (0, 1):
        pytest.skip("nobody may mount here")
    assert (mounted.returncode, "11" in mounted.stdout) == (0, True), mounted.stderr
