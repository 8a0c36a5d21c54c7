"""The many ways in which files write a date -> local wall time, or nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate

FIRST_YEAR = 1826
"""The year of the oldest photograph that is left; whatever is earlier is a clock that was never set."""

_WRITTEN = re.compile(
    r"(\d{4})(?:[-:/.]?(\d{2})(?:[-:/.]?(\d{2})(?:[T ]+(\d{2}):?(\d{2})(?::?(\d{2}))?.*)?)?)?", re.DOTALL
)
_SPOKEN = re.compile(r"(?:[A-Za-z]{3,9},?\s+)?(?:\d{1,2}\s+[A-Za-z]{3}|[A-Za-z]{3}\s+\d{1,2})\b.*", re.DOTALL)
_UNSET = frozenset({datetime(1970, 1, 1), datetime(1980, 1, 1)})
"""Where clocks begin to count that nobody has set."""
_TOLERANCE = timedelta(days=1)
"""How far ahead of ours a clock may be: one on the other side of the globe is, and others are wrong."""


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

    Zeros stand for what is unknown. A zone is dropped: what is wanted is what a clock on the wall showed. Not believed
    are the first moments of clocks that were never set, and what lies ahead of us.
    """
    text = text.strip("\0 \t\r\n")[:64]
    match = _WRITTEN.fullmatch(text)
    if match is None:
        return _spoken(text, now)
    year, month, day, hour, minute, second = (int(part) if part else None for part in match.groups())
    try:
        found = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0, min(second or 0, 59))
    except ValueError:
        return None
    if not _is_possible(found, now, exact=hour is not None):
        return None
    if not month:
        return found, " (year)"
    if not day:
        return found, " (month)"
    return found, " (day)" if hour is None else ""


def _spoken(text: str, now: datetime) -> tuple[datetime, str] | None:
    """Read "Fri, 14 Jan 2022 10:11:12 +0100", which PNG suggests, and "Fri Jan 14 10:11:12 2022", as C writes it."""
    parts = parsedate(text) if _SPOKEN.fullmatch(text) else None
    if parts is None:
        return None
    try:
        found = datetime(*parts[:5], min(parts[5], 59))
    except ValueError:
        return None
    return (found, "") if _is_possible(found, now, exact=True) else None


def _is_possible(found: datetime, now: datetime, *, exact: bool) -> bool:
    return found.year >= FIRST_YEAR and found <= now + _TOLERANCE and not (exact and found in _UNSET)
