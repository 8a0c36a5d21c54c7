"""What a test can see and change: the books, the log, the clock, the faults, the settings."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.gemini.faults import Fault, fault_from
from tests.fakes.gemini.kinds import kinds
from tests.fakes.gemini.service import Service
from tests.fakes.gemini.settings import fingerprint
from tests.fakes.gemini.wire import Json

_LAGGING = """
SELECT 1 FROM jobs WHERE (state = 'PENDING' AND min(starts, expires) <= :now) OR (state = 'RUNNING' AND (
  cancelled OR min(ends, expires) <= :now
  OR succeeded + failed < CAST(requests * (:now - 0.001 - starts) / nullif(ends - starts, 0) AS INTEGER))) LIMIT 1
"""
_PAID = "outcome IN ('ok', 'blocked')"


class Control:
    """The same verbs in the emulator's process and, by `tests.fakes.gemini.client`, from another one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._calls: dict[tuple[str, str], Callable[..., Any]] = {
            ("GET", ""): self.health,
            ("GET", "books"): self.books,
            ("GET", "served"): self.served,
            ("GET", "requests"): self.requests,
            ("GET", "jobs"): self.jobs,
            ("GET", "files"): self.files,
            ("GET", "faults"): self.faults,
            ("GET", "kinds"): lambda route: sorted(kinds(route)),
            ("POST", "faults"): lambda **rule: self.add_fault(fault_from(rule)),
            ("DELETE", "faults"): self.clear_faults,
            ("POST", "clock"): self.clock,
            ("POST", "settings"): self.change,
            ("POST", "settle"): self.settle,
        }

    def call(self, method: str, path: str, arguments: Mapping[str, Any]) -> Any:
        """Run one verb of the control API; raises ValueError for an unknown one."""
        name = path.removeprefix("/_emulator").strip("/")
        verb = self._calls.get((method, name))
        if verb is None:
            known = ", ".join(f"{m} /_emulator/{n}" for m, n in self._calls)
            raise ValueError(f"no such control call; known are {known}")
        return verb(**arguments)

    def health(self) -> Json:
        """Return that the service lives, and its virtual time."""
        return {"ok": True, "now": self._service.clock.now()}

    def books(self) -> Json:
        """Return what was served and what it costs.

        `rows[lane][outcome]` counts rows by outcome (ok, blocked, error, expired); `served[lane]` counts the paid ones
        (ok and blocked); `images[sha256][lane]` and `signatures[signature][lane]` count paid rows per picture,
        `keys[fingerprint]` sums per key; `requests[route]` counts calls; tokens and USD are sums over paid rows.
        """
        store = self._service.store
        total = store.rows(f"SELECT sum(input_tokens), sum(output_tokens), sum(usd) FROM served WHERE {_PAID}")[0]
        rows = store.rows("SELECT lane, outcome, count(*) FROM served GROUP BY 1, 2")
        return {
            "rows": _nest(rows),
            "served": {lane: self._paid(lane) for lane in ("batch", "interactive")},
            "images": self._per("sha256"),
            "signatures": self._per("signature"),
            "keys": self._keys(),
            "input_tokens": total[0] or 0,
            "output_tokens": total[1] or 0,
            "usd": total[2] or 0.0,
            "requests": dict(map(tuple, store.rows("SELECT route, count(*) FROM requests GROUP BY 1"))),
            "jobs_created": store.value("SELECT count(*) FROM jobs"),
            "jobs": dict(map(tuple, store.rows("SELECT state, count(*) FROM jobs GROUP BY 1"))),
        }

    def _paid(self, lane: str) -> int:
        return int(self._service.store.value(f"SELECT count(*) FROM served WHERE {_PAID} AND lane = ?", lane))

    def _per(self, column: str) -> Json:
        sql = f"SELECT {column}, lane, count(*) FROM served WHERE {_PAID} AND {column} != '' GROUP BY 1, 2"
        return _nest(self._service.store.rows(sql))

    def _keys(self) -> Json:
        sums = "count(*), sum(input_tokens), sum(output_tokens), sum(usd)"
        sql = f"SELECT key, {sums} FROM served WHERE {_PAID} GROUP BY 1"
        names = ("rows", "input_tokens", "output_tokens", "usd")
        return {row[0]: dict(zip(names, tuple(row)[1:], strict=True)) for row in self._service.store.rows(sql)}

    def served(self, lane: str = "", job: str = "") -> list[Json]:
        """Return every served row, oldest first."""
        sql = "SELECT * FROM served WHERE ? IN ('', lane) AND ? IN ('', job) ORDER BY number"
        return [dict(row) for row in self._service.store.rows(sql, lane, job.removeprefix("batches/"))]

    def requests(self, route: str = "") -> list[Json]:
        """Return the request log, oldest first; status 0 = the client got no answer."""
        rows = self._service.store.rows("SELECT * FROM requests WHERE ? IN ('', route) ORDER BY number", route)
        return [_logged(dict(row)) for row in rows]

    def jobs(self) -> list[Json]:
        """Return every job ever created, deleted ones too, oldest first."""
        rows = self._service.store.rows("SELECT * FROM jobs ORDER BY number")
        return [{**dict(row), "name": f"batches/{row['id']}"} for row in rows]

    def files(self) -> list[Json]:
        """Return every file that was not deleted."""
        return [{**dict(row), "name": f"files/{row['id']}"} for row in self._service.store.rows("SELECT * FROM files")]

    def fault(self, route: str, kind: str, **rule: Any) -> int:
        """Put a fault in force and return its number; see `Fault` for the names in `rule`, others are parameters."""
        return self.add_fault(fault_from({"route": route, "kind": kind, **rule}))

    def add_fault(self, fault: Fault) -> int:
        """Put a ready-made rule in force and return its number."""
        return self._service.faults.add(fault)

    def faults(self) -> list[Json]:
        """Return the rules in force, with how often each was counted (`seen`) and struck (`fired`)."""
        return self._service.faults.rules()

    def clear_faults(self, number: int | None = None) -> None:
        """Take one fault, or all, out of force."""
        self._service.faults.clear(int(number) if number is not None else None)

    def clock(self, advance: float = 0.0, hold: bool = False, release: bool = False, settle: float = 30.0) -> float:
        """Move, hold or release the virtual clock; waits until due jobs have reached their state. Returns the time."""
        if hold:
            self._service.clock.hold()
        if advance:
            self._service.clock.advance(advance)
        if release:
            self._service.clock.release()
        self._service.store.remember("clock", self._service.clock.state())
        self.settle(settle)
        return self._service.clock.now()

    def advance(self, seconds: float) -> float:
        """Let virtual time jump ahead."""
        return self.clock(advance=seconds)

    def change(self, **values: Any) -> None:
        """Change settings by name; see `Settings`."""
        self._service.settings.change(**values)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait (real seconds) until no job or row lags behind the clock; returns False when that took too long."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            now = self._service.clock.now()
            if self._service.store.row(_LAGGING, {"now": now}) is None:
                return True
            time.sleep(0.01)
        return False

    @staticmethod
    def fingerprint(key: str) -> str:
        """Return the name of a key in the books."""
        return fingerprint(key)


def _nest(rows: list[Any]) -> Json:
    nested: Json = {}
    for outer, inner, count in rows:
        nested.setdefault(outer, {})[inner] = count
    return nested


def _logged(row: Json) -> Json:
    body = row["body"]
    return {
        **row,
        "headers": json.loads(row["headers"]),
        "body": body.decode(errors="replace") if body else "",
    }
