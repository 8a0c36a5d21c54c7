"""OpenAI, by batch, by flex (single calls at the batch price) or by single call: what is known without a key."""

from __future__ import annotations

import math

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.providers.spec import Rank, Spec
from indexer.providers.tokens import Tokens, counted, patches

_MOST_PATCHES = 2_500  # of a picture sent with detail "high"
# Models that were measured count 1.2 tokens a patch of 32 pixels; nano and mini models count more.
_FACTOR, _FACTOR_OF_OTHERS = 1.2, 2.46
_THOUGHTS = {"minimal": (0, 0), "low": (20, 300), "medium": (80, 800), "high": (200, 2500)}


def tokens(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a picture by patches of 32 pixels, 2,500 of them at most."""
    factor = _FACTOR if question.model.startswith("gpt-6") else _FACTOR_OF_OTHERS
    picture = math.ceil(factor * min(patches(32, width, height), _MOST_PATCHES))
    return counted(question, prompt, picture, _THOUGHTS.get(question.settings.thinking, _THOUGHTS["medium"]))


SPEC = Spec(
    name="openai",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.FLEX, Mode.INTERACTIVE),
    default_model="gpt-6-luna",
    opens="indexer.providers.openai.adapter:open_openai",
    key_variables=("OPENAI_API_KEY",),
    tokens=tokens,
    trains="no",
    file_seconds=29 * 86_400.0,
    result_seconds=29 * 86_400.0,
    checks="indexer.providers.openai.check:check_file",
    turnaround=(3_600.0, 43_200.0),
    automatic=2,
)
