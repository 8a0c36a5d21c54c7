"""The pages of photos: a search, more of its hits, a sheet to print, one photo, and the pictures themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from indexer.domain.errors import CaptionaryError, UsageError
from indexer.storage.paths import to_bytes, to_text
from search.gallery.asked import PAGE, Asked
from search.gallery.desk import Desk
from search.hits import Hit

_ALIKE = 12
_SHEET = 200
_FRESH = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Results:
    """Some hits of a search, from `offset` on; `more` is the address of the next ones, "" after the last."""

    asked: Asked
    hits: Sequence[Hit]
    offset: int
    more: str


def search(request: Request) -> Response:
    """The first page: the form, and the photos that answer it; all of them while nothing is asked."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    fault: CaptionaryError | None = None
    results = Results(asked, (), 0, "")
    try:
        results = _results(desk, asked, _offset(request))
    except UsageError as error:
        fault = error
    return desk.page(request, "search.html", status=400 if fault else 200, results=results, asked=asked, fault=fault)


def hits(request: Request) -> Response:
    """A piece of a page: the next hits, or those of what has been typed so far."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    return HTMLResponse(desk.html("hits.html", results=_results(desk, asked, _offset(request)), asked=asked))


def photo(request: Request) -> Response:
    """One photo, large, with everything that the library knows about it."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    path = request.query_params.get("path", "")
    known = desk.library.photo(path)
    if known is None:
        return _unknown(desk, request)
    return desk.page(
        request,
        "photo.html",
        path=path,
        known=known,
        copies=[to_text(one) for one in known.copies],
        burst=[to_text(one) for one in known.burst],
        asked=asked,
    )


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
    found = desk.index().search(limit=PAGE + 1, offset=offset, **_arguments(asked))
    more = asked.to("/", offset=offset + PAGE) if len(found) > PAGE else ""
    return Results(asked, found[:PAGE], offset, more)


def _arguments(asked: Asked) -> dict[str, Any]:
    told = dict(asked.arguments())
    if told["like"]:
        told["like"] = os.fsdecode(to_bytes(told["like"]))
    return told


def _refuse_strangers(desk: Desk, asked: Asked) -> None:
    """Only a photo of the library may be an example: a search by any other opens its file."""
    if asked.like and desk.library.file(asked.like) is None:
        raise UsageError("the library does not know this picture", hint="index it first")


def _offset(request: Request) -> int:
    told = request.query_params.get("offset", "0")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else 0


def _unknown(desk: Desk, request: Request) -> Response:
    return desk.page(
        request,
        "message.html",
        status=404,
        message="the library knows no such photo",
        hint="it may have moved: look for it on the first page",
    )
