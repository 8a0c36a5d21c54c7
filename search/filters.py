"""What a search asks for, typed and checked, and its compilation into the filter language of the table.

User text enters a predicate only as a quoted literal. Every predicate is true or false for every row: a photo without
a date, a camera or a position matches no filter on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from os import PathLike
from typing import Any, Literal

from indexer.domain.answer_fields import Field
from indexer.domain.errors import UsageError
from indexer.domain.tags import distinct
from indexer.storage.paths import resolve_root, spellings, to_bytes, to_text
from indexer.table.dataset import among, quoted
from indexer.table.words import fold
from search.conditions import Condition, compiled, parse
from search.dates import Span
from search.spelling import tag_spellings, unwanted

Sort = str
"""relevance, date, or a field of one's own; see `search.sorting`."""
Collapse = Literal["copies", "bursts", "none"]
COLLAPSES: tuple[Collapse, ...] = ("copies", "bursts", "none")

EARTH_RADIUS_KM = 6371.0088
_WORD = re.compile(r"[^\W_]+")
_KM_PER_DEGREE = math.pi * EARTH_RADIUS_KM / 180
_MOST = 1 << 48


@dataclass(frozen=True, slots=True)
class Query:
    """One search as it was asked; `Index.search` documents the fields."""

    text: str = ""
    limit: int = 10
    offset: int = 0
    sort: Sort = "relevance"
    min_score: float | Literal["auto", "weak"] = "auto"
    tags: Sequence[str] = ()
    any_tags: Sequence[str] = ()
    no_tags: Sequence[str] = ()
    not_words: str = ""
    since: str | date | None = None
    until: str | date | None = None
    camera: str | None = None
    within: str | PathLike[str] | None = None
    near: tuple[float, float, float] | None = None
    like: str | PathLike[str] | None = None
    collapse: Collapse = "copies"
    where: Sequence[str] = ()
    person: str | None = None
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Circle:
    """The places at most `kilometres` from a point, along the surface."""

    latitude: float
    longitude: float
    kilometres: float


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows may be hits; `since` is inclusive, `before` exclusive, `within` a path in text form.

    A hit was taken in any of `spans`, holds none of the terms `not_terms` and, of needles (terms with a space around
    each), all of `phrases` and none of `unwanted`.

    `people` are the names in the table that `person` means; `coarse` says that the table knows which dates are no more
    than a month or a year.
    """

    tags: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    no_tags: tuple[str, ...] = ()
    not_terms: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    since: datetime | None = None
    before: datetime | None = None
    spans: tuple[Span, ...] = ()
    camera: str | None = None
    within: str | None = None
    near: Circle | None = None
    where: tuple[Condition, ...] = ()
    person: str | None = None
    people: tuple[str, ...] = ()
    rating: int | None = None
    coarse: bool = False

    def __bool__(self) -> bool:
        return self != Filters()


def typed(query: Query) -> Filters:
    """Return the filters of `query`, checked; raises `UsageError`."""
    _check(query)
    since = first_moment(query.since, "since")
    before = _past(query.until)
    if since and before and before <= since:
        raise UsageError("--since is later than --until", hint="both days are included in the range")
    not_terms, several = unwanted(query.not_words)
    return Filters(
        tags=_tags(query.tags),
        any_tags=_tags(query.any_tags),
        no_tags=_tags(query.no_tags),
        not_terms=tuple(not_terms),
        unwanted=tuple(several),
        since=since,
        before=before,
        camera=" ".join(query.camera.split()).casefold() if query.camera and query.camera.strip() else None,
        within=to_text(resolve_root(query.within)) if query.within is not None else None,
        near=_circle(query.near) if query.near is not None else None,
        where=parse(query.where),
        person=_name(query.person) if query.person is not None else None,
        rating=query.rating,
    )


def predicate(filters: Filters, cameras: Sequence[str] = (), own: Sequence[Field] = ()) -> str | None:
    """Return `filters` in the filter language, None when they let everything through.

    `cameras` are the names in the table that the camera filter means (see `matching`), `own` its fields of a person's
    own schemas.
    """
    parts = [f"array_has_any(tags, {_list(tag_spellings(tag))})" for tag in filters.tags]
    if filters.any_tags:
        parts.append(f"array_has_any(tags, {_list(all_spellings(filters.any_tags))})")
    if filters.no_tags:
        parts.append(f"NOT array_has_any(tags, {_list(all_spellings(filters.no_tags))})")
    parts += [f"NOT contains(terms, {quoted(f' {term} ')})" for term in filters.not_terms]
    parts += [f"contains(terms, {quoted(needle)})" for needle in filters.phrases]
    parts += [f"NOT contains(terms, {quoted(needle)})" for needle in filters.unwanted]
    if filters.since:
        parts.append(f"taken_at >= {_timestamp(filters.since)}")
    if filters.before:
        parts += _until(filters.before, filters.coarse)
    if filters.spans:
        parts.append(f"({' OR '.join(map(_taken_in, filters.spans))})")
    if filters.camera is not None:
        parts.append(among("camera", cameras))
    if filters.person is not None:
        parts.append(f"array_has_any(people, {_list(filters.people)})" if filters.people else "false")
    if filters.rating is not None:
        parts.append(f"rating >= {filters.rating}")
    if filters.within is not None:
        below = [_below(to_text(spelled)) for spelled in spellings(to_bytes(filters.within))]
        parts.append(f"({' OR '.join(below)})" if len(below) > 1 else below[0])
    if filters.near:
        parts.append(_near(filters.near))
    parts += compiled(filters.where, own)
    return " AND ".join(parts) or None


def _taken_in(span: Span) -> str:
    first = datetime.combine(span.first, time.min)
    after = datetime.combine(span.last, time.min) + timedelta(days=1)
    return f"(taken_at >= {_timestamp(first)} AND taken_at < {_timestamp(after)})"


def matching(camera: str, names: Iterable[str | None]) -> list[str]:
    """Return those of the camera `names` that contain `camera`, whatever the case."""
    return sorted({name for name in names if name and camera in " ".join(name.split()).casefold()})


def named(person: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the `names` of people that hold all words of `person`, whatever case and accents."""
    wanted = set(name_terms(person))
    return tuple(sorted({name for name in names if wanted <= set(name_terms(name))}))


