"""Ranked rows to the hits of one page: copies in one hit, where else the picture lies, and why it matched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from indexer.domain.answer_fields import field_of
from indexer.domain.photo import as_known
from indexer.domain.tags import distinct
from indexer.table.words import terms
from search.filters import all_spellings
from search.language import Understood
from search.ranking import Scored, Words
from search.reader import Shown, View

COUNTED = 1_000
"""Hits beyond a page that are counted at most."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo that answers. `score` lies between 0 and 1.

    `taken_at` is local wall time in ISO form, no more exactly than is known: "2016", "2016-08" and "2016-08-09" too.

    `weak`: it is only the nearest there is. `also_at` are other paths of the same picture, `offline`: its drive was
    not there when it was looked for last, `fields` the values of a
    person's own schema, `why` holds the `words` and `tags` that matched and the `meaning`, the cosine of query and
    description (None where words or filters alone decided), `pixels`, the same of query and picture where an image
    model looked, and `date` the words that name when it was taken.
    """

    path: str
    score: float
    weak: bool
    description: str | None
    tags: tuple[str, ...]
    taken_at: str | None
    camera: str | None
    place: str | None
    width: int | None
    height: int | None
    also_at: tuple[str, ...] = ()
    offline: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)
    why: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as its JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Answered:
    """The hits of a page, and what a person is told beside them.

    `total` is how many hits there are on all pages, None where nobody asked, `more` whether there may be still more.
    `meant` maps words that the library does not have to those it has; `corrected` says that these were searched.
    `unread`: the text encoder does not know the language of the query, which went by its words alone.
    """

    hits: list[Hit]
    total: int | None = None
    more: bool = False
    meant: Mapping[str, str] = field(default_factory=dict)
    corrected: bool = False
    unread: bool = False

    @property
    def good(self) -> bool:
        """Whether any hit is more than a weak one."""
        return any(not hit.weak for hit in self.hits)


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row on its way to be a hit; `scored` is None where only filters were asked."""

    shown: Shown
    scored: Scored | None = None

    @property
    def weak(self) -> bool:
        """Whether the row is no answer, only the nearest there is."""
        return self.scored is not None and self.scored.weak


def page(
    found: Iterable[FoundRow], view: View, query: Understood, worded: Callable[[], Words], *, counted: bool = False
) -> Answered:
    """Return the hits of the page that `query` asks for, from all that was found in order; all `counted` or not."""
    last = query.offset + query.limit if query.limit else None
    distinct = iter(_distinct(found, query))
    chosen = list(islice(distinct, query.offset, last))
    elsewhere = _elsewhere(view, query, [one.shown for one in chosen])
    words = worded()
    hits = [_hit(one, elsewhere.get(one.shown.path, ()), query, words) for one in chosen]
    if not counted:
        return Answered(hits)
    others = sum(1 for _ in islice(distinct, COUNTED))
    return Answered(hits, query.offset + len(hits) + others, more=others == COUNTED)


def _distinct(found: Iterable[FoundRow], query: Understood) -> Iterable[FoundRow]:
    """The first of each picture, or of each burst."""
    if query.collapse == "none":
        yield from found
        return
    seen: set[str] = set()
    for one in found:
        identity = (query.collapse == "bursts" and one.shown.cluster) or one.shown.photo
        if identity not in seen:
            seen.add(identity)
            yield one


def _elsewhere(view: View, query: Understood, chosen: list[Shown]) -> dict[str, tuple[str, ...]]:
    if query.collapse == "none" or not chosen:
        return {}
    photos = view.sharing("photo", sorted({one.photo for one in chosen}))
    bursts: dict[str, list[str]] = {}
    if query.collapse == "bursts":
        bursts = view.sharing("cluster", sorted({one.cluster for one in chosen if one.cluster}))
    return {
        one.path: tuple(path for path in bursts.get(one.cluster or "") or photos[one.photo] if path != one.path)
        for one in chosen
    }


def _hit(one: FoundRow, also_at: tuple[str, ...], query: Understood, words: Words) -> Hit:
    shown = one.shown
    return Hit(
        path=shown.path,
        score=one.scored.score if one.scored else 1.0,
        weak=one.weak,
        description=shown.description,
        tags=shown.tags,
        taken_at=as_known(shown.taken_at.isoformat(), shown.taken_precision) if shown.taken_at else None,
        camera=shown.camera,
        place=shown.place,
        width=shown.width,
        height=shown.height,
        also_at=also_at,
        offline=bool(shown.offline),
        fields=_fields(shown),
        why=_why(one, query, words),
    )


def _fields(shown: Shown) -> dict[str, Any]:
    """The values of a person's own fields by name; of two kinds of one name, the one that this answer has."""
    named = ((field_of(column), value) for column, value in shown.own.items())
    return {own.name: value for own, value in named if own is not None}


def _why(one: FoundRow, query: Understood, words: Words) -> dict[str, Any]:
    matched = one.scored.matched if one.scored else ()
    asked = set(all_spellings(distinct(query.tags, query.any_tags)))
    cosine, seen = (one.scored.candidate.cosine, one.scored.candidate.seen) if one.scored else (None, None)
    told = {"date": query.when.said} if query.when is not None and query.when.holds(one.shown.taken_at) else {}
    return {
        **told,
        "words": list(dict.fromkeys(words.spelling[term] for term in matched)),
        "tags": [tag for tag in one.shown.tags if tag in asked or _within(tag, words)],
        "meaning": round(cosine, 4) if cosine is not None else None,
        **({"pixels": round(seen, 4)} if seen is not None else {}),
    }


def _within(tag: str, words: Words) -> bool:
    own = terms(tag)
    return bool(own) and all(term in words.weights for term in own)
