"""Memory has a sum: large pictures wait for each other, and one that takes more than all of it is too large."""

from __future__ import annotations

import threading
import time

import pytest

from indexer.domain.answer import Reason
from indexer.media.memory import budget, room
from indexer.media.refusal import PictureError
from indexer.media.sniff import Kind

LARGE = (10_000, 10_000)
MOST = 2_000_000_000


def test_one_that_takes_more_than_there_is_is_too_large() -> None:
    """It is refused by its header, with what it would take and what there is."""
    with pytest.raises(PictureError, match="GB") as fault, room((16_383, 16_383), Kind.WEBP, MOST):
        pytest.fail("it was decoded")
    assert fault.value.reason is Reason.TOO_LARGE


def test_large_pictures_are_decoded_one_at_a_time() -> None:
    """Whoever comes second waits until the first is done; small ones pass."""
    inside, most = [0], [0]

    def decode() -> None:
        with room(LARGE, Kind.PNG, MOST):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.1)
            inside[0] -= 1

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    with room((640, 480), Kind.JPEG, MOST):
        assert time.perf_counter() - began < 0.1
    for thread in threads:
        thread.join()
    assert most == [1]


def test_the_budget_is_a_part_of_what_the_machine_has() -> None:
    """Half of its memory, or of its container's."""
    assert 1 << 20 < budget() < 1 << 50
