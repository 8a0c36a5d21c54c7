"""The wheel, installed: typed for programs, with its manual pages."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = '''\
"""A program as a developer would write it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import indexer
from indexer import ApprovalRequired, CaptionaryError, IndexOptions, Library, Plan, Progress, Report, UsageError
from search import Coverage, Hit, Index


def moved(progress: Progress) -> None:
    total: int | None = progress.total
    print(progress.stage, progress.done, total, file=sys.stderr)


def affordable(plan: Plan) -> bool:
    return plan.cost.high < 5 and plan.new <= plan.files


def describe(folder: Path, photos: list[str]) -> Report | None:
    options: IndexOptions = {"provider": "local", "exclude": ["*.png"], "budget": 5.0}
    with Library.open(folder, progress=moved, note=print) as library:
        try:
            return library.index(photos, approve=affordable, **options)
        except ApprovalRequired as stop:
            print(stop.plan.most_usd, stop.hint)
        except UsageError as fault:
            print(fault.hint)
        return None


def best(folder: Path, words: str) -> Iterator[tuple[str, float]]:
    with Index.open(folder) as index:
        coverage: Coverage = index.coverage()
        hits: list[Hit] = index.search(words, limit=3, tags=["dog"], min_score=0.2)
        for hit in hits:
            yield hit.path, hit.score / max(1, coverage.rows)


if __name__ == "__main__":
    print(indexer.__version__)
    try:
        report = describe(Path("library"), sys.argv[1:])
        print(report.files.described if report else 0, list(best(Path("library"), "dogs")))
    except CaptionaryError as error:
        sys.exit(error.exit_code)
'''


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("indexer", "search", "docs", "pyproject.toml", "README.md", "LICENSE"):
        subprocess.run(["cp", "-r", ROOT / name, source], check=True)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(folder)!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel installed, and with the packages that this one has."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "zzz.pth").write_text("\n".join(packages))
    return home / "bin" / "python"


def typed(python: Path, program: Path) -> subprocess.CompletedProcess[str]:
    """What mypy says of a program, in strict mode, with the packages of `python`."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--python-executable",
        python,
        "--config-file",
        "",
        program.name,
    ]
    return subprocess.run(command, cwd=program.parent, capture_output=True, text=True, check=False)


def test_a_program_is_checked_by_mypy(tmp_path: Path, python: Path) -> None:
    """45 lines without an error, and a misspelt keyword is one."""
    assert 45 <= PROGRAM.count("\n") <= 50
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = typed(python, program)
    assert done.returncode == 0, done.stdout + done.stderr
    program.write_text(PROGRAM.replace("approve=affordable, ", "approve=affordable, budgt=5, "))
    done = typed(python, program)
    assert "budgt" in done.stdout
    program.write_text(PROGRAM.replace('"budget": 5.0', '"budgt": 5.0'))
    assert 'Extra key "budgt"' in typed(python, program).stdout


def test_the_wheel_carries_types_and_manual_pages(wheel: Path) -> None:
    """Both marks of types, and a page for each command."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {"indexer/py.typed", "search/py.typed"} <= set(names)
    pages = {Path(name).name for name in names if "/share/man/man1/" in name}
    assert pages == {page.name for page in (ROOT / "docs" / "man").iterdir()}
