"""Some runs of the simulation of routes; `make routes` plays a thousand."""

from __future__ import annotations

from pathlib import Path

from tests.whole.route_simulation import figures, simulate


def test_deadlines_hold_nothing_is_billed_twice_and_no_cap_is_passed(tmp_path: Path) -> None:
    """Three services with drawn latencies, prices and failures, by a virtual clock; the oracle knows what is usual.

    Six runs begin without any history, so they pay a little more than it.
    """
    found = figures(list(simulate(tmp_path, range(6), seed=17)))
    assert found["photos billed twice"] == 0
    assert found["caps passed"] == 0
    assert found["photos left"] == 0
    assert found["deadline kept"] >= 0.8
    assert found["cost to the oracle's"] <= 1.3
