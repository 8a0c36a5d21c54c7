"""Check a Vertex batch file before it is paid for: what would be refused, and what would come back without a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.providers.batch_lines import LineRules, check_lines
from indexer.providers.seam import LineFault

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_LABEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_KEYS = frozenset({"key", "custom_id", "id"})


def check_file(path: Path) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`; `OSError` when it cannot be read."""
    return check_lines(path, LineRules("Vertex", 1_000_000_000, 200_000, _look, keyed=False))


def _look(line: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in sorted(line.keys() & _KEYS):
        yield name, "does not come back with the answer", "put it into request.labels"
    request = line.get("request")
    if not isinstance(request, dict):
        yield "request", "is missing", 'write the line as {"request": {...}}'
        return
    contents = request.get("contents")
    if not isinstance(contents, list | dict) or not contents:
        yield "request.contents", "is missing or empty", "put at least one content there"
    for content in _list(request, "contents"):
        for part in _list(content, "parts"):
            yield from _file(part)
    yield from _labels(request.get("labels"))
    config = _either(request, "generationConfig")
    schema = _either(config, "responseSchema") if isinstance(config, dict) else None
    if schema is not None and _either(config, "responseMimeType") != "application/json":
        at = "request.generationConfig.responseMimeType"
        yield at, "a schema needs JSON answers", 'set it to "application/json"'


def _list(told: Any, name: str) -> list[Any]:
    found = told.get(name) if isinstance(told, dict) else None
    return found if isinstance(found, list) else []


def _either(told: dict[str, Any], camel: str) -> Any:
    """The value of a name in either spelling."""
    return told.get(camel, told.get(re.sub(r"([A-Z])", r"_\1", camel).lower()))


def _file(part: Any) -> Iterator[tuple[str, str, str]]:
    data = _either(part, "fileData") if isinstance(part, dict) else None
    if not isinstance(data, dict):
        return
    if not str(_either(data, "fileUri")).startswith(("gs://", "https://")):
        yield "request.contents.parts.fileData.fileUri", "is no address that Vertex reads", "give gs://BUCKET/NAME"


def _labels(labels: Any) -> Iterator[tuple[str, str, str]]:
    if labels is None:
        return
    if not isinstance(labels, dict):
        yield "request.labels", "is not an object", 'write {"name": "value"}'
        return
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or not isinstance(value, str) or not _LABEL.fullmatch(value):
            fix = "small letters, digits, _ and -, 63 at most, a letter first in the name"
            yield f"request.labels.{name[:60]}", "is not a label", fix
