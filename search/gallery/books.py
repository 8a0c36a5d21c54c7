"""The pages that tell how the library stands: failures by reason, jobs and money, settings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from indexer.console.words import REMEDIES
from search.gallery.desk import Desk

_SHOWN = 200
_EVERY = 2.0
"""Seconds between two looks at the ledger."""
_QUIET = 8
"""After so many looks without news a comment is sent, so that a browser that has gone is noticed."""


def failures(request: Request) -> Response:
    """Photos without a description, by reason, each with the command that asks again; nothing here spends."""
    desk: Desk = request.app.state.desk
    found = sorted(desk.library.failures(), key=lambda one: one.reason)
    groups = [(reason, list(same)) for reason, same in groupby(found, key=lambda one: one.reason)]
    return desk.page(request, "failures.html", groups=groups, remedies=REMEDIES, most=_SHOWN)


def jobs(request: Request) -> Response:
    """What is out at a service, and what everything has cost."""
    desk: Desk = request.app.state.desk
    accounts = desk.library.accounts()
    return desk.page(request, "jobs.html", report=desk.library.status(), accounts=accounts)


async def jobs_live(request: Request) -> Response:
    """The same as it changes, as server-sent events: each holds the piece of the page that is new."""
    pause: Callable[[float], Awaitable[None]] = request.app.state.pause
    headers = {"cache-control": "no-store"}
    return StreamingResponse(_news(request, pause), media_type="text/event-stream", headers=headers)


async def _news(request: Request, pause: Callable[[float], Awaitable[None]]) -> AsyncIterator[str]:
    shown, quiet = "", 0
    while not await request.is_disconnected():
        text = await run_in_threadpool(_standing, request.app.state.desk)
        quiet += 1
        if text != shown:
            yield "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
            shown, quiet = text, 0
        elif quiet >= _QUIET:
            yield ":\n\n"
            quiet = 0
        await pause(_EVERY)


def _standing(desk: Desk) -> str:
    return desk.html("standing.html", report=desk.library.status())


def settings(request: Request) -> Response:
    """Every setting and where it was set; they are changed in a file or a variable, never here."""
    from indexer.library.configuration import settings as every

    desk: Desk = request.app.state.desk
    found = list(every(desk.library.folder, os.environ))
    return desk.page(request, "settings.html", settings=found, folder=os.fspath(desk.library.folder))
