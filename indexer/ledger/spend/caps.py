"""What a library may spend in all and in a day, whatever single runs were allowed."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from indexer.ledger.store import Ledger


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
        "SELECT total(CASE WHEN state = 'out' THEN high_usd WHEN ended_at >= ? THEN spent_usd END) FROM attempts",
        (since,),
    ).fetchone()
    return float(row[0])


def _midnight(now: float) -> float:
    day = datetime.datetime.fromtimestamp(now).date()
    return datetime.datetime.combine(day, datetime.time()).timestamp()
