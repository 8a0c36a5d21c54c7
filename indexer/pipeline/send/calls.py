"""Single calls: one a photo, a few at once, each with an intent before it and its own commit after it.

A process that dies leaves at most `concurrency` calls in doubt: they stay booked at their high price and are asked
again once. A provider that is free needs no intents, so its answers are committed in groups.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NoReturn

from indexer.domain.answer import Failure, Handling, Row
from indexer.domain.errors import ProviderError, RateLimited, UnknownModel, Unreachable
from indexer.domain.keys import line_key
from indexer.domain.mode import Mode
from indexer.domain.progress import Progress
from indexer.domain.question import Question, Request
from indexer.ledger.spend import approvals
from indexer.ledger.store import Transaction
from indexer.ledger.work import answers, items
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.items import Work
from indexer.pipeline.send.collect import booked
from indexer.pipeline.send.pace import Pace
from indexer.pipeline.send.renditions import request, with_renditions
from indexer.pipeline.send.unknown_model import explained, forget_work
from indexer.pipeline.session import Session
from indexer.providers.seam import Provider

_GROUP = 64
_MOST_WAITS = 8
_LONGEST_WAIT = 60.0
_FLEX_WAIT, _FLEX_LONGEST, _FLEX_MOST_WAITS = 30.0, 600.0, 60


class CallSender:
    """Asks every waiting work of one question by single calls in one mode."""

    def __init__(self, session: Session, question: Question, number: int, mode: Mode, stage: str = "asking") -> None:
        self._session = session
        self._ledger = session.ledger
        self._question = question
        self._number = number
        self._mode = mode
        self._stage = stage
        self._provider: Provider = session.provider(question.provider)
        self._spec = session.spec(question.provider)
        self._pace = Pace(session.config.concurrency)
        ends = None if mode is Mode.INTERACTIVE else approvals.deadline(session.ledger)
        self._ends = math.inf if ends is None else ends
        self._budget = 0.0
        self._limited = 0
        self._retry_after = 0.0
        self._stopped: ProviderError | None = None

    def run(self, budget_left: float) -> int:
        """Ask until nothing waits or the budget is used up; returns how many were answered or failed.

        What the service refuses for every photo is raised after the calls in flight have come home.
        """
        self._budget = budget_left
        done = 0
        while self._stopped is None and (finished := self._pass()) is not None:
            done += finished
        if self._stopped:
            self._stop(self._stopped)
        return done

    def _stop(self, fault: ProviderError) -> NoReturn:
        meaning = explained(self._session, self._question, fault)
        if isinstance(meaning, UnknownModel):
            forget_work(self._session, self._number)
        raise meaning

    def is_open(self) -> bool:
        """Say whether calls of this mode may go out now; some services have hours in which they cost half.

        At the deadline none does any more: what waits then goes on by calls at full price.
        """
        now = self._session.clock.time()
        return self._spec.opens_at(self._mode, now) <= now < self._ends

    def _pass(self) -> int | None:
        """Ask everything that waits now, once; what goes back to waiting is for the next pass. None: nothing to ask."""
        done = begun = 0
        total = items.unsent(self._ledger, self._number)
        source = self._affordable()
        flying: dict[Future[tuple[Row, float]], Booking] = {}
        workers = 2 if self._spec.offline else self._session.config.concurrency
        with ThreadPoolExecutor(workers, thread_name_prefix="ask") as pool:
            while True:
                if self._stopped is None:
                    begun += self._begin(source, pool, flying)
                if not flying:
                    return done if begun else None
                landed, _ = wait(flying, return_when=ALL_COMPLETED if self._spec.offline else FIRST_COMPLETED)
                done += self._settle({future: flying.pop(future) for future in landed})
                self._session.watcher.progress(Progress(self._stage, done, total))
                self._rest()

    def _affordable(self) -> Iterator[tuple[Work, bytes, float]]:
        """Yield what waits, and its highest price, as long as the budget carries it; what comes cheaper is put back."""
        for work, image in self._waiting():
            if not self.is_open():
                return
            asked = self._question.with_room(work.reason, work.attempts)
            high = self._session.pricing.quote(asked, self._mode).high_usd
            if high > self._budget:
                return
            self._budget -= high
            yield work, image, high

    def _waiting(self) -> Iterator[tuple[Work, bytes]]:
        last = ""
        while batch := items.wanted(self._ledger, self._number, self._mode, _GROUP, after=last):
            for work, image in with_renditions(self._session, batch):
                last = work.key
                if isinstance(image, Failure):
                    items.fail_unsent(self._ledger, work.key, image)
                else:
                    yield work, image

    def _begin(
        self,
        source: Iterator[tuple[Work, bytes, float]],
        pool: ThreadPoolExecutor,
        flying: dict[Future[tuple[Row, float]], Booking],
    ) -> int:
        begun: list[tuple[Work, str, float]] = []
        requests: list[tuple[Booking, Request]] = []
        window = _GROUP if self._spec.offline else self._pace.window
        while len(flying) + len(begun) < window and (found := next(source, None)):
            work, image, high = found
            key = line_key(work.key, self._ledger.library_id, work.attempts + 1)
            begun.append((work, key, high))
            requests.append((Booking(key, work.key, high, None), request(self._question, work, key, image, self._mode)))
        if begun:
            items.begin_calls(self._ledger, begun, self._mode)
        for booking, asked in requests:
            flying[pool.submit(self._timed, asked)] = booking
        return len(begun)

    def _timed(self, asked: Request) -> tuple[Row, float]:
        began = self._session.clock.time()
        return self._provider.ask(asked), self._session.clock.time() - began

    def _settle(self, landed: dict[Future[tuple[Row, float]], Booking]) -> int:
        finished: list[str] = []
        with self._ledger.transaction("answers of calls") as transaction:
            for future, booking in landed.items():
                if self._settle_one(transaction, future, booking):
                    finished.append(booking.work)
        self._session.spool.drop(items.photos_of(self._ledger, finished))
        return len(finished)

    def _settle_one(self, transaction: Transaction, future: Future[tuple[Row, float]], booking: Booking) -> bool:
        try:
            row, seconds = future.result()
        except RateLimited as fault:
            self._take_back(transaction, booking)
            self._slow_down(fault)
            return False
        except Unreachable as fault:
            if fault.sent:
                items.doubt(transaction, booking.attempt, booking.work, str(fault))
                self._slow_down(fault)
            else:  # nothing left the machine, and nothing else would: the run decides how long to wait
                self._take_back(transaction, booking)
                self._stopped = fault
            return False
        except ProviderError as fault:
            self._take_back(transaction, booking)
            self._stopped = fault
            return False
        self._pace.answered(seconds)
        self._pace.answered(seconds)
        return self._record(transaction, row, booking)

    def _record(self, transaction: Transaction, row: Row, booking: Booking) -> bool:
        priced = booked(self._session, booking, (self._question, self._mode), row)
        self._budget += booking.spent_usd - priced.spent_usd
        outcome = row.outcome
        if not isinstance(outcome, Failure):
            answers.record_answer(transaction, priced, outcome, self._spec.rank)
        elif outcome.handling is Handling.KEEP:
            answers.record_failure(transaction, priced, outcome)
        else:
            items.void(transaction, booking.attempt, booking.work)
            if outcome.handling is Handling.PAUSE:
                self._stopped = ProviderError(
                    f"the service stopped serving this account: {outcome.detail}",
                    hint="fix the account, then run again",
                )
            return False
        self._limited = 0
        return True

    def _take_back(self, transaction: Transaction, booking: Booking) -> None:
        items.void(transaction, booking.attempt, booking.work)
        self._budget += booking.spent_usd

    def _slow_down(self, fault: RateLimited | Unreachable) -> None:
        self._limited += 1
        self._pace.limit()
        wished = fault.retry_after if isinstance(fault, RateLimited) else None
        if self._mode is Mode.FLEX:  # its capacity comes and goes: whoever pays half waits longer, and for longer
            usual, longest, most = _FLEX_WAIT * 2.0 ** min(self._limited - 1, 5), _FLEX_LONGEST, _FLEX_MOST_WAITS
            usual *= random.uniform(0.75, 1.25)
        else:
            usual, longest, most = 2.0 ** min(self._limited, 6), _LONGEST_WAIT, _MOST_WAITS
        self._retry_after = max(self._retry_after, min(max(wished or 0.0, usual), longest))
        if self._limited > most:
            self._stopped = fault

    def _rest(self) -> None:
        if self._retry_after and self._stopped is None:
            left = max(0.0, self._ends - self._session.clock.time())
            self._session.clock.sleep(min(self._retry_after, left))
        self._retry_after = 0.0
