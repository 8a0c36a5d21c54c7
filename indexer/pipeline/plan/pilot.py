"""The pilot: a few photos of every kind asked at once, looked at and measured before the rest is bought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from indexer.domain.answer import Reason
from indexer.domain.errors import GateFailed
from indexer.domain.mode import Mode
from indexer.domain.plan import Cost, Measured, Plan, Sampled
from indexer.ledger.spend import approvals
from indexer.ledger.views import pilot_sample
from indexer.ledger.views.pilot_sample import PilotPhoto
from indexer.ledger.work import items, questions
from indexer.pipeline import budget
from indexer.pipeline.gates import failing
from indexer.pipeline.plan.approval import Approval
from indexer.pipeline.plan.estimate import LEAST
from indexer.pipeline.request import Ask
from indexer.pipeline.send.calls import CallSender
from indexer.pipeline.session import Session
from indexer.storage.paths import to_text

SHEET = "pilot.html"


class Pilot:
    """The pilot of one `Ask`, which the plan before it said would be taken."""

    def __init__(self, session: Session, ask: Ask, before: Plan) -> None:
        self._session = session
        self._ask = ask
        self._before = before

    def choose(self, photos: Iterable[str]) -> list[str]:
        """Return which to take, of the `photos` that are to be asked about and of those that wait for a batch.

        Photos of a pilot that was cut short wait for an interactive request already.
        """
        ledger = self._session.ledger
        number = questions.known_question(ledger, self._ask.question)
        there = {*photos, *items.waiting(ledger, number, Mode.BATCH)}
        found = pilot_sample.candidates(ledger, there, self._ask.scope)
        wished = self._before.pilot - items.unsent(ledger, number, Mode.INTERACTIVE)
        return _spread(self._session, found, max(0, min(wished, len(found))))

    def run(self) -> None:
        """Ask them by interactive requests, within the budget."""
        number = questions.known_question(self._session.ledger, self._ask.question) or 0
        CallSender(self._session, self._ask.question, number, Mode.INTERACTIVE, "pilot").run(budget.left(self._session))

    def why_stopped(self) -> str:
        """Say why photos of the pilot were not asked about, "" when all were: nothing else is bought before them."""
        number = questions.known_question(self._session.ledger, self._ask.question) or 0
        left = items.unsent(self._session.ledger, number, Mode.INTERACTIVE)
        if not left or not (told := budget.why_stopped(self._session, number, Mode.INTERACTIVE)):
            return ""
        return f"{told}, or with --no-pilot (of the pilot, which goes first, photos left: {left:,})"

    def plan_of_rest(self, approval: Approval) -> Plan:
        """Return the plan of what is left, priced by what the pilot measured, with its photos and their sheet.

        Raises `GateFailed` when the answers are not good enough to go on.
        """
        taken = self._taken()
        plan = approval.plan(pilot=0, trusted=LEAST)
        measured = self._measure(taken)
        sheet = self._session.batches.parent / SHEET
        plan = replace(plan, sample=tuple(taken), measured=measured, sheet=str(sheet) if taken else "")
        if not taken or measured is None:
            return plan
        _write(sheet, plan)
        self._session.watcher.note(f"the pilot's photos and answers: {sheet}")
        found = list(failing(measured, self._ask.gates))
        if found:
            raise GateFailed(
                f"the pilot of {measured.requests} photos did not pass: {'; '.join(found)}",
                hint=f"look at {sheet}, then change the prompt, or the gate with --gate",
            )
        return plan

    def _taken(self) -> list[Sampled]:
        ledger = self._session.ledger
        number = questions.known_question(ledger, self._ask.question) or 0
        return [
            Sampled(
                path=to_text(one.path),
                description=one.description,
                tags=one.tags,
                failure="" if one.description else f"{one.reason}: {one.detail}",
                input_tokens=one.input_tokens,
                output_tokens=one.output_tokens,
                usd=one.usd,
            )
            for one in pilot_sample.taken(ledger, number, approvals.current_campaign(ledger) or 0)
        ]

    def _measure(self, taken: Sequence[Sampled]) -> Measured | None:
        if not taken:
            return None
        answered = [one for one in taken if not one.failure]
        guess = self._before.interactive_cost
        return Measured(
            requests=len(taken),
            valid=len(answered) / len(taken),
            refused=sum(one.failure.startswith(Reason.BLOCKED) for one in taken) / len(taken),
            length=fmean(len(one.description) for one in answered) if answered else 0.0,
            input_tokens=fmean(one.input_tokens for one in taken),
            output_tokens=fmean(one.output_tokens for one in taken),
            usd=fmean(one.usd for one in taken),
            estimated_usd=_middle(guess) / max(1, self._before.new),
        )


def _middle(cost: Cost) -> float:
    return (cost.low + cost.high) / 2


def _write(target: Path, plan: Plan) -> None:
    from indexer.export.contact_sheet import Card, write_sheet

    cards = [
        Card(
            path=one.path,
            description=one.description,
            tags=one.tags,
            facts=one.failure or f"{one.input_tokens} tokens in, {one.output_tokens} out, ${one.usd:.6f}",
        )
        for one in plan.sample
    ]
    total = sum(one.usd for one in plan.sample)
    title = f"Pilot: {len(cards)} photos by {plan.provider} {plan.model}, ${total:.4f}"
    write_sheet(target, title, cards)


def _spread(session: Session, found: Sequence[PilotPhoto], count: int) -> list[str]:
    """Return `count` photos spread over folders, months and shapes, in turn dark, middling and bright ones.

    `found` has like beside like, so that equal steps through it give every kind its share; of three neighbours at
    each step the light decides. A photo without a rendition at hand is taken as it comes.
    """
    from indexer.media.rendition import brightness

    step = len(found) / count if count else 0.0
    taken = []
    for place in range(count):
        group = found[int(place * step) : max(int(place * step) + 1, int((place + 1) * step))]
        nearest = [group[0], group[len(group) // 2], group[-1]]
        jpegs = {one.photo: session.spool.get(one.photo) for one in nearest}
        lit = sorted(jpegs, key=lambda photo: brightness(jpegs[photo] or b""))
        taken.append(lit[min(place % 3, len(lit) - 1)])
    return taken
