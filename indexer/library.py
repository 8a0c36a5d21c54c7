"""The face for programs: open a library, plan, index, collect, look at it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Unpack

from platformdirs import user_cache_path, user_data_path

from indexer import prices
from indexer.config import Config, read_config
from indexer.errors import LibraryMissing, LibraryUnwritable, UsageError
from indexer.ledger import accounts, books, forget, prompts, works
from indexer.ledger.accounts import Accounts
from indexer.ledger.caps import Caps
from indexer.ledger.crawled import Scope
from indexer.ledger.forget import Forgotten
from indexer.ledger.prompts import Pair, Version
from indexer.ledger.store import FILE_NAME, Ledger, no_step
from indexer.lock import WriterLock
from indexer.paths import resolve_root, to_text
from indexer.pipeline.ask import Ask
from indexer.pipeline.asking import AnyPath, IndexOptions, Surroundings, make_ask
from indexer.pipeline.report import Report, RunFacts, make_report
from indexer.pipeline.run import Run
from indexer.pipeline.session import Clock, Session, SystemClock, Tuning, Watcher
from indexer.plan import Pricing
from indexer.project import Projector
from indexer.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.providers import open_provider
from indexer.providers.base import Account, Provider
from indexer.records import Cost, Mode, Plan, Question, Reason
from indexer.spool import Spool

_LOCK_PATIENCE = 600.0
_MOST_ATTEMPTS = 3
_RETRIED = ("truncated", "malformed", "missing", "expired", "server_error", "rejected")
_FREE = frozenset({"local"})
_PRICE = "price "

Approve = bool | Callable[[Plan], bool]


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A path without a description: why, in words, after how many attempts, in which job."""

    path: str
    reason: str
    detail: str
    attempts: int
    job: str


