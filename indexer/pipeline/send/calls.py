"""Single calls: one a photo, a few at once, each with an intent committed before it.

What came back and the intents of what goes out next are one commit, because a commit waits for the disk. A process
that dies leaves at most `concurrency` calls in doubt: they stay booked at their high price and are asked again once.
What is computed here has nobody to wait for, so its answers are committed in groups.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NoReturn

from indexer.domain.answer import Failure, Handling, Room, Row
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
from indexer.providers.seam import Provider, Slotted

_GROUP = 64
_MOST_WAITS = 8
_LONGEST_WAIT = 60.0
_FLEX_WAIT, _FLEX_LONGEST, _FLEX_MOST_WAITS = 30.0, 600.0, 60


@dataclass(frozen=True, slots=True)
class _Call:
    """A call on its way: for which work item, what is booked until its answer comes, what is sent, and when."""

    work: Work
    booking: Booking
    request: Request
    begun: int  # after how many looks at what came back


_Future = Future[tuple[Row, float]]


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
        self._workers = 2  # of what is computed here; calls to a service: see run
        self._pace = Pace(_GROUP)
        ends = None if mode is Mode.INTERACTIVE else approvals.deadline(session.ledger)
        self._ends = math.inf if ends is None else ends
        self._budget = 0.0
        self._prices: dict[Question, float] = {}
        self._room: Room | None = None
        self._looks = self._room_of = 0
        self._limited = 0
        self._retry_after = 0.0
        self._stopped: ProviderError | None = None

    def run(self, budget_left: float) -> int:
        """Ask until nothing waits or the budget is used up; returns how many were answered or failed.

        What the service refuses for every photo is raised after the calls in flight have come home.
        """
        self._budget = budget_left
        if not self._spec.offline:
            slots = self._provider.slots() if isinstance(self._provider, Slotted) else None
            self._workers = max(1, self._session.config.calls_at_once(slots))
            self._pace = Pace(self._workers)
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
        flying: dict[_Future, _Call] = {}
        landed: dict[_Future, _Call] = {}
        with ThreadPoolExecutor(self._workers, thread_name_prefix="ask") as pool:
            while True:
                if landed:
                    self._hear(landed)
                    if not all(map(_is_clean, landed)):
                        done, landed = done + self._commit(landed, []), {}
                    self._session.watcher.progress(Progress(self._stage, done, total))
                    self._rest(idle=not flying)
                picked = self._pick(source, len(flying))
                done, begun = done + self._commit(landed, picked), begun + len(picked)
                for call in picked:
                    flying[pool.submit(self._timed, call.request)] = call
                if not flying:
                    if landed:  # kept just now, after the line above was told
                        self._session.watcher.progress(Progress(self._stage, done, total))
                    return done if begun else None
                finished, _ = wait(flying, return_when=ALL_COMPLETED if self._spec.offline else FIRST_COMPLETED)
                landed = {future: flying.pop(future) for future in finished}

    def _hear(self, landed: Mapping[_Future, _Call]) -> None:
        """Learn from answers how fast to go on: how long they took, and what the service says is left of its rates.

        Of calls that were out at the same time nobody knows which was served first, so the least that they tell
        counts; more is believed of a call that went out after that was told.
        """
        self._looks += 1
        for future, call in landed.items():
            if future.exception() is not None:
                continue
            row, seconds = future.result()
            self._pace.answered(seconds)
            if row.room is not None and self._is_news(row.room, call):
                self._room, self._room_of = row.room, self._looks

    def _is_news(self, room: Room, call: _Call) -> bool:
        return self._room is None or room.calls < self._room.calls or call.begun >= self._room_of

    def _affordable(self) -> Iterator[tuple[Work, bytes, float]]:
        """Yield what waits, and its highest price, as long as the budget carries it; what comes cheaper is put back."""
        for work, image in self._waiting():
            if not self.is_open():
                return
            high = self._high_usd(work)
            if high > self._budget:
                return
            self._budget -= high
            yield work, image, high

    def _high_usd(self, work: Work) -> float:
        asked = self._question.with_room(work.reason, work.attempts)
        if asked not in self._prices:
            self._prices[asked] = self._session.pricing.quote(asked, self._mode).high_usd
        return self._prices[asked]

    def _waiting(self) -> Iterator[tuple[Work, bytes]]:
        last = ""
        while batch := items.wanted(self._ledger, self._number, self._mode, _GROUP, after=last):
            for work, image in with_renditions(self._session, batch):
                last = work.key
                if isinstance(image, Failure):
                    items.fail_unsent(self._ledger, work.key, image)
                else:
                    yield work, image

    def _pick(self, source: Iterator[tuple[Work, bytes, float]], flying: int) -> list[_Call]:
        """Return the calls that may go out beside those that fly."""
        picked: list[_Call] = []
        window = _GROUP if self._spec.offline else self._pace.window
        if self._room is not None:  # what flies may have been counted by the service, or not yet
            window = min(window, self._room.calls)
        while self._stopped is None and len(picked) + flying < window and (found := next(source, None)):
            work, image, high = found
            key = line_key(work.key, self._ledger.library_id, work.attempts + 1)
            asked = request(self._question, work, key, image, self._mode)
            picked.append(_Call(work, Booking(key, work.key, high, None), asked, self._looks))
        return picked

    def _timed(self, asked: Request) -> tuple[Row, float]:
        began = self._session.clock.time()
        return self._provider.ask(asked), self._session.clock.time() - began

    def _commit(self, landed: Mapping[_Future, _Call], picked: Sequence[_Call]) -> int:
        """Keep what came back and the intents of what goes out next; returns how many calls have ended for good."""
        if not landed and not picked:
            return 0
        with self._ledger.transaction("answers and intents of calls") as transaction:
            done = [call for future, call in landed.items() if self._settle_one(transaction, future, call.booking)]
            for call in picked:
                items.begin_call(transaction, call.work, call.booking.attempt, call.booking.spent_usd, self._mode)
        self._session.spool.drop([call.work.photo for call in done])
        return len(done)

    def _settle_one(self, transaction: Transaction, future: _Future, booking: Booking) -> bool:
        try:
            row, _ = future.result()
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

    def _rest(self, *, idle: bool) -> None:
        """Wait as long as the service asks; where nothing is left of its rates, once all calls have come home."""
        pause = self._retry_after
        if self._room is not None and not self._room.calls and idle:
            pause, self._room = max(pause, min(self._room.seconds, _LONGEST_WAIT)), None
        if pause and self._stopped is None:
            left = max(0.0, self._ends - self._session.clock.time())
            self._session.clock.sleep(min(pause, left))
        self._retry_after = 0.0


def _is_clean(landed: _Future) -> bool:
    """Whether nothing that came back says to slow down or to stop."""
    if landed.exception() is not None:
        return False
    outcome = landed.result()[0].outcome
    return not isinstance(outcome, Failure) or outcome.handling is Handling.KEEP
