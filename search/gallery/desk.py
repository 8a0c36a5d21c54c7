"""What every page needs: the library and its index, the pictures, the templates, and how a page is answered."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote_plus, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from indexer.console.words import job_words
from indexer.domain.errors import CaptionaryError, LibraryLocked, LibraryMissing, UsageError
from indexer.domain.money import dollars
from indexer.storage.paths import for_terminal
from search.gallery.guard import Token, same
from search.gallery.pictures import Pictures
from search.query import Index

if TYPE_CHECKING:
    from indexer.library.api import Library

_MOST_NOTES = 32
_MOST_FIELDS = 1000


class Desk:
    """The state of one gallery; shared by all requests."""

    def __init__(self, library: Library, pictures: Pictures, token: Token, show: Callable[[bytes], None]) -> None:
        self.library = library
        self.pictures = pictures
        self.token = token
        self.show = show
        self._index: Index | None = None
        self._notes: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()
        self._templates = _environment()

    def index(self) -> Index:
        """Return the index; raises `LibraryMissing` while nothing is indexed."""
        if self._index is None:
            self._index = Index.open(self.library.folder)
        return self._index

    def html(self, name: str, **values: Any) -> str:
        """Return the template `name` filled with `values`; every text in it is escaped."""
        return self._templates.get_template(name).render(values)

    def page(self, request: Request, name: str, *, status: int = 200, **values: Any) -> Response:
        """Answer with a whole page."""
        noted = self._notes.pop(request.query_params.get("note", ""), "")
        shared = {"form_token": self.token.form, "here": request.url.path, "noted": noted}
        return HTMLResponse(self.html(name, **shared, **values), status)

    def back(self, path: str, note: str, /, **query: str) -> Response:
        """Answer a form: go on to `path`, which shows `note` once."""
        key = os.urandom(8).hex()
        with self._lock:
            self._notes[key] = note
            while len(self._notes) > _MOST_NOTES:
                self._notes.popitem(last=False)
        return RedirectResponse(f"{path}?{urlencode({**query, 'note': key})}", 303)

    def trouble(self, request: Request, fault: CaptionaryError) -> Response:
        """Answer with what went wrong and what to do next."""
        status = 400 if isinstance(fault, UsageError) else 409 if isinstance(fault, LibraryLocked) else 500
        if isinstance(fault, LibraryMissing):
            status = 200
        return self.page(request, "message.html", status=status, message=str(fault), hint=fault.hint)

    async def form(self, request: Request) -> Mapping[str, list[str]]:
        """Return the fields of a form of ours; raises `Forged` for any other."""
        body = await request.body()
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        if not same(fields.get("form_token", [""])[0], self.token.form):
            raise Forged
        return fields


class Forged(Exception):
    """A form that none of our pages holds."""


def first(fields: Mapping[str, list[str]], name: str) -> str:
    """Return the first value of the field `name`, stripped, "" without one."""
    return fields.get(name, [""])[0].strip()


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("search.gallery"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["dollars"] = dollars
    made.filters["day"] = lambda moment: (moment or "")[:10]
    made.filters["moment"] = _moment
    made.filters["job_words"] = job_words
    made.filters["name"] = lambda path: path.rpartition("/")[2]
    made.filters["folder"] = lambda path: path.rpartition("/")[0] or "/"
    made.filters["quoted"] = quote_plus
    made.globals["link"] = _link
    made.globals["shape"] = _shape
    return made


def _visible(value: Any) -> Any:
    """Text of files and models may hold what reorders or breaks a page: show it as an escape, keep its lines."""
    if isinstance(value, Markup) or value is None:
        return value or ""
    text = str(value)
    return text if text.isprintable() else "\n".join(map(for_terminal, text.splitlines()))


def _link(path: str, /, **query: object) -> str:
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def _moment(seconds: float | None) -> str:
    import datetime

    if seconds is None:
        return ""
    return datetime.datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _shape(width: int | None, height: int | None) -> int:
    """The proportions of a picture in tenths of its height, from 4 to 40: the class that gives it its room."""
    if not width or not height:
        return 15
    return max(4, min(40, round(10 * width / height)))