@dataclass(slots=True)
class Seams:
    """What tests and embedding programs may put in the place of the real world.

    `provider` opens a provider by its name, for programs that bring their own; None: those that come with Captionary.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock | None = None
    step: Callable[[str], None] = no_step
    watcher: Watcher | None = None
    provider: Callable[[str], Provider] | None = None


class Library:
    """A library directory. It holds no lock and no file open between calls; `close` is there for `with`."""

    def __init__(self, folder: Path, seams: Seams) -> None:
        self.folder = folder
        self._seams = seams
        self._providers: dict[str, Provider] = {}

    @classmethod
    def open(cls, folder: AnyPath | None = None, *, create: bool = True, seams: Seams | None = None) -> Library:
        """Open the library in `folder` (default: the user's data directory), made where there is none.

        Raises `LibraryMissing` without `create`, `LibraryUnwritable` where it cannot be made.
        """
        path = Path(os.fsdecode(folder)).expanduser() if folder is not None else default_folder()
        if not (path / FILE_NAME).exists():
            if not create:
                raise LibraryMissing(f"there is no library at {path}", hint="make one with: index FOLDER")
            _make_folder(path)
        return cls(path.resolve(), seams or Seams())

    def plan(self, paths: Sequence[AnyPath], **options: Unpack[IndexOptions]) -> Plan:
        """Crawl `paths` and say what indexing them would do and cost; nothing is sent."""
        return self.preview(paths, **options)[1]

    def preview(self, paths: Sequence[AnyPath], **options: Unpack[IndexOptions]) -> tuple[Report, Plan]:
        """As `plan`, and how `paths` stand."""
        with self._writing("plan", options) as (run, config):
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
        with self._writing("run", options) as (run, config):
            ask = self._ask(run, paths, options, config)
            seen = run.crawl(ask)
            plan = run.plan(ask)
            run.ask(ask, plan, _callable(approve))
            run.finish()
            facts = RunFacts(run.number, plan.reused, plan.cost, stopped=run.stopped, notes=tuple(seen.notes))
            return self._report(run.ledger, (ask.question, ask.mode), Scope(ask.roots), facts)

    def collect(
        self, *, wait: bool = False, budget: float | None = None, deadline: float | None = None, approve: bool = False
    ) -> Report:
        """Advance what is unfinished: poll, download, submit what is approved; never asks, never exceeds the cap.

        `budget` (US dollars) and `deadline` (seconds from now) replace those of the run; raising the cap needs
        `approve`, else `BudgetReached` is raised.
        """
        with self._writing("collect") as (run, _):
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
            raise UsageError(f"nothing fails for the reason {only!r}", hint=f"one of: {', '.join(Reason)}")
        with self._writing("retry") as (run, _):
            before = self._described(run.ledger)
            run.retry((only,) if only else _RETRIED, _MOST_ATTEMPTS, _callable(approve))
            run.set_bounds(budget, deadline, approved=approve is True)
            run.advance(wait=True)
            return self._after(run, before)

    def status(self, paths: Sequence[AnyPath] | None = None, *, estimate: Cost = Cost()) -> Report:
        """Return how the library (or what lies at `paths`) stands; waits for nobody."""
        scope = Scope(None if paths is None else tuple(resolve_root(path) for path in paths))
        with self._reading() as ledger:
            return self._report(ledger, self._last_asked(ledger), scope, RunFacts(estimate=estimate))

    def failures(self) -> list[FailedPhoto]:
        """Return every path that failed, with its one reason."""
        with self._reading() as ledger:
            question, _ = self._last_asked(ledger)
            found = books.failed_paths(ledger, Scope(), works.known_question(ledger, question))
        return [FailedPhoto(to_text(one.path), one.reason, one.detail, one.attempts, one.job) for one in found]

    def rebuild(self) -> int:
        """Make the table again from the ledger, without one request; returns its number of rows."""
        with self._writing("rebuild") as (run, _):
            run.rebuild()
            run.finish()
            return books.count_rows(run.ledger)

    def accounts(self) -> Accounts:
        """Return every request, token and cent by run, batch and model, and whether the books balance."""
        with self._reading() as ledger:
            return accounts.accounts(ledger)

    def prompts(self) -> list[Version]:
        """Return the prompts and answer schemas that were asked with, the oldest first."""
        with self._reading() as ledger:
            return prompts.versions(ledger)

    def prompt(self, wanted: str) -> Version:
        """Return the newest text of this version or name; raises `UsageError` where there is none."""
        with self._reading() as ledger:
            found = prompts.find(ledger, wanted)
        if not found:
            raise UsageError(f"no prompt or schema is called {wanted!r}", hint="see: index prompts list")
        return found[0]

    def use(self, wanted: str) -> Version:
        """Put a prompt or a schema in force: its answers win from now on, and the next run asks with it."""
        one = self.prompt(wanted)
        with self._writing("prompts use") as (run, _):
            with run.ledger.transaction("prompt in force"):
                versions = {f"{one.kind}_version": one.version}
                prompts.choose(run.ledger, **versions)
            run.finish()
        return replace(one, chosen=True)

    def diff(self, left: str, right: str, paths: Sequence[AnyPath] | None = None) -> list[Pair]:
        """Return the photos (at `paths`) that were described under both prompts, side by side."""
        versions = [self.prompt(wanted).version for wanted in (left, right)]
        scope = Scope(None if paths is None else tuple(resolve_root(path) for path in paths))
        with self._reading() as ledger:
            return prompts.pairs(ledger, versions[0], versions[1], scope)

    def forget(self, paths: Sequence[AnyPath], *, confirm: bool = False) -> Forgotten:
        """Forget `paths`: their rows and facts, and the answers that no other path uses.

        Without `confirm` it only says what that would be. Raises `UsageError` while some of it is at the service.
        """
        scope = Scope(tuple(resolve_root(path) for path in paths))
        if not confirm:
            with self._reading() as ledger:
                return forget.foresee(ledger, scope)
        with self._writing("forget") as (run, _):
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

    @contextmanager
    def _reading(self) -> Iterator[Ledger]:
        if not (self.folder / FILE_NAME).exists():
            raise LibraryMissing(f"there is no library at {self.folder}", hint="make one with: index FOLDER")
        ledger = Ledger.read(self.folder)
        try:
            yield ledger
        finally:
            ledger.close()

    @contextmanager
    def _writing(self, command: str, options: IndexOptions | None = None) -> Iterator[tuple[Run, Config]]:
        config = read_config(self.folder, self._seams.environ)
        lock = WriterLock(self.folder, f"index {command}")
        with lock:
            now = (self._seams.clock or SystemClock()).time
            ledger = Ledger.open(self.folder, step=self._seams.step, now=now)
            try:
                _keep_price(ledger, options or {})
                session = self._session(ledger, lock, config)
                try:
                    yield Run(session, command), config
                finally:
                    session.spool.close()
            finally:
                ledger.close()

    def _session(self, ledger: Ledger, lock: WriterLock, config: Config) -> Session:
        clock = self._seams.clock or SystemClock()

        def pause(seconds: float) -> None:
            lock.release()
            clock.sleep(seconds)
            lock.acquire(_LOCK_PATIENCE)

        batches = self.folder / "batches"
        batches.mkdir(mode=0o700, exist_ok=True)
        return Session(
            ledger=ledger,
            spool=Spool(batches / "renditions.sqlite3"),
            batches=batches,
            projector=Projector(ledger, self.folder, user_cache_path("captionary", appauthor=False)),
            provider=self._provider,
            clock=clock,
            pause=pause,
            pricing=_pricing(ledger, config, clock.time()),
            tuning=Tuning(
                lookup_seconds=config.lookup_seconds,
                poll_seconds=config.poll_seconds,
                concurrency=config.concurrency,
                shard_lines=config.shard_lines,
                keep_batches=config.keep_batches,
                caps=Caps(config.budget_total, config.budget_per_day),
                schema_field=config.schema_field,
            ),
            watcher=self._seams.watcher or Watcher(),
        )

    def _provider(self, name: str) -> Provider:
        if self._seams.provider is not None:
            return self._seams.provider(name)
        if name not in self._providers:
            config = read_config(self.folder, self._seams.environ)
            account = Account(config.tier, config.schema_field)
            self._providers[name] = open_provider(name, self._seams.environ, account)
        return self._providers[name]

    def _ask(self, run: Run, paths: Sequence[AnyPath], options: IndexOptions, config: Config) -> Ask:
        note = (self._seams.watcher or Watcher()).note
        return make_ask(run.ledger, paths, options, config, Surroundings(self._provider, self._seams.environ, note))

    def _after(self, run: Run, described_before: int) -> Report:
        run.finish()
        facts = RunFacts(run.number, described_before, stopped=run.stopped)
        return self._report(run.ledger, self._last_asked(run.ledger), Scope(), facts)

    def _described(self, ledger: Ledger) -> int:
        question, _ = self._last_asked(ledger)
        return books.count_works(ledger, Scope(), works.known_question(ledger, question)).described

    def _last_asked(self, ledger: Ledger) -> tuple[Question, Mode]:
        last = books.last_asked(ledger)
        if last:
            return works.question_of(ledger, last[0]), last[1]
        return Question("local", "pixels-1", DEFAULT_TEMPLATE, DEFAULT_SCHEMA), Mode.INTERACTIVE

    def _report(self, ledger: Ledger, asked: tuple[Question, Mode], scope: Scope, facts: RunFacts) -> Report:
        now = (self._seams.clock or SystemClock()).time()
        return make_report(ledger, str(self.folder), asked, scope, replace(facts, now=now))


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise LibraryUnwritable(
            f"the library {path} cannot be made: {fault.strerror}",
            hint="choose another place with --library or CAPTIONARY_LIBRARY",
        ) from fault


def default_folder() -> Path:
    """Where a library lies when nobody says: the user's data directory, because it holds paid work."""
    return user_data_path("captionary", appauthor=False)


def _callable(approve: Approve) -> Callable[[Plan], bool]:
    return approve if callable(approve) else lambda _: bool(approve)


def _keep_price(ledger: Ledger, options: IndexOptions) -> None:
    """Keep a told price with the library: a later `collect` books by it too."""
    if "price" not in options:
        return
    if "model" not in options:
        raise UsageError("--price says what a model costs, but no model is named", hint="add --model NAME")
    prices.parse_price(options["price"])
    with ledger.transaction("price"):
        ledger.set_setting(_PRICE + options["model"], options["price"])


def _pricing(ledger: Ledger, config: Config, now: float) -> Pricing:
    told = {**config.prices, **ledger.settings(_PRICE)}
    table = prices.TABLE.with_tariffs(prices.read_tariffs(told)) if told else prices.TABLE
    return Pricing(_FREE, datetime.datetime.fromtimestamp(now, datetime.UTC).date(), table)
