"""Shards and their jobs: from a packed file to collected answers, one committed step at a time.

    packed -> intended -> creating -> submitted -> ended -> fetched -> collected -> closed

`creating` is the one state in which a job may exist that the ledger does not know of: whoever finds a shard there
looks for the job before creating again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.ledger.store import Ledger
from indexer.ledger.works import Booking, Work
from indexer.records import Job, JobState

_COLUMNS = (
    "id, question, campaign, state, attempt, requests, bytes, input_tokens, high_usd, packed_at, input_file,"
    " created_at, not_before, job, job_state, output_file, submitted_at, ended_at, error"
)


@dataclass(frozen=True, slots=True)
class Shard:
    """A batch file on its way; see the module's states. Times are seconds since the epoch."""

    id: str
    question: int
    campaign: int
    state: str
    attempt: int
    requests: int
    bytes: int
    input_tokens: int
    high_usd: float
    packed_at: float
    input_file: str
    created_at: float | None
    not_before: float
    job: str
    job_state: JobState
    output_file: str
    submitted_at: float | None
    ended_at: float | None
    error: str


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


def record_packed(ledger: Ledger, packed: Packed, lines: Sequence[Line]) -> None:
    """Commit a shard whose file is whole on disk; its works are out from now on."""
    now = time.time()
    with ledger.transaction("packed shard") as connection:
        connection.execute(
            "INSERT INTO shards (id, question, campaign, state, requests, bytes, input_tokens, high_usd, packed_at)"
            " VALUES (?, ?, ?, 'packed', ?, ?, ?, ?, ?)",
            (
                packed.id,
                packed.question,
                packed.campaign,
                len(lines),
                packed.bytes,
                packed.input_tokens,
                sum(line.high_usd for line in lines),
                now,
            ),
        )
        connection.executemany(
            "INSERT INTO attempts (key, work, number, campaign, shard, state, high_usd, started_at)"
            " VALUES (?, ?, ?, ?, ?, 'out', ?, ?)",
            (
                (line.key, line.work.key, line.work.attempts + 1, packed.campaign, packed.id, line.high_usd, now)
                for line in lines
            ),
        )
        connection.executemany(
            "UPDATE works SET state = 'out', attempts = attempts + 1 WHERE key = ?",
            ((line.work.key,) for line in lines),
        )


def open_shards(ledger: Ledger) -> list[Shard]:
    """Return the shards that are not closed, oldest first."""
    return _select(ledger, "state <> 'closed' ORDER BY packed_at, id")


def shard(ledger: Ledger, number: str) -> Shard:
    """Return one shard."""
    return _select(ledger, "id = ?", number)[0]


def _select(ledger: Ledger, condition: str, *values: object) -> list[Shard]:
    rows = ledger.connection.execute(f"SELECT {_COLUMNS} FROM shards WHERE {condition}", values)
    return [replace(Shard(*row), job_state=JobState(row[14])) for row in rows]


def intend(ledger: Ledger, number: str) -> None:
    """Commit that this shard is about to be uploaded and created."""
    _move(ledger, number, "intended", "intent of job")


def record_upload(ledger: Ledger, number: str, input_file: str) -> None:
    """Commit the uploaded file and, in the same breath, that a job may exist from now on."""
    _move(ledger, number, "creating", "upload", input_file=input_file, created_at=time.time())


def record_creating(ledger: Ledger, number: str) -> None:
    """Commit that the create is about to be sent once more."""
    _move(ledger, number, "creating", "creation again", created_at=time.time())


def record_refusal(ledger: Ledger, number: str, error: str, not_before: float) -> None:
    """Commit that the service surely has no job for this shard, and when to try again."""
    _move(ledger, number, "intended", "refused job", error=error, not_before=not_before, input_file="")


def record_job(ledger: Ledger, number: str, job: Job) -> None:
    """Commit the id of the created or adopted job."""
    _move(
        ledger,
        number,
        "submitted",
        "job",
        job=job.name,
        job_state=str(job.state),
        submitted_at=job.created_at or time.time(),
        error="",
    )


def record_poll(ledger: Ledger, number: str, job: Job) -> None:
    """Commit what the service says of a job."""
    state = "ended" if job.state.ended else "submitted"
    ended = (job.ended_at or time.time()) if job.state.ended else None
    _move(
        ledger,
        number,
        state,
        "job state",
        job_state=str(job.state),
        output_file=job.output_file,
        ended_at=ended,
        error=job.error,
    )


def record_fetched(ledger: Ledger, number: str) -> None:
    """Commit that the result lines are whole on disk."""
    _move(ledger, number, "fetched", "results on disk")


def close(ledger: Ledger, number: str) -> None:
    """Commit that nothing of this shard is left to do, here or at the service."""
    _move(ledger, number, "closed", "closed shard")


def _move(ledger: Ledger, number: str, state: str, name: str, **columns: object) -> None:
    names = "".join(f", {column} = ?" for column in columns)
    with ledger.transaction(name) as connection:
        connection.execute(f"UPDATE shards SET state = ?{names} WHERE id = ?", (state, *columns.values(), number))


def out_attempts(ledger: Ledger, number: str) -> dict[str, Booking]:
    """Return the requests of a shard that have no outcome yet, by their key, each booked at its high price."""
    rows = ledger.connection.execute(
        "SELECT key, work, high_usd FROM attempts WHERE shard = ? AND state = 'out'", (number,)
    )
    return {row[0]: Booking(row[0], row[1], row[2], None) for row in rows}


def record_collected(ledger: Ledger, number: str) -> None:
    """Mark a shard collected, inside the transaction that keeps its answers."""
    ledger.connection.execute("UPDATE shards SET state = 'collected' WHERE id = ?", (number,))
