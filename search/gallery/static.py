"""The files that every page needs: style, script and icon, by their names only."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_KINDS = {"gallery.css": "text/css", "gallery.js": "text/javascript", "icon.svg": "image/svg+xml"}


def static(request: Request) -> Response:
    """Answer with one of the files."""
    name = request.path_params["name"]
    if name not in _KINDS:
        return PlainTextResponse("there is no such file\n", 404)
    content, etag = _content(name)
    headers = {"cache-control": "private, no-cache", "etag": etag}
    if etag == request.headers.get("if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_KINDS[name], headers=headers)


@cache
def _content(name: str) -> tuple[bytes, str]:
    content = files("search.gallery").joinpath("assets", name).read_bytes()
    return content, f'"{sha256(content).hexdigest()[:20]}"'
