"""US dollars as people read them; programs get plain numbers."""

from __future__ import annotations

_CENT = 0.005  # less than this is rounded to no cent at all


def dollars(amount: float) -> str:
    """Return an amount to the cent: $0.12, $5.00, $1,250.00; "under $0.01" for less than half a cent."""
    return "under $0.01" if 0 < amount < _CENT else f"${amount:,.2f}"


def dollar_range(low: float, high: float) -> str:
    """Return a range to the cent, as one amount when both ends read alike."""
    if dollars(low) == dollars(high):
        return dollars(high)
    return f"up to {dollars(high)}" if low < _CENT else f"{dollars(low)} to {dollars(high)}"
