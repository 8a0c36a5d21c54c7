"""The many ways in which files write a date -> local wall time, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

FIRST_YEAR = 1826
"""The year of the oldest photograph that is left; whatever is earlier is a clock that was never set."""

_WRITTEN = re.compile(
    r"(\d{4})(?:[-:/.]?(\d{2})(?:[-:/.]?(\d{2})(?:[T ]+(\d{2}):?(\d{2})(?::?(\d{2}))?.*)?)?)?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Taken:
    """When a photo was taken: local wall time without a zone (ISO 8601, seconds), and the field that says so."""

    at: str
    source: str


def first_possible(claims: Iterable[tuple[str, str]], now: datetime) -> Taken | None:
    """Return the first of (field, text) that is a possible date; coarse ones say so in their source."""
    for source, text in claims:
        found = read_date(text, now)
        if found is not None:
            at, precision = found
            return Taken(at.isoformat(timespec="seconds"), f"{source}{precision}")
    return None


def read_date(text: str, now: datetime) -> tuple[datetime, str] | None:
    """Return a date and how coarse it is ("" to the second or minute), None when it is none or cannot be true.

    Zeros stand for what is unknown. A zone is dropped: what is wanted is what a clock on the wall showed.
    """
    match = _WRITTEN.fullmatch(text.strip("\0 \t\r\n")[:64])
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
    try:
        found = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, min(second or 0, 59))
    except ValueError:
        return None
    if found.year < FIRST_YEAR or found > now + timedelta(days=366):
        return None
    if not month:
        return found, " (year)"
    if not day:
        return found, " (month)"
    return found, " (day)" if hour is None else ""
