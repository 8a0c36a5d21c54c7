"""Anthropic, by message batches or by single call: what is known without a key."""

from __future__ import annotations

from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.providers.spec import Rank, Spec
from indexer.providers.tokens import Tokens, counted, patches


def tokens(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a picture by patches of 28 pixels, up to a cap by model family."""
    cap = 1_600 if question.model.endswith("-4-5") else 4_000
    return counted(question, prompt, min(patches(28, width, height), cap))


SPEC = Spec(
    name="anthropic",
    rank=Rank.REMOTE_MODEL,
    modes=(Mode.BATCH, Mode.INTERACTIVE),
    default_model="claude-haiku-5-5",
    opens="indexer.providers.anthropic.adapter:open_anthropic",
    key_variables=("ANTHROPIC_API_KEY",),
    tokens=tokens,
    trains="no",
    result_seconds=28 * 86_400.0,
    checks="indexer.providers.anthropic.check:check_file",
    turnaround=(1_800.0, 10_800.0),
    automatic=3,
)
