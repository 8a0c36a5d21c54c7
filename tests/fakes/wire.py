"""The HTTP side of the fake services: one request in, one reply out, damage on the way."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.faults import LOST, Fault

if TYPE_CHECKING:
    from tests.fakes.service import FakeService

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_PART = re.compile(rb'name="([^"]*)"(?:;\s*filename="([^"]*)")?')


@dataclass(slots=True)
class Call:
    """One request: verb, path behind the base address, query, headers in lower case, body.

    `names` fill the path, `faults` are those that strike it, `asked` is the query with names that come twice.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    names: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    asked: tuple[tuple[str, str], ...] = ()

    def many(self, name: str) -> list[str]:
        """Return every value of a name in the query."""
        return [value for key, value in self.asked if key == name]

    def struck(self, *kinds: str) -> Fault | None:
        """Return the first fault of these kinds."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    def json(self) -> Any:
        """Return the body as JSON; None where it is not."""
        try:
            return json.loads(self.body or b"null")
        except ValueError:
            return None

    def form(self) -> dict[str, tuple[str, bytes]]:
        """Return the parts of a form: (file name, content) by name."""
        boundary = _BOUNDARY.search(self.headers.get("content-type", ""))
        found: dict[str, tuple[str, bytes]] = {}
        for part in self.body.split(b"--" + boundary[1].encode()) if boundary else ():
            head, _, content = part.partition(b"\r\n\r\n")
            named = _PART.search(head)
            if named:
                found[named[1].decode()] = ((named[2] or b"").decode(), content.removesuffix(b"\r\n"))
        return found


@dataclass(slots=True)
class Reply:
    """What the service says: status, body (JSON unless bytes or the path of a file), further headers."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body's bytes."""
        if isinstance(self.body, Path):
            return self.body.read_bytes()
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Handler(BaseHTTPRequestHandler):
    """One connection to `service`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    service: FakeService

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent; the log is in the books."""

    def do_GET(self) -> None:
        """Answer any verb."""
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._chunks() if "chunked" in headers.get("transfer-encoding", "") else b""
        body = body or self.rfile.read(int(headers.get("content-length") or 0))
        asked = tuple(parse_qsl(address.query, keep_blank_values=True))
        path = address.path.removeprefix(self.service.prefix)
        reply, struck = self.service.answer(Call(self.command, path, dict(asked), headers, body, asked=asked))
        for fault in struck:
            if fault.kind == "kill" and fault.pid not in (None, 0, 1, os.getpid(), os.getppid()):
                os.kill(int(fault.pid or 0), signal.SIGKILL)
            if fault.kind in ("hang", "slow"):
                self.service.stopping.wait(float(fault.params.get("seconds", 600.0 if fault.kind == "hang" else 1.0)))
            if fault.kind in LOST:
                self.close_connection = True
                return
        self._send(reply, cut=any(fault.kind == "truncate" for fault in struck))

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, reply: Reply, *, cut: bool) -> None:
        content = reply.content()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut
