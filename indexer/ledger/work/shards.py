"""Shards and their jobs: from a packed file to collected answers, one committed step at a time.

    packed -> intended -> creating -> submitted -> ended -> fetched -> collected -> closed

`creating` is the one state in which a job may exist that the ledger does not know of: whoever finds a shard there
looks for the job before creating again, whatever the service answered to the create.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexer.domain.job import Job, JobState
from indexer.ledger import handles
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.items import Work


class ShardState(StrEnum):
    """How far a shard has come; see the module's line of states."""

    PACKED = "packed"
    INTENDED = "intended"
    CREATING = "creating"
    SUBMITTED = "submitted"
    ENDED = "ended"
    FETCHED = "fetched"
    COLLECTED = "collected"
    CLOSED = "closed"


UNSENT = (ShardState.PACKED, ShardState.INTENDED)
"""Nothing of these was created at a service yet."""
_QUEUED = (*UNSENT, ShardState.CREATING, ShardState.SUBMITTED)


class Refusal(StrEnum):
    """How the last create was answered when it was no clean success; each means another next step.

    `UNKNOWN`: no answer. `QUEUE`: ask again later. `FILE`: the uploaded file is gone. `ACCOUNT`: no credit, a dead
    key. `REFUSED`: the service will not have this file; `REFUSED_TWICE`: nor the second time.
    """

    NONE = ""
    UNKNOWN = "unknown"
    QUEUE = "queue"
    FILE = "file"
    ACCOUNT = "account"
    REFUSED = "refused"
    REFUSED_TWICE = "refused twice"


@dataclass(frozen=True, slots=True)
class Shard:
    """A batch file on its way; see the module's states. Times are seconds since the epoch.

    `uploads` are all handles that it was ever uploaded under, `results` those of its result files; since `unsure_since`
    nobody knows what became of the last create. `account` is the one at the service that it belongs to, "" the usual.
    """

    id: str
    question: int
    campaign: int
    state: ShardState
    attempt: int
    requests: int
    bytes: int
    input_tokens: int
    high_usd: float
    packed_at: float
    input_file: str
    uploads: tuple[str, ...]
    uploaded_at: float | None
    unsure_since: float | None
    creates: int
    refusal: Refusal
    not_before: float
    lost_at: float | None
    cancelled_at: float | None
    canary: int
    job: str
    job_state: JobState
    results: tuple[str, ...]
    submitted_at: float | None
    ended_at: float | None
    error: str
    running_at: float | None
    account: str


