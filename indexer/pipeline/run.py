"""The order of steps of each command that writes. Every step reads the ledger anew, so resume = run again."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from indexer.crawl.crawler import Crawl, CrawlCount, Crawled, CrawlOptions
from indexer.domain.errors import ApprovalRequired, BudgetReached, RateLimited, Unreachable
from indexer.domain.mode import Mode
from indexer.domain.money import dollars
from indexer.domain.plan import Plan
from indexer.domain.progress import Progress
from indexer.domain.question import Question
from indexer.ledger.photos import forget
from indexer.ledger.scope import Scope
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.views import counts
from indexer.ledger.work import items, modes, moments, partners, questions, shards
from indexer.ledger.work.items import Work
from indexer.ledger.work.shards import UNSENT, Shard, ShardState
from indexer.media.versions import DIGEST_VERSION
from indexer.pipeline import budget
from indexer.pipeline.compare import Comparison, compare
from indexer.pipeline.deadline import Deadline
from indexer.pipeline.error_collector import Faults
from indexer.pipeline.intake import Intake, Timing
from indexer.pipeline.patience import Patience
from indexer.pipeline.plan.approval import Approval
from indexer.pipeline.plan.pilot import Pilot
from indexer.pipeline.plan.planner import retry_plan
from indexer.pipeline.plan.routing import Route
from indexer.pipeline.refill import Refilled, put_back
from indexer.pipeline.report import job_line
from indexer.pipeline.request import Approve, Ask
from indexer.pipeline.screenshots import unread
from indexer.pipeline.send import canary, offline
from indexer.pipeline.send.batch import BatchSender, sweep
from indexer.pipeline.send.calls import CallSender
from indexer.pipeline.send.lanes import Lanes
from indexer.pipeline.send.pack import pack_shard
from indexer.pipeline.session import Session
from indexer.providers.seam import Prepared

_SLOWER = 1.5
_LOOKS = 2.0  # times the usual, that a job is looked for at a provider that was given up
_POLL_MOST = 60.0  # seconds between two looks at a job, at most


class Run:
    """One writing command over a session; `number` names it in the ledger."""

    def __init__(self, session: Session, command: str) -> None:
        self._session = session
        self.ledger = session.ledger
        self.number = counts.begin_run(session.ledger, command)
        self.stopped = ""
        self.last_route: tuple[str, str] | None = None
        self._given_up: frozenset[str] = frozenset()
        self._heir: Ask | None = None
        self._prepared: set[str] = set()
        self._lanes = Lanes(session)
        self._deadline = Deadline(session)
        if not session.ledger.rehearsing:
            if moments.set_right(session.ledger):
                session.watcher.note("the clock of this machine was set back: waiting times start again from now")
            sweep(session)
        items.doubt_calls(session.ledger)

    def crawl(self, ask: Ask) -> Crawled:
        """Bring the ledger's files up to date; what files say of themselves becomes searchable."""
        watcher = self._session.watcher
        crawl = Crawl(self.ledger, self.number, ask.roots, ask.crawl, ask.digest_version)
        seen = crawl.run(self._session.spool, lambda reading: watcher.progress(_progress(reading)))
        spec = self._session.spec(ask.question.provider)
        seen.notes += unread(self.ledger, spec, self.number)
        for note in seen.notes:
            watcher.note(note)
        if not spec.free:
            self.project()
        return seen

    def owned(self, ask: Ask) -> int | None:
        """Return how many work items are answered, where nothing is left to ask a provider; None where something is."""
        number = questions.known_question(self.ledger, ask.question)
        count = counts.count_works(self.ledger, ask.scope, number)
        return None if count.pending or ask.refresh or self._unfinished() else count.described

    def plan(self, ask: Ask) -> Plan:
        """Say what asking would do and cost."""
        return Approval(self._session, ask, lambda _: False).plan(pilot=ask.pilot)

    def ask(self, ask: Ask, plan: Plan, approve: Approve) -> None:
        """Have the plan approved, send what it needs, and advance everything that is unfinished."""
        approval = Approval(self._session, ask, approve)
        approval.record_asked(self.number)
        if approval.needed(plan) and ask.mode is Mode.BATCH:
            self._prepare(ask.question.provider)
        if plan.pilot and (ask.pilot or approval.needed(plan)):
            pilot = Pilot(self._session, ask, plan)
            approval.obtain(plan, pilot.choose(approval.photos()))
            pilot.run()
            self.project()
            self.stopped = pilot.why_stopped()
            if not self.stopped and (rest := pilot.plan_of_rest(approval)).new:
                approval.obtain(rest)
        elif approval.needed(plan):
            approval.obtain(plan)
        approval.inherit()
        approval.choose()
        if not self.stopped:
            self.advance(wait=ask.wait)

    def advance(self, *, wait: bool) -> None:
        """Move everything that is unfinished as far as it goes; with `wait` until nothing is out any more."""
        pause = self._session.config.poll_seconds
        patience = Patience(self._session)
        while True:
            try:
                moved = self._pass()
                patience.renew()
            except (Unreachable, RateLimited) as fault:
                moved = False
                if not wait or patience.is_spent(fault, self._at_service()):
                    raise
            if not wait or self.stopped or not self._unfinished():
                self._lanes.raise_stuck()
                return
            if moved:
                pause = self._session.config.poll_seconds
                continue
            self._tell_waiting()
            self._session.pause(self._deadline.until_next(pause))
            pause = min(pause * _SLOWER, _POLL_MOST)

    def _tell_waiting(self) -> None:
        """Show how the oldest job at the service stands, and how many photos are out."""
        out = [shard for shard in shards.open_shards(self.ledger) if shard.state is ShardState.SUBMITTED]
        if not out:
            return
        oldest = min(out, key=lambda shard: shard.submitted_at or 0.0)
        line = job_line(self.ledger, oldest, self._session.clock.time())
        photos = sum(shard.requests for shard in out)
        told = Progress(
            "waiting",
            0,
            photos,
            job=line,
            provider=questions.question_of(self.ledger, oldest.question).provider,
            canary=all(shard.canary for shard in out),
        )
        self._session.watcher.progress(told)

    def _at_service(self) -> bool:
        return any(shard.state is ShardState.SUBMITTED for shard in shards.open_shards(self.ledger))

    def _pass(self) -> bool:
        """One look at everything; True when something moved, so that another look may move more."""
        self._deadline.meet()
        sender, faults = BatchSender(self._session, self._lanes), Faults()
        for shard in shards.open_shards(self.ledger):
            if not faults.service_away:
                with faults.held(given_up=self._is_given_up(shard.question)):
                    self._move(sender, shard)
        if sender.freed:
            shards.end_waits(self.ledger)
        sender.moved |= self._deadline.race()
        self._hand_over()
        for number, mode, count in items.open_questions(self.ledger):
            if not faults.service_away and not self._is_given_up(number):
                with faults.held():
                    self._send(number, mode, count, sender)
        if sender.moved:
            self.project()
        faults.raise_worst()
        return sender.moved

    def _send(self, number: int, mode: Mode, waiting: int, sender: BatchSender) -> None:
        if mode is not Mode.BATCH:
            self._call(number, mode, sender)
        else:
            self._feed(number, waiting, sender)

    def _prepare(self, provider: str) -> None:
        """Find out once what a batch service would lack, before anything is packed or paid for it."""
        service = self._session.batch_service(provider)
        if isinstance(service, Prepared) and provider not in self._prepared:
            service.prepare()
        self._prepared.add(provider)

    def _feed(self, number: int, waiting: int, sender: BatchSender) -> None:
        sent = False
        question = questions.question_of(self.ledger, number)
        self._prepare(question.provider)
        allowed = canary.leave(self._session, number)
        while (account := self._lanes.next_account(question)) is not None:
            with self._lanes.held(question.provider, account):
                if not pack_shard(self._session, number, self._lanes, account, allowed):
                    break
                sent = sender.moved = True
                newest = shards.open_shards(self.ledger)[-1]
                self._session.watcher.progress(Progress("sending", newest.requests, waiting))
                self._move(sender, newest)
            allowed = canary.leave(self._session, number)
        if not sent and not shards.open_shards(self.ledger):
            self.stopped = allowed.stopped or budget.why_stopped(self._session, number, Mode.BATCH)

    def _move(self, sender: BatchSender, shard: Shard) -> None:
        """Take a batch as far as it goes; where its account is dead and another one lives, what was never sent back."""
        with self._lanes.held(self._lanes.provider_of(shard), shard.account):
            sender.advance(shard)
            return
        for left in shards.open_shards(self.ledger):
            if left.id == shard.id:
                sender.advance(left)

    def _call(self, number: int, mode: Mode, sender: BatchSender) -> None:
        question = questions.question_of(self.ledger, number)
        done = CallSender(self._session, question, number, mode).run(budget.left(self._session))
        sender.moved |= done > 0
        if not done and not shards.open_shards(self.ledger):
            self.stopped = budget.why_stopped(self._session, number, mode)

    def _unfinished(self) -> bool:
        """Whether something is left to be waited for; what lies at a provider that was given up is not."""
        waited = [shard for shard in shards.open_shards(self.ledger) if self._is_waited_for(shard)]
        return bool(waited or any(not self._is_given_up(number) for number, _, _ in items.open_questions(self.ledger)))

    def _is_waited_for(self, shard: Shard) -> bool:
        """A provider that was given up is asked a little longer whether it has a job, and not how that goes."""
        if not self._is_given_up(shard.question):
            return not self._lanes.is_dead(shard)
        looked = self._session.clock.time() - (shard.unsure_since or 0.0)
        unsure = shard.state is ShardState.CREATING and looked < _LOOKS * self._session.config.lookup_seconds
        return shard.state in (*UNSENT, ShardState.COLLECTED) or unsure

    def _is_given_up(self, number: int) -> bool:
        return bool(self._given_up) and questions.question_of(self.ledger, number).provider in self._given_up

    def project(self) -> None:
        """Write what changed into the table; a rehearsal changes nothing there."""
        if self.ledger.rehearsing:
            return
        watcher = self._session.watcher
        self._session.projector.run(lambda done: watcher.progress(Progress("writing", done)))

    def look_again(self, reasons: Sequence[str], options: CrawlOptions) -> Scope:
        """Open files again that failed for one of `reasons`; returns those that no longer do."""
        watcher = self._session.watcher
        crawl = Crawl(self.ledger, self.number, (), options, DIGEST_VERSION)
        fresh = crawl.look_again(reasons, self._session.spool, lambda reading: watcher.progress(_progress(reading)))
        self.project()
        return Scope(tuple(fresh))

    def retry(self, reasons: Sequence[str], most_attempts: int, approve: Approve, fresh: Scope) -> None:
        """Let failed work items of these reasons wait again, and new photos of `fresh`, within an approved price."""
        asked = counts.last_asked(self.ledger)
        if not asked:
            return
        failed = items.retryable(self.ledger, asked.question, reasons, most_attempts)
        question, mode = questions.question_of(self.ledger, asked.question), asked.mode
        new = [Work(question.work_key(photo), photo, 0) for photo in items.unasked(self.ledger, asked.question, fresh)]
        again = [*failed, *new]
        if not again:
            return
        plan = retry_plan(self.ledger, question, mode, again, (self._session.pricing, self._session.queues(question)))
        covered = plan.most_usd <= approvals.retry_allowance(self.ledger)
        if not covered and not approve(plan):
            raise ApprovalRequired(plan)
        with self.ledger.transaction("retry") as transaction:
            campaign = approvals.begin_campaign(transaction)
            held = approvals.budget(self.ledger, campaign)
            cap = held.cap_with(plan.most_usd)
            yes = Yes(json.dumps(asdict(plan)), cap, kind="retry" if covered else "plan")
            approvals.approve(transaction, campaign, yes)
            items.want_again(transaction, failed, campaign, mode)
            items.want(transaction, question, [work.photo for work in new], campaign, mode)

    def intake(self, timing: Timing, routes: Callable[[int], Sequence[Route]]) -> Intake:
        """Return what sends waiting uploads; see `pipeline.intake`."""
        return Intake(self._session, timing, routes)

    def give_up(self, provider: str) -> None:
        """Let the work of a provider that was not sent go: another one does it."""
        with self.ledger.transaction("unsent batches given up") as transaction:
            modes.leave_unsent_batches(transaction, provider)
        sender = BatchSender(self._session, self._lanes)
        for shard in shards.open_shards(self.ledger):
            asked = questions.question_of(self.ledger, shard.question)
            if asked.provider == provider and shard.state in UNSENT:
                sender.advance(shard)
        with self.ledger.transaction("route given up") as transaction:
            items.give_up(transaction, provider)

    def follow(self, given_up: Collection[str], heir: Ask) -> None:
        """Go on for providers that were given up: what they turn out not to have served is asked by `heir`."""
        self._given_up, self._heir = frozenset(given_up), heir

    def _hand_over(self) -> None:
        """Let the heir ask what waits for a provider that was given up."""
        heir, campaign = self._heir, approvals.current_campaign(self.ledger)
        for number, mode, _ in items.open_questions(self.ledger):
            if heir is not None and campaign is not None and self._is_given_up(number):
                photos = items.waiting(self.ledger, number, mode)
                with self.ledger.transaction("handed over") as transaction:
                    items.give_up_question(transaction, number)
                    items.want(transaction, heir.question, photos, campaign, heir.mode)

    def share(self, ask: Ask, providers: Sequence[str] = ()) -> None:
        """Let what these providers answered to the same prompt and schema count for `ask`; without any, only its own.

        Nothing that one of them has answered, or is asked about, is asked again.
        """
        number = questions.known_question(self.ledger, ask.question)
        if ask.hedge is not None:
            self._register(ask.hedge.question)
        if not providers and len(partners.family(self.ledger, number)) < 2:
            return
        with self.ledger.transaction("partners") as transaction:
            partners.join(transaction, questions.question_id(transaction, ask.question), providers)

    def _register(self, question: Question) -> None:
        with self.ledger.transaction("question", uncounted=True) as transaction:
            questions.question_id(transaction, question)

    def record_asked(self, ask: Ask) -> None:
        """Keep what this run asks, and let its answers win over those to earlier prompts."""
        approval = Approval(self._session, ask, lambda _: True)
        approval.record_asked(self.number)
        approval.choose()

    def compare(self, asks: Sequence[Ask], sample: int, approve: Approve) -> Comparison:
        """Ask a few photos of several routes at once; see `pipeline.compare`."""
        try:
            return compare(self._session, asks, sample, approve)
        finally:
            self.project()

    def write_requests(self, question: Question, scope: Scope, to: Path) -> int:
        """Write requests to a file for a model that runs without us; returns how many."""
        return offline.write_requests(self._session, question, scope, to)

    def take_in(self, provider: str, results: Path) -> None:
        """Keep the answers in a file that a model of `provider` wrote, and say what it brought."""
        told = offline.take_in(self._session, provider, results)
        self.project()
        self._session.watcher.note(
            f"photos described by the file: {told.described:,}; answers that cannot be used: {told.unusable:,}; "
            f"lines about photos that were not asked for: {told.strangers:,}"
        )

    def set_bounds(self, budget: float | None, deadline: float | None, *, approved: bool) -> None:
        """Give the current campaign another cap (US dollars) or deadline (seconds from now); more money needs a yes."""
        campaign = approvals.current_campaign(self.ledger)
        if campaign is None or (budget is None and deadline is None):
            return
        cap = approvals.budget(self.ledger, campaign).cap
        if budget is not None and budget > cap and not approved:
            raise BudgetReached(
                f"a budget of {dollars(budget)} is more than the {dollars(cap)} that you approved",
                hint="approve it with --yes",
            )
        ends = approvals.deadline(self.ledger) if deadline is None else self._session.clock.time() + deadline
        with self.ledger.transaction("bounds") as transaction:
            yes = Yes("{}", cap if budget is None else budget, ends, kind="bounds")
            approvals.approve(transaction, campaign, yes)

    def forget(self, scope: Scope) -> None:
        """Forget what lies in `scope`, in the ledger, in the spool and in the table."""
        with self.ledger.leaving_no_trace():
            self._session.spool.drop(forget.forget(self.ledger, scope))
            self.project()
            forget.drop_paths(self.ledger, scope)
        self._session.projector.purge()

    def refill(self, usual: Callable[[Question], Question]) -> Refilled:
        """Put what the table holds into a ledger that is empty; `usual` gives a question the settings in force."""
        return put_back(self._session, self.number, self._session.projector.rows(), usual)

    def rebuild(self) -> None:
        """Make the table again from the ledger."""
        self._session.projector.rebuild()

    def finish(self) -> None:
        """End the command in good order."""
        if self.ledger.rehearsing:
            return
        self._session.projector.finish()
        approvals.end_campaign_when_done(self.ledger)
        counts.end_run(self.ledger, self.number)
        counts.keep_everything(self.ledger)


def _progress(reading: CrawlCount) -> Progress:
    return Progress("reading", reading.bytes, reading.total_bytes, unit="B", files=reading.files)
