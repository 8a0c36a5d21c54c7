"""The page of one photo: the picture, what is known of it, why it was found, what is like it, and where it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from indexer.domain.errors import CaptionaryError
from indexer.domain.tags import distinct
from indexer.storage.paths import to_bytes, to_text
from search.gallery.asked import Asked
from search.gallery.desk import Desk, first
from search.gallery.own_fields import changed_fields, form_fields
from search.gallery.photos import arguments, number
from search.hits import Hit
from search.listing import why

if TYPE_CHECKING:
    from indexer.ledger.views.known_photo import KnownPhoto

_ALIKE = 12


@dataclass(frozen=True, slots=True)
class Around:
    """The hits beside this one in the search that it was opened from: their addresses, "" at the ends."""

    before: str = ""
    after: str = ""


def photo(request: Request) -> Response:
    """One photo, large, with everything that the library knows about it."""
    desk: Desk = request.app.state.desk
    asked = Asked.of(request.query_params)
    path = request.query_params.get("path", "")
    known = desk.library.photo(path)
    if known is None:
        return unknown(desk, request)
    index = desk.index()
    return desk.page(
        request,
        "photo.html",
        path=path,
        known=known,
        hit=index.hit(path),
        own_description=_own_description(known),
        own_fields=form_fields(known),
        copies=[to_text(one) for one in known.copies],
        burst=[to_text(one) for one in known.burst],
        why=_why(desk, asked, path),
        alike=_alike(desk, path),
        around=_around(desk, asked, path, request),
        asked=asked,
    )


async def correct(request: Request) -> Response:
    """Keep what a person says instead of a model; what the form leaves unchanged goes on following the answers."""
    desk: Desk = request.app.state.desk
    fields = await desk.form(request)
    path, description = first(fields, "path"), first(fields, "description").replace("\r\n", "\n")
    tags = distinct(first(fields, "tags").split(","))
    known = desk.library.photo(path)
    if known is None:
        return unknown(desk, request)
    changed = None if description == _own_description(known) else description
    retagged = None if tags == distinct(known.own_tags) else tags
    refilled = changed_fields(known, fields)
    if changed is None and retagged is None and not refilled:
        return desk.back("/photo", "nothing was changed", path=path)
    await run_in_threadpool(desk.library.correct, path, description=changed, tags=retagged, fields=refilled)
    return desk.back("/photo", "your correction is kept", path=path)


async def undo_correction(request: Request) -> Response:
    """Take back the last correction of a photo."""
    desk: Desk = request.app.state.desk
    path = first(await desk.form(request), "path")
    await run_in_threadpool(desk.library.undo_correction, path)
    return desk.back("/photo", "the last correction is taken back", path=path)


def _own_description(known: KnownPhoto) -> str:
    """What a person would correct: the words that stand, without a caption from the file."""
    if known.correction is not None and known.correction.description is not None:
        return known.correction.description
    return known.said[0].answer.description.strip() if known.said else ""


async def show_folder(request: Request) -> Response:
    """Open the folder of a photo in the system's file manager."""
    desk: Desk = request.app.state.desk
    fields = await desk.form(request)
    path = first(fields, "path")
    file = desk.library.file(path)
    if file is None:
        return unknown(desk, request)
    desk.show(os.path.dirname(file.path))  # noqa: PTH120 - bytes
    return desk.back("/photo", "the folder is shown by your file manager", path=path)


def unknown(desk: Desk, request: Request) -> Response:
    """Answer for a path that the library does not know."""
    return desk.page(
        request,
        "message.html",
        status=404,
        message="The library knows no such photo",
        hint="it may have moved: look for it on the first page",
    )


def _why(desk: Desk, asked: Asked, path: str) -> str:
    """Why the search that it was opened from found this photo, "" where no words were asked."""
    if not asked.q:
        return ""
    place = os.fsdecode(to_bytes(path))
    found = desk.index().search(asked.q, within=place, collapse="none", min_score=0, limit=1)
    return why(found[0]) if found else ""


def _alike(desk: Desk, path: str) -> list[Hit]:
    try:
        return desk.index().search(like=os.fsdecode(to_bytes(path)), limit=_ALIKE)
    except CaptionaryError:  # nobody has described it yet
        return []


def _around(desk: Desk, asked: Asked, path: str, request: Request) -> Around:
    """Find this photo where it stood in its search; nothing where the search has changed since."""
    if "at" not in request.query_params:
        return Around()
    at = number(request.query_params["at"])
    start = max(0, at - 1)
    try:
        hits = desk.index().search(limit=at - start + 2, offset=start, **arguments(asked))
    except CaptionaryError:
        return Around()
    places = {start + place: hit.path for place, hit in enumerate(hits)}
    if places.get(at) != path:
        return Around()
    before, after = (
        asked.to("/photo", path=places[place], at=place) if place in places else "" for place in (at - 1, at + 1)
    )
    return Around(before, after)
