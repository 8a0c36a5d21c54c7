"""The inbox: uploads that a program gives us, looked at within a time, and decided by rules.

An upload is on disk and in the ledger before `add` returns. What the model answers is kept; verdicts are a pure
function of answer and rules, so other rules decide anew without a request. Nothing is approved without an answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer.domain.checks import Checks, read_checks
from indexer.domain.errors import ApprovalRequired, ProviderError, Stopped, UsageError, first_line
from indexer.domain.plan import Plan
from indexer.domain.presets import PRESETS
from indexer.domain.prompts import in_language
from indexer.domain.question import Question, Settings
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, uploads, verdicts
from indexer.ledger.views.uploads import Due
from indexer.ledger.views.verdicts import Verdict
from indexer.ledger.work import questions
from indexer.library import erase
from indexer.library.door import (
    OtherBytes,
    UnknownUpload,
    is_picture,
    keep_bytes,
    place_of,
    read_upload,
    refuse_bombs,
    refuse_name,
)
from indexer.library.folder import Access
from indexer.library.judge import Judge
from indexer.library.routes import BEST, NoRoute, candidates, market_of
from indexer.pipeline.intake import Intake, Timing
from indexer.pipeline.plan.routing import Bounds, Route, is_dead, routes
from indexer.pipeline.request import Ask
from indexer.pipeline.resolve import Surroundings, make_ask
from indexer.pipeline.run import Run
from indexer.pipeline.session import Clock
from indexer.providers import automatic
from indexer.storage.atomic import whole_file
from indexer.storage.layout import INBOX_FOLDER
from indexer.storage.paths import AnyPath, for_terminal
from indexer.storage.regular import read_words
from indexer.storage.settings import Config

_SMALL = 256 << 10  # bytes: a commit with so many costs no more than one without
_GROUP = 64
_MANY = 64  # more folders than this are crawled as one
_RULES = "inbox rules"
_DELIVERED = "inbox delivered"
_MOST_ROUTES = 8


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """How uploads are looked at: by whom, within how many seconds, for how many US dollars a day (UTC)."""

    provider: str
    within: float
    budget_per_day: float | None


class Inbox:
    """Uploads of one library and their verdicts; make one with `Library.inbox`."""

    def __init__(self, access: Access, checks: Checks, options: InboxOptions) -> None:
        self._access = access
        self._checks = checks
        self._options = options
        self._folder = access.folder / INBOX_FOLDER
        self._judge = Judge(checks, options.within, is_picture)
        config = access.config()
        self._max_pixels = config.max_pixels
        settings = Settings(language=config.language) if config.language else Settings()
        asked = Question("", config.model or "", checks.template.strip(), checks.schema, settings)
        self._question = in_language(asked)
        self._asked = self._question.versions
        self._free: list[Ledger] = []
        self._process = os.getpid()

    def add(self, upload: str, picture: AnyPath | bytes) -> None:
        """Take in a picture, a path or bytes, under a name of the caller's; durable when it returns.

        The same name with the same bytes is the same upload. Any number of threads and processes may add at once.
        Raises `UsageError` for the same name with other bytes, and for what no decoder here would be let near.
        """
        refuse_name(upload)
        raw = picture if isinstance(picture, bytes) else read_upload(picture)
        refuse_bombs(raw, self._max_pixels)
        sha256, target = place_of(self._folder, raw)
        small = len(raw) <= _SMALL
        if not small:
            keep_bytes(target, raw)
        with self._ledger() as ledger:
            kept = uploads.add(ledger, upload, sha256, os.fsencode(target), raw if small else None)
        if kept != sha256:
            raise OtherBytes(
                f"the upload {for_terminal(upload)} was added before with other bytes", hint="give it another name"
            )

    def advance(self) -> int:
        """Send what is due, fetch what is back, decide what can be decided; returns how many verdicts are new.

        It waits for no batch: call it again, from cron or a worker.
        """
        with self._access.writing("inbox advance") as (run, config):
            self._place(run.ledger)
            stopped = self._guarded(lambda: run.advance(wait=False))
            made = self._decide(run.ledger, ends=False)
            stopped = self._guarded(lambda: self._send(run, config)) or stopped
            made += self._decide(run.ledger, ends=True)
            verdicts.end_late(run.ledger)
            self._tidy(run)
            run.finish()
        if stopped is not None:
            raise stopped
        return made

    def verdicts(self, after: str = "") -> Iterator[Verdict]:
        """Yield the verdicts behind the cursor `after` ("" for all), in order; each carries its own cursor."""
        if after and not (after.isascii() and after.isdigit() and len(after) < 19):
            raise UsageError(f"{after!r} is not a cursor", hint="give the cursor of a verdict, or nothing")
        with self._access.reading() as ledger:
            yield from verdicts.after(ledger, int(after or 0))

    def decide(self, upload: str, decision: str, note: str = "") -> Verdict:
        """Record a person's decision, which no rule overrules; raises `UsageError` for an upload that is not known."""
        if decision not in ("approve", "reject"):
            raise UsageError(f"{decision!r} is not a decision", hint="approve or reject")
        with self._access.writing("inbox decide") as (run, _):
            found = next(verdicts.standing(run.ledger, self._asked, only=upload), None)
            if found is None:
                raise _unknown(upload)
            reason = f"decided by a person: {note}" if note else "decided by a person"
            made = self._judge.verdict(found, (decision, (reason,)), self._access.clock.time(), person=True)
            verdicts.record(run.ledger, [made])
            run.finish()
        return made

    def ask_again(self, *, approve: bool | Callable[[Plan], bool] = False) -> int:
        """Let decided uploads be asked the questions of today, where they were asked others; returns how many.

        Raises `ApprovalRequired` when that costs money and `approve` does not agree.
        """
        with self._access.writing("inbox ask-again") as (run, config):
            count = uploads.answerable_again(run.ledger, self._asked)
            known = [route for route in self._routes(run.ledger, config, count) if route.usable]
            plan = _plan(count, known[0]) if count and known else None
            agreed = approve(plan) if callable(approve) and plan is not None else bool(approve)
            if plan is not None and plan.most_usd and not agreed:
                raise ApprovalRequired(plan)
            changed = uploads.want_again(run.ledger, self._asked) if count else 0
            run.finish()
        return changed

    def forget(self, upload: str) -> bool:
        """Take all of one upload out: bytes, answers, verdicts, and what the service keeps of it, where it lets us.

        False: it is being looked at right now; its bytes are gone, the rest goes when the service is done with it.
        """
        with self._access.writing("inbox forget") as (run, _):
            found = uploads.known(run.ledger, upload)
            if found is None:
                raise _unknown(upload)
            self._place(run.ledger)
            uploads.set_state(run.ledger, upload, "forgotten")
            done = erase.erase(run, self._access, upload, found[1])
            if done:
                uploads.drop(run.ledger, upload)
            run.finish()
            uploads.empty_log(run.ledger)
        return done

    @property
    def clock(self) -> Clock:
        """Where the time comes from."""
        return self._access.clock

    @property
    def webhook(self) -> str:
        """The address that new verdicts are posted to, "" for none."""
        return self._checks.handling.webhook

    def delivered(self, cursor: str | None = None) -> str:
        """Return up to which cursor verdicts were posted to the webhook; with `cursor`, keep that it is this one."""
        with self._ledger() as ledger:
            if cursor is not None:
                with ledger.transaction("delivered verdicts", uncounted=True) as transaction:
                    transaction.set_setting(_DELIVERED, cursor)
            return ledger.setting(_DELIVERED)

    def close(self) -> None:
        """Close what `add` keeps open; it may be used again."""
        while self._free:
            self._free.pop().close()

    def _place(self, ledger: Ledger) -> None:
        """Write small uploads, which lie in the ledger so far, to their places."""
        while found := uploads.taken_in(ledger, _GROUP):
            for _, raw in found:
                keep_bytes(place_of(self._folder, raw)[1], raw)
            uploads.clear_intake(ledger, [upload for upload, _ in found])

    def _guarded(self, step: Callable[[], None]) -> ProviderError | None:
        """Take a step; what stops it is told, and what a person must fix is returned: what is back is decided first."""
        try:
            step()
        except Stopped as stop:
            self._access.watcher.note(str(stop))
        except ProviderError as fault:
            return fault
        return None

    def _decide(self, ledger: Ledger, *, ends: bool) -> int:
        told = " ".join((*self._asked, self._checks.rules_version))
        changed = ledger.setting(_RULES) != told
        standing = verdicts.standing(ledger, self._asked, decided=changed)
        made = self._judge.decide(standing, self._access.clock.time(), ends=ends)
        if made:
            verdicts.record(ledger, made)
        if changed:
            with ledger.transaction("rules of the inbox", uncounted=True) as transaction:
                transaction.set_setting(_RULES, told)
        return len(made)

    def _send(self, run: Run, config: Config) -> None:
        unread = uploads.unread(run.ledger)
        if unread:
            folders = sorted({Path(os.fsdecode(path)).parent for path in unread})
            run.crawl(self._ask(run, config, folders if len(folders) <= _MANY else [self._folder], provider="local"))
        timing = Timing(self._options.within, self._checks.handling.gather)
        dead: set[tuple[str, str]] = set()

        def living(count: int) -> list[Route]:
            found = self._routes(run.ledger, config, count)
            return [route for route in found if (route.provider, str(route.mode)) not in dead]

        intake = run.intake(timing, living)
        intake.again()
        intake.hurry()
        for _ in range(_MOST_ROUTES):
            try:
                self._ask_about(run, config, intake)
                run.advance(wait=False)
                return
            except ProviderError as fault:
                if self._options.provider != BEST or not is_dead(fault) or not run.last_route:
                    raise
                dead.add(run.last_route)
                run.give_up(run.last_route[0])
                self._access.watcher.note(f"{run.last_route[0]} cannot go on: {fault}; trying the next route")

    def _ask_about(self, run: Run, config: Config, intake: Intake) -> None:
        """Begin what is due, by the route that each upload needs; what one provider refused goes to the second."""
        for route, group in intake.chosen(uploads.due(run.ledger, self._asked)).items():
            self._want(run, config, intake, (route, group))
        second = self._checks.handling.second_provider
        refused = uploads.refused(run.ledger, self._asked, second) if second else []
        if refused:
            spec = self._access.spec(second)
            market = market_of(run.ledger, self._access, config)
            found = routes(run.ledger, self._question, [spec], len(refused), market, Bounds())
            chosen = [route for route in found if route.usable and route.mode in spec.modes]
            for route, group in run.intake(Timing(self._options.within), lambda _: chosen).chosen(refused).items():
                self._want(run, config, intake, (route, group))

    def _want(self, run: Run, config: Config, intake: Intake, going: tuple[Route, Sequence[Due]]) -> None:
        route, group = going
        run.last_route = (route.provider, str(route.mode))
        ask = replace(self._ask(run, config, [self._folder], **route.named), mode=route.mode)
        run.record_asked(ask)
        intake.want(ask, route.mode, group)

    def _routes(self, ledger: Ledger, config: Config, count: int) -> list[Route]:
        """Return the routes for so many uploads, the cheapest first; raises where there is none."""
        access, name = self._access, self._options.provider
        if name == BEST:
            specs = candidates(access, config)
        else:
            specs = [access.spec(name if name != "auto" else _auto(ledger, access, config))]
            access.provider(specs[0].name)  # a missing key is told at once
        found = routes(ledger, self._question, specs, count, market_of(ledger, access, config), Bounds())
        if not any(route.usable for route in found):
            why = "; ".join(f"{route}: {route.why_not}" for route in found[:4])
            raise NoRoute(f"no route can be used: {why}", hint="index doctor lists the providers and their keys")
        return found

    def _ask(self, run: Run, config: Config, roots: Sequence[Path], **named: Any) -> Ask:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        files = {"prompt": self._folder / "prompt.txt", "schema": self._folder / "schema.json"}
        for path, text in zip(files.values(), (self._checks.template, self._checks.schema), strict=True):
            if not path.exists() or read_words(path) != text:
                with whole_file(path) as stream:
                    stream.write(text.encode())
        told: Any = {
            "wait": False,
            "pilot": 0,
            "min_side": 0,
            **(files if named["provider"] != "local" else {}),
            **named,
        }
        access = self._access
        around = Surroundings(access.spec, access.provider, access.seams.environ, access.watcher.note)
        return make_ask(run.ledger, roots, told, replace(config, mode=None), around)

    def _tidy(self, run: Run) -> None:
        """Delete what was kept long enough, and finish what was to be forgotten."""
        keep = self._checks.handling.keep
        old = uploads.expired(run.ledger, self._access.clock.time() - keep) if keep is not None else []
        for upload in (*old, *uploads.forgotten(run.ledger)):
            found = uploads.known(run.ledger, upload)
            if found is not None and erase.erase(run, self._access, upload, found[1]):
                if upload in old:
                    uploads.set_state(run.ledger, upload, "deleted")
                else:
                    uploads.drop(run.ledger, upload)

    @contextmanager
    def _ledger(self) -> Iterator[Ledger]:
        """A ledger for one small commit beside whoever writes; those of another process are not for this one."""
        if self._process != os.getpid():
            self._process, self._free = os.getpid(), []
        try:
            ledger = self._free.pop()
        except IndexError:
            ledger = Ledger.open(self._access.folder, now=self._access.clock.time, together=True)
        yield ledger
        self._free.append(ledger)


