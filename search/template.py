"""`--format`: a line for each hit, of words and {fields} that the user chose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.storage.paths import for_terminal, to_bytes
from search.hits import Hit
from search.listing import why

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|\\([nt\\])")
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
_DERIVED = ("name", "date", "why")


def checked(template: str) -> str:
    """Return `template`; raises `UsageError` for a field that hits do not have."""
    known = [*Hit.__dataclass_fields__, *_DERIVED]
    for found in _FIELD.finditer(template):
        if found[1] is not None and found[1] not in known:
            raise UsageError(
                f"--format: hits have no field {{{found[1]}}}",
                hint=did_you_mean(found[1], known) or f"fields: {', '.join(known)}",
            )
    return template


def as_format(hits: Iterable[Hit], template: str, *, raw: bool) -> Iterator[bytes]:
    """Yield a line for each hit; `raw` gives paths as the file system's bytes, for programs.

    Text of models and files stays on its line, and no terminal obeys it. `{{` and `}}` are braces, `\\t` a tab.
    """
    for hit in hits:
        place, line = 0, b""
        for found in _FIELD.finditer(template):
            line += template[place : found.start()].encode() + _value(hit, found, raw)
            place = found.end()
        yield line + template[place:].encode() + b"\n"


def _value(hit: Hit, found: re.Match[str], raw: bool) -> bytes:
    if found[2] is not None:
        return _ESCAPES[found[2]].encode()
    name = found[1]
    if name is None:
        return found[0][:1].encode()
    if name in ("path", "name") and raw:
        path = to_bytes(hit.path)
        return path if name == "path" else path.rpartition(b"/")[2]
    return for_terminal(" ".join(_words(hit, name).split())).encode("utf-8", "replace")


def _words(hit: Hit, name: str) -> str:
    if name == "why":
        return why(hit)
    if name == "name":
        return hit.path.rpartition("/")[2]
    if name == "date":
        return (hit.taken_at or "")[:10]
    value = getattr(hit, name)
    if name == "score":
        return f"{value:.2f}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
