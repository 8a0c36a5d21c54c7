"""How many tokens one request uses: the part of the count that is the same for every service."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from indexer.domain.question import Question

_CHARACTERS_PER_TOKEN = 4
# Output tokens that a field of the answer usually takes, at least and at most; a field of the user's own: the last.
_FIELDS = {"description": (40, 120), "tags": (25, 110), "visible_text": (5, 50)}
_OWN_FIELD = (3, 40)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one request is expected to use.

    `input` is counted by the service's rules; `input_most` adds the answer schema, which services are free to count.
    Output lies between a short and a long answer, and never above `output_most`.
    """

    input: int
    output_low: int
    output_high: int
    input_most: int = 0
    output_most: int = 0


def text_tokens(text: str) -> int:
    """Return about how many tokens `text` has: a token is four characters."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def patches(side: int, width: int, height: int) -> int:
    """Return how many squares of `side` pixels cover a picture of `width` by `height` pixels."""
    return math.ceil(width / side) * math.ceil(height / side)


def counted(question: Question, prompt: str, picture: int, thoughts: tuple[int, int] = (0, 0)) -> Tokens:
    """Return what a request with a picture of so many tokens uses; `thoughts` are least and most of thinking."""
    entered = picture + text_tokens(prompt)
    short, long = _answer_tokens(question.schema)
    most = question.settings.max_output_tokens
    return Tokens(
        input=entered,
        output_low=min(short + thoughts[0], most),
        output_high=min(long + thoughts[1], most),
        input_most=entered + text_tokens(question.schema),
        output_most=most,
    )


def by_patches(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Count a picture as one token for 28 by 28 pixels, the dearest of the known rules but one."""
    return counted(question, prompt, patches(28, width, height))


def _answer_tokens(schema: str) -> tuple[int, int]:
    """How long answers to a schema usually are; one that cannot be read is taken for the default's."""
    try:
        fields = json.loads(schema).get("properties") or _FIELDS
    except (ValueError, AttributeError):
        fields = _FIELDS
    ranges = [_FIELDS.get(name, _OWN_FIELD) for name in fields]
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)
