"""Quality gates: what a pilot must show before the rest is bought."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from indexer.domain.errors import BadSetting
from indexer.domain.plan import Measured

_HELP = (
    "one of: valid=0.9 (least share), refused=0.1 (largest share), length=40 (least mean characters), "
    "cost=1.5 (most, times the estimate)"
)
_LEAST, _MOST = ("valid", "length"), ("refused", "cost")
_ENOUGH = 10


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on what a pilot measures: `valid` and `length` from below, `refused` and `cost` from above."""

    name: str
    value: float


DEFAULT = Gate("valid", 0.5)
"""What holds where nobody says anything: with half of the answers unusable, something is wrong with the question."""


def parse_gates(texts: Iterable[str]) -> tuple[Gate, ...]:
    """Return the gates that texts like `valid=0.9` name; raises `BadSetting`."""
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> Gate:
    name, _, number = text.partition("=")
    try:
        gate = Gate(name.strip(), float(number))
    except ValueError:
        raise BadSetting(f"{text!r} is not a gate", hint=_HELP) from None
    if gate.name not in _LEAST + _MOST or not math.isfinite(gate.value) or gate.value < 0:
        raise BadSetting(f"{text!r} is not a gate", hint=_HELP)
    return gate


def failing(measured: Measured, gates: Iterable[Gate]) -> Iterator[str]:
    """Yield a line for each gate that a pilot does not pass."""
    told = {gate.name: gate for gate in gates}
    if DEFAULT.name not in told and measured.requests >= _ENOUGH:
        told[DEFAULT.name] = DEFAULT
    ratio = measured.usd / measured.estimated_usd if measured.estimated_usd else 0.0
    found = {"valid": measured.valid, "length": measured.length, "refused": measured.refused, "cost": ratio}
    for gate in told.values():
        value = found[gate.name]
        if value < gate.value if gate.name in _LEAST else value > gate.value:
            bound = "at least" if gate.name in _LEAST else "at most"
            yield f"{gate.name} is {value:.2f}, but must be {bound} {gate.value:g}"
