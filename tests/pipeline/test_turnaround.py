"""How long the next job takes, by those that were seen: of one model, size and hour where there are enough."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from indexer.ledger.views.durations import Took
from indexer.pipeline.turnaround import PUBLISHED, Next, expect, in_waves

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC).timestamp()
HOUR = 3600.0
NEXT = Next("m", 100, MONDAY)


def jobs(*seconds: float, model: str = "m", requests: int = 100, at: float = MONDAY) -> list[Took]:
    """Finished jobs that took so long."""
    return [Took(model, one, requests, at) for one in seconds]


def test_too_few_jobs_say_nothing() -> None:
    """What is published holds until three have finished, by the service's own figures where they are known."""
    assert (expect([], NEXT).low, expect([], NEXT).high) == PUBLISHED
    found = expect(jobs(60, 70), NEXT, published=(1800.0, 21_600.0))
    assert (found.middle, found.high, found.source) == (1800.0, 21_600.0, "published")


def test_a_few_jobs_are_not_taken_for_all_that_can_be() -> None:
    """Of three the longest is not yet what nine of ten keep; never less than what was seen."""
    found = expect(jobs(60, 70, 80), NEXT)
    assert (found.source, found.low, found.middle) == ("history", 60, 70)
    assert 80 < found.high < 160
    wild = expect(jobs(60, 600, 6000), NEXT)
    assert 6000 < wild.high <= PUBLISHED[1]


def test_many_jobs_are_read_off() -> None:
    """The tenth, the middle and the ninetieth of a hundred."""
    found = expect(jobs(*range(1, 101)), NEXT)
    assert (found.low, found.middle) == (11, 51)
    assert found.high == 91
    assert found.eta(11) == {"low": 0, "high": 80, "source": "history"}


@pytest.mark.parametrize("count", [3, 5, 8, 20])
def test_nine_of_ten_keep_it_however_few_were_seen(count: int) -> None:
    """Drawn from a skewed distribution a thousand times, the next job keeps its bound in at least 88 %."""
    draw = random.Random(count)
    kept = 0
    for _ in range(1000):
        seen = [draw.lognormvariate(7, 0.6) for _ in range(count)]
        kept += draw.lognormvariate(7, 0.6) <= expect(jobs(*seen), NEXT).high
    assert kept >= 880


def test_the_narrowest_group_that_says_enough_is_believed() -> None:
    """Size and hour of the week count, once there are eight jobs of them."""
    night, noon = MONDAY - 7 * HOUR, MONDAY + 3 * HOUR
    small = jobs(*[100.0] * 9, at=noon) + jobs(*[500.0] * 9, at=night)
    large = jobs(*[9000.0] * 9, requests=10_000, at=noon)
    took = small + large
    assert expect(took, Next("m", 90, noon + 7 * 24 * HOUR)).high == 100
    assert expect(took, Next("m", 90, night)).high == 500
    assert expect(took, Next("m", 12_000, noon)).high == 9000
    assert expect(took, Next("other", 90, noon)).high == 9000
    assert expect(jobs(1, 2, 3), Next("other", 90, noon)).source == "published"


def test_jobs_that_are_still_out_count_by_their_age() -> None:
    """A service that has become slow does not look as fast as it was."""
    fast = jobs(*[100.0] * 10)
    slow = [Took("m", 20_000.0, 100, MONDAY, ended=False)] * 4
    assert expect(fast, NEXT).high == 100
    assert expect(fast + slow, NEXT).high == 20_000
    assert expect(fast + [Took("m", 5.0, 100, MONDAY, ended=False)] * 4, NEXT).high == 100


def test_waves_are_not_all_late() -> None:
    """Four jobs one after the other take four times the middle, and twice the lateness of one."""
    one = expect(jobs(*range(1, 101)), NEXT)
    assert in_waves(one, 1) == (51, 91)
    assert in_waves(one, 4) == (204, 204 + 2 * 40)


def test_a_job_is_stuck_when_it_is_far_outside_its_range() -> None:
    """By history at twice its upper end, and half an hour at least; by what is published when that is over."""
    learned = expect(jobs(*[3600.0] * 9), NEXT)
    assert (learned.is_stuck(7200.0), learned.is_stuck(7201.0)) == (False, True)
    quick = expect(jobs(*[60.0] * 9), NEXT)
    assert (quick.is_stuck(1860.0), quick.is_stuck(1861.0)) == (False, True)
    published = expect([], NEXT)
    assert (published.is_stuck(PUBLISHED[1]), published.is_stuck(PUBLISHED[1] + 1)) == (False, True)
