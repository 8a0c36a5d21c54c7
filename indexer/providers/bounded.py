"""Answers of a service are read up to a bound: one that never ends, or unpacks into gigabytes, fills no memory."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from indexer.domain.errors import Unreachable

STREAMED: Mapping[str, bool] = {"streamed": True}
"""The extensions of a request whose caller takes the answer piece by piece; an error in its place is bounded still."""
PACKED = "gzip"
MOST_OF_A_LINE = 64 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class AnswerBounds:
    """How many bytes an answer may have, unpacked, and how many seconds it may take from its first byte on."""

    most: int = 16 << 20
    seconds: float = 900.0


def bounding(client: ModuleType, bounds: AnswerBounds = AnswerBounds()) -> Callable[[Any], None]:
    """Return a hook for the answers of a pool of `client`, which is httpx or a module with the same names."""
    stream = type("_Bounded", (_Counted, client.SyncByteStream), {})

    def bound(answer: Any) -> None:
        packing = answer.headers.pop("content-encoding", "identity").strip().lower()
        if packing not in ("identity", PACKED):
            raise client.DecodingError(f"it is packed in a way that was not asked for, {packing[:40]!r}")
        streamed = answer.is_success and "streamed" in answer.request.extensions
        answer.stream = stream(answer.stream, packing == PACKED, None if streamed else bounds, client.DecodingError)

    return bound


class _Counted:
    """The pieces of an answer, unpacked, until they are too many."""

    def __init__(self, stream: Any, packed: bool, bounds: AnswerBounds | None, fault: type[Exception]) -> None:
        self._stream = stream
        self._unpack = zlib.decompressobj(31) if packed else None
        self._bounds = bounds
        self._fault = fault

    def __iter__(self) -> Iterator[bytes]:
        size, began = 0, time.monotonic()
        for raw in self._stream:
            for piece in self._unpacked(raw):
                size += len(piece)
                if self._bounds and size > self._bounds.most:
                    raise self._fault(f"more than {self._bounds.most >> 20} MiB came, which no answer has")
                yield piece
            if self._bounds and time.monotonic() - began > self._bounds.seconds:
                raise self._fault(f"it had not ended after {self._bounds.seconds:.0f} seconds")

    def _unpacked(self, raw: bytes) -> Iterator[bytes]:
        if self._unpack is None:
            yield raw
            return
        while raw:
            try:
                piece = self._unpack.decompress(raw, _PIECE)
            except zlib.error:
                raise self._fault("it says that it is packed, and is not") from None
            raw = self._unpack.unconsumed_tail
            yield piece

    def close(self) -> None:
        """Give the connection back."""
        self._stream.close()


class LastLine:
    """The end of what came so far, from its last line break on; raises `Unreachable` when no line is that long."""

    def __init__(self) -> None:
        self._line = bytearray()

    def add(self, piece: bytes) -> None:
        """Take in the next piece."""
        start = piece.rfind(b"\n") + 1
        if start:
            self._line.clear()
        self._line += piece[start:]
        if len(self._line) > MOST_OF_A_LINE:
            raise Unreachable(
                f"what came is not a result file: it has a line of more than {MOST_OF_A_LINE >> 20} MiB",
                hint="check for a proxy that answers by itself",
            )

    def __bytes__(self) -> bytes:
        return bytes(self._line)
