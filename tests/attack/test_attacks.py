"""A smaller edition of `make attack`: every kind of attack, some of each, and nothing may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.attack.damage import damage
from tests.attack.options import options, settings
from tests.attack.tally import typed
from tests.support.commands import SAMPLES


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the sample pictures."""
    folder = tmp_path_factory.mktemp("attacked") / "library"
    assert typed("index", "--library", folder, SAMPLES, "--provider", "local", "--workers", "0").code == 0
    return folder


def test_a_damaged_library_ends_no_command_in_a_traceback(home: Path, tmp_path: Path) -> None:
    """Bits, cuts, zeros, other files: each command ends with an exit code and a line."""
    tally = damage(home, tmp_path, 3, seed=20)
    assert not tally.broken, "\n".join(tally.broken)


def test_hostile_words_are_refused_in_a_line_or_right(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers of any size and names of any bytes, in options, queries and settings."""
    library = shutil.copytree(home, tmp_path / "library")
    monkeypatch.chdir(tmp_path)
    for tally in (options(library, SAMPLES, 25, seed=21), settings(library, SAMPLES, 4, seed=22)):
        assert not tally.broken, "\n".join(tally.broken)
