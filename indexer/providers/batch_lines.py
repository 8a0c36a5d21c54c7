"""What the check of any batch file of JSON lines begins with: bytes, lines, JSON, keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.providers.bounded import MOST_OF_A_LINE
from indexer.providers.seam import LineFault

_REMEMBERED = 1_000_000
_WRAP = "write one JSON object a line"


@dataclass(frozen=True, slots=True)
class LineRules:
    """What one service asks of a batch file: bytes and lines at most, and what to look at in each line.

    `keyed`: every line has a `custom_id` of its own.
    """

    service: str
    max_bytes: int
    max_lines: int
    look: Callable[[dict[str, Any]], Iterator[tuple[str, str, str]]]
    keyed: bool = True


def check_lines(path: Path, rules: LineRules) -> Iterator[LineFault]:
    """Yield the faults of the batch file at `path`, in the order of its lines; `OSError` when it cannot be read."""
    size = path.stat().st_size
    if size > rules.max_bytes:
        problem = f"the file has {size:,} bytes, {rules.service} takes {rules.max_bytes:,}"
        yield LineFault(0, "", problem, "cut it into several files")
    seen: set[int] = set()
    number = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(iter(lambda: stream.readline(MOST_OF_A_LINE), b""), start=1):
            if len(raw) == MOST_OF_A_LINE:
                yield LineFault(number, "", f"the line is longer than {MOST_OF_A_LINE:,} bytes", _WRAP)
                return
            if number == rules.max_lines + 1:
                yield LineFault(0, "", f"more than {rules.max_lines:,} lines", "cut it into several files")
            yield from (LineFault(number, *fault) for fault in _check_line(raw, seen, rules))
    if number == 0:
        yield LineFault(0, "", "the file has no requests", "write one request a line")


def _check_line(raw: bytes, seen: set[int], rules: LineRules) -> Iterator[tuple[str, str, str]]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        yield "", "the file begins with a byte order mark", "save it as UTF-8 without one"
        return
    if not raw.strip():
        yield "", "the line is blank", "take it out"
        return
    try:
        found = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        yield "", "the line is not UTF-8", "save the file as UTF-8"
        return
    except (ValueError, RecursionError):
        yield "", "the line is not JSON", _WRAP
        return
    if not isinstance(found, dict):
        yield "", "the line is not a JSON object", _WRAP
        return
    yield from _check_key(found.get("custom_id"), seen) if rules.keyed else ()
    yield from rules.look(found)


def _check_key(key: object, seen: set[int]) -> Iterator[tuple[str, str, str]]:
    if not isinstance(key, str) or not key:
        yield "custom_id", "is missing", "give every line a name of its own"
    elif hash(key) in seen:
        yield "custom_id", f"{key[:80]!r} stands in two lines", "give every line a name of its own"
    elif len(seen) < _REMEMBERED:
        seen.add(hash(key))


def messages(body: Any, at: str) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with the messages of a request body."""
    if not isinstance(body, dict):
        yield at, "is missing", "put the request there"
        return
    if body.get("stream"):
        yield f"{at}.stream", "is not allowed in a batch", "take it out"
    told = body.get("messages")
    if not isinstance(told, list) or not told:
        yield f"{at}.messages", "is missing or empty", "put at least one message there"
