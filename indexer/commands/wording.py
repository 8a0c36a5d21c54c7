"""What commands say about a run: plans, reports, counts and times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from indexer.console.words import REMEDIES, count_photos, job_words, size, span
from indexer.domain.money import dollar_range, dollars

if TYPE_CHECKING:
    from indexer.domain.plan import Plan
    from indexer.domain.progress import Progress
    from indexer.library.api import FailedPhoto, Report
    from indexer.library.tag_rules import Retagged

_STAGES = {
    "reading": "reading photos",
    "asking": "describing",
    "pilot": "describing the first photos",
    "sending": "sending",
    "waiting": "waiting",
    "writing": "making them searchable",
    "exporting": "exporting",
    "backing up": "backing up",
}
SAFE_TO_LEAVE = "Ctrl-C is safe; index collect goes on"
_SHOWN = 25
_WORDS = 100


def plan_lines(plan: Plan) -> Iterator[str]:
    """Say what a plan would do and cost."""
    yield from _pilot_lines(plan)
    yield f"{count_photos(plan.files)}: {', '.join(_shares(plan))}"
    if plan.otherwise:
        yield f"{count_photos(plan.otherwise)} keep their answer to another prompt or model"
    if plan.inherited:
        saved = dollar_range(plan.saves.low, plan.saves.high)
        yield f"{count_photos(plan.inherited)} share the description of their burst; this saves {saved}"
    if plan.cost.high and plan.new:
        yield from _price_lines(plan)
    yield from _wait_lines(plan)
    if plan.cost.high and plan.new:
        yield from _upload_lines(plan)
    yield from plan.warnings


def _shares(plan: Plan) -> Iterator[str]:
    """The parts that add up to the number of photos."""
    yield f"{plan.new:,} to describe"
    yield f"{plan.reused:,} already described"
    if plan.duplicate:
        yield "1 copy" if plan.duplicate == 1 else f"{plan.duplicate:,} copies"
    if plan.inherited:
        yield f"{plan.inherited:,} in bursts"
    under_way = 0 if plan.sample else max(0, plan.planned - plan.reused - plan.new)
    if under_way:
        yield f"{under_way:,} under way or failed before"
    unreadable = plan.files - plan.new - plan.reused - plan.duplicate - plan.inherited - under_way
    if unreadable > 0 and not plan.sample:
        yield f"{unreadable:,} cannot be read"


def _price_lines(plan: Plan) -> Iterator[str]:
    price = dollar_range(plan.cost.low, plan.cost.high)
    calls = dollar_range(plan.interactive_cost.low, plan.interactive_cost.high)
    other = f" (interactive: {calls})" if plan.mode == "batch" else ""
    yield f"{plan.provider} {plan.model}".rstrip() + f", {plan.mode}: {price}{other}"
    most = dollars(plan.most_usd)
    if plan.budget is None:
        yield f"hard cap for this run: {most} (change with --budget)"
    elif plan.budget >= plan.most_usd:
        yield f"budget for this run: {dollars(plan.budget)}, enough for all (at most {most})"
    else:
        yield f"budget for this run: {dollars(plan.budget)}; all could cost {most}, so it may stop before the end"


def _wait_lines(plan: Plan) -> Iterator[str]:
    if plan.wait:
        waves = f", in {plan.shards} batches one after the other" if plan.shards > 1 else ""
        yield f"ready in {span(plan.wait.low_s)} to {span(plan.wait.high_s)} ({plan.wait.source}){waves}"
    if plan.pilot:
        yield f"{count_photos(plan.pilot)} go first, one by one, so that you see answers before you decide on the rest"


def _upload_lines(plan: Plan) -> Iterator[str]:
    resized = f"{plan.new:,} resized {'photo' if plan.new == 1 else 'photos'}"
    facts = f" with these facts of each photo: {', '.join(plan.given)}" if plan.given else ""
    yield f"uploads: {resized} without metadata ({size(plan.upload_bytes)}) and the prompt{facts}"
    yield f"disk space needed here: {size(plan.disk_bytes)}"


def _pilot_lines(plan: Plan) -> Iterator[str]:
    """Show what a pilot brought, a photo a line."""
    for one in plan.sample[:_SHOWN]:
        words = one.failure or f"{one.description} [{', '.join(one.tags)}]"
        name = one.path.rpartition("/")[2]
        yield f"{name[:24]:24} {one.input_tokens:5} in {one.output_tokens:4} out ${one.usd:.5f}  {words[:_WORDS]}"
    if len(plan.sample) > _SHOWN:
        yield f"and {len(plan.sample) - _SHOWN} more on the contact sheet"
    if plan.measured is not None:
        yield (
            f"measured on {count_photos(plan.measured.requests)}: {plan.measured.valid:.0%} answered, "
            f"{plan.measured.input_tokens:.0f} tokens in and {plan.measured.output_tokens:.0f} out, "
            f"${plan.measured.usd:.5f} each (interactive)"
        )


def run_lines(report: Report, seconds: float) -> Iterator[str]:
    """Say what a run did: what changed, how everything stands, what it cost and how long it took."""
    files = report.files
    changes = [("new", files.new), ("changed", files.changed), ("moved", files.moved), ("gone", files.deleted)]
    parts = [f"{count:,} {word}" for word, count in changes if count]
    parts = parts or [f"nothing changed in {count_photos(files.seen)}"]
    parts += _standing(report)
    yield ", ".join([*parts, dollars(report.cost.spent_usd), f"{seconds:.1f} s" if seconds < 60 else span(seconds)])
    yield from _open_lines(report)


def report_lines(report: Report) -> Iterator[str]:
    """Say how the library stands."""
    yield ", ".join([count_photos(report.files.seen), *_standing(report)]) + f"; {report.rows:,} can be searched"
    if report.cost.spent_usd:
        yield f"spent so far: {dollars(report.cost.spent_usd)} ({report.provider} {report.model})"
    yield from _open_lines(report)


def _standing(report: Report) -> Iterator[str]:
    files = report.files
    # Who reads "described" expects sentences; without a model there are colours only.
    yield f"{files.described:,} {'described' if report.describes else 'indexed'}"
    if files.pending:
        yield f"{files.pending:,} pending"
    if files.failed:
        yield f"{files.failed:,} failed (index failures)"
    if files.offline:
        yield f"{files.offline:,} offline"


def _open_lines(report: Report) -> Iterator[str]:
    if not report.files.seen:
        yield "there are no pictures here"
    if report.requests.in_doubt:
        yield f"requests without a known outcome, booked at their highest price: {report.requests.in_doubt:,}"
    for job in report.jobs:
        yield f"job {job.name or '(not yet created)'}: {count_photos(job.requests)}, {job_words(job)}"
    if report.jobs:
        yield f"work is unfinished; next: index collect --wait{_latest(report.collect_before)}"


def _latest(moment: float | None) -> str:
    return f", before {datetime.fromtimestamp(moment):%A %d %B, %H:%M}" if moment else ""


def failure_lines(failures: Sequence[FailedPhoto]) -> Iterator[str]:
    """Say how many photos failed for which reason and what to do, then list them."""
    if not failures:
        yield "no photo failed"
        return
    for reason, count in Counter(one.reason for one in failures).most_common():
        yield f"{count:,} {reason}: {REMEDIES.get(reason, 'index retry asks again')}"
    yield ""
    for one in failures:
        yield f"{one.path}: {one.reason}: {one.detail}"


def left_lines(failures: Sequence[FailedPhoto], attempts: int) -> Iterator[str]:
    """Say what a retry left alone, and why; after so many `attempts` a photo is not asked again."""
    spent = sum(one.attempts >= attempts for one in failures)
    if spent:
        yield f"left: {count_photos(spent)} asked {attempts} times already"
    for reason, count in Counter(one.reason for one in failures if one.attempts < attempts).most_common():
        yield f"left: {count:,} {reason}: {REMEDIES.get(reason, 'index retry asks again')}"


def tag_lines(done: Retagged) -> Iterator[str]:
    """Say what a rule about tags changed."""
    words = f"{'took back: ' if done.undone else ''}{done.act} {', '.join(done.tags)}"
    words += f" -> {done.target}" if done.target else ""
    yield f"{words}; {count_photos(done.photos)} changed"


def progress_words(progress: Progress) -> tuple[str, str]:
    """Return the name of the stage, and a few words about where it is."""
    name = _STAGES.get(progress.stage, progress.stage)
    if progress.job is None:
        return name, count_photos(progress.files) if progress.files is not None else ""
    out = f"{count_photos(progress.total or 0)} at {progress.provider or 'the provider'}"
    first = "; a small first batch, the rest follows when its answers are usable" if progress.canary else ""
    return name, f"{out}, {job_words(progress.job)}{first}. {SAFE_TO_LEAVE}"
