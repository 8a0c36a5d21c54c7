"""Campaigns, approvals and spend: what may be paid, what is reserved, what was paid.

A budget is a reservation: every request in flight is booked at its high price until its usage is known, and one
whose outcome stays unknown stays booked high.
"""

from __future__ import annotations

from dataclasses import dataclass

from indexer.ledger.store import Ledger, Transaction


@dataclass(frozen=True, slots=True)
class Budget:
    """What a campaign may spend, in US dollars."""

    cap: float
    spent: float
    reserved: float

    @property
    def left(self) -> float:
        """What can still be reserved."""
        return self.cap - self.spent - self.reserved

    def cap_with(self, more: float) -> float:
        """The cap under which `more` can be reserved on top of what was agreed to before."""
        return max(self.cap, self.spent + self.reserved) + more


def current_campaign(ledger: Ledger) -> int | None:
    """Return the campaign that still has unfinished work, None when nothing is unfinished."""
    row = ledger.connection.execute("SELECT max(id) FROM campaigns WHERE ended_at IS NULL").fetchone()
    return int(row[0]) if row[0] is not None else None


def begin_campaign(transaction: Transaction) -> int:
    """Return the current campaign, or begin one."""
    current = current_campaign(transaction.ledger)
    if current is not None:
        return current
    return int(
        transaction.execute("INSERT INTO campaigns (started_at) VALUES (?)", (transaction.now(),)).lastrowid or 0
    )


def end_campaign_when_done(ledger: Ledger) -> None:
    """End the campaign when no work waits or is out and every shard is closed."""
    busy = ledger.connection.execute(
        "SELECT EXISTS (SELECT 1 FROM works INDEXED BY works_wanted WHERE state = 'wanted')"
        " OR EXISTS (SELECT 1 FROM works INDEXED BY works_out WHERE state = 'out')"
        " OR EXISTS (SELECT 1 FROM shards WHERE state <> 'closed')"
    ).fetchone()[0]
    if not busy and current_campaign(ledger) is not None:
        with ledger.transaction("end of campaign") as transaction:
            transaction.execute("UPDATE campaigns SET ended_at = ? WHERE ended_at IS NULL", (ledger.now(),))


@dataclass(frozen=True, slots=True)
class Yes:
    """What somebody agreed to: a plan as JSON, a cap in US dollars for the campaign as a whole, and a deadline.

    `kind` is "plan"; "retry" for what the approval before it covers; "bounds" where only cap or deadline changed.
    """

    plan: str
    cap_usd: float
    deadline_at: float | None = None
    kind: str = "plan"


def approve(transaction: Transaction, campaign: int, yes: Yes) -> None:
    """Keep that somebody said yes."""
    transaction.execute(
        "INSERT INTO approvals (campaign, plan, cap_usd, deadline_at, kind, approved_at) VALUES (?, ?, ?, ?, ?, ?)",
        (campaign, yes.plan, yes.cap_usd, yes.deadline_at, yes.kind, transaction.now()),
    )


def retry_allowance(ledger: Ledger) -> float:
    """Return the dollars that retries may reserve without a new yes.

    That is a tenth of the most that the last approved plan could cost, less what was reserved for retries since.
    """
    row = ledger.connection.execute(
        """
        SELECT coalesce(json_extract(p.plan, '$.most_usd'), 0.0) / 10
               - (SELECT total(json_extract(r.plan, '$.most_usd')) FROM approvals r
                  WHERE r.kind = 'retry' AND r.id > p.id)
        FROM approvals p WHERE p.kind = 'plan' ORDER BY p.id DESC LIMIT 1
        """
    ).fetchone()
    return float(row[0]) if row else 0.0


def budget(ledger: Ledger, campaign: int | None = None) -> Budget:
    """Return what the campaign (the current one) may still spend; without a campaign nothing."""
    number = current_campaign(ledger) if campaign is None else campaign
    if number is None:
        return Budget(0.0, 0.0, 0.0)
    cap = ledger.connection.execute(
        "SELECT cap_usd FROM approvals WHERE campaign = ? ORDER BY id DESC LIMIT 1", (number,)
    ).fetchone()
    spent, reserved = ledger.connection.execute(
        "SELECT total(spent_usd), total(CASE state WHEN 'out' THEN high_usd END) FROM attempts WHERE campaign = ?",
        (number,),
    ).fetchone()
    return Budget(float(cap[0]) if cap else 0.0, float(spent), float(reserved))


def deadline(ledger: Ledger) -> float | None:
    """Return the moment after which the current campaign stops waiting, in seconds since the epoch."""
    held = term(ledger)
    return held[1] if held else None


def term(ledger: Ledger) -> tuple[float, float] | None:
    """Return when the deadline of the current campaign was agreed on, and when it is; None where there is none."""
    row = ledger.connection.execute(
        "SELECT approved_at, deadline_at FROM approvals WHERE campaign = ? ORDER BY id DESC LIMIT 1",
        (current_campaign(ledger),),
    ).fetchone()
    return (row[0], row[1]) if row and row[1] is not None else None


def approved_at(ledger: Ledger) -> float:
    """Return when somebody last said yes, in seconds since the epoch; 0 before anybody did."""
    found = ledger.connection.execute("SELECT max(approved_at) FROM approvals WHERE kind = 'plan'").fetchone()
    return float(found[0] or 0.0)
