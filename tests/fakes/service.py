"""What the strict fakes of services share: HTTP on a local port, virtual time, faults on demand, books on disk.

A service subclasses `FakeService`: it names its routes, answers calls, and words its errors. Its state lies in SQLite
and in files of one directory, so that it outlives the process; what was served and billed is counted there by itself,
never by asking the client.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.fakes.faults import Fault, FaultBook
from tests.fakes.gemini.captions import Caption, caption
from tests.fakes.gemini.clock import VirtualClock
from tests.fakes.gemini.pictures import Gallery, Picture
from tests.fakes.gemini.wire import ApiError
from tests.fakes.wire import Call, Handler, Reply

Json = dict[str, Any]
SAMPLES = Path(__file__).parents[2] / "sample_images"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS things (kind TEXT, id TEXT, number INTEGER PRIMARY KEY, told TEXT, UNIQUE (kind, id));
CREATE TABLE IF NOT EXISTS served (
  number INTEGER PRIMARY KEY, mode TEXT, job TEXT, row TEXT, model TEXT, sha256 TEXT, outcome TEXT,
  input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, usd REAL, at REAL);
CREATE TABLE IF NOT EXISTS requests (
  number INTEGER PRIMARY KEY, at REAL, route TEXT, method TEXT, path TEXT, status INTEGER, fault TEXT, bytes INTEGER);
"""


class Refusal(Exception):
    """The service says no: HTTP status, its own code, the sentence, and the field at fault."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True)
class Route:
    """A call that the service knows: its name in rules and books, verb, and path with `{id}` for names."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Reply]

    def match(self, method: str, path: str) -> tuple[str, ...] | None:
        """Return the names in the path, None where this is another call."""
        ours, theirs = self.path.split("/"), path.split("/")
        if method != self.method or len(ours) != len(theirs):
            return None
        pairs = list(zip(ours, theirs, strict=True))
        if not all(own == "{id}" or own == other for own, other in pairs):
            return None
        return tuple(other for own, other in pairs if own == "{id}")


@dataclass(slots=True)
class Served:
    """One answered request, for the books: `outcome` is ok, blocked or error; only errors are free."""

    mode: str
    model: str
    outcome: str = "ok"
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float = 0.0
    pictures: list[str] = field(default_factory=list)


