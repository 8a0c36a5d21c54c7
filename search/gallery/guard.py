"""Who may ask: only this machine, by its own name, with the token, from our own pages; and what a page may do."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",  # "no-referrer" would take the Origin from our own forms
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = ("GET", "HEAD")
_NO_TOKEN = "this page needs the address that `index gallery` printed, with its token\n"


class Token:
    """The secret of one gallery: `value` stands in its address and in the cookie, `form` in its forms.

    `once` is a token that lets one browser in and is then used up: the address that a browser is started with can be
    read by other people's programs.
    """

    def __init__(self) -> None:
        self.value = secrets.token_urlsafe(24)
        self.form = secrets.token_urlsafe(24)
        self.once = secrets.token_urlsafe(24)

    def opens(self, given: str) -> bool:
        """Say whether `given` is the token, or the one for once, which it uses up."""
        if same(given, self.value):
            return True
        if self.once and same(given, self.once):
            self.once = ""
            return True
        return False


def same(given: str, wanted: str) -> bool:
    """Compare two secrets in a time that tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


class Guard:
    """Stands before the application: refuses what is not ours, and sends its policy with every answer."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, guarded)

    def _answer(self, request: Request) -> Response | None:
        """Refuse, or let in with a cookie; None lets the request through."""
        why = _foreign(request)
        if why:
            return PlainTextResponse(f"refused: {why}\n", 403)
        name = f"captionary-{_port(request.scope)}"
        known = same(request.cookies.get(name, ""), self._token.value)
        given = request.query_params.get("token", "")
        if known and not given:
            return None
        if request.method not in _SAFE or not (known or (given and self._token.opens(given))):
            return PlainTextResponse(_NO_TOKEN, 403)
        rest = urlencode([(key, value) for key, value in request.query_params.multi_items() if key != "token"])
        answer = RedirectResponse(request.url.path + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(name, self._token.value, httponly=True, samesite="strict", path="/")
        return answer


def _foreign(request: Request) -> str:
    """Why a request does not come from this machine's own page, "" when it does."""
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _is_ours(hosts[0], request.scope):
        return "another host was asked for"
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{hosts[0]}":
        return "the request comes from another page"
    site = request.headers.get("sec-fetch-site", "none")
    # Pages of other ports count as the same site, and their requests carry our cookie: they may only follow a link.
    if site not in ("none", "same-origin") and not _is_link(request.headers, request.method):
        return "the request comes from another page"
    return ""


def _is_ours(host: str, scope: Scope) -> bool:
    name, _, port = host.rpartition(":")
    if not (port.isascii() and port.isdigit()):  # without a port it is the one of the scheme
        name, port = host, str(_usual_port(scope))
    return name.lower() in _NAMES and int(port) == _port(scope)


def _port(scope: Scope) -> int:
    """The port that the server listens on, as far as it tells."""
    server = scope.get("server")
    return int((server and server[1]) or _usual_port(scope))


def _usual_port(scope: Scope) -> int:
    return 443 if scope.get("scheme") == "https" else 80


def _is_link(headers: Mapping[str, str], method: str) -> bool:
    whole = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return whole and method in _SAFE
