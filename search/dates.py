"""Dates in words: "november 2018", "summer 2020", "last christmas", "12 July 2019", "2015-2018", in four languages.

No library is asked: those that read free text take longer to import than a whole search, and know no seasons. What is
found is a preference, so a word that only looks like a date costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from indexer.table.words import STOP_WORDS, fold, tokens

FIRST_YEAR = 1826
"""The year of the oldest photograph that is kept."""

_DAY = timedelta(days=1)
_MONTHS = (
    "january jan januar janner janvier enero ene",
    "february feb februar fevrier fev febrero",
    "march mar marz maerz mars marzo",
    "april apr avril avr abril abr",
    "may mai mayo",
    "june jun juni juin junio",
    "july jul juli juillet julio",
    "august aug aout agosto ago",
    "september sep sept septembre septiembre",
    "october oct oktober okt octobre octubre",
    "november nov novembre noviembre",
    "december dec dezember dez decembre diciembre dic",
)
MONTHS = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_WORDS_TOO = frozenset(("march", "mars", "mayo"))
ALONE = {name: number for name, number in MONTHS.items() if len(name) > 3 and name not in _WORDS_TOO}
"""Names of months that mean one without a year too: any such month."""
_SEASONS = (
    (3, "spring fruhling fruehling fruhjahr fruehjahr printemps primavera"),
    (6, "summer sommer ete verano"),
    (9, "autumn fall herbst automne otono"),
    (12, "winter hiver invierno"),
)
SEASONS = {name: first for first, names in _SEASONS for name in names.split()}
_FEASTS = (
    ("christmas", "christmas xmas weihnachten weihnacht noel navidad navidades"),
    ("new year", "silvester nochevieja newyear"),
    ("halloween", "halloween"),
    ("easter", "easter ostern paques pascua"),
)
FEASTS = {name: feast for feast, names in _FEASTS for name in names.split()}
_LAST = re.compile(r"last|letzte[nrsm]?|derniere?|pasad[oa]|ultim[oa]")
_THIS = re.compile(r"this|diese[nrsm]?|cette|ce|est[ea]")
_UNITS = {
    "year": "year jahr annee ano an",
    "month": "month monat mois mes",
    "week": "week woche semaine semana",
    "weekend": "weekend wochenende finde",
}
UNITS = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_YESTERDAY, _TODAY = frozenset(("yesterday", "gestern", "ayer")), frozenset(("today", "heute", "hoy"))
_GLUE = frozenset(("of", "de", "del", "des", "the", "le", "la", "les", "el", "in", "im"))
_SILENT = STOP_WORDS | _GLUE | {"l", "d", "am", "vom", "von", "zum", "en", "au", "a", "bilder", "fotos"}
_TO = frozenset(("to", "until", "till", "bis"))
_ISO = re.compile(r"(?<![\w-])(\d{4})-(\d\d)(?:-(\d\d))?(?![\w-])")
_DOTTED = re.compile(r"(?<![\w.])(\d\d?)\.\s?(\d\d?)\.\s?(\d{4})(?![\w.]\w)")
MONTH_OF = re.compile(r"(?<![\w./-])(\d\d?)/(\d{4})(?![\w./]\w|/)")
"""A month and its year, 11/2018."""
_YEARS = re.compile(r"(?<![\w-])(\d{4})\s?[-–]\s?(\d{4})(?![\w-])")
_DECADE = re.compile(r"(?:(18|19|20)(\d)0|([2-9])0)s")
_ORDINAL = re.compile(r"(\d\d?)(?:st|nd|rd|th)?")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Span:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class When:
    """A date that a query names: its own words, the days that it means, and the rest of the query.

    `month` is one of any year, from 1 to 12; 0 where `spans` say it all.
    """

    said: str
    spans: tuple[Span, ...]
    rest: str
    month: int = 0

    def holds(self, moment: datetime | None) -> bool:
        """Whether something taken at `moment` was taken then."""
        if moment is None:
            return False
        return moment.month == self.month or any(span.first <= moment.date() <= span.last for span in self.spans)


def named(text: str, today: date) -> When | None:
    """Return the date that `text` names, the first one if several, None where it names none."""
    for pattern, read in ((_ISO, _iso), (_DOTTED, _dotted), (MONTH_OF, _dotted), (_YEARS, _range)):
        for found in pattern.finditer(text):
            if spans := read([int(part) for part in found.groups() if part], today):
                return _when(text, found.start(), found.end(), spans)
    words = [(fold(found.group()), found.start(), found.end()) for found in _WORD.finditer(text)]
    for at in range(len(words)):
        for length in range(min(5, len(words) - at), 0, -1):
            some = [word for word, _, _ in words[at : at + length]]
            if spans := _spans(some, today):
                return _when(text, words[at][1], words[at + length - 1][2], spans)
    alone = ((start, end, ALONE[word]) for word, start, end in words if word in ALONE)
    return next((replace(_when(text, start, end, ()), month=month) for start, end, month in alone), None)


def _when(text: str, start: int, end: int, spans: Sequence[Span]) -> When:
    rest = f"{text[:start]} {text[end:]}"
    telling = any(word not in _SILENT for word in tokens(rest))
    return When(text[start:end], tuple(spans), " ".join(rest.split()) if telling else "")


def _spans(words: Sequence[str], today: date) -> list[Span]:
    """The days that exactly these words name; none where they name no date."""
    telling = [word for word in words if word not in _GLUE]
    if not telling or words[0] in _GLUE or words[-1] in _GLUE:
        return []
    for read in _FORMS.get(len(telling), ()):
        if spans := read(telling, today):
            return spans
    return []


def _one(words: Sequence[str], today: date) -> list[Span]:
    (word,) = words
    if word in _YESTERDAY:
        return [Span(today - _DAY, today - _DAY)]
    if word in _TODAY:
        return [Span(today, today)]
    if found := _DECADE.fullmatch(word):
        first = int(f"{found[1]}{found[2]}0") if found[1] else 1900 + 10 * int(found[3])
        return [Span(date(first, 1, 1), date(first + 9, 12, 31))]
    year = _year(word, today)
    return [_of_year(year)] if year else []


def _two(words: Sequence[str], today: date) -> list[Span]:
    for first, second in (words, words[::-1]):
        if year := _year(second, today):
            return _in_year(first, year)
        if _LAST.fullmatch(first):
            return _last(second, today)
        if _THIS.fullmatch(first):
            return _this(second, today)
    return []


def _three(words: Sequence[str], today: date) -> list[Span]:
    first, second, third = words
    if _year(first, today) and second in _TO and _year(third, today):
        return _range([int(first), int(third)], today)
    if {first, second} == {"new", "year"} or (first, second) in (("new", "years"), ("boxing", "day")):
        return _in_year("silvester" if first == "new" else "christmas", _year(third, today) or 0)
    for day, month in ((first, second), (second, first)):
        number, year = _ORDINAL.fullmatch(day), _year(third, today)
        if number and year and month in MONTHS:
            return _iso([year, MONTHS[month], int(number[1])], today)
    return []


def _iso(parts: Sequence[int], today: date) -> list[Span]:
    try:
        if len(parts) == 3:
            day = date(*parts)
            return [Span(day, day)]
        return [_of_month(*parts)]
    except ValueError:
        return []


def _dotted(parts: Sequence[int], today: date) -> list[Span]:
    return _iso(parts[::-1], today)


def _range(years: Sequence[int], today: date) -> list[Span]:
    first, last = years
    known = FIRST_YEAR <= first < last <= today.year + 1
    return [Span(date(first, 1, 1), date(last, 12, 31))] if known else []


def _year(word: str, today: date) -> int | None:
    known = len(word) == 4 and word.isascii() and word.isdigit() and FIRST_YEAR <= int(word) <= today.year
    return int(word) if known else None


def _in_year(word: str, year: int) -> list[Span]:
    """A month, season or feast of a year."""
    if not year:
        return []
    if word in MONTHS:
        return [_of_month(year, MONTHS[word])]
    if word in SEASONS:
        season = _season(SEASONS[word], year)
        # A winter is of both its years.
        return [Span(date(year, 1, 1), _of_month(year, 2).last), *season] if SEASONS[word] == 12 else season
    return [_feast(FEASTS[word], year)] if word in FEASTS else []


def _last(word: str, today: date) -> list[Span]:
    """The one before now: last summer, last christmas, last week."""
    if word in UNITS:
        return [_unit(UNITS[word], today, before=True)]
    makers: list[Callable[[int], Span]] = []
    if word in MONTHS:
        makers.append(lambda year: _of_month(year, MONTHS[word]))
    elif word in SEASONS:
        makers.append(lambda year: _season(SEASONS[word], year)[0])
    elif word in FEASTS:
        makers.append(lambda year: _feast(FEASTS[word], year))
    return [next(span for span in _backwards(make, today) if span.last < today) for make in makers]


def _this(word: str, today: date) -> list[Span]:
    if word in UNITS:
        return [_unit(UNITS[word], today, before=False)]
    if word in MONTHS or word in SEASONS or word in FEASTS:
        return _in_year(word, today.year)[-1:]
    return []


def _backwards(make: Callable[[int], Span], today: date) -> Iterator[Span]:
    return (make(year) for year in range(today.year, today.year - 3, -1))


def _unit(unit: str, today: date, *, before: bool) -> Span:
    if unit == "year":
        return _of_year(today.year - before)
    if unit == "month":
        day = today.replace(day=1) - before * _DAY
        return _of_month(day.year, day.month)
    monday = today - today.weekday() * _DAY
    if unit == "week":
        return Span(monday - 7 * before * _DAY, monday + (6 - 7 * before) * _DAY)
    saturday = monday + (5 - 7 * before) * _DAY
    return Span(saturday, saturday + _DAY)


def _of_year(year: int) -> Span:
    return Span(date(year, 1, 1), date(year, 12, 31))


def _of_month(year: int, month: int) -> Span:
    after = date(year + month // 12, month % 12 + 1, 1)
    return Span(date(year, month, 1), after - _DAY)


def _season(first: int, year: int) -> list[Span]:
    last = _of_month(year + (first + 2) // 13, (first + 1) % 12 + 1)
    return [Span(date(year, first, 1), last.last)]


def _feast(feast: str, year: int) -> Span:
    if feast == "christmas":
        return Span(date(year, 12, 24), date(year, 12, 26))
    if feast == "new year":
        return Span(date(year, 12, 31), date(year + 1, 1, 1))
    if feast == "halloween":
        return Span(date(year, 10, 31), date(year, 10, 31))
    sunday = _easter(year)
    return Span(sunday - 2 * _DAY, sunday + _DAY)


def _easter(year: int) -> date:
    """Easter Sunday by the Gregorian rule (Butcher 1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


_FORMS: dict[int, tuple[Callable[[Sequence[str], date], list[Span]], ...]] = {1: (_one,), 2: (_two,), 3: (_three,)}
