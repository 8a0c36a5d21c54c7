"""How much may still be reserved: the narrowest of the run's budget and the library's own limits."""

from __future__ import annotations

from indexer.domain.mode import Mode
from indexer.domain.money import dollars
from indexer.ledger.spend import approvals, caps
from indexer.ledger.spend.caps import Caps
from indexer.ledger.work import items, questions
from indexer.pipeline.session import Session

_WORTH = 0.1  # a wave takes hours: one that the last tenth of a budget buys is left to a larger budget


def left(session: Session) -> float:
    """Return the dollars that may still be reserved."""
    return min(approvals.budget(session.ledger).left, headroom(session)) + 1e-9


def headroom(session: Session) -> float:
    """Return the dollars that the library's own limits still let be reserved, whatever a run may spend."""
    return caps.headroom(session.ledger, Caps(session.config.budget_total, session.config.budget_per_day))


def requests(session: Session, high_usd: float, waiting: int) -> int:
    """Return how many batch requests of that price may be packed now.

    Zero when the budget cannot carry all that wait and what is left of it has become too little for a wave.
    """
    if not high_usd:
        return waiting
    affordable = int(max(0.0, left(session)) / high_usd)
    scraps = affordable * high_usd < _WORTH * approvals.budget(session.ledger).cap
    return 0 if scraps and affordable < waiting else min(affordable, waiting)


def why_stopped(session: Session, number: int, mode: Mode) -> str:
    """Say why nothing more of a question can be sent, "" when money is not the reason."""
    ledger = session.ledger
    waiting = items.unsent(ledger, number)
    high = session.pricing.quote(questions.question_of(ledger, number), mode).high_usd
    held = approvals.budget(ledger)
    affordable = requests(session, high, waiting) if mode is Mode.BATCH else int(left(session) / high) if high else 1
    if not waiting or affordable:
        return ""
    if held.left > left(session):
        return "the library's own limit is reached (budget_total or budget_per_day in captionary.toml)"
    return (
        f"the budget is reached: {dollars(held.spent)} of {dollars(held.cap)} spent, photos left: {waiting:,}; "
        f"go on with a larger --budget"
    )
