"""The service's own time: it flows with the real clock, and a test may push it forward or hold it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class VirtualClock:
    """Seconds since the epoch as the service sees them."""

    def __init__(self, offset: float = 0.0, held_at: float | None = None) -> None:
        self._offset = offset
        self._held_at = held_at
        self._moved = threading.Condition()

    def now(self) -> float:
        """Return the virtual time in seconds since the epoch."""
        return self._held_at if self._held_at is not None else time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Jump `seconds` ahead; whoever waits for a moment that has passed wakes up."""
        with self._moved:
            if self._held_at is not None:
                self._held_at += seconds
            self._offset += seconds
            self._moved.notify_all()

    def hold(self) -> None:
        """Stop the flow; only `advance` moves time from here."""
        with self._moved:
            self._held_at = self.now()

    def release(self) -> None:
        """Let time flow again from where it stands."""
        with self._moved:
            if self._held_at is not None:
                self._offset = self._held_at - time.time()
                self._held_at = None
            self._moved.notify_all()

    def wake(self) -> None:
        """Make every waiter look again at its stop condition."""
        with self._moved:
            self._moved.notify_all()

    def wait(self, moment: float, stop: Callable[[], bool]) -> bool:
        """Wait until virtual `moment`; returns False when `stop` became true first."""
        with self._moved:
            while not stop():
                missing = moment - self.now()
                if missing <= 0:
                    return True
                self._moved.wait(min(missing, 0.5) if self._held_at is None else 0.5)
            return False

    def state(self) -> dict[str, float | None]:
        """Return what a restart needs to go on at the same virtual time."""
        return {"offset": self._offset, "held_at": self._held_at}


def stamp(moment: float) -> str:
    """Write a moment as the service does: RFC 3339 in UTC with nanoseconds."""
    nanoseconds = int(moment % 1 * 1e9)
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{nanoseconds:09d}Z"
