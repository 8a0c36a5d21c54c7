"""Uploads on their way: who is asked about which, in which mode, so that each has its answer in time.

They wait for company as long as time allows, or as long as the file says. What a batch would miss goes by the cheapest
mode that keeps the time. Old ones go before new ones, and no more is begun than the budget of the day carries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from indexer.domain.mode import Mode
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.store import Transaction
from indexer.ledger.views import uploads
from indexer.ledger.views.uploads import Due
from indexer.ledger.work import items, questions
from indexer.pipeline import budget
from indexer.pipeline.plan.routing import Route
from indexer.pipeline.request import Ask
from indexer.pipeline.session import Session

FULL = 500
"""So many uploads are a batch that needs to wait for no more."""
MOST_ATTEMPTS = 3
_AGAIN = ("truncated", "malformed", "missing", "expired", "server_error", "rejected")
_SPARE = 2.0  # uploads gather while a batch would be back in half of the time that is left
_SOON = 120.0  # seconds that are left for single calls when a batch is given up
BUDGET = "budget"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long uploads may take, and how long they wait for company at most (None: while there is time), in seconds."""

    within: float
    gather: float | None = None


class Intake:
    """One look at what waits.

    `routes` gives every route for so many photos, the cheapest first.
    """

    def __init__(self, session: Session, timing: Timing, routes: Callable[[int], Sequence[Route]]) -> None:
        self._session = session
        self._ledger = session.ledger
        self._timing = timing
        self._routes = routes

    def chosen(self, waiting: Sequence[Due]) -> dict[Route, list[Due]]:
        """Return which photos go by which route now; what may gather yet is left out."""
        if not waiting:
            return {}
        known = self._routes(len(waiting))
        found: dict[Route, list[Due]] = {}
        for one in waiting:
            route = _in_time(known, self._left(one))
            if route is not None:
                found.setdefault(route, []).append(one)
        return {route: group for route, group in found.items() if not self._may_gather(route, group)}

    def _left(self, one: Due) -> float:
        return one.since + self._timing.within - self._session.clock.time()

    def _may_gather(self, route: Route, group: Sequence[Due]) -> bool:
        """A batch waits until it is full, or as long as was asked for; never until too late."""
        if route.mode is not Mode.BATCH or len(group) >= FULL:
            return False
        if self._left(group[0]) < _SPARE * route.ready_s.p90:
            return False
        gather = self._timing.gather
        return gather is None or self._session.clock.time() - group[0].since < gather

    def want(self, ask: Ask, mode: Mode, group: Sequence[Due]) -> int:
        """Approve and begin what the budget carries, the oldest first; returns how many that are."""
        high = self._session.pricing.quote(ask.question, mode).high_usd
        room = budget.headroom(self._session) + 1e-9
        count = len(group) if not high else max(0, min(len(group), int(room / high) if room < 1e12 else len(group)))
        taken, rest = [one.photo for one in group[:count]], [one.photo for one in group[count:]]
        if rest:
            uploads.hold(self._ledger, rest, BUDGET)
        if taken:
            with self._ledger.transaction("uploads asked about") as transaction:
                campaign = self._raise_cap(transaction, len(taken) * high)
                items.want(transaction, ask.question, taken, campaign, mode)
                uploads.mark_asked(transaction, taken, ask.question.versions)
        return count

    def again(self) -> None:
        """Let what failed for a reason that may pass wait again, as often as any photo may be asked."""
        found = uploads.failed(self._ledger, _AGAIN, MOST_ATTEMPTS)
        for number, mode in dict.fromkeys((number, mode) for number, mode, _ in found):
            works = [work for other, how, work in found if (other, how) == (number, mode)]
            question = questions.question_of(self._ledger, number)
            most = sum(
                self._session.pricing.quote(question.with_room(work.reason, work.attempts), mode).high_usd
                for work in works
            )
            if most > budget.headroom(self._session) + 1e-9:
                continue
            with self._ledger.transaction("uploads asked once more") as transaction:
                campaign = self._raise_cap(transaction, most)
                items.want_again(transaction, works, campaign, mode)

    def hurry(self) -> None:
        """Let what a batch holds past its time go on by single calls: the job is stopped, what it has is fetched."""
        soon = min(_SOON, self._timing.within / 4)
        since = self._session.clock.time() - self._timing.within + soon
        found = uploads.out_in_batches(self._ledger, since)
        if not found:
            return
        most = sum(
            count * self._session.pricing.quote(questions.question_of(self._ledger, number), Mode.INTERACTIVE).high_usd
            for number, count in found
        )
        with self._ledger.transaction("uploads in a hurry") as transaction:
            self._raise_cap(transaction, most)
            uploads.leave_batches(transaction, since)

    def _raise_cap(self, transaction: Transaction, by: float) -> int:
        campaign = approvals.begin_campaign(transaction)
        held = approvals.budget(self._ledger, campaign)
        cap = held.cap_with(by)
        approvals.approve(transaction, campaign, Yes(json.dumps({"most_usd": by}), cap, kind="inbox"))
        return campaign


def _in_time(known: Iterable[Route], left: float) -> Route | None:
    """The cheapest route that is likely to answer in time, else the one that is likely to answer first."""
    usable = [route for route in known if route.usable]
    return next(
        (replace(route, chosen=False) for route in usable if route.ready_s.p90 <= left),
        min(usable, key=lambda route: route.ready_s.p90, default=None),
    )
