"""Check a file of Anthropic batch requests, one `{"custom_id", "params"}` a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.providers.batch_lines import LineRules, check_lines, messages
from indexer.providers.seam import LineFault

_KEY = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_file(path: Path) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`; `OSError` when it cannot be read."""
    return check_lines(path, LineRules("Anthropic", 256_000_000, 100_000, _look))


def _look(line: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    key, params = line.get("custom_id"), line.get("params")
    if isinstance(key, str) and key and not _KEY.fullmatch(key):
        yield "custom_id", "has other characters than letters, digits, _ and -, or more than 64", "shorten it"
    for name in sorted(line.keys() - {"custom_id", "params"}):
        yield name[:80], "is not a field of a batch request", "take it out"
    yield from messages(params, "params")
    if not isinstance(params, dict):
        return
    if not isinstance(params.get("model"), str):
        yield "params.model", "is missing", "name the model"
    most = params.get("max_tokens")
    if not isinstance(most, int) or most < 1:
        yield "params.max_tokens", "is missing or below 1", "say how long an answer may be"
