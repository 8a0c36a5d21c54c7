"""Faults that a test switches on in a fake service: which call, what happens, how often."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import Any

LOST = frozenset({"drop", "hang", "kill"})
"""After these the client has no answer."""

EARLY = frozenset({"html", "kill"})
"""These strike before the service does anything, unless told otherwise; statuses such as "503" do too."""

_ANYWHERE = LOST | {"html", "garbage", "empty", "error_in_200", "redirect", "torn_last_line", "truncate", "slow"}


@dataclass(slots=True)
class Fault:
    """One rule.

    Of the calls of `route` ("*": every call) whose subject fits `match`, a glob on the path or on a row's key, it
    strikes the `nth` (from 1) and the following `times` - 1, each `every`-th, or all; never more than `times` times.
    `when` is "before" or "after" the service did its work, "" as the kind does by itself. `pid` is whom "kill" ends.
    """

    route: str
    kind: str
    nth: int | None = None
    every: int | None = None
    times: int | None = None
    match: str = "*"
    when: str = ""
    pid: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    @property
    def early(self) -> bool:
        """Whether the service does nothing at all."""
        return self.when == "before" if self.when else self.kind.isdigit() or self.kind in EARLY

    def strikes(self, subject: str) -> bool:
        """Count one call and say whether it is struck."""
        if not fnmatch.fnmatchcase(subject, self.match):
            return False
        self.seen += 1
        if self.times is not None and self.fired >= self.times:
            return False
        hit = self.seen >= self.nth if self.nth else self.seen % (self.every or 1) == 0
        self.fired += hit
        return hit


class FaultBook:
    """The rules in force; `own` names the kinds of the service's own by route."""

    def __init__(self, own: dict[str, frozenset[str]]) -> None:
        self._own = own
        self._rules: list[Fault] = []

    def add(self, route: str, kind: str, **rule: Any) -> None:
        """Put a rule in force; a kind that could never strike is a `ValueError`."""
        general = route not in ("row", "job") and (kind in _ANYWHERE or (kind.isdigit() and len(kind) == 3))
        if not general and kind not in self._own.get(route, ()):
            raise ValueError(f"no such fault on {route}: {kind}")
        fields = Fault.__dataclass_fields__
        known = {name: value for name, value in rule.items() if name in fields}
        fault = Fault(route, kind, **known, params={name: value for name, value in rule.items() if name not in fields})
        if fault.nth is not None and fault.times is None:
            fault.times = 1
        self._rules.append(fault)

    def clear(self) -> None:
        """Take all rules out of force."""
        self._rules.clear()

    def take(self, route: str, subject: str) -> list[Fault]:
        """Count one call of `route` and return what strikes it, oldest rule first."""
        return [rule for rule in self._rules if self._covers(rule, route) and rule.strikes(subject)]

    @staticmethod
    def _covers(rule: Fault, route: str) -> bool:
        return rule.route == route or (rule.route == "*" and route not in ("row", "job"))
