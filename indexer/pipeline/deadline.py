"""What a deadline does to photos that no batch has answered: calls; before, with `best`, flex and a second request.

Each step is taken as late as it can be and still help: flex costs what a batch does, the others cost more.
"""

from __future__ import annotations

from indexer.domain.errors import ProviderError, UsageError
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.spend import approvals
from indexer.ledger.work import hedges, items, modes, questions
from indexer.ledger.work.hedges import Second
from indexer.pipeline import budget
from indexer.pipeline.plan.routing import Market, ready_by_calls
from indexer.pipeline.send.calls import CallSender
from indexer.pipeline.session import Session

_CANCELLING = 600.0  # a batch may take so long to stop, and nothing of it is asked before
_SPARE = 30.0
_FLEX_SHARE, _HEDGE_SHARE = 0.25, 0.5  # of the time until the deadline: no step is taken sooner


class Deadline:
    """The deadline of the current campaign, and the steps up to it; a campaign without one takes none."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger

    def meet(self) -> None:
        """Take the steps whose moment has come."""
        held, campaign = approvals.term(self._ledger), approvals.current_campaign(self._ledger)
        if held is None or campaign is None:
            return
        if self._session.clock.time() >= held[1]:
            moved = modes.leave_batch(self._ledger, campaign)
            if moved:
                self._session.watcher.note(f"the deadline has passed: {moved:,} photos are now asked one by one")
            return
        self._leave_for_flex(held, campaign)

    def race(self) -> bool:
        """Ask a second provider about what is late, if that was approved, and let go of what it answers; True if so."""
        held, second = approvals.term(self._ledger), hedges.promised(self._ledger)
        if held is None or second is None:
            return False
        hedges.take_up(self._ledger, second)
        moment = self._hedge_moment(held)
        due = moment is not None and self._session.clock.time() >= moment
        if due:
            self._ask_second(second)
        hedges.settle(self._ledger, second)
        return due

    def until_next(self, pause: float) -> float:
        """Return for how many seconds to wait at most so that no step is taken too late."""
        held, campaign = approvals.term(self._ledger), approvals.current_campaign(self._ledger)
        if held is None or campaign is None:
            return pause
        moments = [held[1], *(moment for _, moment in self._flex_moments(held, campaign))]
        hedged = self._hedge_moment(held)
        now = self._session.clock.time()
        soon = [moment - now for moment in (*moments, *([hedged] if hedged else [])) if moment > now]
        return min([pause, *soon])

    def _leave_for_flex(self, held: tuple[float, float], campaign: int) -> None:
        """Stop batches that flex calls of the same service and price could finish in time."""
        now = self._session.clock.time()
        for number, moment in self._flex_moments(held, campaign):
            if now >= moment:
                modes.leave_batch_for_flex(self._ledger, campaign, number)
                provider = questions.question_of(self._ledger, number).provider
                self._session.watcher.note(f"the deadline is near: what {provider} has not answered goes on by flex")

    def _flex_moments(self, held: tuple[float, float], campaign: int) -> list[tuple[int, float]]:
        """Return (question, moment) of all that would leave its batch for flex."""
        found: list[tuple[int, float]] = []
        if not modes.escalates(self._ledger, campaign):
            return found
        for number, count in modes.batched(self._ledger, campaign):
            question = questions.question_of(self._ledger, number)
            if self._sells_flex(question):
                lead = _CANCELLING + self._seconds(question, Mode.FLEX, count)
                found.append((number, _before(held, lead, _FLEX_SHARE)))
        return found

    def _sells_flex(self, question: Question) -> bool:
        """Whether the service sells flex, at no more than its batch price."""
        pricing = self._session.pricing
        if Mode.FLEX not in self._session.spec(question.provider).modes:
            return False
        try:
            flex, batch = (pricing.quote(question, mode).high_usd for mode in (Mode.FLEX, Mode.BATCH))
        except UsageError:
            return False
        return flex <= batch

    def _ask_second(self, second: Second) -> None:
        photos, question = hedges.late(self._ledger, second), questions.question_of(self._ledger, second.question)
        self._session.watcher.note(
            f"the deadline is near: {len(photos):,} photos that are still in a batch are also asked of "
            f"{question.provider} {question.model}"
        )
        with self._ledger.transaction("asked a second time") as transaction:
            items.want(transaction, question, photos, second.campaign, second.mode)
        try:
            CallSender(self._session, question, second.question, second.mode).run(budget.left(self._session))
        except ProviderError as fault:  # the first request is out all the same
            self._session.watcher.note(f"{question.provider} cannot answer in their place: {fault}")
        with self._ledger.transaction("second requests sent") as transaction:
            hedges.end(transaction, second, photos)

    def _hedge_moment(self, held: tuple[float, float]) -> float | None:
        """Return from when on a second request is sent, None where none would be."""
        second = hedges.promised(self._ledger)
        count = 0 if second is None or second.sent else len(hedges.late(self._ledger, second))
        if second is None or not count:
            return None
        question = questions.question_of(self._ledger, second.question)
        return _before(held, self._seconds(question, second.mode, count), _HEDGE_SHARE)

    def _seconds(self, question: Question, mode: Mode, count: int) -> float:
        """How long so many calls take in nine cases of ten."""
        config, now = self._session.config, self._session.clock.time()
        market = Market(self._session.pricing, {}, now, concurrency=config.calls_at_once())
        return ready_by_calls(self._ledger, question, mode, count, market).p90


def _before(held: tuple[float, float], lead: float, share: float) -> float:
    """Return the moment that lies `lead` seconds before the deadline, but in the last `share` of the time until it."""
    began, ends = held
    return ends - min(lead + _SPARE, share * (ends - began))
