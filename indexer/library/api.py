"""The face for programs: open a library, plan, index, collect, look at it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from indexer import providers
from indexer.domain.answer import Reason
from indexer.domain.errors import MissingPath, UsageError
from indexer.domain.mode import Mode
from indexer.domain.nearest import did_you_mean
from indexer.domain.plan import Cost, Plan
from indexer.domain.progress import Progress
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question
from indexer.domain.tags import Act
from indexer.export.rows import export
from indexer.export.sidecars import Exported
from indexer.ledger.photos import files, forget
from indexer.ledger.photos.forget import Forgotten
from indexer.ledger.scope import Scope
from indexer.ledger.spend import accounts
from indexer.ledger.spend.accounts import Accounts
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, prompts, tags
from indexer.ledger.views.prompts import Pair, Version
from indexer.ledger.views.tags import TagCount
from indexer.ledger.work import questions
from indexer.library import tag_rules
from indexer.library.folder import Access, Seams, refuse_roots
from indexer.library.inbox import Inbox, InboxOptions, open_inbox, seconds
from indexer.library.routes import BEST, Best, Offer, bounds_of, offer
from indexer.library.tag_rules import Retagged
from indexer.pipeline.index_options import IndexOptions, checked, checked_amount, checked_paths
from indexer.pipeline.report import Report, RunFacts, make_report
from indexer.pipeline.request import Ask
from indexer.pipeline.resolve import Surroundings, make_ask
from indexer.pipeline.run import Run
from indexer.pipeline.session import Watcher
from indexer.storage.paths import AnyPath, resolve_root, to_text
from indexer.storage.settings import Config

if TYPE_CHECKING:
    from indexer.providers.seam import LineFault

__all__ = ["Approve", "FailedPhoto", "Library", "Report", "Seams", "check_batch_file", "refuse_roots"]

_LOG = logging.getLogger("captionary")
_LOG.addHandler(logging.NullHandler())
MOST_ATTEMPTS = 3
"""A photo is asked so often at most, unless it is named again."""
_CRAWL = ("exclude", "follow", "hidden", "max_pixels", "workers", "confirm_deleted")
_RETRIED = ("truncated", "malformed", "missing", "expired", "server_error", "rejected")

Approve = bool | Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A path without a description: why, in words, after how many attempts, in which job."""

    path: str
    reason: str
    detail: str
    attempts: int
    job: str


