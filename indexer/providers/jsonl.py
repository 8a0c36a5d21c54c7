"""Result files of JSON lines: streamed to disk whole, several into one, and read line by line without raising."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from indexer.domain.errors import NotFound, Unreachable
from indexer.providers.bounded import LastLine
from indexer.providers.http import Http
from indexer.storage.atomic import whole_file

_AGREEING = 3
_HEAD = 1 << 16
_KEY = re.compile(rb'"custom_id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')


def download(
    http: Http,
    addresses: Sequence[str],
    target: Path,
    *,
    requests: int | None = None,
    proof: re.Pattern[bytes] = _KEY,
) -> None:
    """Stream the result files at `addresses` to `target`, one after the other, whole or not at all.

    The head of a result file has `proof`; what has not is something else.

    A file that is empty or ends in mid line, and fewer lines than `requests`, are taken again, and believed when they
    come the same three times: then that is what the service has, and what it lacks is for the caller to miss.
    """
    doubted: list[list[_Received]] = []

    def attempt() -> None:
        with whole_file(target) as stream:
            got = [_copy(http, address, stream, proof) for address in addresses]
            if any(file.torn for file in got) or (requests is not None and sum(file.lines for file in got) < requests):
                doubted.append(got)
                if doubted[-_AGREEING:] != [got] * _AGREEING:
                    raise Unreachable("the results look incomplete", hint="try again later; the service keeps them")

    http.patiently(attempt, also=(NotFound,))


@dataclass(frozen=True, slots=True)
class _Received:
    """What came of one file; `torn`: nothing, or something that ends in mid line."""

    size: int
    lines: int
    torn: bool


def _copy(http: Http, address: str, stream: BinaryIO, proof: re.Pattern[bytes]) -> _Received:
    size = lines = 0
    head, last = b"", LastLine()
    with http.download("download the results", address) as pieces:
        for piece in pieces:
            stream.write(piece)
            size += len(piece)
            lines += piece.count(b"\n")
            head = head or piece[:_HEAD]
            last.add(piece)
    tail = bytes(last)
    if size and not proof.search(head):
        raise Unreachable("what came is not a result file", hint="check for a proxy that answers by itself")
    if tail:
        stream.write(b"\n")
    return _Received(size, lines + bool(tail), torn=not size or bool(tail.strip() and not _is_whole(tail)))


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


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
