"""Patience with a service: a step that may be repeated is tried a few times, as far apart as the service asks.

Not by stamina, which sleeps on the clock of the machine only: tests and rehearsals hand in a `sleep` of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from indexer.domain.errors import ProviderError, RateLimited, Unreachable

_PAUSES = (1.0, 2.0, 4.0)
_LONGEST_PAUSE = 60.0
_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


def patiently(
    call: Callable[[], Result], sleep: Callable[[float], object], also: tuple[type[ProviderError], ...] = ()
) -> Result:
    """Return `call()`, tried up to four times; faults of the kinds `also` are waited out, too. Pauses are seconds."""
    again: tuple[type[ProviderError], ...] = (Unreachable, RateLimited, *also)
    for pause in _PAUSES:
        try:
            return call()
        except again as error:
            asked = getattr(error, "retry_after", None) or 0.0
            _LOG.info("%s; trying again", error)
        sleep(min(max(pause, asked), _LONGEST_PAUSE))
    return call()
