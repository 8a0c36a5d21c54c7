"""The inbox over HTTP, for programs in other languages: uploads in, verdicts out, behind a bearer token.

    POST   /uploads/{id}            the bytes of a picture as the body   201, {"id"}
    GET    /verdicts?after=&limit=  in order                             200, {"verdicts": [...], "cursor"}
    DELETE /uploads/{id}            take one upload out                  200, {"id", "gone"}

Errors are {"error", "hint"} with 400, 401, 404, 409 (the same id with other bytes), 413, 422 or 503.
"""

from __future__ import annotations

import hmac
from itertools import islice

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from indexer.domain.errors import CaptionaryError, LibraryError, UsageError
from indexer.library.door import MOST_BYTES, OtherBytes, UnknownUpload
from indexer.library.inbox import Inbox

_LEAST_TOKEN = 16
_PAGE, _MOST_PAGE = 100, 1000


def app(inbox: Inbox, token: str) -> Starlette:
    """Return the service; raises `UsageError` for a token that could be guessed."""
    if len(token) < _LEAST_TOKEN:
        raise UsageError(
            "the token of the inbox is shorter than 16 characters",
            hint="export CAPTIONARY_INBOX_TOKEN=$(openssl rand -hex 24)",
        )
    desk = _Desk(inbox, token)
    return Starlette(
        routes=[
            Route("/uploads/{upload:path}", desk.take, methods=["POST"]),
            Route("/uploads/{upload:path}", desk.forget, methods=["DELETE"]),
            Route("/verdicts", desk.verdicts, methods=["GET"]),
        ],
        exception_handlers={CaptionaryError: _told, HTTPException: _refused},
    )


class _Desk:
    """Answers requests of whoever has the token."""

    def __init__(self, inbox: Inbox, token: str) -> None:
        self._inbox = inbox
        self._expected = f"Bearer {token}".encode()

    async def take(self, request: Request) -> Response:
        """Take in an upload; it is durable when this is answered."""
        self._refuse_strangers(request)
        raw = bytearray()
        async for piece in request.stream():
            raw += piece
            if len(raw) > MOST_BYTES:
                raise HTTPException(413, f"the upload has more than {MOST_BYTES >> 20} MB")
        upload = request.path_params["upload"]
        await run_in_threadpool(self._inbox.add, upload, bytes(raw))
        return JSONResponse({"id": upload}, 201)

    async def forget(self, request: Request) -> Response:
        """Take one upload out."""
        self._refuse_strangers(request)
        upload = request.path_params["upload"]
        gone = await run_in_threadpool(self._inbox.forget, upload)
        return JSONResponse({"id": upload, "gone": gone})

    async def verdicts(self, request: Request) -> Response:
        """Tell verdicts behind a cursor."""
        self._refuse_strangers(request)
        after, size = request.query_params.get("after", ""), request.query_params.get("limit", str(_PAGE))
        if not size.isdigit() or not 0 < int(size) <= _MOST_PAGE:
            raise UsageError(f"limit = {size!r} is not a number from 1 to {_MOST_PAGE}", hint="leave it out")
        found = await run_in_threadpool(lambda: list(islice(self._inbox.verdicts(after), int(size))))
        return JSONResponse(
            {"verdicts": [verdict.to_dict() for verdict in found], "cursor": found[-1].cursor if found else after}
        )

    def _refuse_strangers(self, request: Request) -> None:
        told = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(told, self._expected):
            raise HTTPException(401, "this needs the token of the inbox", {"WWW-Authenticate": "Bearer"})


_STATUS: tuple[tuple[type[CaptionaryError], int], ...] = (
    (OtherBytes, 409),
    (UnknownUpload, 404),
    (UsageError, 422),
    (LibraryError, 503),
)


async def _told(_: Request, fault: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(fault, kind)), 500)
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse({"error": str(fault), "hint": getattr(fault, "hint", "")}, status, headers)


async def _refused(_: Request, fault: Exception) -> Response:
    status = getattr(fault, "status_code", 500)
    return JSONResponse({"error": getattr(fault, "detail", ""), "hint": ""}, status, getattr(fault, "headers", None))
