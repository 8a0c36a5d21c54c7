"""From how an upload stands to its verdict: a pure function of answer, rules and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from indexer.domain.checks import HUMAN, Checks
from indexer.ledger.views.verdicts import Standing, Verdict

Decision = tuple[str, tuple[str, ...]]
_FINAL = ("unreadable", "unsupported", "too_large")
_HELD = {"budget": "the budget of the day was reached before it could be asked about"}


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides by `checks` about uploads that may take `within` seconds; `is_picture` looks at the bytes at a path."""

    checks: Checks
    within: float
    is_picture: Callable[[bytes], bool]

    def decide(self, standing: Iterator[Standing], now: float, *, ends: bool = True) -> list[Verdict]:
        """Return the verdicts that are new at the moment `now`; what a person decided stays.

        Without `ends` nobody's time is over yet.
        """
        decided = (self._decided(found, now, ends=ends) for found in standing if not found.person)
        return [made for made in decided if made is not None]

    def verdict(
        self,
        found: Standing,
        decision: tuple[str, tuple[str, ...]],
        now: float,
        *,
        person: bool = False,
        late: bool = False,
    ) -> Verdict:
        """Return a verdict about an upload, with what the model said of it."""
        moderation, checks = self.checks.read(found.fields) if found.fields is not None else ({}, {})
        return Verdict(
            id=found.id,
            decision=decision[0],
            reasons=decision[1],
            moderation=moderation,
            checks=checks,
            description=found.description,
            tags=found.tags,
            decided_at=now,
            model=found.model,
            prompt_version=found.prompt_version,
            rules=self.checks.rules_version,
            person=person,
            late=late,
        )

    def _decided(self, found: Standing, now: float, *, ends: bool) -> Verdict | None:
        if found.fields is not None:
            decision, reasons = self.checks.decide(found.fields)
            return self._new(found, (decision, tuple(reasons)), now)
        if found.state != "waiting":
            return None
        if why := self._hopeless(found):
            return self._new(found, (HUMAN, (why,)), now)
        if ends and now - found.since >= self.within:
            why = f"still failing: {found.reason}: {found.detail}" if found.reason else _HELD.get(found.held, "")
            return self.verdict(found, (HUMAN, (why or "no answer in time",)), now, late=True)
        return None

    def _new(self, found: Standing, decision: Decision, now: float) -> Verdict | None:
        """A verdict, unless it is the one that holds already and nobody waits for another."""
        return None if decision == found.last and found.state == "done" else self.verdict(found, decision, now)

    def _hopeless(self, found: Standing) -> str:
        """Why no answer will come, "" where one may."""
        if found.reason in _FINAL or (found.reason == "blocked" and not self._has_second(found)):
            return f"{found.reason}: {found.detail}"
        return "" if self.is_picture(found.path) else "unreadable: not a picture that is known here"

    def _has_second(self, found: Standing) -> bool:
        """Whether another provider may still be asked about what one refused by its policy."""
        second = self.checks.handling.second_provider
        return bool(second) and (found.out or second not in found.refused_by.split(","))
