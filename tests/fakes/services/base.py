"""What all fake services share: an HTTP server on this machine, faults on demand, and books of what was served."""

from __future__ import annotations

import base64
import email
import hashlib
import io
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service says: status, body (JSON unless bytes), further headers; `drop` closes without a word."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One request: verb, path without query, query, headers in lower case, body."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def form(self) -> dict[str, tuple[str, bytes]]:
        """The parts of a form: (file name, content) by name."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + self.body, policy=HTTP)
        found = {}
        for part in parts.iter_parts():  # type: ignore[attr-defined]
            named = part.get_param("name", header="content-disposition")
            found[named] = (part.get_filename() or "", part.get_payload(decode=True))
        return found


class Service:
    """A service at `url`. `faults` are tried before each call: the first one that answers, answers for it.

    `served` counts how often each key or picture was answered, `billed` the dollars, `calls` every request by verb and
    path. `now` is the service's clock; jobs end when it is moved on.
    """

    key = "test-key-0123456789abcdef"
    prefix = ""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.log: list[Call] = []
        self.served: Counter[str] = Counter()
        self.billed = 0.0
        self.now = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
        self.faults: list[Callable[[Call], Answer | None]] = []
        self.after: list[Callable[[Call], Answer | None]] = []
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, with what its base address has behind the host."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        raise NotImplementedError

    def allowed(self, call: Call) -> bool:
        """Whether the call carries the key."""
        return call.headers.get("authorization") == f"Bearer {self.key}"

    def fail_once(self, path: str, answer: Answer, *, after: bool = False, times: int = 1) -> None:
        """Answer the next calls whose verb and path hold `path` with `answer`; `after` the service did its work."""
        left = [times]

        def fault(call: Call) -> Answer | None:
            if path in f"{call.method} {call.path}" and left[0] > 0:
                left[0] -= 1
                return answer
            return None

        (self.after if after else self.faults).append(fault)

    def _handle(self, call: Call) -> Answer:
        with self.lock:
            self.calls[f"{call.method} {call.path}"] += 1
            self.log.append(call)
            for fault in self.faults:
                if found := fault(call):
                    return found
            if not self.allowed(call):
                return Answer(401, {"error": {"message": f"Incorrect API key: {self.key}", "code": "invalid_api_key"}})
            said = self.answer(call)
            for fault in self.after:
                if found := fault(call):
                    return found
            return said

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                call = Call(self.command, parts.path, query, headers, self.rfile.read(length))
                said = service._handle(call)
                if said.drop:
                    self.close_connection = True
                    self.connection.close()
                    return
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _any

            def log_message(self, *_: object) -> None:
                """Nothing on stderr."""

        return Handler


def picture_of(url: str) -> tuple[bytes, tuple[int, int]]:
    """Return the bytes and the size of the picture in a data address."""
    raw = base64.b64decode(url.partition(",")[2])
    with Image.open(io.BytesIO(raw)) as picture:
        assert not picture.getexif(), "metadata was sent"
        return raw, picture.size


def caption(raw: bytes) -> Json:
    """Return the answer to a picture: the same for the same bytes."""
    name = hashlib.sha256(raw).hexdigest()[:8]
    words = (
        "A picture with a subject in front, things around it, colours that fit together and light from one side. " * 3
    )
    return {"description": f"{words}It is known as {name}.", "tags": ["picture", name], "visible_text": ""}
