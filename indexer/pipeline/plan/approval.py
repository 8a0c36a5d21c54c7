"""From a plan to committed, paid-for intent: ask, keep the yes, and let exactly the approved work items wait."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from indexer.domain.errors import ApprovalRequired
from indexer.domain.mode import Mode
from indexer.domain.money import dollars
from indexer.domain.plan import Cost, Plan
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.views import counts, prompts
from indexer.ledger.work import bursts, hedges, items, modes, prompt_facts, questions
from indexer.ledger.work.bursts import Split
from indexer.pipeline.plan.planner import Circumstances, make_plan
from indexer.pipeline.request import Approve, Ask
from indexer.pipeline.session import Session

_CENT_OF_A_CENT = 1e-9


class Approval:
    """The approvals of one `Ask`."""

    def __init__(self, session: Session, ask: Ask, approve: Approve) -> None:
        self._session = session
        self._ledger = session.ledger
        self._ask = ask
        self._approve = approve
        self._free = session.spec(ask.question.provider).free

    def plan(self, *, pilot: int | None, trusted: int | None = None) -> Plan:
        """Say what asking would do and cost, with a pilot of the wished size; `trusted` as in `Circumstances`."""
        session, ask = self._session, self._ask
        around = Circumstances(
            limits=session.queues(ask.question),
            pilot=pilot,
            rendition_bytes=session.spool.mean_size(),
            concurrency=session.config.calls_at_once(),
            refresh=ask.refresh,
            one_per_burst=ask.one_per_burst,
        )
        around = around if trusted is None else replace(around, trusted=trusted)
        plan = make_plan(self._ledger, ask.question, ask.mode, ask.scope, session.pricing, around)
        plan = replace(plan, budget=ask.budget)
        return plan if ask.deadline is None or self._free else self._with_deadline(plan)

    def _with_deadline(self, plan: Plan) -> Plan:
        """What is not back by the deadline goes on by interactive requests, so the cap must carry these."""
        most = plan.new * self._session.pricing.quote(self._ask.question, Mode.INTERACTIVE).high_usd
        told = "photos not back by the deadline are asked one by one, at the interactive price"
        cost = Cost(plan.cost.low, max(plan.cost.high, plan.interactive_cost.high))
        plan = replace(plan, cost=cost, most_usd=max(most, plan.most_usd), warnings=(*plan.warnings, told))
        return plan if self._ask.hedge is None else self._with_hedge(plan, self._ask.hedge)

    def _with_hedge(self, plan: Plan, hedge: Ask) -> Plan:
        """What is still in a batch shortly before the deadline may be paid twice, so the cap must carry that too."""
        quote = self._session.pricing.quote(hedge.question, hedge.mode)
        more = plan.new * quote.high_usd
        told = (
            f"--hedge: {hedge.question.provider} {hedge.question.model} is also asked about photos that are still in a "
            f"batch shortly before the deadline, for up to {dollars(more)} more; the first answer counts, both are paid"
        )
        cost = Cost(plan.cost.low, plan.cost.high + plan.new * quote.likely.high)
        return replace(plan, cost=cost, most_usd=plan.most_usd + more, warnings=(*plan.warnings, told))

    def record_asked(self, run: int) -> None:
        """Keep what is asked, and by what names."""
        question = self._ask.question
        with self._ledger.transaction("asked", uncounted=True) as transaction:
            counts.record_asked(transaction, run, questions.question_id(transaction, question), self._ask.mode)
            prompts.name(transaction, question.prompt_version, self._ask.names[0])
            prompts.name(transaction, question.schema_version, self._ask.names[1])

    def needed(self, plan: Plan) -> bool:
        """Say whether somebody must say yes; what was approved goes on without asking while its cap can carry it."""
        question = questions.known_question(self._ledger, self._ask.question)
        scope = self._ask.scope
        if not plan.new:
            return False
        if self.photos():
            return True
        if modes.in_other_mode(self._ledger, question, self._ask.mode):
            return True
        if self._ask.refresh and next(prompt_facts.outdated(self._ledger, self._ask.question, question, scope), None):
            return True
        held = approvals.budget(self._ledger)
        if self._ask.budget is not None:
            return abs(self._ask.budget - held.cap) > _CENT_OF_A_CENT
        return held.left < plan.most_usd - _CENT_OF_A_CENT

    def obtain(self, plan: Plan, first: Iterable[str] | None = None) -> None:
        """Have the plan approved and commit it: the work items of the pilot's photos `first` alone, or all."""
        if not self._free and not self._approve(plan):
            raise ApprovalRequired(plan)
        ask, number = self._ask, questions.known_question(self._ledger, self._ask.question)
        scope = ask.scope
        mode = ask.mode if first is None else Mode.INTERACTIVE
        photos = self.photos() if first is None else list(first)
        outdated = list(prompt_facts.outdated(self._ledger, ask.question, number, scope)) if ask.refresh else []
        with self._ledger.transaction("approval") as transaction:
            campaign = approvals.begin_campaign(transaction)
            held = approvals.budget(self._ledger, campaign)
            # The plan counts all that still waits, so what was agreed to before for it is not added again.
            cap = held.spent + held.reserved + plan.most_usd if ask.budget is None else ask.budget
            ends = None if ask.deadline is None else self._session.clock.time() + ask.deadline
            approvals.approve(transaction, campaign, Yes(json.dumps(asdict(replace(plan, sample=()))), cap, ends))
            if ask.escalates:
                modes.let_escalate(transaction, campaign)
            if ask.hedge is not None:
                second = questions.question_id(transaction, ask.hedge.question)
                hedges.promise(transaction, campaign, second, ask.hedge.mode)
            items.want(transaction, ask.question, photos, campaign, mode)
            if first is not None:
                modes.leave_batch_for(transaction, ask.question, photos)
            else:
                prompt_facts.renew(transaction, outdated, campaign, mode)
                modes.change_mode(transaction, number, mode)

    def photos(self) -> list[str]:
        """Return the photos that are to be asked about and were not approved yet."""
        return self._to_ask().ask

    def _to_ask(self) -> Split:
        number = questions.known_question(self._ledger, self._ask.question)
        return bursts.to_ask(self._ledger, number, self._ask.scope, self._ask.one_per_burst)

    def inherit(self) -> None:
        """Let the others of each burst take the description of the one that was asked for."""
        number = questions.known_question(self._ledger, self._ask.question)
        if not self._ask.one_per_burst or number is None:
            return
        asked = self._to_ask()
        unapproved = frozenset(asked.ask)
        sources = {photo: source for photo, source in asked.inherit.items() if source not in unapproved}
        if sources:
            with self._ledger.transaction("inherited") as transaction:
                bursts.inherit(transaction, number, sources)
            self._session.spool.drop(sources)

    def choose(self) -> None:
        """Let the answers to what was asked now win over those to earlier prompts; nobody asks pixels by a prompt."""
        if self._session.spec(self._ask.question.provider).offline:
            return
        with self._ledger.transaction("prompt in force", uncounted=True) as transaction:
            prompts.choose_question(transaction, self._ask.question)