_KINDS = {
    "state": ShardState,
    "job_state": JobState,
    "refusal": Refusal,
    "uploads": handles.read,
    "results": handles.read,
}
_STORED = {"unsure_since": "created_at", "results": "output_file"}
_COLUMNS = ", ".join(_STORED.get(name, name) for name in Shard.__slots__)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a packed shard: the work, its key in the file, and what it may cost."""

    work: Work
    key: str
    high_usd: float


@dataclass(frozen=True, slots=True)
class Packed:
    """What a packed file weighs."""

    id: str
    question: int
    campaign: int
    bytes: int
    input_tokens: int
    canary: bool = False
    account: str = ""


def record_packed(ledger: Ledger, packed: Packed, lines: Sequence[Line]) -> None:
    """Commit a shard whose file is whole on disk; its works are out from now on."""
    now = ledger.now()
    with ledger.transaction("packed shard") as transaction:
        transaction.execute(
            "INSERT INTO shards (id, question, campaign, state, requests, bytes, input_tokens, high_usd, packed_at,"
            " canary, account) VALUES (?, ?, ?, 'packed', ?, ?, ?, ?, ?, ?, ?)",
            (
                packed.id,
                packed.question,
                packed.campaign,
                len(lines),
                packed.bytes,
                packed.input_tokens,
                sum(line.high_usd for line in lines),
                now,
                int(packed.canary),
                packed.account,
            ),
        )
        transaction.executemany(
            "INSERT INTO attempts (key, work, number, campaign, shard, question, mode, state, high_usd, started_at)"
            f" VALUES (?, ?, ?, {int(packed.campaign)}, ?, {int(packed.question)}, 'batch', 'out', ?, ?)",
            ((line.key, line.work.key, line.work.attempts + 1, packed.id, line.high_usd, now) for line in lines),
        )
        transaction.executemany(
            "UPDATE works SET state = 'out', attempts = attempts + 1 WHERE key = ?",
            ((line.work.key,) for line in lines),
        )


def open_shards(ledger: Ledger) -> list[Shard]:
    """Return the shards that are not closed, oldest first."""
    rows = ledger.connection.execute(f"SELECT {_COLUMNS} FROM shards WHERE state <> 'closed' ORDER BY packed_at, id")
    return [_shard(row) for row in rows]


def at_service(ledger: Ledger) -> tuple[int, int]:
    """Return how many jobs are, or may be, at a service, and how many photos they hold; older ledgers tell it too."""
    row = ledger.connection.execute(
        "SELECT count(*), total(requests) FROM shards WHERE state IN ('creating', 'submitted')"
    ).fetchone()
    return int(row[0]), int(row[1])


def _shard(row: Sequence[Any]) -> Shard:
    told = dict(zip(Shard.__slots__, row, strict=True))
    told |= {name: kind(told[name]) for name, kind in _KINDS.items()}
    return Shard(**told)


def queued_tokens(ledger: Ledger, provider: str, model: str, account: str) -> int:
    """Return the tokens that all shards of a model hold in the queue of an account, or are about to."""
    row = ledger.connection.execute(
        f"SELECT total(s.input_tokens) FROM shards s JOIN questions q ON q.id = s.question"
        f" WHERE q.provider = ? AND q.model = ? AND s.account = ? AND s.state IN ({','.join('?' * len(_QUEUED))})",
        (provider, model, account, *_QUEUED),
    ).fetchone()
    return int(row[0])


def intend(ledger: Ledger, held: Shard) -> Shard:
    """Commit that this shard is about to be uploaded and created."""
    return _move(ledger, held, ShardState.INTENDED, "intent of job")


def record_upload(ledger: Ledger, held: Shard, input_file: str) -> Shard:
    """Commit the uploaded file and, in the same breath, that a job may exist from now on."""
    return _move(
        ledger,
        held,
        ShardState.CREATING,
        "upload",
        input_file=input_file,
        uploads=handles.stored((*held.uploads, input_file)),
        uploaded_at=ledger.now(),
        refusal=str(Refusal.UNKNOWN if held.creates else Refusal.NONE),  # what was said of the file before is void
    )


def record_creating(ledger: Ledger, held: Shard) -> Shard:
    """Commit that a create is about to be sent."""
    return _move(
        ledger,
        held,
        ShardState.CREATING,
        "creation",
        created_at=ledger.now(),
        creates=held.creates + 1,
        refusal=str(held.refusal or Refusal.UNKNOWN),
    )


def record_refusal(ledger: Ledger, held: Shard, refusal: Refusal, error: str, not_before: float = 0.0) -> Shard:
    """Commit how a create was answered; a job may exist all the same, so the shard stays in `creating`."""
    return _move(
        ledger,
        held,
        ShardState.CREATING,
        "refused job",
        created_at=ledger.now(),
        refusal=str(refusal),
        error=error,
        not_before=not_before,
    )


def end_waits(ledger: Ledger) -> None:
    """Commit that the queue may have room again: shards that wait for it need not wait any longer."""
    waiting = "not_before > 0 AND state IN ('intended', 'creating')"
    if ledger.connection.execute(f"SELECT 1 FROM shards WHERE {waiting}").fetchone():
        with ledger.transaction("end of waiting") as transaction:
            transaction.execute(f"UPDATE shards SET not_before = 0 WHERE {waiting}")


def record_job(ledger: Ledger, held: Shard, job: Job, *, sure: bool) -> Shard:
    """Commit the id of the created or adopted job; `sure` when no other create of this shard was ever sent."""
    refusal = {"refusal": str(Refusal.NONE)} if sure else {}
    return _move(
        ledger,
        held,
        ShardState.SUBMITTED,
        "job",
        job=job.name,
        job_state=str(job.state),
        submitted_at=job.created_at or ledger.now(),
        not_before=0.0,
        error="",
        **refusal,
    )


def record_poll(ledger: Ledger, held: Shard, job: Job) -> Shard:
    """Commit what the service says of a job."""
    runs = ledger.now() if job.state is JobState.RUNNING else None
    return _move(
        ledger,
        held,
        ShardState.ENDED if job.state.ended else ShardState.SUBMITTED,
        "job state",
        job_state=str(job.state),
        output_file=handles.stored(job.results),
        running_at=held.running_at or runs,
        ended_at=(job.ended_at or ledger.now()) if job.state.ended else None,
        lost_at=None,
        error=job.error,
    )


def record_queue_full(ledger: Ledger, held: Shard, error: str, not_before: float) -> Shard:
    """Commit that a created job failed only because the queue was full: it is made again, under a name of its own."""
    return _move(
        ledger,
        held,
        ShardState.CREATING,
        "full queue",
        attempt=held.attempt + 1,
        job="",
        job_state=str(JobState.INTENDED),
        submitted_at=None,
        running_at=None,
        lost_at=None,
        cancelled_at=None,
        refusal=str(Refusal.QUEUE),
        error=error,
        not_before=not_before,
    )


def record_lost(ledger: Ledger, held: Shard) -> Shard:
    """Commit that the service does not know the job, or its results; it may be a lag."""
    return _move(ledger, held, held.state, "lost job", lost_at=ledger.now())


def record_cancelled(ledger: Ledger, held: Shard) -> Shard:
    """Commit that the service was asked to stop the job."""
    return _move(ledger, held, held.state, "cancelled job", cancelled_at=ledger.now())


def record_fetched(ledger: Ledger, held: Shard) -> Shard:
    """Commit that the result lines are whole on disk."""
    return _move(ledger, held, ShardState.FETCHED, "results on disk")


def record_collected(transaction: Transaction, held: Shard) -> Shard:
    """Mark a shard collected, inside the transaction that keeps its answers."""
    return _set(transaction, held, {"state": ShardState.COLLECTED})


def close(ledger: Ledger, held: Shard) -> Shard:
    """Commit that nothing of this shard is left to do, here or at the service."""
    return _move(ledger, held, ShardState.CLOSED, "closed shard")


def _move(ledger: Ledger, held: Shard, state: ShardState, name: str, **columns: object) -> Shard:
    with ledger.transaction(name) as transaction:
        return _set(transaction, held, {"state": state, **columns})


def _set(transaction: Transaction, held: Shard, columns: dict[str, object]) -> Shard:
    names = ", ".join(f"{column} = ?" for column in columns)
    row = transaction.execute(
        f"UPDATE shards SET {names} WHERE id = ? RETURNING {_COLUMNS}", (*columns.values(), held.id)
    ).fetchone()
    return _shard(row)


def is_job_of_another(ledger: Ledger, number: str, job: str) -> bool:
    """Say whether a shard other than `number` has the job of that name."""
    found = ledger.connection.execute("SELECT 1 FROM shards WHERE job = ? AND id <> ?", (job, number)).fetchone()
    return found is not None


def has_line(ledger: Ledger, number: str, key: str) -> bool:
    """Say whether a shard has the line of that key."""
    found = ledger.connection.execute("SELECT 1 FROM attempts WHERE key = ? AND shard = ?", (key, number)).fetchone()
    return found is not None


def out_attempts(ledger: Ledger, number: str) -> dict[str, Booking]:
    """Return the requests of a shard that have no outcome yet, by their key, each booked at its high price."""
    rows = ledger.connection.execute(
        "SELECT key, work, high_usd FROM attempts WHERE shard = ? AND state = 'out'", (number,)
    )
    return {row[0]: Booking(row[0], row[1], row[2], None) for row in rows}


def outcomes(ledger: Ledger, number: str) -> dict[str, int]:
    """Count the requests of a shard that were served or failed, by reason; "" stands for answered."""
    rows = ledger.connection.execute(
        "SELECT coalesce(reason, ''), count(*) FROM attempts WHERE shard = ? AND state IN ('answered', 'failed')"
        " GROUP BY 1",
        (number,),
    )
    return dict(rows.fetchall())
