"""The face for programs: open a library, plan, index, collect, look at it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from indexer import providers
from indexer.domain.answer import Reason
from indexer.domain.checks import read_duration
from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.domain.plan import Plan
from indexer.domain.progress import Progress
from indexer.domain.question import Question
from indexer.ledger.photos import forget
from indexer.ledger.photos.forget import Forgotten
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.library.compare import chosen_routes
from indexer.library.curation import Curation
from indexer.library.folder import REFILL, Access, Seams, refuse_roots
from indexer.library.opened import scope_of
from indexer.library.reading import FailedPhoto, Reading
from indexer.library.routes import BEST, Best, Offer, bounded, bounds_of, offer, offer_for
from indexer.pipeline.compare import Comparison, calls_only
from indexer.pipeline.index_options import IndexOptions, checked, checked_amount, checked_paths
from indexer.pipeline.report import Report, RunFacts
from indexer.pipeline.request import Ask
from indexer.pipeline.resolve import Surroundings, crawl_options, in_force, make_ask, with_settings
from indexer.pipeline.run import Run
from indexer.pipeline.send.offline import PROVIDER as OFFLINE
from indexer.pipeline.session import Watcher
from indexer.storage.paths import AnyPath, resolve_new, resolve_root
from indexer.storage.settings import Config

if TYPE_CHECKING:
    from indexer.library.inbox import Inbox
    from indexer.providers.seam import LineFault

__all__ = ["Approve", "Comparison", "FailedPhoto", "Library", "Report", "Seams", "check_batch_file", "refuse_roots"]

_LOG = logging.getLogger("captionary")
_LOG.addHandler(logging.NullHandler())
MOST_ATTEMPTS = 3
"""A photo is asked so often at most, unless it is named again."""
_CRAWL = ("exclude", "follow", "hidden", "max_pixels", "min_side", "workers", "confirm_deleted", "reread")
_RETRIED = ("truncated", "malformed", "missing", "expired", "server_error", "rejected")

Approve = bool | Callable[[Plan], bool]


class Library(Reading, Curation):
    """A library directory. It holds no lock and no file open between calls; `close` is there for `with`."""

    @classmethod
    def open(
        cls,
        folder: AnyPath | None = None,
        *,
        create: bool = True,
        progress: Callable[[Progress], None] | None = None,
        note: Callable[[str], None] | None = None,
        seams: Seams | None = None,
    ) -> Library:
        """Open the library in `folder` (else CAPTIONARY_LIBRARY, else the user's), made where there is none.

        `progress` is called often, with numbers, `note` with a line for a person: what a terminal would show. Raises
        `LibraryMissing` without `create`, `LibraryUnwritable` where it cannot be made.
        """
        watcher = Watcher(progress or (lambda _: None), _logged(note))
        return cls(Access.to(folder, create=create, seams=seams or Seams(), watcher=watcher))

    def plan(self, paths: Sequence[AnyPath], **options: Unpack[IndexOptions]) -> Plan:
        """Crawl `paths` and say what indexing them would do and cost; nothing is sent, and nothing anybody can see."""
        return self.preview(paths, **options)[1]

    def preview(self, paths: Sequence[AnyPath], **options: Unpack[IndexOptions]) -> tuple[Report, Plan]:
        """As `plan`, and how `paths` stand."""
        options, paths = bounded(checked(options)), checked_paths(paths)
        best = Best(self._access, options) if options.get("provider") == BEST else None
        if best is not None:
            with self._rehearsed(paths, options) as (ledger, scope):
                options = best.choose(ledger, scope)
        with self._access.writing("plan", options, rehearse=True) as (run, config):
            ask = self._hedged(best, run, paths, options, config)
            run.share(ask, best.providers if best else ())
            seen = run.crawl(ask)
            plan = best.named(run.plan(ask)) if best else run.plan(ask)
            facts = RunFacts(run.number, plan.reused, plan.cost, notes=tuple(seen.notes))
            return self._report(run.ledger, (ask.question, ask.mode), ask.scope, facts), plan

    def index(self, paths: Sequence[AnyPath], *, approve: Approve = False, **options: Unpack[IndexOptions]) -> Report:
        """Crawl, plan, have the plan approved, ask, collect; running it again resumes what is unfinished.

        `approve` is a yes, or is called with the plan (and again with a measured one after a pilot). Raises
        `ApprovalRequired` when it says no; then nothing was paid.
        """
        options, paths = bounded(checked(options)), checked_paths(paths)
        if options.get("provider") == BEST:
            return self._index_best(paths, options, _callable(approve))
        with self._access.writing("run", options) as (run, config):
            ask = self._ask(run, paths, options, config)
            run.share(ask)
            seen = run.crawl(ask)
            if not ask.openable:
                run.finish()
            if not ask.openable and (owned := run.owned(ask)) is not None:
                return self._report(run.ledger, (ask.question, ask.mode), ask.scope, RunFacts(run.number, owned))
            plan = run.plan(ask)
            run.ask(ask, plan, _callable(approve))
            run.finish()
            facts = RunFacts(run.number, plan.reused, plan.cost, stopped=run.stopped, notes=tuple(seen.notes))
            return self._report(run.ledger, (ask.question, ask.mode), ask.scope, facts)

    def inbox(
        self,
        checks: AnyPath,
        *,
        provider: str = "auto",
        within: str | float = "24h",
        budget_per_day: float | None = None,
    ) -> Inbox:
        """Return the inbox that looks at uploads for what the file `checks` says.

        `within` is how long a verdict may take, "30m", "6h" or seconds; `budget_per_day` is in US dollars, of a day in
        UTC. Raises `UsageError` for checks that cannot be meant.
        """
        from indexer.library.inbox import InboxOptions, open_inbox

        checked_amount("budget_per_day", budget_per_day)
        return open_inbox(self._access, checks, InboxOptions(provider, read_duration(within), budget_per_day))

    def quote(
        self,
        paths: Sequence[AnyPath] = (),
        *,
        deadline: float | None = None,
        budget: float | None = None,
        max_per_1000: float | None = None,
        all_routes: bool = False,
        photos: int | None = None,
    ) -> Offer:
        """Return what each provider, model and mode would cost for `paths`, and when it would be ready.

        `deadline` is in seconds, money in US dollars; `all_routes` shows those whose key is not set, too. With
        `photos` it is as if so many were new, and no path is looked at. No service is asked anything.
        """
        bounds = bounds_of(deadline, budget, max_per_1000)
        if photos is not None:
            with self._access.writing("quote", rehearse=True) as (run, _):
                return offer_for(run.ledger, self._access, photos, bounds, all_routes=all_routes)
        with self._rehearsed(checked_paths(paths), {}) as (ledger, scope):
            return offer(ledger, self._access, scope, bounds, all_routes=all_routes)

    def compare(
        self,
        paths: Sequence[AnyPath],
        *,
        routes: Sequence[str] = (),
        sample: int = 8,
        approve: Approve = False,
        **options: Unpack[IndexOptions],
    ) -> Comparison:
        """Ask about a few photos of several routes at once; the answers are kept as any other, and what they cost.

        A route is "PROVIDER", "PROVIDER:MODEL" or "PROVIDER:MODEL:MODE"; without any, the cheapest of three providers.
        Raises `ApprovalRequired` before anything is sent that `approve` did not agree to.
        """
        paths = checked_paths(paths)
        found = self.quote(paths, all_routes=False) if not any(routes) else Offer(0, 0, ())
        chosen = chosen_routes(routes, found)
        roots, _ = self._look(paths, options)
        with self._access.writing("compare", options) as (run, config):
            asks = []
            for route in chosen:
                told: Any = {**options, **route}
                ask = self._ask(run, roots, checked(told), config)
                asks.append(calls_only(ask, self._access.spec(ask.question.provider).modes))
            compared = run.compare(asks, sample, _callable(approve))
            run.finish()
            return compared

    def _look(self, paths: Sequence[AnyPath], options: IndexOptions) -> tuple[tuple[bytes, ...], int]:
        """Bring the files at `paths` up to date without asking anybody; returns the roots and the number of the run."""
        with self._access.writing("quote") as (run, config):
            ask = self._ask(run, paths, _quiet(options), config)
            run.crawl(ask)
            run.finish()
            return ask.roots, run.number

    @contextmanager
    def _rehearsed(self, paths: Sequence[AnyPath], options: IndexOptions) -> Iterator[tuple[Ledger, Scope]]:
        """The ledger as it would be after a look at the files at `paths`, and their scope."""
        with self._access.writing("quote", rehearse=True) as (run, config):
            ask = self._ask(run, paths, _quiet(options), config)
            run.crawl(ask)
            yield run.ledger, ask.scope

    def _best(self, best: Best, paths: Sequence[AnyPath], options: IndexOptions) -> IndexOptions:
        roots, number = self._look(paths, options)
        best.first_run = best.first_run or number
        with self._access.reading() as ledger:
            return best.choose(ledger, Scope(roots))

    def _index_best(self, paths: Sequence[AnyPath], options: IndexOptions, approve: Callable[[Plan], bool]) -> Report:
        best = Best(self._access, options)
        while True:
            chosen = self._best(best, paths, options)
            with self._access.writing("run", chosen) as (run, config), best.surviving(run):
                ask = self._hedged(best, run, paths, chosen, config)
                run.share(ask, best.providers)
                run.follow(best.gone, ask)
                seen = run.crawl(ask)
                plan = best.named(run.plan(ask))
                run.ask(ask, plan, best.approve(approve))
                run.finish()
                notes = tuple(seen.notes)
                facts = RunFacts(best.first_run, best.reused or 0, plan.cost, stopped=run.stopped, notes=notes)
                return self._report(run.ledger, (ask.question, ask.mode), ask.scope, facts)

    def export_requests(self, to: AnyPath, model: str, paths: Sequence[AnyPath] | None = None) -> int:
        """Write a request for each photo (at `paths`) that `model` has not described, for `vllm run-batch`.

        Returns how many there are; `collect(source=...)` takes in what the model answered.
        Raises `UsageError` where a file is in the way.
        """
        target = Path(os.fsdecode(resolve_new(to)))
        if target.exists():
            raise UsageError(f"{target} exists, and is not replaced", hint="name a new file after --to")
        with self._access.writing("export") as (run, _):
            asked = Question(OFFLINE, model, *in_force(run.ledger, self._access.spec))
            return run.write_requests(asked, scope_of(paths), target)

    def collect(
        self,
        *,
        wait: bool = False,
        budget: float | None = None,
        deadline: float | None = None,
        approve: bool = False,
        source: AnyPath | None = None,
    ) -> Report:
        """Advance what is unfinished: poll, download, submit what is approved; never asks, never exceeds the cap.

        `budget` (US dollars) and `deadline` (seconds from now) replace those of the run; raising the cap needs
        `approve`, else `BudgetReached` is raised. `source` is a file of answers to `export_requests`, taken in first.
        """
        checked_amount("budget", budget), checked_amount("deadline", deadline)
        results = None if source is None else Path(os.fsdecode(resolve_root(source)))
        if results is not None and not results.is_file():
            raise UsageError(f"{results} is not a file", hint="name the file that vllm run-batch wrote with -o")
        with self._access.writing("collect") as (run, _):
            before = self._described(run.ledger)
            if results is not None:
                run.take_in(OFFLINE, results)
            run.set_bounds(budget, deadline, approved=approve)
            run.advance(wait=wait)
            return self._after(run, before)

    def retry(
        self,
        *,
        only: str | None = None,
        approve: Approve = False,
        budget: float | None = None,
        deadline: float | None = None,
    ) -> Report:
        """Ask again for what failed (of the reason `only`); blocked photos only when they are named.

        Files that could not be read are opened again where the outcome may be another one today, or they are named.

        A tenth of what the last approved plan could cost covers it; more than that is asked for with `approve`.
        """
        if only is not None and only not in set(Reason):
            raise UsageError(
                f"there is no reason {only!r}", hint=did_you_mean(only, Reason) or f"one of: {', '.join(Reason)}"
            )
        checked_amount("budget", budget), checked_amount("deadline", deadline)
        with self._access.writing("retry") as (run, config):
            before = self._described(run.ledger)
            reasons = (only,) if only else tuple(Reason)
            fresh = run.look_again(reasons, crawl_options(run.ledger, {"reread": only is not None}, config))
            run.retry((only,) if only else _RETRIED, MOST_ATTEMPTS, _callable(approve), fresh)
            run.set_bounds(budget, deadline, approved=approve is True)
            run.advance(wait=True)
            return self._after(run, before)

    def rebuild(self, *, from_table: bool = False) -> int:
        """Make the table again from the ledger, without one request; returns its number of rows.

        `from_table` is for a ledger that was lost: it is filled again with the files and answers that the table holds.
        """
        if from_table:
            return self._refill()
        with self._access.writing("rebuild") as (run, _):
            run.rebuild()
            run.finish()
            return counts.count_rows(run.ledger)

    def _refill(self) -> int:
        with self._access.writing(REFILL) as (run, config):
            done = run.refill(lambda question: with_settings(question, {}, config))
            run.finish()
        words = f"put back: {done.paths:,} paths and {done.answers:,} answers; what they cost is not known"
        self._access.watcher.note(words)
        return done.paths

    def forget(self, paths: Sequence[AnyPath], *, confirm: bool = False) -> Forgotten:
        """Forget `paths`: their rows and facts, and the answers that no other path uses.

        Without `confirm` it only says what that would be. Raises `UsageError` while some of it is at the service.
        """
        scope = scope_of(paths)
        if not confirm:
            with self._access.reading() as ledger:
                return forget.foresee(ledger, scope)
        with self._access.writing("forget") as (run, _):
            busy = forget.out_at_service(run.ledger, scope)
            if busy:
                raise UsageError(f"{busy} of these photos are being described", hint="first: index collect --wait")
            foreseen = forget.foresee(run.ledger, scope)
            run.forget(scope)
            run.finish()
            return foreseen

    def close(self) -> None:
        """Nothing stays open between calls."""

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hedged(
        self, best: Best | None, run: Run, paths: Sequence[AnyPath], options: IndexOptions, config: Config
    ) -> Ask:
        """The ask; with `best` it escalates, and may say who is asked as well about what would miss the deadline."""
        ask = self._ask(run, paths, options, config)
        if best is None:
            return ask
        told = best.second(options)
        hedge = None if told is None else self._ask(run, paths, told, config)
        return replace(ask, hedge=hedge, escalates=True)

    def _ask(self, run: Run, paths: Sequence[AnyPath], options: IndexOptions, config: Config) -> Ask:
        access = self._access
        around = Surroundings(access.spec, access.provider, access.seams.environ, access.watcher.note)
        return make_ask(run.ledger, paths, options, config, around)

    def _after(self, run: Run, described_before: int) -> Report:
        run.finish()
        facts = RunFacts(run.number, described_before, stopped=run.stopped)
        return self._report(run.ledger, self._last_asked(run.ledger), Scope(), facts)


def _logged(note: Callable[[str], None] | None) -> Callable[[str], None]:
    """Notes go to the logger "captionary" as well."""

    def told(text: str) -> None:
        _LOG.info("%s", text)
        if note is not None:
            note(text)

    return told


def _callable(approve: Approve) -> Callable[[Plan], bool]:
    return approve if callable(approve) else lambda _: bool(approve)


def check_batch_file(path: Path, most: int = 1000, provider: str = "") -> list[LineFault]:
    """Return what a provider would refuse in the JSONL file at `path`, at most so many faults; sends nothing.

    Without a provider, the first one is taken that checks files. Raises `UsageError` where the file cannot be read.
    """
    try:
        return list(islice(providers.checker(provider).check_file(path), most))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="name a JSONL file") from error


def _quiet(options: IndexOptions) -> Any:
    """How to crawl when nobody is to be asked anything."""
    return {"provider": "local"} | {name: value for name, value in options.items() if name in _CRAWL}
