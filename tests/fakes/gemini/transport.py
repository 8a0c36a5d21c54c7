"""Faults of the connection and of the front end: what happens to an answer on its way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.kinds import DAMAGES, ERRORS, LOSSES
from tests.fakes.gemini.wire import (
    EXHAUSTED,
    OPAQUE,
    ApiError,
    Reply,
    bad_request,
    error_reply,
    quota_exceeded,
    unknown_name,
)

_HTML = b"<html><head><title>502 Server Error</title></head><body><h1>Error: Server Error</h1></body></html>"
_TEXTS = {
    1: "The operation was cancelled.",
    3: OPAQUE,
    4: "Deadline expired before operation could complete.",
    5: "Requested entity was not found.",
    7: "The caller does not have permission",
    8: EXHAUSTED,
    13: "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
    14: "The model is overloaded. Please try again later.",
    16: "Request had invalid authentication credentials.",
}


class Vanished(Exception):
    """The connection ends here without an answer, after `linger` real seconds of silence."""

    def __init__(self, linger: float = 0.0) -> None:
        super().__init__("no answer")
        self.linger = linger


def instead(fault: Fault, peer: tuple[str, int]) -> Reply | None:
    """Return the answer that replaces the processing; None for a kind that does not replace it."""
    if fault.kind == "kill":
        _kill(fault, peer)
        raise Vanished
    if fault.kind in ("drop", "hang"):
        raise Vanished(fault.params.get("seconds", 600.0) if fault.kind == "hang" else 0.0)
    return _canned(fault)


def _canned(fault: Fault) -> Reply | None:
    params = fault.params
    if fault.kind in ERRORS:
        code = ERRORS[fault.kind]
        return error_reply(ApiError(code, params.get("message", _TEXTS[code]), params.get("details", ())))
    if fault.kind == "quota":
        metric = params.get("metric", "generate_requests_per_model")
        return error_reply(quota_exceeded(metric, params.get("limit", 10), "", params.get("retry_seconds", 7)))
    if fault.kind == "unknown_name":
        name, path = params.get("name", "file_name"), params.get("path", "batch.input_config.requests")
        return error_reply(bad_request([unknown_name(name, path)]))
    if fault.kind == "html":
        return Reply(_HTML, int(params.get("status", 502)), "text/html; charset=UTF-8")
    if fault.kind == "status":
        return Reply(str(params.get("body", "")).encode(), int(params["status"]))
    if fault.kind == "garbage":
        return Reply(str(params.get("body", "<!doctype html> upstream says hello")).encode())
    return Reply() if fault.kind == "empty" else None


def afterwards(fault: Fault, reply: Reply, peer: tuple[str, int]) -> Reply:
    """Return the reply as the fault lets it through; raises `Vanished` when nothing comes through."""
    if fault.kind in LOSSES:
        instead(fault, peer)
    if fault.kind in DAMAGES and reply.status == 200:
        return Reply(_damage(fault, _content(reply)), 200, reply.content_type, reply.headers)
    if fault.kind == "headers":
        reply.headers.update(fault.params)
        return reply
    return _canned(fault) or reply


def redirected(path: str, query: str) -> Reply:
    """Return a 302 to the download host's spelling of the same file."""
    target = path if path.startswith("/download") else "/download" + path
    return Reply(b"", 302, headers={"Location": f"{target}?{query or 'alt=media'}"})


def deadline(fault: Fault, headers: dict[str, str]) -> tuple[float, Reply | None]:
    """Return how long (real seconds) a slow answer takes, and the 504 that comes at the client's own deadline."""
    seconds = float(fault.params.get("seconds", 1.0))
    limit = float(headers.get("x-server-timeout") or "inf")
    if seconds <= limit:
        return seconds, None
    return limit, error_reply(ApiError(4, _TEXTS[4]))


def _content(reply: Reply) -> bytes:
    return reply.file.read_bytes() if reply.file is not None else reply.body


def _damage(fault: Fault, body: bytes) -> bytes:
    if fault.kind == "torn_last_line":
        last = body.rstrip(b"\n").rfind(b"\n") + 1
        return body[: last + int((len(body) - last) * fault.params.get("part", 0.5))]
    at = int(fault.params.get("at", len(body) // 2))
    if fault.kind == "invalid_utf8":
        return body[:at] + b"\xff\xfe" + body[at + 2 :]
    return body[:at] + bytes([body[at] ^ int(fault.params.get("mask", 0x80))]) + body[at + 1 :] if body else body


def _kill(fault: Fault, peer: tuple[str, int]) -> None:
    pid = fault.pid
    if pid is None and "pid_file" in fault.params:
        pid = int(Path(fault.params["pid_file"]).read_text())
    if pid is None:
        pid = process_at(peer)
    if pid is None or pid in (0, 1, os.getpid(), os.getppid()):
        raise ValueError(f"will not kill process {pid}")
    os.kill(pid, signal.SIGKILL)


def process_at(peer: tuple[str, int]) -> int | None:
    """Return the process that holds the other end of a local connection (Linux only)."""
    wanted = f"{peer[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        # Another address may use the same port; a socket that is only waiting to be forgotten has no owner.
        if columns[1].endswith(":" + wanted) and columns[9] != "0":
            return _owner(f"socket:[{columns[9]}]")
    return None


def _owner(link: str) -> int | None:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(item.readlink()) == link for item in (entry / "fd").iterdir()):
                return int(entry.name)
        except OSError:
            continue
    return None
