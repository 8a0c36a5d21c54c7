"""OpenAI, by batch, by flex (single calls at the batch price) or by single call: what is known without a key."""

from __future__ import annotations

import math

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.providers.spec import Rank, Spec
from indexer.providers.tokens import Tokens, counted, patches

# Tokens a patch of 32 pixels, and patches at most of a picture sent with detail "high". Measured of GPT-6 and of the
# larger GPT-5; the small ones before GPT-6 count more, by the service's own pages.
_RULE = (1.2, 2_500)
_SMALL = {"nano": (2.46, 1_536), "mini": (1.62, 1_536)}
_THOUGHTS = {"minimal": (0, 0), "low": (20, 300), "medium": (80, 800), "high": (200, 2500)}


def tokens(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a picture by patches of 32 pixels, by the rule of the model's family."""
    small = next((rule for name, rule in _SMALL.items() if question.model.endswith(f"-{name}")), _RULE)
    factor, most = _RULE if question.model.startswith("gpt-6") else small
    picture = math.ceil(factor * min(patches(32, width, height), most))
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
    file_seconds=13 * 86_400.0,
    result_seconds=29 * 86_400.0,
    checks="indexer.providers.openai.check:check_file",
    turnaround=(3_600.0, 43_200.0),
    automatic=2,
)
