"""A gallery that really listens, for the tests that ask it over HTTP and in a browser."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from indexer import Library
from search.gallery import address, app
from search.gallery.server import configured, listen


@dataclass(frozen=True)
class Served:
    """A gallery under way: its address with the token, the one for a single browser, the one without, its library."""

    address: str
    once: str
    origin: str
    library: Library

    @contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A client that has come in by the address, as a browser does."""
        with httpx.Client(base_url=self.origin, trust_env=False, timeout=30) as client:
            assert client.get(self.address).status_code == 303
            yield client


@contextmanager
def serving(library: Path, cache: Path) -> Iterator[Served]:
    """Serve the library in a thread on a free port, its small copies in `cache`."""
    opened = Library.open(library, create=False)
    made, listener = app(opened, cache=cache), listen(0)
    port = listener.getsockname()[1]
    server = uvicorn.Server(configured(made))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(address(made, port), address(made, port, once=True), f"http://127.0.0.1:{port}", opened)
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()


def raw(served: Served, request: bytes) -> bytes:
    """Send bytes as they are and return the whole answer: for requests that no client would make."""
    host, port = served.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)
