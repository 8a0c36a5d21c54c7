"""What an address asks for: the words and filters of a search, read from its query and written back into links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from indexer.domain.errors import UsageError

EVERYTHING = "/"
PAGE = 60
_LISTS = ("tag", "any", "no", "where")


@dataclass(frozen=True, slots=True)
class Asked:
    """One search as a form sends it; everything is text, and "" stands for what is not asked."""

    q: str = ""
    tag: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    no: tuple[str, ...] = ()
    without: str = ""
    since: str = ""
    until: str = ""
    camera: str = ""
    person: str = ""
    rating: str = ""
    folder: str = ""
    near: str = ""
    where: tuple[str, ...] = ()
    like: str = ""
    sort: str = "relevance"
    collapse: str = "copies"

    @classmethod
    def of(cls, params: QueryParams) -> Asked:
        """Read a query; what is unknown in it is left alone."""
        told: dict[str, Any] = {}
        for field in fields(cls):
            values = [value.strip() for value in params.getlist(field.name)]
            if field.name in _LISTS:
                told[field.name] = tuple(dict.fromkeys(filter(None, values)))
            elif values and values[-1]:
                told[field.name] = values[-1]
        return cls(**told)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield what differs from the default, as names and values of a query."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _LISTS:
                yield from ((field.name, one) for one in value)
            elif value != field.default:
                yield field.name, value

    def to(self, path: str, /, **more: object) -> str:
        """Return the address of `path` with this search and `more` parameters."""
        query = urlencode([*self.pairs(), *((name, str(value)) for name, value in more.items())])
        return f"{path}?{query}" if query else path

    def stem(self, path: str, /) -> str:
        """Return the beginning of an address of `path` with this search, to which one parameter more is to be added."""
        query = urlencode([*self.pairs()])
        return f"{path}?{query}&" if query else f"{path}?"

    def but(self, **changes: Any) -> Asked:
        """Return the same search with some of it changed."""
        return replace(self, **changes)

    @property
    def is_filtered(self) -> bool:
        """Whether more than words is asked for."""
        return self.but(q="", sort="relevance", collapse="copies") != Asked()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked, so that all photos are shown."""
        return not self.q and not self.is_filtered

    def arguments(self) -> Mapping[str, Any]:
        """Return the keywords of a query; raises `UsageError` for what is none."""
        return {
            "text": self.q,
            "tags": self.tag,
            "any_tags": self.any,
            "no_tags": self.no,
            "not_words": self.without,
            "since": self.since or None,
            "until": self.until or None,
            "camera": self.camera or None,
            "person": self.person or None,
            "rating": _stars(self.rating) if self.rating else None,
            "within": self.folder or (EVERYTHING if self.is_empty else None),
            "near": tuple(self.near.split(",")) if self.near else None,
            "like": self.like or None,
            "where": self.where,
            "sort": self.sort,
            "collapse": self.collapse,
        }


def _stars(told: str) -> int:
    if told not in ("0", "1", "2", "3", "4", "5"):
        raise UsageError(f"{told!r} is not a number of stars", hint="give 1 to 5")
    return int(told)
