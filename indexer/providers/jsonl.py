"""Result files of JSON lines: streamed to disk whole, several into one, and read line by line without raising."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from indexer.domain.errors import NotFound, Unreachable
from indexer.providers.http import Http
from indexer.storage.atomic import whole_file

_HEAD = 1 << 16
_KEY = re.compile(rb'"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')


def download(http: Http, addresses: Iterable[str], target: Path) -> None:
    """Stream the result files at `addresses` to `target`, one after the other, whole or not at all."""

    def attempt() -> None:
        with whole_file(target) as stream:
            for address in addresses:
                _copy(http, address, stream)

    http.patiently(attempt, also=(NotFound,))


def _copy(http: Http, address: str, stream: BinaryIO) -> None:
    """Append a result file; a page of somebody else's, an empty body and half a line are faults."""
    head, tail = b"", b"\n"
    with http.download("download the results", address) as pieces:
        for piece in pieces:
            stream.write(piece)
            head = head or piece[:_HEAD]
            tail = (tail + piece)[-1 << 20 :] if b"\n" not in piece[:-1] else piece
    if not _KEY.search(head):
        raise Unreachable("what came is not a result file", hint="try again later")
    if not tail.endswith(b"\n"):
        last = tail.rpartition(b"\n")[2]
        if last.strip() and not _is_whole(last):
            raise Unreachable("the results broke off in mid line", hint="try again later")
        stream.write(b"\n")


def read_line(line: bytes) -> tuple[str | None, dict[str, Any] | None]:
    """Return (key, object) of a result line: the key where it can be rescued, None for what is not a JSON object."""
    try:
        found = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        rescued = _KEY.search(line)
        return (rescued[1].decode("ascii") if rescued else None), None
    if not isinstance(found, dict):
        return None, None
    key = found.get("custom_id")
    return (key if isinstance(key, str) and key else None), found


def keys_of(path: Path) -> frozenset[str]:
    """Return the keys of a batch file that still lies on disk; none where it is gone."""
    try:
        with path.open("rb") as stream:
            found = (_KEY.search(line[:300]) for line in stream)
            return frozenset(match[1].decode("ascii") for match in found if match)
    except OSError:
        return frozenset()


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