def name_terms(name: str) -> list[str]:
    """Return the words of a name as they are compared."""
    return _WORD.findall(fold(name))


def _name(person: str) -> str:
    if not name_terms(person):
        raise UsageError(f"--person {person!r}: not a name", hint="for example --person Anna")
    return person


def _until(before: datetime, coarse: bool) -> list[str]:
    """What was taken before a moment; of a date that is only a month or a year, all of it must lie before."""
    parts = [f"taken_at < {_timestamp(before)}"]
    month = before.replace(day=1, hour=0, minute=0, second=0)
    if coarse and before != month.replace(month=1):
        parts.append(
            "(taken_precision IS NULL OR taken_precision = 'day'"
            f" OR (taken_precision = 'month' AND taken_at < {_timestamp(month)})"
            f" OR taken_at < {_timestamp(month.replace(month=1))})"
        )
    return parts


def first_moment(given: str | date | None, option: str) -> datetime | None:
    """Return the first moment of a day, month or year given as `YYYY[-MM[-DD]]` or a date; raises `UsageError`."""
    return _span(given, option)[0] if given is not None else None


def _past(given: str | date | None) -> datetime | None:
    return _span(given, "until")[1] if given is not None else None


def _span(given: str | date, option: str) -> tuple[datetime, datetime | None]:
    """The first moment of what is given, and the first one after it (None past the end of the calendar)."""
    if isinstance(given, date):
        parts = [given.year, given.month, given.day]
    else:
        pieces = given.strip().split("-")
        if not 1 <= len(pieces) <= 3 or [len(p) for p in pieces] != [4, 2, 2][: len(pieces)]:
            raise _not_a_date(given, option)
        if not all(piece.isascii() and piece.isdigit() for piece in pieces):
            raise _not_a_date(given, option)
        parts = [int(piece) for piece in pieces]
    try:
        first = datetime(*[*parts, 1, 1][:3])  # type: ignore[arg-type]
    except ValueError:
        raise _not_a_date(given, option) from None
    try:
        after = _next(first, len(parts))
    except (ValueError, OverflowError):
        after = None
    return first, after


def _next(first: datetime, precision: int) -> datetime:
    if precision == 3:
        return first + timedelta(days=1)
    if precision == 2 and first.month < 12:
        return first.replace(month=first.month + 1)
    return first.replace(year=first.year + 1, month=1)


