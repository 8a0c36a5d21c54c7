"""The emulator as one object: build it, start it, look into it, stop it."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes.gemini.clock import VirtualClock
from tests.fakes.gemini.control import Control
from tests.fakes.gemini.faults import FaultBook
from tests.fakes.gemini.files import Files
from tests.fakes.gemini.generate import Brain
from tests.fakes.gemini.jobs import Jobs
from tests.fakes.gemini.pictures import Gallery
from tests.fakes.gemini.routes import Api
from tests.fakes.gemini.runner import Runner
from tests.fakes.gemini.server import Server
from tests.fakes.gemini.service import Service
from tests.fakes.gemini.settings import SAMPLES, Settings
from tests.fakes.gemini.store import Store


class Emulator(Control):
    """The Gemini Developer API on a local port, its state in a directory that outlives it."""

    def __init__(
        self, state: Path, *, port: int = 0, host: str = "127.0.0.1", samples: Path = SAMPLES, **settings: Any
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        store = Store(state / "emulator.sqlite3")
        clock = VirtualClock(**store.recall("clock", {}))
        chosen = Settings()
        chosen.change(**settings)
        service = Service(state, chosen, store, clock, Brain(Gallery(samples)), FaultBook(store))
        super().__init__(service)
        files = Files(service)
        self._runner = Runner(service, files)
        api = Api(service, files, Jobs(service, files, self._runner.launch))
        self._server = Server((host, port), service, api, self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="emulator", daemon=True)

    @property
    def url(self) -> str:
        """The base address for clients, without a slash at its end."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Take up unfinished jobs and answer calls."""
        self._runner.resume()
        self._thread.start()

    def stop(self) -> None:
        """End; what is on disk lets another emulator go on from here."""
        self._service.stopping.set()
        self._service.clock.wake()
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._runner.join()
        self._service.store.close()

    def wait(self) -> None:
        """Block until the server thread ends."""
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