class FakeService:
    """A service on a local port; see the subclasses for what it speaks.

    `pending` and `running` are the virtual seconds that a job waits and works, by default next to nothing.
    """

    prefix = ""
    key_header, key_form = "authorization", "Bearer {}"

    def __init__(self, state: Path, *, pending: float = 0.05, running: float = 0.15, **settings: Any) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.home = state
        self.pending, self.running = pending, running
        self.settings = settings
        self.lock = threading.RLock()
        self._db = sqlite3.connect(state / "service.sqlite3", isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;" + _SCHEMA)
        self.clock = VirtualClock(**self._recall("clock", {}))
        self.faults = FaultBook(self.kinds())
        self.stopping = threading.Event()
        self._gallery = Gallery(SAMPLES)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    # What a service brings

    def routes(self) -> tuple[Route, ...]:
        """Return every call that it knows."""
        raise NotImplementedError

    def kinds(self) -> dict[str, frozenset[str]]:
        """Return the faults of its own, by route; "row" and "job" are routes here too."""
        return {}

    def settle(self) -> None:
        """Bring every job to where it stands now."""

    def refusal(self, fault: Refusal) -> Reply:
        """Word an error as the service does."""
        told = {"message": fault.message, "type": "invalid_request_error", "param": fault.param, "code": fault.code}
        return Reply(fault.status, {"error": told})

    # Its life

    @property
    def url(self) -> str:
        """The base address for clients, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        with self.lock:
            self._db.close()

    def _handler(self) -> type[Handler]:
        return type("Bound", (Handler,), {"service": self})

    def answer(self, call: Call) -> tuple[Reply, list[Fault]]:
        """Answer one call, faults included; the faults that struck are returned too."""
        route, call.names = self._route(call)
        with self.lock:
            struck = self.faults.take(route.name if route else "unknown", call.path)
        early = next((fault for fault in struck if fault.early), None)
        if early is not None:
            reply = self.disturbed(early, Reply(200, {}))
        else:
            call.faults = struck
            with self.lock:
                reply = self._process(route, call)
            for fault in struck:
                reply = self.disturbed(fault, reply)
        with self.lock:
            self._log(route, call, reply, struck)
        return reply, struck

    def _route(self, call: Call) -> tuple[Route | None, tuple[str, ...]]:
        for route in self.routes():
            names = route.match(call.method, call.path)
            if names is not None:
                return route, names
        return None, ()

    def _process(self, route: Route | None, call: Call) -> Reply:
        try:
            self._admit(call)
            if route is None:
                raise Refusal(404, f"Invalid URL ({call.method} {call.path})")
            self.settle()
            return route.answer(call)
        except Refusal as fault:
            return self.refusal(fault)

    def _admit(self, call: Call) -> None:
        shown = call.headers.get(self.key_header, "")
        head, _, tail = self.key_form.partition("{}")
        key = shown.removeprefix(head).removesuffix(tail)
        if not shown or key in ("bad-key", ""):
            raise Refusal(401, f"Incorrect API key provided: {key}.", "invalid_api_key")
        if key == "no-credit":
            raise Refusal(429, "You exceeded your current quota, please check your plan.", "insufficient_quota")

    def disturbed(self, fault: Fault, reply: Reply) -> Reply:
        """Return what the fault makes of a reply; kinds of the service's own leave it alone."""
        told = fault.params
        if fault.kind.isdigit():
            words = str(told.get("message", "The server had an error while processing your request."))
            made = self.refusal(Refusal(int(fault.kind), words, told.get("code"), told.get("param")))
            return Reply(made.status, made.body, {**made.headers, **told.get("headers", {})})
        match fault.kind:
            case "html":
                return Reply(502, b"<html><h1>502 Bad Gateway</h1></html>", {"Content-Type": "text/html"})
            case "garbage":
                return Reply(200, b"<!doctype html> upstream says hello")
            case "empty":
                return Reply(200, b"")
            case "error_in_200":
                return Reply(200, {"error": {"message": "upstream failed", "code": 502}})
            case "redirect":
                return Reply(302, b"", {"Location": str(told.get("location", "/elsewhere"))})
            case "torn_last_line":
                body = reply.content().rstrip(b"\n")
                return Reply(reply.status, body[: (len(body) + body.rfind(b"\n") + 1) // 2], reply.headers)
        return reply

    # Its memory

    def put(self, kind: str, told: Json) -> Json:
        """Keep a thing under its `id`, a new one or a changed one."""
        changed = "ON CONFLICT (kind, id) DO UPDATE SET told = excluded.told"
        sql = f"INSERT INTO things (kind, id, told) VALUES (?, ?, ?) {changed}"
        self._db.execute(sql, (kind, told["id"], json.dumps(told)))
        return told

    def get(self, kind: str, name: str) -> Json | None:
        """Return a thing, None when it is not there."""
        row = self._db.execute("SELECT told FROM things WHERE kind = ? AND id = ?", (kind, name)).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[Json]:
        """Return all things of a kind, oldest first."""
        rows = self._db.execute("SELECT told FROM things WHERE kind = ? ORDER BY number", (kind,))
        return [json.loads(row[0]) for row in rows]

    def drop(self, kind: str, name: str) -> None:
        """Forget a thing."""
        self._db.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, name))

    def blob(self, name: str) -> Path:
        """Where the bytes of a file lie."""
        return self.home / f"{name}.bytes"

    def new_id(self, head: str) -> str:
        """Return a name that was never given."""
        return head + secrets.token_hex(12)

    def _recall(self, name: str, default: Any) -> Any:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    # Pictures and books

    def look(self, data: bytes, mime_type: str) -> tuple[Picture, Caption]:
        """Return a picture and its caption: the same for the same bytes; `Refusal` for what is no picture."""
        try:
            picture = self._gallery.look(data, mime_type)
        except ApiError as fault:
            raise Refusal(
                400, "The image data you provided does not represent a valid image.", "invalid_image"
            ) from fault
        return picture, caption(picture)

    def book(self, served: Served, job: str = "", row: str = "") -> None:
        """Enter one request into the books."""
        tokens = (served.input_tokens, served.output_tokens, served.cached_tokens)
        values = (served.mode, job, row, served.model, "+".join(served.pictures), served.outcome, *tokens, served.usd)
        marks = ", ".join("?" * 11)
        columns = "mode, job, row, model, sha256, outcome, input_tokens, output_tokens, cached_tokens, usd, at"
        self._db.execute(f"INSERT INTO served ({columns}) VALUES ({marks})", (*values, self.clock.now()))

    def _log(self, route: Route | None, call: Call, reply: Reply, struck: list[Fault]) -> None:
        lost = any(fault.kind in ("drop", "hang", "kill") for fault in struck)
        name, status = route.name if route else "unknown", 0 if lost else reply.status
        values = (
            self.clock.now(),
            name,
            call.method,
            call.path,
            status,
            " ".join(f.kind for f in struck),
            len(call.body),
        )
        self._db.execute(
            "INSERT INTO requests (at, route, method, path, status, fault, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)", values
        )

    # What tests see and change

    def books(self) -> Json:
        """Return what was served and what it costs: the shape is that of the Gemini emulator's books."""
        with self.lock:
            self.settle()
            paid = "outcome <> 'error'"
            sums = "sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(usd)"
            total = self._db.execute(f"SELECT {sums} FROM served WHERE {paid}").fetchone()
            modes = dict(self._db.execute(f"SELECT mode, count(*) FROM served WHERE {paid} GROUP BY 1"))
            images: Json = {}
            for sha, mode, count in self._db.execute(
                f"SELECT sha256, mode, count(*) FROM served WHERE {paid} AND sha256 <> '' GROUP BY 1, 2"
            ):
                images.setdefault(sha, {})[mode] = count
            return {
                "served": modes,
                "images": images,
                "input_tokens": total[0] or 0,
                "output_tokens": total[1] or 0,
                "cached_tokens": total[2] or 0,
                "usd": total[3] or 0.0,
                "requests": dict(self._db.execute("SELECT route, count(*) FROM requests GROUP BY 1")),
            }

    def log(self, route: str = "") -> list[Json]:
        """Return the requests so far, oldest first; status 0: the client got no answer."""
        with self.lock:
            found = self._db.execute("SELECT * FROM requests WHERE ? IN ('', route) ORDER BY number", (route,))
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

    def health(self) -> Json:
        """Return the virtual time."""
        return {"ok": True, "now": self.clock.now()}

    def advance(self, seconds: float) -> float:
        """Let virtual time jump ahead; jobs come to where they stand then."""
        with self.lock:
            self.clock.advance(seconds)
            state = json.dumps(self.clock.state())
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('clock', ?)", (state,))
            self.settle()
            return self.clock.now()

    def fault(self, route: str, kind: str, **rule: Any) -> None:
        """Put a fault in force; see `tests.fakes.faults.Fault`."""
        with self.lock:
            self.faults.add(route, kind, **rule)

    def clear_faults(self) -> None:
        """Take all faults out of force."""
        with self.lock:
            self.faults.clear()