def _not_a_date(given: object, option: str) -> UsageError:
    return UsageError(f"--{option} {given!s}: not a date", hint="write YYYY, YYYY-MM or YYYY-MM-DD")


def _check(query: Query) -> None:
    if query.collapse not in COLLAPSES:
        raise UsageError(f"collapse {query.collapse!r} is unknown", hint=f"one of: {', '.join(COLLAPSES)}")
    if query.rating is not None and not (type(query.rating) is int and 1 <= query.rating <= 5):
        raise UsageError(f"rating {query.rating!r} is not from 1 to 5", hint="--rating 4 finds 4 and 5 stars")
    for name in ("text", "not_words", "camera", "person", "sort"):
        if not isinstance(getattr(query, name), str | None):
            raise UsageError(f"{name} {getattr(query, name)!r} is not a text", hint="give words as one text")
    if not all(type(number) is int for number in (query.limit, query.offset)):
        raise UsageError("limit and offset are whole numbers", hint="for example limit=10; 0 means all hits")
    if max(query.limit, query.offset) > _MOST:
        raise UsageError("limit and offset are larger than any library", hint="a limit of 0 means all hits")
    if query.limit < 0 or query.offset < 0:
        raise UsageError("limit and offset cannot be negative", hint="a limit of 0 means all hits")
    least = query.min_score
    if least not in ("auto", "weak") and not (isinstance(least, int | float) and math.isfinite(least)):
        raise UsageError(f"min_score {least!r} is not a score", hint="auto, weak, or a number from 0 to 1")


def _circle(near: Sequence[Any]) -> Circle:
    try:
        latitude, longitude, kilometres = (float(part) for part in near)
    except (TypeError, ValueError):
        raise UsageError(f"near {near!r} is not a circle", hint="give LATITUDE,LONGITUDE,KILOMETRES") from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 <= kilometres < math.inf):
        raise UsageError(
            f"near {latitude:g},{longitude:g},{kilometres:g} lies outside the globe",
            hint="latitude -90..90, longitude -180..180, kilometres from 0",
        )
    return Circle(latitude, longitude, kilometres)


def _tags(tags: Iterable[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise UsageError("tags are given as a list", hint=f"write [{tags!r}]")
    return distinct(tags)


def all_spellings(tags: Iterable[str]) -> list[str]:
    """Return every way in which a library may write `tags`."""
    return [spelled for tag in tags for spelled in tag_spellings(tag)]


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, values))}]"


def _timestamp(moment: datetime) -> str:
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S}'" if moment.year > 999 else f"timestamp '{moment}'"


def _below(path: str) -> str:
    folder = path.rstrip("/") + "/"
    # "0" follows "/", so this range is the prefix, in the order that the index on `path` knows.
    inside = f"(path >= {quoted(folder)} AND path < {quoted(folder[:-1] + '0')})"
    return inside if folder == "/" else f"(path = {quoted(path)} OR {inside})"


def _near(circle: Circle) -> str:
    """A box that the index can answer, and within it the distance by the haversine formula."""
    reach = circle.kilometres / _KM_PER_DEGREE
    south, north = circle.latitude - reach, circle.latitude + reach
    parts = [f"latitude >= {south!r}", f"latitude <= {north!r}", *_meridians(circle, south, north)]
    middle, east = repr(circle.latitude), repr(circle.longitude)
    parts.append(
        f"{2 * EARTH_RADIUS_KM!r} * asin(sqrt(least(1.0, power(sin(radians(latitude - {middle}) / 2), 2)"
        f" + cos(radians({middle})) * cos(radians(latitude))"
        f" * power(sin(radians(longitude - {east}) / 2), 2)))) <= {circle.kilometres!r}"
    )
    return "(" + " AND ".join(parts) + ")"


def _meridians(circle: Circle, south: float, north: float) -> list[str]:
    if south <= -89.9 or north >= 89.9:
        return ["longitude IS NOT NULL"]
    widest = math.cos(math.radians(max(abs(south), abs(north))))
    reach = circle.kilometres / _KM_PER_DEGREE / widest
    west, east = circle.longitude - reach, circle.longitude + reach
    if west < -180 or east > 180:
        return ["longitude IS NOT NULL"]
    return [f"longitude >= {west!r}", f"longitude <= {east!r}"]
