"""The gallery: a library as pages in a browser, for this machine only.

`app(library)` is an ASGI application; `index gallery` serves it. Pages are made on the server and need no JavaScript to
be read. Nothing here writes to photos, and nothing spends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from indexer.domain.errors import CaptionaryError
from indexer.storage.bounded_cache import BoundedCache
from search.gallery import books, one_photo, photos, tags
from search.gallery.desk import Desk, Forged
from search.gallery.guard import Guard, Token
from search.gallery.pictures import Pictures
from search.gallery.static import static
from search.viewer import show

if TYPE_CHECKING:
    from indexer.library.api import Library

__all__ = ["address", "app"]

MOST_CACHED = 2_000_000_000
"""Bytes that small copies of photos may take in the platform's cache folder."""
_LONGEST_FORM = 200_000


def app(library: Library, *, cache: Path | None = None) -> Starlette:
    """Return the gallery of `library` as an ASGI application; small copies go to `cache`, else the platform's place.

    It answers requests for 127.0.0.1, localhost and ::1 only, and only with its token: `address` has it.
    """
    token = Token()
    kept = BoundedCache(cache or user_cache_path("captionary", appauthor=False) / "thumbnails", MOST_CACHED)
    made = Starlette(
        routes=_ROUTES,
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={CaptionaryError: _troubled, Forged: _forged},
        max_body_size=_LONGEST_FORM,
        lifespan=_living,
    )
    made.state.desk = Desk(library, Pictures(kept, library.decoders()), token, show)
    made.state.token = token
    made.state.pause = asyncio.sleep
    return made


def address(made: Starlette, port: int, *, once: bool = False) -> str:
    """Return the address that opens the gallery `made` on `port`; `once`: one that lets a single browser in."""
    token: Token = made.state.token
    return f"http://127.0.0.1:{port}/?token={token.once if once else token.value}"


@asynccontextmanager
async def _living(made: Starlette) -> AsyncIterator[None]:
    """Serve; in the end no process that opens pictures stays behind."""
    yield
    made.state.desk.pictures.close()


def _route(path: str, page: Callable[..., Any], *methods: str) -> Route:
    return Route(path, page, methods=list(methods) or ["GET"])


_ROUTES = [
    _route("/", photos.search),
    _route("/hits", photos.hits),
    _route("/count", photos.count),
    _route("/sheet", photos.sheet),
    _route("/photo", one_photo.photo),
    _route("/correct", one_photo.correct, "POST"),
    _route("/correct/undo", one_photo.undo_correction, "POST"),
    _route("/folder", one_photo.show_folder, "POST"),
    _route("/tags", tags.tags),
    _route("/people", tags.people),
    _route("/tags/change", tags.change_tags, "POST"),
    _route("/failures", books.failures),
    _route("/jobs", books.jobs),
    _route("/jobs/live", books.jobs_live),
    _route("/settings", books.settings),
    _route("/thumbnail", photos.thumbnail),
    _route("/preview", photos.preview),
    _route("/static/{name}", static),
]


def _troubled(request: Request, fault: Exception) -> Response:
    desk: Desk = request.app.state.desk
    assert isinstance(fault, CaptionaryError)
    return desk.trouble(request, fault)


def _forged(_: Request, __: Exception) -> Response:
    return PlainTextResponse("refused: this form does not come from a page of ours\n", 403)
