"""The models on offer: token rules, prices and queue limits as published."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.fakes.gemini.wire import ApiError

_MILLION = 1_000_000
_NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
_GEMINI_3 = {"": 1120, "UNSPECIFIED": 1120, "LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}
_TILE = 258


@dataclass(frozen=True, slots=True)
class Model:
    """One model; prices are USD per million tokens of a single call, `queue` is per tier 1, 2, 3."""

    name: str
    price_in: float
    price_out: float
    queue: tuple[int, int, int]
    default_thinking: str = "MINIMAL"
    levels: tuple[str, ...] = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
    doubles: bool = False
    """The price doubles on 2027-01-01."""

    @property
    def generation(self) -> int:
        """The major version: 2 or 3."""
        return int(self.name.split("-")[1][0])

    def usd(self, lane: str, tokens_in: int, tokens_out: int, moment: float) -> float:
        """Return what a request costs; the batch lane costs half."""
        factor = (0.5 if lane == "batch" else 1.0) * (2 if self.doubles and moment >= _NEW_YEAR else 1)
        return factor * (tokens_in * self.price_in + tokens_out * self.price_out) / _MILLION

    def image_tokens(self, resolution: str, width: int, height: int) -> int:
        """Return the input tokens of one picture; `resolution` is the part after MEDIA_RESOLUTION_."""
        if self.generation >= 3:
            return _GEMINI_3[resolution]
        if resolution in ("LOW", "MEDIUM"):
            return {"LOW": 64, "MEDIUM": 256}[resolution]
        if max(width, height) <= 384:
            return _TILE
        return _TILE * math.ceil(width / 768) * math.ceil(height / 768)


_FLASH = (3 * _MILLION, 400 * _MILLION, 1000 * _MILLION)
_LITE = (10 * _MILLION, 500 * _MILLION, 1000 * _MILLION)
_PRO = (5 * _MILLION, 500 * _MILLION, 1000 * _MILLION)
_NO_MINIMAL = ("LOW", "MEDIUM", "HIGH")

MODELS = {
    model.name: model
    for model in (
        Model("gemini-3.8-flash", 0.75, 3.75, _FLASH, "LOW", _NO_MINIMAL, doubles=True),
        Model("gemini-3.7-flash", 0.75, 3.75, _FLASH, "LOW", doubles=True),
        Model("gemini-3.6-flash", 0.75, 3.75, _FLASH, "LOW", doubles=True),
        Model("gemini-3.5-flash", 1.50, 9.00, _FLASH, "LOW"),
        Model("gemini-3.5-flash-lite", 0.30, 2.50, _LITE),
        Model("gemini-3.1-flash-lite", 0.25, 1.50, _LITE),
        Model("gemini-3.1-pro-preview", 2.00, 12.00, _PRO, "HIGH", _NO_MINIMAL),
        Model("gemini-3-flash-preview", 0.50, 3.00, _FLASH, "LOW"),
        Model("gemini-2.5-flash-lite", 0.10, 0.40, _LITE),
        Model("gemini-2.5-flash", 0.30, 2.50, _FLASH, "LOW"),
        Model("gemini-2.5-pro", 1.25, 10.00, _PRO, "MEDIUM"),
    )
}


def find(name: str, method: str, version: str = "v1beta") -> Model:
    """Return the model of this id; raises the service's 404 for one it does not have."""
    model = MODELS.get(name.removeprefix("models/"))
    if model is None:
        raise ApiError(
            5,
            f"models/{name.removeprefix('models/')} is not found for API version {version}, or is not supported for "
            f"{method}. Call ListModels to see the list of available models and their supported methods.",
        )
    return model


def describe(model: Model) -> dict[str, object]:
    """Return the model resource."""
    return {
        "name": f"models/{model.name}",
        "version": model.name.split("-")[1],
        "displayName": model.name.replace("-", " ").title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens", "batchGenerateContent"],
        "thinking": True,
    }
