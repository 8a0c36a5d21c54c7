"""The pages of tags and of people, and the forms that rename, merge and ban tags, and take that back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from indexer.console.words import count_photos
from indexer.domain.errors import UsageError
from search.gallery.desk import Desk, first

if TYPE_CHECKING:
    from indexer.library.api import Library
    from indexer.library.tag_rules import Retagged

_SHOWN = 500


def tags(request: Request) -> Response:
    """Every tag with its number of photos, most frequent first."""
    desk: Desk = request.app.state.desk
    wanted = request.query_params.get("find", "").strip().lower()
    found = [one for one in desk.library.tags() if wanted in one.tag]
    return desk.page(request, "tags.html", tags=found[:_SHOWN], more=len(found) - _SHOWN, wanted=wanted)


def people(request: Request) -> Response:
    """Everybody whom files name, those with most photos first."""
    desk: Desk = request.app.state.desk
    found = desk.library.people()
    return desk.page(request, "people.html", people=found[:_SHOWN], more=len(found) - _SHOWN)


async def change_tags(request: Request) -> Response:
    """Do what a form of the page says."""
    desk: Desk = request.app.state.desk
    fields = await desk.form(request)
    act = _ACTS.get(first(fields, "act"))
    if act is None:
        raise UsageError("nothing was asked for", hint="use the forms of the page")
    done = await run_in_threadpool(act, desk.library, fields)
    words = f"{'took back: ' if done.undone else ''}{done.act} {', '.join(done.tags)}"
    words += f" → {done.target}" if done.target else ""
    kept = f"; still shown where files have it as a keyword: {', '.join(done.keywords)}" if done.keywords else ""
    return desk.back("/tags", f"{words}; {count_photos(done.photos)} changed{kept}")


def _rename(library: Library, fields: Mapping[str, list[str]]) -> Retagged:
    return library.rename_tag(first(fields, "tag"), first(fields, "into"))


def _merge(library: Library, fields: Mapping[str, list[str]]) -> Retagged:
    return library.merge_tags(_chosen(fields), first(fields, "into"))


def _ban(library: Library, fields: Mapping[str, list[str]]) -> Retagged:
    return library.ban_tags(_chosen(fields))


def _undo(library: Library, _: Mapping[str, list[str]]) -> Retagged:
    return library.undo_tags()


def _chosen(fields: Mapping[str, list[str]]) -> list[str]:
    found = [tag for tag in fields.get("tag", []) if tag.strip()]
    if not found:
        raise UsageError("no tag was chosen", hint="tick the tags that you mean")
    return found


_ACTS: Mapping[str, Callable[[Library, Mapping[str, list[str]]], Retagged]] = {
    "rename": _rename,
    "merge": _merge,
    "ban": _ban,
    "undo": _undo,
}
