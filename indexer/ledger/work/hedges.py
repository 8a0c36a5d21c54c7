"""Second requests: who is asked as well about photos that would miss the deadline, and what became of that.

The second request is a work item of another question, a partner of the first (see partners.py); so both have a key, a
price and an outcome of their own, and nothing is asked twice of one service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from indexer.domain.mode import Mode
from indexer.ledger.spend.approvals import current_campaign
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.questions import question_of

_PROMISE = "second route"
_FIRSTS = "question IN (SELECT partner FROM partners WHERE question = ?2)"
_SERVED = "photo IN (SELECT o.photo FROM works o WHERE o.question = ?2 AND o.state = 'answered' AND o.campaign = ?1)"
_LEFT = (
    "question = ?2 AND campaign = ?1 AND state = 'wanted' AND renewing = 0"
    f" AND EXISTS (SELECT 1 FROM works o WHERE o.photo = works.photo AND o.campaign = ?1 AND o.{_FIRSTS})"
)
_SETTLED = f"campaign = ?1 AND {_FIRSTS} AND {_SERVED}"


@dataclass(frozen=True, slots=True)
class Second:
    """Who is asked a second time: the numbers of campaign and question, the mode, and whether that has been done."""

    campaign: int
    question: int
    mode: Mode
    sent: bool


def promise(transaction: Transaction, campaign: int, question: int, mode: Mode) -> None:
    """Keep who is to be asked a second time in this campaign, as it was approved."""
    transaction.set_setting(_PROMISE, f"{campaign} {question} {mode}")


def end(transaction: Transaction, second: Second, photos: Iterable[str]) -> None:
    """Keep that the second requests about these photos were sent: what was not, by budget or fault, never is."""
    transaction.executemany(
        "DELETE FROM works WHERE photo = ? AND question = ? AND state = 'wanted' AND renewing = 0",
        ((photo, second.question) for photo in photos),
    )
    transaction.set_setting(_PROMISE, f"{second.campaign} {second.question} {second.mode} sent")


def take_up(ledger: Ledger, second: Second) -> None:
    """Let go of second requests that a process left when it died: sent ones count as sent, the others may yet be."""
    numbers = (second.campaign, second.question)
    if second.sent or not ledger.connection.execute(f"SELECT 1 FROM works WHERE {_LEFT} LIMIT 1", numbers).fetchone():
        return
    with ledger.transaction("second requests taken up") as transaction:
        transaction.execute(f"DELETE FROM works WHERE {_LEFT}", numbers)


def promised(ledger: Ledger) -> Second | None:
    """Return who is asked a second time in the current campaign, None for nobody."""
    told = ledger.setting(_PROMISE).split()
    if not told or int(told[0]) != current_campaign(ledger):
        return None
    return Second(int(told[0]), int(told[1]), Mode(told[2]), sent=len(told) > 3)


def late(ledger: Ledger, second: Second) -> list[str]:
    """Return the photos that are in flight in batches, and that were not asked about a second time yet.

    A second request whose answer a crash has lost was sent: its photo is not late again.
    """
    rows = ledger.connection.execute(
        f"""
        SELECT photo FROM works w WHERE state = 'out' AND mode <> 'interactive' AND campaign = ?1 AND {_FIRSTS}
          AND NOT EXISTS (SELECT 1 FROM works o WHERE o.photo = w.photo AND o.question = ?2)
          AND EXISTS (SELECT 1 FROM attempts t WHERE t.work = w.key AND t.state = 'out' AND t.shard IS NOT NULL)
        """,
        (second.campaign, second.question),
    )
    of_second = "SELECT work FROM attempts WHERE question = ? AND campaign = ? AND shard IS NULL AND state <> 'void'"
    sent = {row[0] for row in ledger.connection.execute(of_second, (second.question, second.campaign))}
    key_of = question_of(ledger, second.question).work_key
    return [photo for (photo,) in rows if key_of(photo) not in sent]


def settle(ledger: Ledger, second: Second) -> None:
    """Let go of first requests whose photo has its second answer: no batch need go on for them, none is repeated."""
    held = f"state IN ('wanted', 'out') AND renewing = 0 AND {_SETTLED}"
    found = "SELECT 1 FROM works WHERE " + held + " AND (state = 'wanted' OR mode <> 'interactive') LIMIT 1"
    numbers = (second.campaign, second.question)
    if not ledger.connection.execute(found, numbers).fetchone():
        return
    with ledger.transaction("settled by a second answer") as transaction:
        transaction.execute(f"DELETE FROM works WHERE state = 'wanted' AND {held}", numbers)
        transaction.execute(f"UPDATE works SET mode = 'interactive' WHERE state = 'out' AND {held}", numbers)
