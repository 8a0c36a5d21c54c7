"""What is done about a shard whose job may exist: nothing is created while one may turn up, and every case ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from indexer.domain.job import JobState
from indexer.ledger.work.shards import Refusal, Shard, ShardState
from indexer.pipeline.send.settling import Step, Unsettled

_SHARD = Shard(
    *("5" * 8, 1, 1, ShardState.CREATING, 1, 2, 1000, 400, 0.1, 0.0, "files/1", ("files/1",), 0.0, None, 0),
    *(Refusal.NONE, 0.0, None, None, 0, "", JobState.INTENDED, (), None, None, "", None, ""),
)
_FRESH = Unsettled(_SHARD, looking=False, wanted=True, full=False, alone=True, held=True, expired=False)


def standing(creates: int = 0, refusal: Refusal = Refusal.NONE, requests: int = 2, **more: bool) -> Unsettled:
    """How a shard stands that was created so often, and refused so the last time."""
    shard = replace(_SHARD, creates=creates, refusal=refusal, requests=requests)
    return replace(_FRESH, shard=shard, **more)


@pytest.mark.parametrize(
    ("stands", "expected"),
    [
        pytest.param(standing(), Step.CREATE, id="never created"),
        pytest.param(standing(1, Refusal.UNKNOWN, looking=True), Step.WAIT, id="a job may turn up"),
        pytest.param(standing(1, Refusal.UNKNOWN), Step.CREATE, id="none turned up in time"),
        pytest.param(standing(1, Refusal.QUEUE, full=True), Step.WAIT, id="the queue is full"),
        pytest.param(
            standing(1, Refusal.QUEUE, full=True, wanted=False), Step.DROP, id="full, and not wanted any more"
        ),
        pytest.param(standing(1, Refusal.UNKNOWN, looking=True, wanted=False), Step.WAIT, id="not wanted, may turn up"),
        pytest.param(standing(wanted=False), Step.DROP, id="not wanted"),
        pytest.param(standing(1, Refusal.REFUSED), Step.CREATE, id="refused once"),
        pytest.param(standing(2, Refusal.REFUSED_TWICE), Step.REFUSE, id="refused twice"),
        pytest.param(standing(3, Refusal.QUEUE), Step.HALVE, id="never fits the queue"),
        pytest.param(standing(3, Refusal.QUEUE, alone=False), Step.CREATE, id="full of our own jobs"),
        pytest.param(standing(3, Refusal.QUEUE, requests=1), Step.CREATE, id="one photo cannot be halved"),
        pytest.param(standing(held=False), Step.DROP, id="its lines are gone"),
        pytest.param(standing(1, Refusal.FILE), Step.UPLOAD, id="the service's file is gone"),
        pytest.param(standing(expired=True), Step.UPLOAD, id="the service's file is too old"),
    ],
)
def test_the_next_step_of_a_shard_without_a_job(stands: Unsettled, expected: Step) -> None:
    """Each way of standing has its one step."""
    assert stands.next_step() is expected


def test_nothing_is_created_again_without_a_look() -> None:
    """Over every way of standing: whoever may create or drop after an earlier create has looked for its job first."""
    for creates, refusal in product((0, 1, 3), Refusal):
        for looking, wanted, full, alone, held, expired in product((True, False), repeat=6):
            stands = standing(creates, refusal)
            stands = replace(stands, looking=looking, wanted=wanted, full=full, alone=alone, held=held, expired=expired)
            if creates and stands.next_step() is not Step.WAIT:
                assert stands.looks_first
            if creates and looking:
                assert stands.next_step() is Step.WAIT
