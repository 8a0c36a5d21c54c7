"""Framing of batch files: lines in, whole files out, and back; what a line says is the provider's business."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from indexer.providers.bounded import MOST_OF_A_LINE
from indexer.storage.atomic import whole_file
from indexer.storage.regular import open_regular

_BLOCK = 1 << 20


class ShardWriter:
    """Writes one batch file whole or not at all; `bytes` is what it weighs so far."""

    def __init__(self, path: Path) -> None:
        self._whole = whole_file(path)
        self.bytes = 0
        self.lines = 0

    def __enter__(self) -> ShardWriter:
        self._stream = self._whole.__enter__()
        return self

    def write(self, line: bytes) -> None:
        """Append one line; it must hold no newline."""
        if b"\n" in line:
            raise ValueError("a batch line holds a newline")
        self._stream.write(line)
        self._stream.write(b"\n")
        self.bytes += len(line) + 1
        self.lines += 1

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._whole.__exit__(kind, fault, trace)


def read_lines(path: Path) -> Iterator[bytes]:
    r"""Yield the lines of a result file without their newline, split on \n alone; blank ones are left out.

    `str.splitlines` would also split on U+2028, which models put into captions. A last line without a newline is
    yielded too: it may be torn, which its decoder will see. One that is too long comes in parts, which are no answers.
    """
    with open_regular(path) as file, gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file as stream:
        while line := stream.readline(MOST_OF_A_LINE):
            stripped = line.rstrip(b"\r\n")
            if stripped.strip():
                yield stripped


def compress(path: Path) -> Path:
    """Replace `path` by a gzipped copy beside it, whole or not at all; returns the copy's path."""
    packed = path.with_name(path.name + ".gz")
    with (
        whole_file(packed) as stream,
        path.open("rb") as source,
        gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6, mtime=0) as squeezed,
    ):
        shutil.copyfileobj(source, squeezed, _BLOCK)
    path.unlink()
    return packed