def open_inbox(access: Access, checks: AnyPath, options: InboxOptions) -> Inbox:
    """Return the inbox that looks for what `checks` says: a file, or the name of a preset.

    Raises `UsageError` where it cannot be read.
    """
    path = Path(os.fsdecode(checks)).expanduser()
    preset = PRESETS.get(os.fsdecode(checks))
    try:
        text = preset if preset is not None and not path.exists() else read_words(path)
    except (OSError, UnicodeDecodeError) as fault:
        hint = f"name the file that says what to look for, or one of: {', '.join(PRESETS)}"
        raise UsageError(f"{path} cannot be read: {first_line(fault)}", hint=hint) from fault
    checked = read_checks(text, path.name)
    Ledger.open(access.folder, now=access.clock.time).close()
    if options.budget_per_day is not None:
        access = access.with_budget(options.budget_per_day)
    return Inbox(access, checked, options)


def _unknown(upload: str) -> UnknownUpload:
    return UnknownUpload(f"there is no upload {for_terminal(upload)!r}", hint="check its name")


def _auto(ledger: Ledger, access: Access, config: Config) -> str:
    """The provider of the settings, of the last run, or of the first key that is set."""
    last = counts.last_asked(ledger)
    if config.provider != "auto" or last is None:
        return config.provider if config.provider != "auto" else automatic(access.seams.environ)
    before = questions.question_of(ledger, last[0]).provider
    return automatic(access.seams.environ) if access.spec(before).offline else before


def _plan(count: int, route: Route) -> Plan:
    most = count * route.per_1000_usd / 1000
    return Plan(
        provider=route.provider,
        model=route.model,
        mode=route.mode,
        files=count,
        planned=count,
        reused=0,
        new=count,
        duplicate=0,
        pilot=0,
        input_tokens=0,
        output_tokens=0,
        cost=route.usd,
        interactive_cost=route.usd,
        upload_bytes=0,
        shards=route.waves,
        most_usd=most,
    )
