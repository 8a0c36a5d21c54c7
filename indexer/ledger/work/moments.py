"""Moments that a wrong clock wrote: brought back to now, once, so that nothing waits until the clock gets there."""

from __future__ import annotations

from indexer.ledger.store import Ledger

_STAMPS = ("packed_at", "uploaded_at", "created_at", "lost_at", "cancelled_at", "submitted_at", "ended_at")
_LONGEST_WAIT = 900.0
_LEEWAY = 2.0  # seconds between two clocks that agree


def set_right(ledger: Ledger) -> bool:
    """Move what open work remembers of the future to now, and keep how long a run may last; False where all is past."""
    now = ledger.now() + _LEEWAY
    ahead = " OR ".join(f"{stamp} > :now" for stamp in _STAMPS)
    open_ahead = f"state <> 'closed' AND ({ahead} OR not_before > :now + {_LONGEST_WAIT})"
    yes_ahead = "approved_at > :now AND campaign IN (SELECT id FROM campaigns WHERE ended_at IS NULL)"
    looks = (
        f"SELECT EXISTS (SELECT 1 FROM shards WHERE {open_ahead}) OR EXISTS (SELECT 1 FROM approvals WHERE {yes_ahead})"
    )
    if not ledger.connection.execute(looks, {"now": now}).fetchone()[0]:
        return False
    told = {"now": now, "then": ledger.now()}
    back = ", ".join(f"{stamp} = min({stamp}, :then)" for stamp in _STAMPS)
    with ledger.transaction("clock set right", uncounted=True) as transaction:
        transaction.execute(
            f"UPDATE shards SET {back}, not_before = min(not_before, :then + {_LONGEST_WAIT}) WHERE {open_ahead}", told
        )
        transaction.execute(
            "UPDATE approvals SET deadline_at = :then + (deadline_at - approved_at), approved_at = :then"
            f" WHERE {yes_ahead}",
            told,
        )
    return True
