"""What an attack came to, and how commands are typed in this process, where thousands take minutes."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

_MAINS = {"index": "indexer.commands.index", "search": "search.cli"}
_RAW = ("Traceback", "unforeseen error", "PanicException")


@dataclass(slots=True)
class Tally:
    """How many attempts were made, and the words of those that did not hold."""

    name: str
    tried: int = 0
    broken: list[str] = field(default_factory=list)

    def judge(self, what: str, fault: str) -> None:
        """Count one attempt; `fault` is "" where it held."""
        self.tried += 1
        if fault:
            self.broken.append(f"{what}: {fault}")

    def line(self) -> str:
        """Return one row of the table."""
        return f"{self.name:12} {self.tried:7,} tried {self.tried - len(self.broken):7,} held"


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that ended."""

    code: int
    out: str
    err: str

    def fault(self, allowed: Sequence[int]) -> str:
        """Return what is wrong with its end: an exit code that it must not have, a raw traceback, no word."""
        said = self.out + self.err
        raw = next((mark for mark in _RAW if mark in said), "")
        if raw:
            return f"{raw}: {said.strip()[-300:]}"
        if self.code not in allowed:
            return f"exit {self.code}: {self.err.strip()[-300:]}"
        loud = self.code in (1, 2) and not self.err.strip() and not self.out.strip()
        return "no word" if loud and allowed != (0, 1, 2) else ""


def typed(command: str, *words: str | Path, environ: dict[str, str] | None = None) -> Typed:
    """Run a command in this process, with nothing of this environment but what makes it run."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape", write_through=True) for _ in "oe")
    with _as_a_command(out, err, environ or {}):
        try:
            import_module(_MAINS[command]).main([os.fspath(word) for word in words])
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    said = [stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err)]  # type: ignore[attr-defined]
    return Typed(code, *said)


@contextmanager
def _as_a_command(out: io.TextIOWrapper, err: io.TextIOWrapper, environ: dict[str, str]) -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    hooks = sys.excepthook, sys.unraisablehook
    streams, before = (sys.stdout, sys.stderr), dict(os.environ)
    kept = {name: value for name, value in before.items() if not name.startswith("CAPTIONARY_")}
    sys.stdout, sys.stderr = out, err
    os.environ.clear()
    os.environ.update(kept | environ)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        os.environ.clear()
        os.environ.update(before)
        sys.excepthook, sys.unraisablehook = hooks
        for number, handler in handlers.items():
            signal.signal(number, handler)
