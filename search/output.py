"""Hits in the forms that people and programs read. Text of models and files is data in every one of them."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from indexer.export.spreadsheet import cell, line
from indexer.storage.paths import for_terminal, to_bytes
from search.hits import Hit

_COLUMNS = ("path", "score", "description", "tags", "taken_at", "camera", "width", "height", "also_at", "why")
_NARROWEST = 40


def as_json(hits: Sequence[Hit]) -> bytes:
    """Return one JSON array, in ASCII, so that no character means anything to a terminal."""
    return json.dumps([hit.to_dict() for hit in hits]).encode() + b"\n"


def as_jsonl(hits: Iterable[Hit]) -> Iterator[bytes]:
    """Yield one JSON object a line, in ASCII."""
    for hit in hits:
        yield json.dumps(hit.to_dict()).encode() + b"\n"


def as_csv(hits: Iterable[Hit]) -> Iterator[bytes]:
    """Yield a header and a line a hit; a cell that a spreadsheet would take for a formula starts with a quote."""
    yield line(_COLUMNS)
    for hit in hits:
        values = (
            hit.path,
            f"{hit.score:.4f}",
            hit.description or "",
            ", ".join(hit.tags),
            hit.taken_at or "",
            hit.camera or "",
            hit.width,
            hit.height,
            " | ".join(hit.also_at),
            why(hit),
        )
        yield line(map(cell, values))


def as_paths(hits: Iterable[Hit], *, end: bytes, raw: bool) -> Iterator[bytes]:
    """Yield the paths, each followed by `end`; `raw` gives the file system's bytes, for programs."""
    for hit in hits:
        yield (to_bytes(hit.path) if raw else _plain(hit.path)) + end


def as_list(hits: Iterable[Hit], *, first: int, width: int, explain: bool) -> Iterator[bytes]:
    """Yield a list for people, numbered from `first`, `width` columns wide."""
    for number, hit in enumerate(hits, first):
        day = (hit.taken_at or "")[:10] or "no date"
        head = f"{number:>3}  {hit.score:.2f}  {day:<10}  "
        lines = [head + for_terminal(hit.path)]
        if hit.description:
            lines += _wrapped(hit.description, width)
        if hit.tags:
            lines += _wrapped("tags: " + ", ".join(hit.tags), width)
        lines += [f"     also at {for_terminal(path)}" for path in hit.also_at]
        if explain:
            lines += _wrapped("why: " + why(hit), width)
        yield "\n".join(lines).encode("utf-8", "replace") + b"\n"


def why(hit: Hit) -> str:
    """Return why a hit matched, in words."""
    parts = [f"words {', '.join(hit.why['words'])}"] if hit.why.get("words") else []
    parts += [f"tags {', '.join(hit.why['tags'])}"] if hit.why.get("tags") else []
    parts += [f"meaning {hit.why['meaning']:.2f}"] if hit.why.get("meaning") is not None else []
    return "; ".join(parts) or "filters"


def _wrapped(text: str, width: int) -> list[str]:
    indent = " " * 5
    flat = for_terminal(" ".join(text.split()))
    return textwrap.wrap(flat, max(_NARROWEST, width), initial_indent=indent, subsequent_indent=indent)


def _plain(path: str) -> bytes:
    return for_terminal(path).encode("utf-8", "replace")
