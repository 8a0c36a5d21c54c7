"""The mode of a work item: it may leave its batch for single calls, also while their shard is out."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.store import Ledger, Transaction

_ROOM = "queue room "
_UNSENT_SHARDS = (
    "SELECT t.work FROM attempts t JOIN shards s ON s.id = t.shard"
    " WHERE t.state = 'out' AND s.state IN ('packed', 'intended', 'creating')"
)
_ESCALATES = "campaign that escalates"


def wants_batch(ledger: Ledger, shard: str) -> bool:
    """Return whether any request of the shard still belongs into a batch."""
    return bool(
        ledger.connection.execute(
            "SELECT EXISTS (SELECT 1 FROM attempts t JOIN works w ON w.key = t.work"
            " WHERE t.shard = ? AND t.state = 'out' AND w.mode = 'batch')",
            (shard,),
        ).fetchone()[0]
    )


def leave_batch(ledger: Ledger, campaign: int) -> int:
    """Commit that everything unfinished of a campaign goes on by single calls; returns how many that moved."""
    unfinished = "campaign = ? AND mode <> 'interactive' AND state IN ('wanted', 'out')"
    if not ledger.connection.execute(f"SELECT 1 FROM works WHERE {unfinished} LIMIT 1", (campaign,)).fetchone():
        return 0
    with ledger.transaction("leave batch") as transaction:
        return transaction.execute(f"UPDATE works SET mode = 'interactive' WHERE {unfinished}", (campaign,)).rowcount


def batched(ledger: Ledger, campaign: int) -> list[tuple[int, int]]:
    """Return (question, number of work items) for all of a campaign that wait for a batch or are in one."""
    rows = ledger.connection.execute(
        "SELECT question, count(*) FROM ("
        "SELECT question FROM works WHERE state = 'wanted' AND mode = 'batch' AND campaign = ?1 UNION ALL "
        "SELECT question FROM works WHERE state = 'out' AND mode = 'batch' AND campaign = ?1) GROUP BY question",
        (campaign,),
    )
    return [(row[0], row[1]) for row in rows]


def let_escalate(transaction: Transaction, campaign: int) -> None:
    """Keep that what a campaign has in batches may go on by flex before its deadline."""
    transaction.set_setting(_ESCALATES, str(campaign))


def escalates(ledger: Ledger, campaign: int) -> bool:
    """Say whether what a campaign has in batches may go on by flex before its deadline."""
    return ledger.setting(_ESCALATES) == str(campaign)


def leave_batch_for_flex(ledger: Ledger, campaign: int, question: int) -> None:
    """Commit that everything of a question that is in no mode but batch, and unfinished, goes on by flex calls."""
    with ledger.transaction("leave batch for flex") as transaction:
        transaction.execute(
            "UPDATE works SET mode = 'flex' WHERE campaign = ? AND question = ? AND mode = 'batch'"
            " AND state IN ('wanted', 'out')",
            (campaign, question),
        )


def remember_room(ledger: Ledger, question: Question, account: str, requests: int) -> None:
    """Commit how many requests a batch may have at most, because an account's queue would not take more at once."""
    with ledger.transaction("room in the queue", uncounted=True) as transaction:
        transaction.set_setting(_room_of(question, account), str(requests))


def room(ledger: Ledger, question: Question, account: str) -> int | None:
    """Return how many requests a batch may have at most, None where no queue has told."""
    told = ledger.setting(_room_of(question, account))
    return int(told) if told else None


def _room_of(question: Question, account: str) -> str:
    return f"{_ROOM}{question.provider} {question.model} {account}".rstrip()


def in_other_mode(ledger: Ledger, question: int | None, mode: Mode) -> int:
    """Return how many work items of a question wait in another mode than `mode`, and are not at the service yet."""
    row = ledger.connection.execute(
        f"SELECT count(*) FROM works WHERE question = ? AND mode <> ?"
        f" AND (state = 'wanted' OR (state = 'out' AND key IN ({_UNSENT_SHARDS})))",
        (question, str(mode)),
    ).fetchone()
    return int(row[0])


def packed_for_other_mode(ledger: Ledger, question: int | None, mode: Mode) -> int:
    """Return how many work items of a question lie packed for another mode than `mode`, in no job yet."""
    row = ledger.connection.execute(
        f"SELECT count(*) FROM works WHERE question = ? AND mode <> ? AND state = 'out' AND key IN ({_UNSENT_SHARDS})",
        (question, str(mode)),
    ).fetchone()
    return int(row[0])


def leave_batch_for(transaction: Transaction, question: Question, photos: Iterable[str]) -> None:
    """Let the work items of `photos` that wait for a batch go by single calls."""
    transaction.executemany(
        "UPDATE works SET mode = 'interactive' WHERE key = ? AND state = 'wanted'",
        ((question.work_key(photo),) for photo in photos),
    )


def leave_unsent_batches(transaction: Transaction, provider: str) -> None:
    """Let what lies packed for a provider, in no job that is known, go by no batch: it is sent to another one."""
    transaction.execute(
        f"UPDATE works SET mode = 'interactive' WHERE state = 'out' AND key IN ({_UNSENT_SHARDS})"
        " AND question IN (SELECT id FROM questions WHERE provider = ?)",
        (provider,),
    )


def change_mode(transaction: Transaction, question: int | None, mode: Mode) -> None:
    """Move all of a question that is not at the service yet into `mode`."""
    transaction.execute(
        f"UPDATE works SET mode = ? WHERE question = ?"
        f" AND (state = 'wanted' OR (state = 'out' AND key IN ({_UNSENT_SHARDS})))",
        (str(mode), question),
    )
