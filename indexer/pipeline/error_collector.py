"""What went wrong in a pass over many jobs: one that fails must not keep the others from being looked after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indexer.domain.errors import ProviderError, RateLimited, Unreachable

_AWAY_AFTER = 2  # in a row: each try of a service that is away takes its time-outs


class Faults:
    """Holds what providers raise until everything has had its turn."""

    def __init__(self) -> None:
        self._held: list[ProviderError] = []
        self._away = 0

    @contextmanager
    def held(self, *, given_up: bool = False) -> Iterator[None]:
        """Hold a provider's error of the block; one of a provider that was given up is nobody's concern."""
        try:
            yield
            self._away = 0
        except ProviderError as fault:
            if given_up:
                return
            self._held.append(fault)
            self._away = self._away + 1 if isinstance(fault, Unreachable) else 0

    @property
    def service_away(self) -> bool:
        """Whether it is no use to go on asking now."""
        return self._away >= _AWAY_AFTER

    def raise_worst(self) -> None:
        """Raise what needs a person first, else what time may mend, else nothing."""
        lasting = [fault for fault in self._held if not isinstance(fault, Unreachable | RateLimited)]
        for fault in (*lasting, *self._held):
            raise fault
