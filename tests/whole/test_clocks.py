"""Time may go backwards: nothing waits for a moment that a wrong clock wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer.pipeline import session
from tests.fakes.gemini import Emulator
from tests.support.virtual import VirtualTime, opened, samples

ASKED = {"provider": "gemini", "pilot": 0, "workers": 0}
YEAR = 365 * 86_400.0


@pytest.mark.parametrize("years", [-1, 1, 30])
def test_a_run_that_a_wrong_clock_wrote_is_finished_by_a_right_one(
    emulator: Emulator, years: int, tmp_path: Path
) -> None:
    """Everything is described, served once, and within the waits of a usual run."""
    library, photos = tmp_path / "library", samples(tmp_path / "photos", 3)
    emulator.fault("create", "drop", nth=1, when="before")
    with opened(library, emulator) as ours:
        report = ours.index([photos], approve=True, wait=False, deadline=6 * 3600.0, **ASKED)
        assert report.exit_code == 3
    with closing(sqlite3.connect(library / "ledger.sqlite3")) as ledger, ledger:
        for stamp in ("packed_at", "uploaded_at", "created_at", "submitted_at", "not_before"):
            ledger.execute(f"UPDATE shards SET {stamp} = {stamp} + ? WHERE {stamp} > 0", (years * YEAR,))
        ledger.execute(
            "UPDATE approvals SET deadline_at = deadline_at + ?, approved_at = approved_at + ?", (years * YEAR,) * 2
        )
    began = VirtualTime(emulator).time()
    with opened(library, emulator) as ours:
        report = ours.collect(wait=True)
    assert (report.files.described, report.exit_code) == (3, 0)
    assert VirtualTime(emulator).time() - began < 86_400
    books = emulator.books()["served"]
    assert books["batch"] + books["interactive"] == 3


def test_the_clock_of_a_process_goes_on_evenly() -> None:
    """It starts from the clock on the wall, and no later setting of that one moves it."""
    clock = session.SystemClock()
    first, then = clock.time(), clock.time()
    assert 0 <= then - first < 5
