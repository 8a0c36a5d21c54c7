"""What `index` writes on a terminal: progress, notes, a plan, a report. Data goes to stdout, all else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from indexer.paths import for_terminal

if TYPE_CHECKING:
    from indexer.pipeline.report import Report
    from indexer.pipeline.session import Progress
    from indexer.records import Plan

_SHOWN = 25
_WORDS = 100
_STAGES = {
    "reading": "reading photos",
    "asking": "describing",
    "sending": "sending",
    "waiting": "waiting for the batch",
    "writing": "making them searchable",
}


class Screen:
    """Writes to stderr: bars only on a terminal, nothing but errors when quiet."""

    def __init__(self, *, quiet: bool, bars: bool) -> None:
        self.quiet = quiet
        self._bars = bars and not quiet and sys.stderr.isatty()
        self._stage = ""
        self._bar: Any = None

    def progress(self, progress: Progress) -> None:
        """Move the bar of a stage."""
        if not self._bars:
            return
        if progress.stage != self._stage:
            self.close()
            from tqdm import tqdm

            self._stage = progress.stage
            name = _STAGES.get(progress.stage, progress.stage)
            scaled = progress.unit == "B"
            self._bar = tqdm(
                desc=name, total=progress.total, unit=progress.unit, unit_scale=scaled, file=sys.stderr, leave=False
            )
        if progress.total is not None:
            self._bar.total = progress.total
        still = progress.done == self._bar.n  # then nothing else would show the detail
        self._bar.set_postfix_str(progress.detail, refresh=still and bool(progress.detail))
        self._bar.update(progress.done - self._bar.n)

    def note(self, text: str) -> None:
        """Write one line for a person."""
        self.lines([text])

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines for a person."""
        if self.quiet:
            return
        self.close()
        for line in lines:
            sys.stderr.write(for_terminal(line) + "\n")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, ""


def plan_lines(plan: Plan) -> Iterator[str]:
    """Say what a plan would do and cost."""
    from indexer.pipeline.report import span

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
    from indexer.pipeline.report import job_words
    from indexer.providers import standing

    files, requests = report.files, report.requests
    # Who reads "described" expects sentences; without a model there are colours only.
    done = "described" if standing(report.provider) > standing("local") else "indexed"
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
