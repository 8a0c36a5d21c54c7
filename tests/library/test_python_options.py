"""What Python calls may give: checked as flags are, before anything is read or sent."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import indexer
import search
from indexer import CaptionaryError, Library, UsageError
from indexer.library.api import Seams
from tests.support.commands import SAMPLES

CUP = SAMPLES / "coffee_cup.jpg"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """An empty library without keys."""
    return Library.open(tmp_path_factory.mktemp("options") / "library", seams=Seams(environ={}))


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ({"budgt": 5}, "budgt", "budget"),
        ({"aprove": True}, "aprove", "approve"),
        ({"budget": -1}, "budget", "from 0"),
        ({"budget": "5"}, "budget", "number"),
        ({"budget": float("nan")}, "budget", "number"),
        ({"budget": True}, "budget", "number"),
        ({"deadline": -3.0}, "deadline", "number"),
        ({"pilot": 2.5}, "pilot", "whole number"),
        ({"exclude": "*.png"}, "exclude", "list"),
        ({"gate": "valid=1"}, "gate", "list"),
        ({"follow": "yes"}, "follow", "True or False"),
        ({"prompt": 7}, "prompt", "path"),
        ({"price": 0.1}, "price", "text"),
        ({"provider": "gemnii"}, "gemnii", "gemini"),
        ({"mode": "bach"}, "bach", "batch"),
    ],
)
def test_a_wrong_option_is_a_usage_error(library: Library, options: dict[str, Any], says: str, hint: str) -> None:
    """It names the option, says what would do, and nothing was written."""
    for call in (library.plan, library.index):
        with pytest.raises(UsageError) as caught:
            call([CUP], **options)
        assert says in str(caught.value)
        assert hint in caught.value.hint


@pytest.mark.parametrize("paths", ["~/Photos", b"/x", Path("/x"), 5, [None], [5]])
def test_paths_are_a_list_of_paths(library: Library, paths: Any) -> None:
    """One path alone would be read letter by letter."""
    for call in (library.plan, library.index, library.tags, library.forget):
        with pytest.raises(UsageError) as caught:
            call(paths)
        assert caught.value.hint


def test_what_is_none_is_left_out(library: Library) -> None:
    """As a program passes on what its user left open."""
    assert library.plan([CUP], provider="local", budget=None, model=None).files == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [-1, "5", float("inf"), True])
def test_amounts_of_other_calls_are_checked_too(library: Library, amount: Any) -> None:
    """Budget and deadline of `collect` and `retry`."""
    for call in (library.collect, library.retry):
        for name in ("budget", "deadline"):
            with pytest.raises(UsageError, match=name):
                call(**{name: amount})


@pytest.mark.parametrize("package", [indexer, search])
def test_every_public_name_is_there_and_shown(package: Any) -> None:
    """`__all__`, `dir` and the module agree."""
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError):
        package.nothing  # noqa: B018


def test_the_errors_are_one_family() -> None:
    """Every public error is a `CaptionaryError`, so one `except` is enough."""
    errors = [getattr(indexer, name) for name in indexer.__all__]
    kinds = [one for one in errors if isinstance(one, type) and issubclass(one, Exception)]
    assert len(kinds) > 15
    assert all(issubclass(kind, CaptionaryError) for kind in kinds)


def test_callbacks_tell_what_a_terminal_would_see(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Progress as numbers, notes as lines; the notes go to the logger as well."""
    told: list[indexer.Progress] = []
    notes: list[str] = []
    with (
        caplog.at_level(logging.INFO, logger="captionary"),
        Library.open(tmp_path / "library", progress=told.append, note=notes.append, seams=Seams(environ={})) as ours,
    ):
        ours.index([CUP])
    assert {"reading", "writing"} <= {one.stage for one in told}
    assert any(str(tmp_path / "library") in note for note in notes)
    assert [record.message for record in caplog.records if record.name == "captionary"] == notes


def test_the_logger_is_silent_by_default(tmp_path: Path) -> None:
    """A program that sets nothing up sees nothing on its stderr."""
    code = f"""
from indexer import Library
from indexer.library.api import Seams
Library.open({str(tmp_path / "library")!r}, seams=Seams(environ={{}})).index([{str(CUP)!r}])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", ["indexer", "search"])
def test_python_m_is_the_command(module: str) -> None:
    """`python -m` works where the scripts are not on the path."""
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1]) == (0, indexer.__version__)
