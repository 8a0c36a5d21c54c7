"""Check a Mistral batch file before it is uploaded: one bad line refuses the whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.providers.batch_lines import LineRules, check_lines, messages
from indexer.providers.seam import LineFault


def check_file(path: Path) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`; `OSError` when it cannot be read."""
    return check_lines(path, LineRules("Mistral", 512_000_000, 1_000_000, _look))


def _look(line: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(line.keys() - {"custom_id", "body"}):
        yield name[:80], "is not a field of a batch line", "take it out"
    yield from messages(line.get("body"), "body")
