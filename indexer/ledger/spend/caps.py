"""What a library may spend in all and in a day (UTC), whatever single runs were allowed and whoever is asked."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.ledger.store import Ledger

_DAY = 86_400.0  # a day is one in UTC, whatever the time zone of this machine


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of a library in US dollars; None: no limit."""

    total: float | None = None
    per_day: float | None = None


def headroom(ledger: Ledger, caps: Caps) -> float:
    """Return what the caps of the library still let be reserved; infinite without caps."""
    left = [float("inf")]
    if caps.total is not None:
        left.append(caps.total - _booked(ledger, 0.0))
    if caps.per_day is not None:
        left.append(caps.per_day - _booked(ledger, _midnight(ledger.now())))
    return min(left)


def _booked(ledger: Ledger, since: float) -> float:
    """What was spent since then, and what is reserved for everything in flight."""
    row = ledger.connection.execute(
        "SELECT (SELECT total(high_usd) FROM attempts WHERE state = 'out')"
        " + (SELECT total(spent_usd) FROM attempts WHERE ended_at >= ? AND state <> 'out')",
        (since,),
    ).fetchone()
    return float(row[0])


def _midnight(now: float) -> float:
    return now - now % _DAY
