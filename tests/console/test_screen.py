"""The live line says how long the rest takes, by the stage's own rate."""

from __future__ import annotations

import pytest

from indexer.console import screen
from indexer.console.screen import Screen, time_left
from indexer.domain.progress import Progress


@pytest.mark.parametrize(
    ("done", "left", "seconds", "told"),
    [
        (0, 100, 60.0, ""),
        (4, 100, 60.0, ""),
        (50, 100, 9.0, ""),
        (100, 0, 60.0, ""),
        (60, 30, 60.0, ", about 30 s left"),
        (100, 1000, 60.0, ", about 10 min left"),
        (10, 100_000, 10.0, ", about 28 h left"),
    ],
)
def test_the_rest_takes_what_the_measured_rate_says(done: int, left: int, seconds: float, told: str) -> None:
    """Nothing before some were done and some seconds went by, nothing where nothing is left."""
    assert time_left(done, left, seconds) == told


def test_a_stage_that_begins_anew_is_measured_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was answered before a second pass says nothing of its rate."""
    now = [0.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    shown = Screen(lambda progress: (progress.stage, ""), quiet=False, bars=True)
    for at, done in ((0.0, 0), (40.0, 80), (80.0, 160), (100.0, 0), (140.0, 20)):
        now[0] = at
        shown.progress(Progress("asking", done, 200))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "asking: 80 of 200 photos, about 60 s left",
        "asking: 160 of 200 photos, about 20 s left",
        "asking: 20 of 200 photos, about 6 min left",
    ]
