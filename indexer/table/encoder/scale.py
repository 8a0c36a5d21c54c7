"""Cosines of one encoder on the scale of another: what ranking and cut-off ask of a cosine was fitted to the default.

Each encoder has its own idea of how near texts are that have nothing to do with each other: by the default one such
cosines lie about 0.05, by others about 0.75. Their mean and deviation, over descriptions and queries in several
languages that are shipped here, are the two numbers by which a cosine is told on the scale of the default encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MEAN, DEVIATION = 0.0508, 0.0857
"""Those of the default encoder, over the same sentences."""
_LEAST = 1e-3
"""A deviation below this is that of an encoder which finds all texts alike."""

DESCRIBED = (
    "A grey heron stands on one leg in shallow water beside some reeds.",
    "Two workers in yellow helmets tighten bolts on a steel bridge.",
    "A plate of spaghetti with tomato sauce, basil and grated cheese on a checked tablecloth.",
    "The speedometer of an old motorcycle, photographed from above.",
    "A choir of children in white shirts sings in front of an organ.",
    "An empty waiting room with green plastic chairs and a wall clock.",
    "A woman repairs a violin at a workbench covered with tools.",
    "Snow lies on the roofs of a mountain village at dawn.",
    "A hand holds a smartphone that shows a weather forecast for five days.",
    "A goalkeeper in orange dives for the ball in the rain.",
    "Rows of glass jars with spices on the shelves of a market stall.",
    "An astronaut in a white suit waves before boarding a bus.",
    "Two fishing boats lie in the mud at low tide.",
    "An old lady feeds pigeons in front of a fountain.",
    "A black cat sleeps on a radiator.",
    "A teacher writes on a blackboard while pupils sit at their desks.",
)
"""What photos may show, in the language in which they are described unless somebody asks for another."""
ASKED = (
    "birthday cake with candles",
    "x-ray of a broken wrist",
    "red double-decker bus in the city",
    "sheep on a hillside",
    "tax form 2019",
    "surfer on a big wave",
    "sleeping baby",
    "hot air balloons at sunset",
    "bookshelf",
    "wedding dance",
    "circuit board close-up",
    "horse jumping over a fence",
    "Weihnachtsbaum mit Geschenken",
    "coucher de soleil sur le désert",
    "niños jugando en la playa",
    "樱花盛开的公园",
)
"""What people may look for, in several languages, none of it in any of `DESCRIBED`."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from the cosines of one encoder to those of the default one."""

    slope: float = 1.0
    shift: float = 0.0

    @classmethod
    def of(cls, mean: float, deviation: float) -> Scale:
        """Return the scale of an encoder by whose cosines unrelated texts have this mean and deviation."""
        slope = DEVIATION / max(deviation, _LEAST)
        return cls(slope, MEAN - slope * mean)

    def told(self, cosines: np.ndarray) -> np.ndarray:
        """Return `cosines` as the default encoder would tell them."""
        return cosines if self == SAME else self.slope * cosines + self.shift


SAME = Scale()


def unrelated(encode: Callable[[Sequence[str]], np.ndarray]) -> tuple[float, float]:
    """Return mean and deviation of the cosines of unrelated texts, whose vectors of length 1 `encode` returns."""
    cosines = encode(ASKED) @ encode(DESCRIBED).T
    return float(cosines.mean()), float(cosines.std())
