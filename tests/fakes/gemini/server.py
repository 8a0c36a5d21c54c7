"""The HTTP side: reads requests, lets faults strike, writes answers, keeps the log."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import sys
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.gemini import transport
from tests.fakes.gemini.control import Control
from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.kinds import strikes_before
from tests.fakes.gemini.routes import Api, Request, match
from tests.fakes.gemini.service import Service
from tests.fakes.gemini.settings import fingerprint
from tests.fakes.gemini.transport import Vanished
from tests.fakes.gemini.wire import ApiError, Reply, error_reply, json_reply

_PIECE = 1 << 20
_DRAIN = 64 << 20
_NAME = re.compile(rb'"display_?[nN]ame"\s*:\s*"([^"\\]*)"')
_SECRET = ("x-goog-api-key", "authorization")


class Server(ThreadingHTTPServer):
    """Threads, one a connection; none of them keeps the process alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], service: Service, api: Api, control: Control) -> None:
        super().__init__(address, Handler)
        self.service = service
        self.api = api
        self.control = control
        self._open: set[Any] = set()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection and know of it while it lasts."""
        self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(request)

    def hang_up(self) -> None:
        """End every open connection, as the end of a process would."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is told."""
        if not self.service.stopping.is_set() and not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Limited:
    """The body of one request as a stream that ends where the body ends."""

    def __init__(self, stream: BufferedIOBase, length: int) -> None:
        self._stream = stream
        self.left = length

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes of the body."""
        want = self.left if size < 0 else min(size, self.left)
        data = self._stream.read(want) if want else b""
        self.left -= len(data)
        return data


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 << 10
    timeout = 900
    server: Server
    headers: Message
    server_version = "scaffolding on HTTPServer2"
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; the log is in the store."""

    def do_GET(self) -> None:
        """Answer any method."""
        request = self._request()
        if request.path.startswith("/_emulator"):
            self._send(self._controlled(request), None)
        else:
            self._public(request)
        if isinstance(request.stream, _Limited) and not self.close_connection:
            self._drain(request.stream)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _drain(self, stream: _Limited) -> None:
        if stream.left > _DRAIN:
            self.close_connection = True
        while stream.left and stream.read(_PIECE) and not self.close_connection:
            pass

    def _request(self) -> Request:
        address = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        stream: Any = _Limited(self.rfile, length)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        return Request(self.command, address.path, query, headers, stream, length)

    def _controlled(self, request: Request) -> Reply:
        try:
            return json_reply(
                {"result": self.server.control.call(request.method, request.path, self._arguments(request))}
            )
        except (ValueError, TypeError, KeyError) as error:
            return json_reply({"error": str(error)}, 400)

    def _arguments(self, request: Request) -> dict[str, Any]:
        body = request.stream.read(request.length)
        values = json.loads(body) if body else {}
        if not isinstance(values, dict):
            raise ValueError("the body must be a JSON object")
        return {**request.query, **values}

    def _public(self, request: Request) -> None:
        known = match(request)
        if request.route != "upload_chunk" and request.length <= self.server.service.settings.max_inline_bytes:
            request.body = request.stream.read(request.length)
        name = _NAME.search(request.body)
        shown = name[1].decode(errors="replace") if name else ""
        subjects = (request.path, shown, fingerprint(request.key))
        request.faults = self.server.service.faults.take(request.route or "unknown", *subjects)
        try:
            reply = self._answer(request) if known else error_reply(ApiError(5, "Requested entity was not found."))
        except Vanished as gone:
            self._log(request, 0)
            self._vanish(gone.linger)
            return
        slow = request.fault("slow")
        seconds, late = transport.deadline(slow, request.headers) if slow else (0.0, None)
        reply = late or reply
        self._log(request, reply.status)
        if seconds:
            self.server.service.stopping.wait(seconds)
        self._send(reply, request.fault("truncate", "stall"))

    def _answer(self, request: Request) -> Reply:
        for fault in request.faults:
            if strikes_before(fault.kind, fault.when):
                reply = transport.instead(fault, self.client_address)
                if reply is not None:
                    return reply
        if request.fault("redirect") and not request.path.startswith("/download"):
            return transport.redirected(request.path, urlsplit(self.path).query)
        reply = self._process(request)
        for fault in request.faults:
            if not strikes_before(fault.kind, fault.when):
                reply = transport.afterwards(fault, reply, self.client_address)
        return reply

    def _process(self, request: Request) -> Reply:
        limit = self.server.service.settings.max_inline_bytes
        try:
            if "chunked" in request.headers.get("transfer-encoding", ""):
                return Reply(b"Length Required", 411, "text/plain")
            if request.length > limit and request.route != "upload_chunk":
                raise ApiError(3, f"Request payload size exceeds the limit: {limit} bytes.")
            return self.server.api.answer(request)
        except ApiError as error:
            return error_reply(error)
        except ConnectionError:
            raise Vanished from None

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        length = reply.length()
        cut = length if fault is None else int(length * fault.params.get("part", 0.5))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if reply.file is not None:
            with reply.file.open("rb") as source:
                if cut == length:
                    shutil.copyfileobj(source, self.wfile, _PIECE)
                else:
                    self.wfile.write(source.read(cut))
        else:
            self.wfile.write(reply.body[:cut])
        self.wfile.flush()
        if fault is not None:
            self._vanish(fault.params.get("seconds", 600.0) if fault.kind == "stall" else 0.0)

    def _vanish(self, linger: float) -> None:
        if linger:
            self.server.service.stopping.wait(linger)
        self.close_connection = True

    def _log(self, request: Request, status: int) -> None:
        service = self.server.service
        redacted = {name: "redacted" if name in _SECRET else value for name, value in request.headers.items()}
        keep = len(request.body) <= service.settings.logged_body_bytes
        service.store.insert(
            "requests",
            at=service.clock.now(),
            route=request.route or "unknown",
            method=request.method,
            path=self._clean_path(request),
            headers=json.dumps(redacted),
            key=fingerprint(request.key) if request.key else "",
            status=status,
            fault=" ".join(fault.kind for fault in request.faults),
            bytes=request.length,
            body=request.body if keep else None,
        )

    def _clean_path(self, request: Request) -> str:
        key = request.query.get("key")
        return self.path.replace(key, "redacted") if key else self.path
