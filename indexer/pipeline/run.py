"""The order of steps of each command that writes. Every step reads the ledger anew, so resume = run again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice

from indexer.crawl import Crawl, Crawled, CrawlOptions
from indexer.errors import ApprovalRequired, RateLimited, Unreachable
from indexer.ledger import books, money, shards, works
from indexer.ledger.crawled import Scope
from indexer.pipeline.batch import BatchLane, sweep
from indexer.pipeline.calls import CallLane
from indexer.pipeline.pack import pack_shard
from indexer.pipeline.session import Progress, Session
from indexer.plan import make_plan, retry_plan
from indexer.records import Mode, Plan, Question

_SLOWER = 1.5
_PATIENCE = 30.0  # a service that is away for longer ends the command; the state is kept
_PATIENCE_AT_SERVICE = 6 * 3600.0  # while jobs run there, a night's outage is no reason to leave


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of `index`: where, what, of whom, and within which bounds. `deadline` is seconds from the approval."""

    roots: tuple[bytes, ...]
    question: Question
    mode: Mode
    crawl: CrawlOptions
    digest_version: int
    pilot: int | None = None
    budget: float | None = None
    deadline: float | None = None
    wait: bool = True


Approve = Callable[[Plan], bool]


class Run:
    """One writing command over a session; `number` names it in the ledger."""

    def __init__(self, session: Session, command: str) -> None:
        self._session = session
        self.ledger = session.ledger
        self.number = books.begin_run(session.ledger, command)
        self.stopped = ""
        sweep(session)
        works.doubt_calls(session.ledger)

    def crawl(self, ask: Ask) -> Crawled:
        """Bring the ledger's files up to date; what files say of themselves becomes searchable."""
        watcher = self._session.watcher
        crawl = Crawl(self.ledger, self.number, ask.roots, ask.crawl, ask.digest_version)
        seen = crawl.run(self._session.spool, lambda done, _: watcher.progress(Progress("reading", done)))
        for note in seen.notes:
            watcher.note(note)
        if not self._session.provider(ask.question.provider).free:
            self.project()
        return seen

    def plan(self, ask: Ask) -> Plan:
        """Say what asking would do and cost."""
        limits = self._session.provider(ask.question.provider).limits(ask.question.model)
        return make_plan(
            self.ledger, ask.question, ask.mode, Scope(ask.roots), self._session.pricing, (ask.pilot, limits)
        )

    def ask(self, ask: Ask, plan: Plan, approve: Approve) -> None:
        """Have the plan approved, send what it needs, and advance everything that is unfinished."""
        self._record_asked(ask)
        free = self._session.provider(ask.question.provider).free
        if plan.new and self._needs_approval(ask, plan):
            if not free and not approve(plan):
                raise ApprovalRequired(plan)
            self._approve(ask, plan, plan.pilot or None)
            if plan.pilot:
                self._pilot(replace(ask, pilot=0), approve)
        self.advance(wait=ask.wait)

    def _record_asked(self, ask: Ask) -> None:
        with self.ledger.transaction("asked"):
            books.record_asked(self.ledger, self.number, works.question_id(self.ledger, ask.question), ask.mode)

    def _needs_approval(self, ask: Ask, plan: Plan) -> bool:
        number = works.known_question(self.ledger, ask.question)
        fresh = next(works.unasked(self.ledger, number, Scope(ask.roots)), None)
        purse = money.purse(self.ledger)
        # what was approved goes on without asking, unless the cap that was approved cannot carry it any more
        changed_cap = ask.budget is not None and abs(ask.budget - purse.cap) > 1e-9
        return fresh is not None or changed_cap or (ask.budget is None and purse.left < plan.cost.high - 1e-9)

    def _approve(self, ask: Ask, plan: Plan, first: int | None) -> None:
        """Commit the approval and the works it covers: the pilot's alone, or all."""
        number = works.known_question(self.ledger, ask.question)
        scope = Scope(ask.roots)
        photos = list(works.unasked(self.ledger, number, scope))
        mode = Mode.INTERACTIVE if first else ask.mode
        if first:
            photos = _spread(photos, first)
        with self.ledger.transaction("approval"):
            campaign = money.begin_campaign(self.ledger)
            purse = money.purse(self.ledger, campaign)
            cap = purse.spent + purse.reserved + plan.cost.high if ask.budget is None else ask.budget
            ends = None if ask.deadline is None else self._session.clock.time() + ask.deadline
            money.approve(self.ledger, campaign, json.dumps(asdict(plan)), cap, ends)
            works.want(self.ledger, ask.question, photos, campaign, mode)

    def _pilot(self, ask: Ask, approve: Approve) -> None:
        """Ask a few photos at once by ordinary calls, then put the question for the rest."""
        self._call(works.known_question(self.ledger, ask.question) or 0, "pilot")
        self.project()
        rest = self.plan(ask)
        if rest.new:
            if not approve(rest):
                raise ApprovalRequired(rest)
            self._approve(ask, rest, None)

    def advance(self, *, wait: bool) -> None:
        """Move everything that is unfinished as far as it goes; with `wait` until nothing is out any more."""
        pause = self._session.tuning.poll_seconds
        patience = _Patience(self._session)
        while True:
            try:
                moved = self._pass()
                patience.renew()
            except (Unreachable, RateLimited) as fault:
                moved = False
                if not wait or patience.is_spent(fault, self._at_service()):
                    raise
            if not wait or self.stopped or not self._unfinished():
                return
            if moved:
                pause = self._session.tuning.poll_seconds
                continue
            self._session.pause(pause)
            pause = min(pause * _SLOWER, self._session.tuning.poll_most)

    def _at_service(self) -> bool:
        return any(shard.state == "submitted" for shard in shards.open_shards(self.ledger))

    def _pass(self) -> bool:
        """One look at everything; True when something moved, so that another look may move more."""
        lane = BatchLane(self._session)
        moved = False
        for shard in shards.open_shards(self.ledger):
            before = shard.state
            lane.advance(shard)
            moved |= shards.shard(self.ledger, shard.id).state != before
        for number, mode, count in works.open_questions(self.ledger):
            if mode is Mode.INTERACTIVE:
                moved |= self._call(number, "asking")
            elif not self._queue_full():
                moved |= self._feed(number, count, lane)
        if moved:
            self.project()
        return moved

    def _feed(self, number: int, waiting: int, lane: BatchLane) -> bool:
        moved = False
        while pack_shard(self._session, number):
            moved = True
            newest = shards.open_shards(self.ledger)[-1]
            self._session.watcher.progress(Progress("sending", newest.requests, waiting))
            lane.advance(newest)
            if self._queue_full():
                break
        if not moved and not shards.open_shards(self.ledger):
            self._stop_for_budget(number, Mode.BATCH)
        return moved

    def _call(self, number: int, stage: str) -> bool:
        question = works.question_of(self.ledger, number)
        done = CallLane(self._session, question, number, stage).run(money.purse(self.ledger).left + 1e-9)
        if not done and not shards.open_shards(self.ledger):
            self._stop_for_budget(number, Mode.INTERACTIVE)
        return done > 0

    def _stop_for_budget(self, number: int, mode: Mode) -> None:
        high = self._session.pricing.quote(works.question_of(self.ledger, number), mode).high_usd
        purse = money.purse(self.ledger)
        if works.unsent(self.ledger, number) and purse.left < high:
            self.stopped = (
                f"the budget is reached: ${purse.spent:.4f} of ${purse.cap:.4f} spent, and one more photo could cost "
                f"${high:.4f}; run again with a larger --budget to finish the rest"
            )

    def _queue_full(self) -> bool:
        now = self._session.clock.time()
        return any(shard.not_before > now for shard in shards.open_shards(self.ledger) if shard.state == "intended")

    def _unfinished(self) -> bool:
        return bool(shards.open_shards(self.ledger) or works.open_questions(self.ledger))

    def project(self) -> None:
        """Write what changed into the table."""
        watcher = self._session.watcher
        self._session.projector.run(lambda done: watcher.progress(Progress("writing", done)))

    def retry(self, reasons: Sequence[str], most_attempts: int, approve: Approve) -> None:
        """Let failed works of these reasons wait again, within a price that is approved first."""
        asked = books.last_asked(self.ledger)
        failed = works.retryable(self.ledger, reasons, most_attempts)
        if not asked or not failed:
            return
        question, mode = works.question_of(self.ledger, asked[0]), asked[1]
        plan = retry_plan(question, mode, failed, self._session.pricing)
        if plan.cost.high and not approve(plan):
            raise ApprovalRequired(plan)
        with self.ledger.transaction("retry"):
            campaign = money.begin_campaign(self.ledger)
            purse = money.purse(self.ledger, campaign)
            cap = max(purse.cap, purse.spent + purse.reserved) + plan.cost.high
            money.approve(self.ledger, campaign, json.dumps(asdict(plan)), cap, None)
            works.want_again(self.ledger, reasons, most_attempts, campaign)

    def rebuild(self) -> None:
        """Make the table again from the ledger."""
        self._session.projector.rebuild()

    def finish(self) -> None:
        """End the command in good order."""
        self._session.projector.finish()
        money.end_campaign_when_done(self.ledger)
        books.end_run(self.ledger, self.number)


class _Patience:
    """How long a service may be away before a waiting command gives up."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._since: float | None = None

    def renew(self) -> None:
        """The service answered."""
        self._since = None

    def is_spent(self, fault: Exception, at_service: bool) -> bool:
        """Say whether to give up after `fault`; tells a person once that it waits."""
        now = self._session.clock.time()
        if self._since is None:
            self._since = now
            self._session.watcher.note(f"{fault}; trying again")
        return now - self._since > (_PATIENCE_AT_SERVICE if at_service else _PATIENCE)


def _spread(photos: Sequence[str], count: int) -> list[str]:
    """Return `count` photos spread evenly over the order of their paths, so that every folder has its say."""
    step = len(photos) / count
    return list(islice((photos[int(place * step)] for place in range(count)), count))
