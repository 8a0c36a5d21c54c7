"""What the fake sells: prices and token rules of its own, so that a test compares two of them and not one with itself.

Prices are US dollars per million tokens at the standard tier: in, out, read from the cache, written to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_EVERY = ("none", "low", "medium", "high", "xhigh")


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its prices, the efforts it knows, and how pictures count."""

    name: str
    usd: tuple[float, float, float, float]
    efforts: tuple[str, ...] = _EVERY
    factor: float = 1.2
    high_patches: int = 2_500
    auto_patches: int | None = None
    batches: bool = True
    vision: bool = True

    def picture_tokens(self, width: int, height: int, detail: str) -> int:
        """Count a picture by patches of 32 pixels; where there are too many it is shrunk to the most."""
        patches = math.ceil(width / 32) * math.ceil(height / 32)
        if detail == "low":
            patches = min(patches, 256)
        elif detail == "high":
            patches = min(patches, self.high_patches)
        elif self.auto_patches is not None:
            patches = min(patches, self.auto_patches)
        return math.ceil(self.factor * patches)

    def dollars(self, tier: str, entered: int, left: int, cached: int, written: int) -> float:
        """Return what a request costs; batch and flex are half of everything."""
        into, out, read, write = self.usd
        full = (entered - cached - written) * into + cached * read + written * write + left * out
        return full * (0.5 if tier in ("batch", "flex") else 1.0) / 1e6


MODELS = {
    model.name: model
    for model in (
        Model("gpt-6-luna", (0.10, 0.50, 0.01, 0.125)),
        Model("gpt-5.6-luna", (0.20, 1.20, 0.02, 0.25), auto_patches=10_000),
        Model("gpt-5.4-nano", (0.20, 1.25, 0.02, 0.20), factor=2.46, high_patches=1_536),
        Model("gpt-5-nano", (0.05, 0.40, 0.005, 0.05), ("minimal", "low", "medium", "high"), 2.46, 1_536),
        Model("gpt-6.1-sol", (1.0, 8.0, 0.1, 1.25), batches=False),
        Model("text-embedding-3-small", (0.02, 0.0, 0.02, 0.02), vision=False),
    )
}
