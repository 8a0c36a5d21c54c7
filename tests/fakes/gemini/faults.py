"""Faults that a test switches on: which call, what happens, with which parameters."""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.gemini import kinds
from tests.fakes.gemini.store import Store


@dataclass(slots=True)
class Fault:
    """One rule.

    `route` is a route name, "row" for lines of a batch result, "job" for the fate of a job at its creation, "upload"
    for both upload routes, "batch" for the five job routes, or "*" for every call. `kind` is one of `kinds.kinds`.
    Of the calls that match route and `match` (a glob on row key, content hash, display name, path or the key's
    fingerprint), the rule fires on the `nth` (from 1, counted since the rule was added) and the following `times` - 1
    ones, on each `every`-th, with a `probability`, or on all; never more than `times` times. `when` says whether the
    request is still processed: "before" or "after" ("" = what the kind does by itself).
    """

    route: str
    kind: str
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    times: int | None = None
    match: str = "*"
    when: str = ""
    pid: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    seen: int = 0
    fired: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        kinds.check(self.route, self.kind, self.when)
        if self.nth is not None and self.times is None:
            self.times = 1

    def covers(self, route: str) -> bool:
        """Say whether calls of this route are counted by the rule."""
        return route == self.route or route in kinds.GROUPS.get(self.route, ())

    def strikes(self, subjects: Sequence[str]) -> bool:
        """Count one call and say whether the rule fires on it."""
        if self.match != "*" and not any(fnmatch.fnmatchcase(subject, self.match) for subject in subjects):
            return False
        self.seen += 1
        if self.times is not None and self.fired >= self.times:
            return False
        if self.nth is not None:
            hit = self.seen >= self.nth
        elif self.every is not None:
            hit = self.seen % self.every == 0
        elif self.probability is not None:
            hit = random.Random(f"{self.seed}-{self.seen}").random() < self.probability
        else:
            hit = True
        self.fired += hit
        return hit


def fault_from(values: Mapping[str, Any]) -> Fault:
    """Make a rule from JSON; names that are no field of a rule become its parameters."""
    fields = {item.name for item in dataclasses.fields(Fault)}
    known = {name: value for name, value in values.items() if name in fields and name != "params"}
    extra = {name: value for name, value in values.items() if name not in fields}
    return Fault(**known, params={**values.get("params", {}), **extra})


class FaultBook:
    """The rules in force; they and their counters survive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._rules = [
            fault_from(json.loads(row["rule"])) for row in store.rows("SELECT rule FROM faults ORDER BY number")
        ]

    def add(self, fault: Fault) -> int:
        """Put a rule in force and return its number."""
        with self._lock:
            fault.number = 1 + max((rule.number for rule in self._rules), default=0)
            self._rules.append(fault)
            self._save(fault)
        return fault.number

    def clear(self, number: int | None = None) -> None:
        """Take one rule, or all, out of force."""
        with self._lock:
            gone = [rule for rule in self._rules if number in (None, rule.number)]
            self._rules = [rule for rule in self._rules if rule not in gone]
            for rule in gone:
                self._store.rows("DELETE FROM faults WHERE number = ?", rule.number)

    def take(self, route: str, *subjects: str) -> list[Fault]:
        """Count one call of `route` and return the rules that fire on it, oldest first."""
        if not self._rules:
            return []
        with self._lock:
            counted = [rule for rule in self._rules if rule.covers(route)]
            fired = [rule for rule in counted if rule.strikes(subjects)]
            for rule in counted if route != "row" else fired:
                self._save(rule)
        return fired

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules with their counters."""
        with self._lock:
            return [dataclasses.asdict(rule) for rule in self._rules]

    def _save(self, rule: Fault) -> None:
        text = json.dumps(dataclasses.asdict(rule))
        self._store.rows("INSERT OR REPLACE INTO faults VALUES (?, ?)", rule.number, text)
