"""The control verbs for an emulator in another process, and that process itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.gemini.settings import fingerprint

Json = dict[str, Any]
_ROOT = Path(__file__).parents[3]


class RemoteControl:
    """Speaks to the control API of a running emulator; verbs and results are those of `Control`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def _call(self, method: str, verb: str, values: Mapping[str, Any] | None = None) -> Any:
        address = f"{self.url}/_emulator/{verb}"
        body = None
        if method == "GET":
            address += "?" + urllib.parse.urlencode(values or {})
        else:
            body = json.dumps(values or {}).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None

    def health(self) -> Json:
        """Return that the service lives, and its virtual time."""
        return dict(self._call("GET", ""))

    def books(self) -> Json:
        """Return what was served and what it costs."""
        return dict(self._call("GET", "books"))

    def served(self, lane: str = "", job: str = "") -> list[Json]:
        """Return every served row, oldest first."""
        return list(self._call("GET", "served", {"lane": lane, "job": job}))

    def requests(self, route: str = "") -> list[Json]:
        """Return the request log, oldest first."""
        return list(self._call("GET", "requests", {"route": route}))

    def jobs(self) -> list[Json]:
        """Return every job ever created, oldest first."""
        return list(self._call("GET", "jobs"))

    def files(self) -> list[Json]:
        """Return every file that was not deleted."""
        return list(self._call("GET", "files"))

    def fault(self, route: str, kind: str, **rule: Any) -> int:
        """Put a fault in force and return its number."""
        return int(self._call("POST", "faults", {"route": route, "kind": kind, **rule}))

    def faults(self) -> list[Json]:
        """Return the rules in force."""
        return list(self._call("GET", "faults"))

    def clear_faults(self, number: int | None = None) -> None:
        """Take one fault, or all, out of force."""
        self._call("DELETE", "faults", {} if number is None else {"number": number})

    def clock(self, advance: float = 0.0, hold: bool = False, release: bool = False, settle: float = 30.0) -> float:
        """Move, hold or release the virtual clock and return its time."""
        values = {"advance": advance, "hold": hold, "release": release, "settle": settle}
        return float(self._call("POST", "clock", values))

    def advance(self, seconds: float) -> float:
        """Let virtual time jump ahead."""
        return self.clock(advance=seconds)

    def change(self, **values: Any) -> None:
        """Change settings by name."""
        self._call("POST", "settings", values)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until no job lags behind the clock."""
        return bool(self._call("POST", "settle", {"timeout": timeout}))

    @staticmethod
    def fingerprint(key: str) -> str:
        """Return the name of a key in the books."""
        return fingerprint(key)


class EmulatorProcess(RemoteControl):
    """An emulator as its own process; `stop` and `start` again keep state and port."""

    def __init__(self, state: Path, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__("")
        self._state = state
        self._settings = dict(settings or {})
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running emulator."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it answers."""
        self._state.mkdir(parents=True, exist_ok=True)
        port_file = self._state / "port"
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.fakes.gemini", "--quiet", "--state", str(self._state)]
        command += ["--port", str(self._port), "--port-file", str(port_file)]
        for name, value in self._settings.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        self._process = subprocess.Popen(command, cwd=_ROOT)
        end = time.monotonic() + 30
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the emulator did not start")
            time.sleep(0.02)
        self._port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """Kill the process, as hard as a power switch would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
