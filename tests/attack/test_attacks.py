"""A smaller edition of `make attack`: every kind of attack, some of each, and nothing may break."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.attack.bombs import bombs
from tests.attack.clocks import clocks
from tests.attack.damage import damage
from tests.attack.disk import permissions
from tests.attack.echoes import echoes
from tests.attack.links import links
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


def test_a_clock_that_jumps_loses_nothing(home: Path, tmp_path: Path) -> None:
    """Times of the library and of the photos, written by another clock, decades before or after."""
    tally = clocks(home, SAMPLES, tmp_path, 1, seed=23)
    assert not tally.broken, "\n".join(tally.broken)


def test_what_a_link_leads_to_stays_as_it_is(home: Path, tmp_path: Path) -> None:
    """Links in the library, beside photos, and where an export shall go."""
    tally = links(home, SAMPLES, tmp_path, 2, seed=24)
    assert not tally.broken, "\n".join(tally.broken)


def test_a_bomb_costs_itself(home: Path, tmp_path: Path) -> None:
    """In bounded time and memory; the photo beside it is described."""
    tally = bombs(home, tmp_path, ("WebP of 3 gigabytes", "text in a PNG", "entities in a sidecar"), alone=False)
    assert not tally.broken, "\n".join(tally.broken)


def test_no_provider_hands_on_a_key_that_its_service_echoes(tmp_path: Path) -> None:
    """In answers, errors, warnings and logs, of whatever shape and status; and whatever else it says is borne."""
    tally = echoes(tmp_path, 1, seed=25)
    assert not tally.broken, "\n".join(tally.broken)


def test_what_may_not_be_read_is_told(home: Path) -> None:
    """Files and folders of the library, and photos, taken away from whoever runs the commands."""
    tally = permissions(home, SAMPLES, 26, most=2)
    assert tally.tried
    assert not tally.broken, "\n".join(tally.broken)
