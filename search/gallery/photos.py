"""The pages of a search: its form and first hits, more of them, a sheet to print; and the pictures themselves."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from indexer.console.words import count_photos
from indexer.domain.errors import CaptionaryError, UsageError
from indexer.storage.paths import to_bytes
from search.filters import Query
from search.gallery.asked import EVERYTHING, PAGE, Asked
from search.gallery.desk import Desk
from search.hits import COUNTED, Hit
from search.language import understood
from search.suggest import suggestions

_SHEET = 200
_WEAKER = 12
_FRESH = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Results:
    """Some hits of a search, from `offset` on; `more` is the address of the next ones, "" after the last.

    `weaker` are the nearest photos below a search's cut-off; `meant` says of words and filters without a hit what they
    may have been meant for: a message, a hint, and the address that asks for it, "" where there is none.
    """

    asked: Asked
    hits: Sequence[Hit] = ()
    offset: int = 0
    more: str = ""
    weaker: Sequence[Hit] = ()
    meant: Sequence[tuple[str, str, str]] = ()

    @property
    def count(self) -> str:
        """How many hits there are, as far as this page tells; "" on later pages."""
        if self.offset or not self.hits:
            return ""
        return f"more than {count_photos(len(self.hits))}" if self.more else count_photos(len(self.hits))


def search(request: Request) -> Response:
    """The first page: the form, and the photos that answer it; all of them while nothing is asked."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    fault: CaptionaryError | None = None
    results = Results(asked)
    try:
        results = _results(desk, asked, _offset(request))
    except UsageError as error:
        fault = error
    return desk.page(
        request,
        "search.html",
        status=400 if fault else 200,
        results=results,
        asked=asked,
        fault=fault,
        strip=_strip(desk, asked),
        coverage=desk.index().coverage(),
    )


def hits(request: Request) -> Response:
    """A piece of a page: the next hits, or those of what has been typed so far."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    try:
        results = _results(desk, asked, _offset(request))
    except UsageError as fault:
        return HTMLResponse(desk.html("fault.html", fault=fault), 400)
    return HTMLResponse(desk.html("hits.html", results=results, asked=asked))


def count(request: Request) -> Response:
    """How many photos answer, in words: a page asks when its pictures are there, since counting takes its time."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    _refuse_strangers(desk, asked)
    found = desk.index().answer(Query(limit=PAGE, **arguments(asked)), counted=True)
    words = f"more than {COUNTED:,} photos" if found.more else count_photos(found.total or 0)
    return PlainTextResponse(words)


def sheet(request: Request) -> Response:
    """A page to print: the pictures of a search with what is said about them."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    _refuse_strangers(desk, asked)
    found = desk.index().search(limit=_SHEET, **arguments(asked))
    return desk.page(request, "sheet.html", hits=found, asked=asked, most=_SHEET)


def thumbnail(request: Request) -> Response:
    """A small copy of a photo."""
    return _picture(request, "thumbnail")


def preview(request: Request) -> Response:
    """A large copy of a photo."""
    return _picture(request, "preview")


def _picture(request: Request, kind: str) -> Response:
    desk: Desk = request.app.state.desk
    file = desk.library.file(request.query_params.get("path", ""))
    if file is None:
        return PlainTextResponse("the library knows no such picture\n", 404)
    headers = {"cache-control": _FRESH, "etag": desk.pictures.etag(file, kind)}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    copy = desk.pictures.copy(file, kind)
    if copy is None:
        return PlainTextResponse("this picture cannot be read now\n", 404)
    headers["etag"] = copy.etag
    return Response(copy.jpeg, media_type="image/jpeg", headers={k: v for k, v in headers.items() if v})


def _results(desk: Desk, asked: Asked, offset: int) -> Results:
    _refuse_strangers(desk, asked)
    index, told = desk.index(), arguments(asked)
    by_words = bool(asked.q) and not asked.like and asked.sort == "relevance"
    # A hit more than a page shows whether there is another page.
    query = Query(limit=PAGE + 1, offset=offset, min_score="weak" if by_words else "auto", **told)
    answered = index.answer(query, advised=not offset)
    found = [hit for hit in answered.hits if not hit.weak]
    weaker = [hit for hit in answered.hits if hit.weak][:_WEAKER]
    more = asked.to("/", offset=offset + PAGE) if len(found) > PAGE else ""
    meant = [_meant(asked, word, other, shown=answered.corrected) for word, other in answered.meant.items()]
    if answered.unread:
        meant.append(("searched by words only: the text model cannot read this query", "", ""))
    if not found and not offset:
        asked_for = understood(query, date.today())
        meant += [(message, hint, "") for message, hint in suggestions(index, asked_for)]
    return Results(asked, found[:PAGE], offset, more, weaker, meant)


def _meant(asked: Asked, word: str, other: str, *, shown: bool) -> tuple[str, str, str]:
    """What is said of a word that no photo has; `shown`: the photos of the other one are shown already."""
    instead = " ".join(other if one == word else one for one in asked.q.split())
    hint = f"these are photos of {other}" if shown else f"did you mean {other}?"
    return f"no photo has the word {word}", hint, asked.but(q=instead).to(EVERYTHING)


def arguments(asked: Asked) -> dict[str, Any]:
    """Return the keywords of `Index.search` for a search whose example, if any, is known."""
    told = dict(asked.arguments())
    if told["like"]:
        told["like"] = os.fsdecode(to_bytes(told["like"]))
    return told


def _refuse_strangers(desk: Desk, asked: Asked) -> None:
    """Only a photo of the library may be an example: a search by any other opens its file."""
    if asked.like and desk.library.file(asked.like) is None:
        raise UsageError("the library does not know this picture", hint="index it first")


def _strip(desk: Desk, asked: Asked) -> list[tuple[str, int, str, bool]]:
    """The years of the library, or the months of the one that is asked for: name, files, address, whether chosen."""
    months = desk.index().months()
    years: Counter[str] = Counter()
    for month, files in months.items():
        years[month[:4]] += files
    chosen = asked.since[:4] if asked.since[:4] == asked.until[:4] else ""
    rows = [(year, count, chosen == year) for year, count in years.items()]
    rows += [(month, count, asked.since[:7] == month) for month, count in months.items() if month[:4] == chosen]
    return [
        (name, count, asked.but(**({"since": "", "until": ""} if on else {"since": name, "until": name})).to("/"), on)
        for name, count, on in rows
    ]


def number(told: str) -> int:
    """Return a whole number as an address tells it, 0 for anything else."""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def _offset(request: Request) -> int:
    return number(request.query_params.get("offset", ""))