class Library:
    """A library directory. It holds no lock and no file open between calls; `close` is there for `with`."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self.folder = access.folder

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
        """Crawl `paths` and say what indexing them would do and cost; nothing is sent."""
        return self.preview(paths, **options)[1]

    def preview(self, paths: Sequence[AnyPath], **options: Unpack[IndexOptions]) -> tuple[Report, Plan]:
        """As `plan`, and how `paths` stand."""
        options, paths = checked(options), checked_paths(paths)
        if options.get("provider") == BEST:
            options = self._best(Best(self._access, options), paths, options)
        with self._access.writing("plan", options) as (run, config):
            ask = self._ask(run, paths, options, config)
            seen = run.crawl(ask)
            run.finish()
            plan = run.plan(ask)
            facts = RunFacts(run.number, plan.reused, plan.cost, notes=tuple(seen.notes))
            return self._report(run.ledger, (ask.question, ask.mode), Scope(ask.roots), facts), plan

    def index(self, paths: Sequence[AnyPath], *, approve: Approve = False, **options: Unpack[IndexOptions]) -> Report:
        """Crawl, plan, have the plan approved, ask, collect; running it again resumes what is unfinished.

        `approve` is a yes, or is called with the plan (and again with a measured one after a pilot). Raises
        `ApprovalRequired` when it says no; then nothing was paid.
        """
        options, paths = checked(options), checked_paths(paths)
        if options.get("provider") == BEST:
            return self._index_best(paths, options, _callable(approve))
        with self._access.writing("run", options) as (run, config):
            ask = self._ask(run, paths, options, config)
            seen = run.crawl(ask)
            if not ask.openable:
                run.finish()
            if not ask.openable and (owned := run.owned(ask)) is not None:
                return self._report(run.ledger, (ask.question, ask.mode), Scope(ask.roots), RunFacts(run.number, owned))
            plan = run.plan(ask)
            run.ask(ask, plan, _callable(approve))
            run.finish()
            facts = RunFacts(run.number, plan.reused, plan.cost, stopped=run.stopped, notes=tuple(seen.notes))
            return self._report(run.ledger, (ask.question, ask.mode), Scope(ask.roots), facts)

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
        checked_amount("budget_per_day", budget_per_day)
        options = InboxOptions(provider, seconds(within), budget_per_day)
        if budget_per_day is None:
            return open_inbox(self._access, checks, options, self.index)
        told = {**self._access.seams.environ, "CAPTIONARY_BUDGET_PER_DAY": str(budget_per_day)}
        access = Access(self.folder, replace(self._access.seams, environ=told), self._access.watcher)
        return open_inbox(access, checks, options, Library(access).index)

    def quote(
        self,
        paths: Sequence[AnyPath],
        *,
        deadline: float | None = None,
        budget: float | None = None,
        max_per_1000: float | None = None,
        all_routes: bool = False,
    ) -> Offer:
        """Return what each provider, model and mode would cost for `paths`, and when it would be ready.

        `deadline` is in seconds, money in US dollars; `all_routes` shows those whose key is not set, too. No service
        is asked anything.
        """
        bounds = bounds_of(deadline, budget, max_per_1000)
        roots = self._look(checked_paths(paths), {})
        with self._access.reading() as ledger:
            return offer(ledger, self._access, Scope(roots), bounds, all_routes=all_routes)

    def _look(self, paths: Sequence[AnyPath], options: IndexOptions) -> tuple[bytes, ...]:
        """Bring the files at `paths` up to date without asking anybody; returns the roots."""
        quiet: Any = {"provider": "local"} | {name: value for name, value in options.items() if name in _CRAWL}
        with self._access.writing("quote") as (run, config):
            ask = self._ask(run, paths, quiet, config)
            run.crawl(ask)
            run.finish()
            return ask.roots

    def _best(self, best: Best, paths: Sequence[AnyPath], options: IndexOptions) -> IndexOptions:
        roots = self._look(paths, options)
        with self._access.reading() as ledger:
            return best.choose(ledger, Scope(roots))

    def _index_best(self, paths: Sequence[AnyPath], options: IndexOptions, approve: Callable[[Plan], bool]) -> Report:
        best = Best(self._access, options)
        while True:
            chosen = self._best(best, paths, options)
            with self._access.writing("run", chosen) as (run, config), best.surviving(run.ledger) as died:
                ask = self._ask(run, paths, chosen, config)
                seen = run.crawl(ask)
                plan = run.plan(ask)
                run.ask(ask, plan, best.approve(approve))
                run.finish()
                facts = RunFacts(run.number, plan.reused, plan.cost, stopped=run.stopped, notes=tuple(seen.notes))
                return self._report(run.ledger, (ask.question, ask.mode), Scope(ask.roots), facts)
            if not died:
                break
        raise AssertionError("a run that did not die has returned")

    def collect(
        self, *, wait: bool = False, budget: float | None = None, deadline: float | None = None, approve: bool = False
    ) -> Report:
        """Advance what is unfinished: poll, download, submit what is approved; never asks, never exceeds the cap.

        `budget` (US dollars) and `deadline` (seconds from now) replace those of the run; raising the cap needs
        `approve`, else `BudgetReached` is raised.
        """
        checked_amount("budget", budget), checked_amount("deadline", deadline)
        with self._access.writing("collect") as (run, _):
            before = self._described(run.ledger)
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

        A tenth of what the last approved plan could cost covers it; more than that is asked for with `approve`.
        """
        if only is not None and only not in set(Reason):
            raise UsageError(
                f"there is no reason {only!r}", hint=did_you_mean(only, Reason) or f"one of: {', '.join(Reason)}"
            )
        checked_amount("budget", budget), checked_amount("deadline", deadline)
        with self._access.writing("retry") as (run, _):
            before = self._described(run.ledger)
            run.retry((only,) if only else _RETRIED, MOST_ATTEMPTS, _callable(approve))
            run.set_bounds(budget, deadline, approved=approve is True)
            run.advance(wait=True)
            return self._after(run, before)

    def status(self, paths: Sequence[AnyPath] | None = None, *, estimate: Cost = Cost()) -> Report:
        """Return how the library (or what lies at `paths`) stands; waits for nobody."""
        scope = _scope(paths)
        with self._access.reading() as ledger:
            return self._report(ledger, self._last_asked(ledger), scope, RunFacts(estimate=estimate))

    def failures(self) -> list[FailedPhoto]:
        """Return every path that failed, with its one reason."""
        with self._access.reading() as ledger:
            question, _ = self._last_asked(ledger)
            found = counts.failed_paths(ledger, Scope(), questions.known_question(ledger, question))
        return [FailedPhoto(to_text(one.path), one.reason, one.detail, one.attempts, one.job) for one in found]

    def rebuild(self) -> int:
        """Make the table again from the ledger, without one request; returns its number of rows."""
        with self._access.writing("rebuild") as (run, _):
            run.rebuild()
            run.finish()
            return counts.count_rows(run.ledger)

    def accounts(self) -> Accounts:
        """Return every request, token and cent by run, batch and model, and whether the books balance."""
        with self._access.reading() as ledger:
            return accounts.accounts(ledger)

    def prompts(self) -> list[Version]:
        """Return the prompts and answer schemas that were asked with, the oldest first."""
        with self._access.reading() as ledger:
            return prompts.versions(ledger)

    def prompt(self, wanted: str) -> Version:
        """Return the newest text of this version or name; raises `UsageError` where there is none."""
        with self._access.reading() as ledger:
            found = prompts.find(ledger, wanted)
        if not found:
            raise UsageError(f"no prompt or schema is called {wanted!r}", hint="see: index prompts list")
        return found[0]

    def use(self, wanted: str) -> Version:
        """Put a prompt or a schema in force: its answers win from now on, and the next run asks with it."""
        one = self.prompt(wanted)
        with self._access.writing("prompts use") as (run, _):
            with run.ledger.transaction("prompt in force", uncounted=True) as transaction:
                versions = {f"{one.kind}_version": one.version}
                prompts.choose(transaction, **versions)
            run.finish()
        return replace(one, chosen=True)

    def diff(self, left: str, right: str, paths: Sequence[AnyPath] | None = None) -> list[Pair]:
        """Return the photos (at `paths`) that were described under both prompts, side by side."""
        versions = [self.prompt(wanted).version for wanted in (left, right)]
        scope = _scope(paths)
        with self._access.reading() as ledger:
            return prompts.pairs(ledger, versions[0], versions[1], scope)

    def tags(self, paths: Sequence[AnyPath] | None = None) -> list[TagCount]:
        """Return the tags of the photos (at `paths`) as search finds them, the most frequent first."""
        scope = _scope(paths)
        with self._access.reading() as ledger:
            return tags.counts(ledger, scope, tags.tagging(ledger))

    def rename_tag(self, old: str, new: str) -> Retagged:
        """Show the generated tag `old` as `new`; raises `UsageError` where no photo has it."""
        return self._retag("rename", lambda ledger: tag_rules.decide(ledger, Act.RENAME, [old], new))

    def merge_tags(self, tags: Sequence[str], into: str) -> Retagged:
        """Show each of the generated `tags` as `into`; raises `UsageError` where no photo has one of them."""
        return self._retag("merge", lambda ledger: tag_rules.decide(ledger, Act.MERGE, tags, into))

    def ban_tags(self, tags: Sequence[str]) -> Retagged:
        """Hide the generated `tags`, also in answers to come; keywords in files stay."""
        return self._retag("ban", lambda ledger: tag_rules.decide(ledger, Act.BAN, tags))

    def undo_tags(self) -> Retagged:
        """Take back the last rule about tags; raises `UsageError` where there is none."""
        return self._retag("undo", tag_rules.undo)

    def forget(self, paths: Sequence[AnyPath], *, confirm: bool = False) -> Forgotten:
        """Forget `paths`: their rows and facts, and the answers that no other path uses.

        Without `confirm` it only says what that would be. Raises `UsageError` while some of it is at the service.
        """
        scope = _scope(paths)
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

    def export(self, format: str, to: AnyPath, paths: Sequence[AnyPath] | None = None) -> Exported:
        """Write the photos (at `paths`) to `to`: jsonl, csv or parquet to a new file, xmp as sidecars to a folder.

        Raises `UsageError` where `to` is in the way, `Unwritable` where it cannot be written.
        """
        watcher = self._access.watcher
        scope = _scope(paths)
        with self._access.reading() as ledger:
            if paths is not None and not files.knows(ledger, scope):
                raise MissingPath("the library knows nothing there", hint="check the path after --in")
            done = export(
                ledger, format, resolve_root(to), scope, lambda done: watcher.progress(Progress("exporting", done))
            )
        for note in done.notes:
            watcher.note(note)
        return done

    def close(self) -> None:
        """Nothing stays open between calls."""

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, run: Run, paths: Sequence[AnyPath], options: IndexOptions, config: Config) -> Ask:
        access = self._access
        around = Surroundings(access.spec, access.provider, access.seams.environ, access.watcher.note)
        return make_ask(run.ledger, paths, options, config, around)

    def _retag(self, command: str, change: Callable[[Ledger], Retagged]) -> Retagged:
        with self._access.writing(f"tags {command}") as (run, _):
            done = change(run.ledger)
            run.project()
            run.finish()
            return done

    def _after(self, run: Run, described_before: int) -> Report:
        run.finish()
        facts = RunFacts(run.number, described_before, stopped=run.stopped)
        return self._report(run.ledger, self._last_asked(run.ledger), Scope(), facts)

    def _described(self, ledger: Ledger) -> int:
        question, _ = self._last_asked(ledger)
        return counts.count_works(ledger, Scope(), questions.known_question(ledger, question)).described

    def _last_asked(self, ledger: Ledger) -> tuple[Question, Mode]:
        last = counts.last_asked(ledger)
        if last:
            return questions.question_of(ledger, last[0]), last[1]
        spec = self._access.spec(providers.automatic({}))
        return Question(spec.name, spec.default_model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA), spec.modes[0]

    def _report(self, ledger: Ledger, asked: tuple[Question, Mode], scope: Scope, facts: RunFacts) -> Report:
        now = self._access.clock.time()
        spec = self._access.spec(asked[0].provider)
        return make_report(ledger, str(self.folder), asked, scope, replace(facts, now=now), spec)


def _logged(note: Callable[[str], None] | None) -> Callable[[str], None]:
    """Notes go to the logger "captionary" as well."""

    def told(text: str) -> None:
        _LOG.info("%s", text)
        if note is not None:
            note(text)

    return told


def _scope(paths: Sequence[AnyPath] | None) -> Scope:
    """The library, or what lies at `paths`."""
    return Scope(None if paths is None else tuple(resolve_root(path) for path in checked_paths(paths)))


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
