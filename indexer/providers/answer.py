"""Read the JSON that a model wrote, whichever service carried it.

Models are asked for one object by schema, and mostly comply. What is tolerated here was reported of real
batches: code fences, talk around the object, a second object after the first, raw line breaks inside strings,
tags as one comma-separated text, numbers where text was asked. What would need guessing is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from indexer.domain.answer import Answer
from indexer.domain.characters import CONTROLS_WITHIN_LINES, HALVES

_FENCE = re.compile(r"```(?:json|JSON)?\s*(?=\{)")
_UNSTORABLE = re.compile(f"[{CONTROLS_WITHIN_LINES}{HALVES}]")
_DECODER = json.JSONDecoder(strict=False)
_ASKED = frozenset({"description", "tags", "visible_text"})
_DEEPEST = 100
"""How deep a field may nest: deeper ones cannot be written to and read from every place that they pass."""


def clean(text: str) -> str:
    """Return `text` storable: without control characters, U+FFFD for halves of surrogate pairs."""
    return _UNSTORABLE.sub(lambda match: "\ufffd" if match[0] >= "\ud800" else "", text)


def one_line(text: str, limit: int = 300) -> str:
    """Return `text` clean, on one line, at most `limit` characters long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def read_answer(text: str, model: str) -> Answer:
    """Return the answer that `text` holds; ValueError says in a few words why it holds none."""
    found = _find_object(text)
    description = _as_text(found.get("description")).strip()
    if not description:
        raise ValueError("the answer has no description")
    return Answer(
        description=description,
        tags=_as_tags(found.get("tags")),
        visible_text=_as_lines(found.get("visible_text")).strip(),
        fields={clean(name): _storable(value) for name, value in found.items() if name not in _ASKED},
        model=clean(model),
    )


def _find_object(text: str) -> Mapping[str, Any]:
    """The object in the first fence, else the first one that starts; what follows it is not looked at."""
    if not text.strip():
        raise ValueError("the answer is empty")
    fence = _FENCE.search(text)
    starts = [text.find("{")] if fence is None else [fence.end(), text.find("{")]
    if starts[-1] < 0:
        raise ValueError("the answer is not a JSON object")
    for start in starts:
        try:
            found: dict[str, Any] = _DECODER.raw_decode(text, start)[0]
        except (ValueError, RecursionError):
            continue
        return found
    raise ValueError("the answer is not complete JSON")


def _as_text(value: object) -> str:
    """Text as it is, a number as its digits; anything else would be a guess."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    return ""


def _as_lines(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(filter(None, map(_as_text, value)))
    return _as_text(value)


def _as_tags(value: object) -> tuple[str, ...]:
    """Lower-case, trimmed, each once, in the order given."""
    parts: Iterable[object] = re.split(r"[,;\n]", value) if isinstance(value, str) else ()
    if isinstance(value, list):
        parts = value
    tags = (" ".join(_as_text(part).lower().split()) for part in parts)
    return tuple(dict.fromkeys(filter(None, tags)))


def _storable(value: object, depth: int = 0) -> Any:
    """Further fields keep their shape; what neither JSON nor a database can hold is cleaned out of them."""
    if depth > _DEEPEST:
        raise ValueError("the answer nests too deep")
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(name): _storable(item, depth + 1) for name, item in value.items()}
    return value
