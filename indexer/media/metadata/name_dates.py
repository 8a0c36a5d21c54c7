"""Dates in the names of files and folders: the last resort, where nothing inside a file says when it was taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

_DAY = (
    r"(?<!\d)(?P<year>(?:18|19|20)\d\d)(?P<sign>[-_. ]?)(?P<month>0[1-9]|1[0-2])(?P=sign)(?P<day>0[1-9]|[12]\d|3[01])"
)
_CLOCK = (
    r"(?:[ T_.-]+|\s+(?:at|um|om|à|kl\.?|alle|a las|às)\s+)?(?P<hour>\d{1,2})(?P<colon>[-_.:h]?)(?P<minute>[0-5]\d)"
    r"(?:(?P=colon)|m)(?P<second>[0-5]\d)(?:\d{3})?s?(?!\d)(?:\s?(?P<half>[AaPp])\.?[Mm]\b)?"
)
_WITH_TIME = re.compile(_DAY + _CLOCK)
_WITH_DAY = re.compile(_DAY + r"(?!\d)")
_MONTH = re.compile(r"(?P<year>(?:18|19|20)\d\d)[-_. ](?P<month>0[1-9]|1[0-2])(?!\d)")
_YEAR = re.compile(r"(?P<year>(?:18|19|20)\d\d)(?:$|[ _,.-]+(?!\d))")
_PART = re.compile(r"(\d\d)(?:$|[ _.-]+(?!\d))")
_WIDTHS = frozenset({"1920", "2048"})
"""Folders of these names hold pictures of that width."""
_IN_UTC = re.compile(r"PXL_")
"""Names that Google's cameras give tell the time in UTC."""
_FOLDERS = 3


def in_names(path: PurePath) -> Iterator[tuple[str, str]]:
    """Yield (source, date) for what the names of a file and of the folders it lies in say, the nearest first."""
    utc = " (UTC)" if _IN_UTC.match(path.name) else ""
    for moment in _moments(path.stem):
        yield f"file name{utc}", moment
    for moment in _days(path.stem):
        yield "file name", moment
    folders = [parent.name for parent in path.parents][:_FOLDERS]
    for at, name in enumerate(folders):
        for moment in (*_days(name), *_coarse(name), *_nested(folders[at:])):
            yield "folder name", moment


def _moments(name: str) -> Iterator[str]:
    for found in _WITH_TIME.finditer(name):
        hour = int(found["hour"])
        if found["half"]:
            hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
        elif len(found["hour"]) == 1:
            continue
        yield f"{_day(found)} {hour:02}:{found['minute']}:{found['second']}"


def _days(name: str) -> Iterator[str]:
    for found in _WITH_DAY.finditer(name):
        yield _day(found)


def _day(found: re.Match[str]) -> str:
    return f"{found['year']}-{found['month']}-{found['day']}"


def _coarse(name: str) -> Iterator[str]:
    """A month or a year at the start of a folder's name."""
    month = _MONTH.match(name)
    if month:
        yield f"{month['year']}-{month['month']}"
    year = _YEAR.match(name)
    if year and name not in _WIDTHS:
        yield year["year"]


def _nested(folders: list[str]) -> Iterator[str]:
    """A folder for a day or a month inside one for a year, the nearest first: 2011/08/09, 2011/08 August."""
    parts = [found[1] for name in folders[:2] if (found := _PART.match(name))]
    year = _YEAR.match(folders[len(parts)]) if 0 < len(parts) < len(folders) else None
    if year:
        yield "-".join((year["year"], *reversed(parts)))
