"""Every sentence that commands say to a person: plans, reports, counts and times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.domain.job import JobLine
    from indexer.domain.plan import Plan
    from indexer.domain.progress import Progress
    from indexer.library.api import Report

_STAGES = {
    "reading": "reading photos",
    "asking": "describing",
    "sending": "sending",
    "waiting": "waiting for the batch",
    "writing": "making them searchable",
}

_SHOWN = 25
_WORDS = 100


def plan_lines(plan: Plan) -> Iterator[str]:
    """Say what a plan would do and cost."""
    yield from _pilot_lines(plan)
    yield (
        f"{count_photos(plan.files)}: {plan.new:,} to describe, {plan.reused:,} described already"
        + (f", {plan.duplicate:,} copies" if plan.duplicate else "")
    )
    out = plan.planned - plan.reused - plan.new
    if out > 0 and not plan.sample:
        yield f"{count_photos(out)} of them failed before, or are on their way"
    if plan.otherwise:
        yield f"{count_photos(plan.otherwise)} of them have an answer to another prompt or model, which is kept"
    if plan.inherited:
        yield (
            f"{count_photos(plan.inherited)} not to describe, because another one of the burst is; this saves "
            f"${plan.saves.low:.4f} to ${plan.saves.high:.4f}"
        )
    if plan.cost.high and plan.new:
        lane = "the batch API" if plan.mode == "batch" else "ordinary calls"
        yield (
            f"{plan.provider} {plan.model} by {lane}: ${plan.cost.low:.4f} to ${plan.cost.high:.4f}"
            + (
                f" (ordinary calls: ${plan.interactive_cost.low:.4f} to ${plan.interactive_cost.high:.4f})"
                if plan.mode == "batch"
                else ""
            )
        )
        yield f"at the very most ${plan.most_usd:.4f}: the cap of this run, unless a --budget sets another"
        if plan.wait and plan.new:
            yield (
                f"ready in {span(plan.wait.low_s)} to {span(plan.wait.high_s)}, by {plan.wait.source}"
                + (f"; {plan.shards} waves, as many as fit into the queue" if plan.shards > 1 else "")
            )
        if plan.pilot:
            yield f"of these {plan.pilot} go first, by ordinary calls, so that you see answers at once"
        yield (
            f"what leaves this machine: {count_photos(plan.new)}, made small (about {plan.upload_bytes / 1e6:,.1f} MB) "
            "and without metadata, and the prompt"
            + (f" with these facts of each photo: {', '.join(plan.given)}" if plan.given else "")
            + f"; it needs about {plan.disk_bytes / 1e6:,.1f} MB of disk here"
        )
    yield from plan.warnings


def _pilot_lines(plan: Plan) -> Iterator[str]:
    """Show what a pilot brought, a photo a line."""
    for one in plan.sample[:_SHOWN]:
        words = one.failure or f"{one.description} [{', '.join(one.tags)}]"
        name = one.path.rpartition("/")[2]
        yield f"{name[:24]:24} {one.input_tokens:5} in {one.output_tokens:4} out ${one.usd:.5f}  {words[:_WORDS]}"
    if len(plan.sample) > _SHOWN:
        yield f"and {len(plan.sample) - _SHOWN} more, on the sheet"
    if plan.measured is not None:
        yield (
            f"measured on {count_photos(plan.measured.requests)}: {plan.measured.valid:.0%} answered, "
            f"{plan.measured.input_tokens:.0f} tokens in and {plan.measured.output_tokens:.0f} out, "
            f"${plan.measured.usd:.5f} each by ordinary calls"
        )


def report_lines(report: Report) -> Iterator[str]:
    """Say how the library stands."""
    files, requests = report.files, report.requests
    # Who reads "described" expects sentences; without a model there are colours only.
    done = "described" if report.describes else "indexed"
    parts = [f"{files.described:,} of {count_photos(files.seen)} {done}"]
    parts += [f"{files.pending:,} pending"] if files.pending else []
    parts += [f"{files.failed:,} failed (index failures)"] if files.failed else []
    parts += [f"{files.offline:,} offline"] if files.offline else []
    yield ", ".join(parts) + f"; {report.rows:,} can be searched"
    if not files.seen:
        yield "there are no pictures here"
    if report.cost.spent_usd or requests.in_doubt:
        doubt = f", {requests.in_doubt} calls in doubt booked in full" if requests.in_doubt else ""
        yield f"spent ${report.cost.spent_usd:.4f} with {report.provider} {report.model}{doubt}"
    for job in report.jobs:
        name = job.name or "(not yet created)"
        yield f"job {name}: {count_photos(job.requests)}, {job_words(job)}"
    if report.jobs:
        yield f"work is unfinished: go on with index collect --wait{_latest(report.collect_before)}"


def _latest(moment: float | None) -> str:
    return f", before {datetime.fromtimestamp(moment):%A %d %B, %H:%M}" if moment else ""


def count_photos(count: int) -> str:
    """Say how many photos, in words."""
    return "1 photo" if count == 1 else f"{count:,} photos"


def progress_words(progress: Progress) -> tuple[str, str]:
    """Return the name of the stage, and a few words about where it is."""
    detail = f"{count_photos(progress.files)}" if progress.files is not None else ""
    return _STAGES.get(progress.stage, progress.stage), job_words(progress.job) if progress.job else detail


def job_words(job: JobLine) -> str:
    """Say in a line what a job does, how old it is and when it will be ready."""
    return f"{job.state}, {span(job.age_s)} old{_eta(job)}"


def _eta(job: JobLine) -> str:
    if job.stuck:
        return "; STUCK, it takes far longer than others did (--deadline ends the wait)"
    if job.eta_s is None:
        return ""
    basis = "by earlier jobs here" if job.eta_s["source"] == "history" else "by what the service promises"
    return f", ready in {span(job.eta_s['low'])} to {span(job.eta_s['high'])} {basis}"


def span(seconds: float) -> str:
    """Return a length of time as people say it."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
