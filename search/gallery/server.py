"""Serves a gallery on this machine until it is interrupted."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from indexer.domain.errors import CaptionaryError

HOST = "127.0.0.1"


def listen(port: int, host: str = HOST) -> socket.socket:
    """Return a socket that listens on `port` of `host`, any free one for 0; without a host on this machine only."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as fault:
        listener.close()
        raise CaptionaryError(
            f"port {port} of {host} cannot be used: {fault.strerror}",
            hint="choose another with --port, or --port 0 for any free one",
        ) from fault
    return listener


def configured(made: Starlette) -> uvicorn.Config:
    """Return how the gallery `made` is served: plain HTTP, no log of requests, an end that waits for nobody."""
    return uvicorn.Config(
        made,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )


def serve(made: Starlette, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answer requests until Ctrl-C or a signal to end; `ready` is called before the first one."""
    ready()
    with listener:
        uvicorn.Server(configured(made)).run(sockets=[listener])
