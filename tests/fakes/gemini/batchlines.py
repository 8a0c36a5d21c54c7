"""The lines of a batch input: read strictly, counted, and kept without holding the file in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.gemini.generate import Brain
from tests.fakes.gemini.models import Model
from tests.fakes.gemini.protojson import Refused, Syntax, Violation, line_error, load, parse
from tests.fakes.gemini.wire import ApiError, Json

_KNOWN = {"key", "request", "metadata"}


@dataclass(frozen=True, slots=True)
class Line:
    """One request of a batch; `echo` is what comes back beside the answer."""

    key: str
    request: Json
    echo: Json


@dataclass(frozen=True, slots=True)
class Measure:
    """How much a batch asks for."""

    requests: int
    tokens: int


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a batch input; raises the 400 that names the first line that is wrong."""
    with path.open("rb") as source:
        for number, raw in enumerate(source, 1):
            try:
                yield _line(load(raw.rstrip(b"\n")))
            except (Syntax, Refused) as error:
                raise line_error(number, raw, error) from None


def _line(value: Any) -> Line:
    if not isinstance(value, dict):
        raise Refused([Violation("", "", "expected an object", "")])
    if "request" not in value:
        name = next((name for name in value if name not in _KNOWN), "request")
        reason = f"no such field: '{name}'" if name in value else "missing field: 'request'"
        raise Refused([Violation("", "", reason, f'"{name}"')])
    if not isinstance(value.get("key", ""), str):
        raise Refused([Violation("", "", "invalid value for field 'key' (TYPE_STRING)", '"key"')])
    request = parse(value["request"], "GenerateContentRequest")
    # Unknown fields beside the request come back, but lists lose what is in them.
    echo = {name: [] if isinstance(item, list) else item for name, item in value.items() if name != "request"}
    metadata = echo.get("metadata")
    key = echo.get("key", metadata.get("key", "") if isinstance(metadata, dict) else "")
    return Line(str(key), request, echo)


def measure(path: Path, model: Model, brain: Brain) -> Measure:
    """Check every line and add up the input tokens; raises the 400 of the first bad line."""
    requests = tokens = 0
    for line in read_lines(path):
        requests += 1
        tokens += sum(brain.count(line.request, model))
    if not requests:
        raise ApiError(3, "The batch has no requests.")
    return Measure(requests, tokens)


def write_inline(requests: list[Json], path: Path) -> None:
    """Keep inline requests in the form of a batch file."""
    with path.open("wb") as target:
        for item in requests:
            if "request" not in item:
                raise ApiError(
                    3,
                    "* BatchGenerateContentRequest.batch.input_config.requests.requests.request: is required\n",
                )
            line = {"metadata": item.get("metadata", {}), "request": item["request"]}
            target.write(json.dumps(line).encode() + b"\n")
