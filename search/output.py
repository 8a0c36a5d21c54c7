"""Hits in the forms that people and programs read. Text of models and files is data in every one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from indexer.export.spreadsheet import cell, line
from indexer.storage.paths import for_terminal, to_bytes
from search.hits import Hit
from search.listing import why

_COLUMNS = (
    *("path", "score", "weak", "description", "tags", "taken_at", "camera", "place", "width", "height", "also_at"),
    *("fields", "why"),
)


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
            "true" if hit.weak else "",
            hit.description or "",
            ", ".join(hit.tags),
            hit.taken_at or "",
            hit.camera or "",
            hit.place or "",
            hit.width,
            hit.height,
            " | ".join(hit.also_at),
            json.dumps(hit.fields, ensure_ascii=False) if hit.fields else "",
            why(hit),
        )
        yield line(map(cell, values))


def as_paths(hits: Iterable[Hit], *, end: bytes, raw: bool) -> Iterator[bytes]:
    """Yield the paths, each followed by `end`; `raw` gives the file system's bytes, for programs."""
    for hit in hits:
        yield (to_bytes(hit.path) if raw else _plain(hit.path)) + end


def _plain(path: str) -> bytes:
    return for_terminal(path).encode("utf-8", "replace")
