"""What the headers of an answer say about a service's rates: how long to wait, and how many calls are left."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from indexer.domain.answer import Room, Usage

_SPANS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPAN = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ms|s|m|h|d)")
_LONGEST_MOMENT = 64


def pause_asked(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a service asks to wait, None when it does not say.

    `retry-after-ms` and `retry-after` count (seconds or a date), else the longest reset of a rate that is used up:
    `x-ratelimit-reset-tokens: 6m0s` beside `x-ratelimit-remaining-tokens: 0`.
    """
    exact = _number(headers.get("retry-after-ms"))
    if exact is not None:
        return exact / 1000
    told = headers.get("retry-after")
    if told:
        seconds = _number(told)
        return seconds if seconds is not None else _until(told, now or datetime.now(UTC))
    resets = (
        _span(value)
        for name, value in headers.items()
        if "ratelimit-reset" in name and _number(headers.get(name.replace("-reset", "-remaining"))) == 0
    )
    return max(filter(None, resets), default=None)


def room_left(headers: Mapping[str, str], usage: Usage | None, now: datetime | None = None) -> Room | None:
    """Return what a service says is left of its rates, counted in calls like this one; None when it does not say.

    OpenAI's names (`x-ratelimit-remaining-requests`) and Anthropic's (`anthropic-ratelimit-requests-remaining`) are
    read alike; the rate with the fewest calls left counts.
    """
    rooms = []
    tokens = usage.input_tokens + usage.output_tokens if usage else 0
    for name, value in headers.items():
        left = _number(value) if "ratelimit" in name and "remaining" in name else None
        if left is None:
            continue
        full = headers.get(name.replace("remaining", "reset"), "")
        seconds = _span(full) or _number(full) or _until(full, now or datetime.now(UTC)) or 0.0
        rooms.append(Room(int(left // max(1, tokens) if "tokens" in name else left), seconds))
    return min(rooms, key=lambda room: (room.calls, -room.seconds), default=None)


def _number(told: str | None) -> float | None:
    try:
        number = float(told) if told else math.nan
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _until(told: str, now: datetime) -> float | None:
    """Seconds until a date as mail writes it, or as ISO 8601 does."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(told[:_LONGEST_MOMENT])
        except (ValueError, OverflowError):
            continue
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    return None


def _span(told: str) -> float | None:
    """Seconds in "1s", "6m0s" or "20ms"; None for anything else."""
    parts = _SPAN.findall(told[: _LONGEST_MOMENT + 1])
    whole = "".join(number + unit for number, unit in parts) == told.strip()
    return sum(float(number) * _SPANS[unit] for number, unit in parts) if parts and whole else None
