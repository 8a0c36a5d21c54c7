"""The report of a run, in the shape that programs are promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from indexer.domain.job import JobLine
from indexer.domain.mode import Mode
from indexer.domain.plan import Cost
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, durations
from indexer.ledger.work import questions, shards
from indexer.ledger.work.shards import Shard, ShardState
from indexer.pipeline.turnaround import Next, expect
from indexer.providers.spec import Rank, Spec


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Paths, each counted once: `seen = described + pending + failed`; the rest says how they changed."""

    seen: int = 0
    described: int = 0
    pending: int = 0
    failed: int = 0
    ignored: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    deleted: int = 0
    duplicate: int = 0
    offline: int = 0


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Distinct works: `planned = reused + described + failed + pending`."""

    planned: int = 0
    reused: int = 0
    submitted: int = 0
    described: int = 0
    failed: int = 0
    pending: int = 0
    in_doubt: int = 0


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars and tokens: the estimate of this run, and what was booked."""

    estimate_usd: Cost = Cost()
    spent_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """What a command did and how the library stands.

    `stopped` says why it stopped early, "" when it did not. `collect_before` is when the service begins to forget what
    is out, in seconds since the epoch. `describes` says whether the provider answers in sentences.
    """

    library: str
    provider: str
    model: str
    files: FileCounts
    requests: RequestCounts
    cost: Spend
    jobs: Sequence[JobLine]
    rows: int
    collect_before: float | None = None
    stopped: str = ""
    notes: tuple[str, ...] = field(default=())
    describes: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints."""
        whole = asdict(self)
        for name in ("stopped", "notes", "collect_before", "describes"):
            del whole[name]
        return whole

    @property
    def exit_code(self) -> int:
        """5 stopped, 3 work still out, 4 some photos failed, 0 done."""
        if self.stopped:
            return 5
        if self.requests.pending or self.jobs:
            return 3
        return 4 if self.files.failed else 0


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What only the run itself knows: its number, how many work items were answered before it, its estimate."""

    run: int | None = None
    reused: int = 0
    estimate: Cost = Cost()
    now: float = 0.0
    stopped: str = ""
    notes: tuple[str, ...] = ()


def make_report(
    ledger: Ledger, library: str, asked: tuple[Question, Mode], scope: Scope, facts: RunFacts, spec: Spec
) -> Report:
    """Read the books into a report; `spec` is that of the asked provider."""
    question, _ = asked
    number = questions.known_question(ledger, question)
    requests = counts.count_works(ledger, scope, number)
    spent = counts.spent(ledger, facts.run)
    out = shards.open_shards(ledger)
    reused = min(facts.reused, requests.described)
    return Report(
        library=library,
        provider=question.provider,
        model=question.model,
        files=_file_counts(ledger, scope, question.provider, number, facts),
        requests=RequestCounts(
            planned=requests.planned,
            reused=reused,
            submitted=spent.requests,
            described=requests.described - reused,
            failed=requests.failed,
            pending=requests.pending,
            in_doubt=counts.count_in_doubt(ledger),
        ),
        cost=Spend(facts.estimate, spent.usd, spent.input_tokens, spent.output_tokens),
        jobs=[job_line(ledger, shard, facts.now) for shard in out],
        rows=counts.count_rows(ledger),
        collect_before=_collect_before(out, spec),
        stopped=facts.stopped,
        notes=facts.notes,
        describes=spec.rank > Rank.PIXELS,
    )


def _collect_before(out: Sequence[Shard], spec: Spec) -> float | None:
    if math.isinf(spec.result_seconds):
        return None
    return min((shard.submitted_at + spec.result_seconds for shard in out if shard.submitted_at), default=None)


def _file_counts(ledger: Ledger, scope: Scope, provider: str, question: int | None, facts: RunFacts) -> FileCounts:
    files = counts.standing_of_files(ledger, scope, provider, question)
    changes = counts.changes_of_run(ledger, facts.run) if facts.run is not None else {}
    moved = changes.get("moved", 0)
    return FileCounts(
        seen=files.seen,
        described=files.described,
        pending=files.pending,
        failed=files.failed,
        ignored=files.ignored,
        new=changes.get("new", 0) + changes.get("back", 0),
        changed=changes.get("changed", 0),
        unchanged=files.seen - sum(changes.get(kind, 0) for kind in ("new", "back", "changed", "moved", "offline")),
        moved=moved,
        deleted=max(0, changes.get("gone", 0) - moved),
        duplicate=files.duplicate,
        offline=files.offline,
    )


def job_line(ledger: Ledger, shard: Shard, now: float) -> JobLine:
    """Say how a shard's job stands, and when it will be ready."""
    age = max(0.0, now - (shard.submitted_at or shard.packed_at))
    asked = questions.question_of(ledger, shard.question)
    others = [one for one in durations.jobs(ledger, asked.provider, now) if one.submitted_at != shard.submitted_at]
    next_job = Next(asked.model, shard.requests, shard.submitted_at)
    expected = expect(others, next_job) if shard.state is ShardState.SUBMITTED else None
    return JobLine(
        name=shard.job,
        shard=shard.id,
        state=str(shard.job_state),
        requests=shard.requests,
        age_s=int(age),
        eta_s=None if expected is None else expected.eta(age),
        stuck=expected is not None and expected.is_stuck(age),
    )
