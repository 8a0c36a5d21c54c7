"""How many calls fly at once: more while answers come as quickly as they did, half as many when the service asks so."""

from __future__ import annotations

_FIRST = 4
_SLOWER = 2.0
"""Answers that take so many times as long as the quickest ones did are a queue at the service: no more is sent then."""
_WEIGHT = 0.2


class Pace:
    """A window of calls, between 1 and `most`.

    It begins with four and grows with every answer until the service first limits it, then by one a full round.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._size = float(min(_FIRST, self._most))
        self._limited = False
        self._usual: float | None = None
        self._best: float | None = None

    @property
    def window(self) -> int:
        """How many calls may fly."""
        return int(self._size)

    def answered(self, seconds: float) -> None:
        """Count an answer that took so long."""
        self._usual = seconds if self._usual is None else self._usual + _WEIGHT * (seconds - self._usual)
        self._best = self._usual if self._best is None else min(self._best, self._usual)
        if self._usual <= _SLOWER * self._best:
            self._size = min(self._most, self._size + (1 / self._size if self._limited else 1.0))

    def limit(self) -> None:
        """Count a refusal for coming too fast, or a service in trouble."""
        self._limited = True
        self._size = max(1.0, self._size / 2)
