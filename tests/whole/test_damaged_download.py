"""Results that were damaged on their way are fetched a second time, for free, before a line is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.gemini import Emulator
from tests.support.virtual import opened, samples

ASKED = {"provider": "gemini", "pilot": 0, "workers": 0}


@pytest.mark.parametrize("kind", ["bit_flip", "invalid_utf8"])
@pytest.mark.parametrize("at", [2, 12, 40, 150, 600, 1000, None], ids=str)
def test_a_damaged_line_is_not_bought_again(emulator: Emulator, kind: str, at: int | None, tmp_path: Path) -> None:
    """Wherever the damage lies, in a key, in JSON or in words, all photos are described and paid once."""
    where = {} if at is None else {"at": at}
    emulator.fault("download", kind, nth=1, **where)
    with opened(tmp_path / "library", emulator) as ours:
        report = ours.index([samples(tmp_path / "photos", 3)], approve=True, **ASKED)
        assert (report.files.described, report.files.failed, report.exit_code) == (3, 0, 0)
        assert not ours.accounts().faults
        assert ours.status().cost.spent_usd == pytest.approx(emulator.books()["usd"])
    assert emulator.books()["served"] == {"batch": 3, "interactive": 0}
    assert not list((tmp_path / "library" / "batches").glob("*.again*"))


def test_what_comes_damaged_twice_is_what_the_service_has(emulator: Emulator, tmp_path: Path) -> None:
    """A line that cannot be read in two downloads has failed as malformed; the others are described."""
    emulator.fault("row", "not_json", nth=1)
    with opened(tmp_path / "library", emulator) as ours:
        report = ours.index([samples(tmp_path / "photos", 3)], approve=True, **ASKED)
        assert (report.files.described, report.files.failed, report.exit_code) == (2, 1, 4)
        assert {one.reason for one in ours.failures()} == {"malformed"}
    assert emulator.books()["requests"]["download"] == 2


def test_a_second_download_that_finds_nothing_judges_the_first(emulator: Emulator, tmp_path: Path) -> None:
    """Results that are gone by then cost the damaged line, not the whole ones."""
    emulator.fault("download", "bit_flip", nth=1, at=150)
    emulator.fault("download", "404", nth=2, times=100)
    with opened(tmp_path / "library", emulator) as ours:
        report = ours.index([samples(tmp_path / "photos", 3)], approve=True, **ASKED)
        assert report.files.described == 2
