"""What differs from one Gemini model to the next: how it thinks, how it counts pictures, how much may queue.

Source: ai.google.dev, pages "thinking" and "rate limits", read in autumn 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from indexer.domain.errors import BadSetting
from indexer.domain.question import Question
from indexer.providers.tokens import Tokens, counted, patches

DEFAULT_MODEL = "gemini-3.5-flash-lite"

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LEVELS = ("minimal", "low", "medium", "high")
_BUDGETS = {"minimal": 0, "low": 1024, "medium": 8192, "high": 24576}
# Thinking is billed as output. Nobody publishes how much a level thinks about a photo; measured usage corrects this.
_THOUGHTS = {"minimal": (0, 0), "low": (20, 250), "medium": (80, 600), "high": (200, 2000)}
_PRO_MINIMUM = 128
_WITHOUT_MINIMAL = ("gemini-3.8-flash", "gemini-3.1-pro", "gemini-3-pro")

_MILLION = 1_000_000
_QUEUED_TOKENS: tuple[tuple[str, tuple[int, int, int]], ...] = (
    # The longest prefix that fits comes first; figures are tiers 1, 2 and 3 in million tokens.
    ("gemini-3.5-flash-lite", (10, 500, 1000)),
    ("gemini-3.1-flash-lite", (10, 500, 1000)),
    ("gemini-2.5-flash-lite", (10, 500, 1000)),
    ("gemini-3.1-pro", (5, 500, 1000)),
    ("gemini-2.5-pro", (5, 500, 1000)),
    ("gemini-", (3, 400, 1000)),
)


def bare(model: str) -> str:
    """Return `model` without the `models/` that the service puts before it."""
    return model.removeprefix("models/")


def thinking_config(model: str, thinking: str) -> Mapping[str, Any]:
    """Return the `thinking_config` for `thinking` ("default" or a level), {} to leave the model as it is.

    Gemini 2.5 counts tokens, 3 and later have levels, and a request with both is refused. A level that the
    model lacks becomes the next one up.
    """
    if thinking == "default":
        return {}
    if thinking not in _LEVELS:
        raise BadSetting(f"unknown thinking {thinking!r}", hint=f"one of: default, {', '.join(_LEVELS)}")
    name = bare(model)
    version = _VERSION.match(name)
    if version is None:
        return {}
    generation = (int(version[1]), int(version[2] or 0))
    if generation < (2, 5):
        return {}
    if generation < (3, 0):
        least = _PRO_MINIMUM if "pro" in name else 0
        return {"thinking_budget": max(least, _BUDGETS[thinking])}
    if thinking == "minimal" and name.startswith(_WITHOUT_MINIMAL):
        thinking = "low"
    return {"thinking_level": thinking.upper()}


def queued_tokens(model: str, tier: int) -> int:
    """Return how many tokens of all active jobs `model` holds for an account of `tier` (1 to 3)."""
    name = bare(model)
    figures = next((row for prefix, row in _QUEUED_TOKENS if name.startswith(prefix)), _QUEUED_TOKENS[-1][1])
    return figures[min(max(tier, 1), 3) - 1] * _MILLION


def tokens(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a request: Gemini 3 and later count a picture by media resolution alone, Gemini 2 by its pixels too."""
    settings = question.settings
    name, resolution = bare(question.model), settings.media_resolution
    if name.startswith("gemini-2"):
        picture = _gemini_2_tokens(resolution, width, height)
    else:
        picture = {"low": 280, "medium": 560}.get(resolution, 1120)
    return counted(question, prompt, picture, _THOUGHTS.get(settings.thinking, _THOUGHTS["medium"]))


def _gemini_2_tokens(media_resolution: str, width: int, height: int) -> int:
    if media_resolution in ("low", "medium"):
        return {"low": 64, "medium": 256}[media_resolution]
    return 258 if max(width, height) <= 384 else 258 * patches(768, width, height)
