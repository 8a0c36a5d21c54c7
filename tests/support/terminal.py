"""A command on a terminal of its own: a pseudo-terminal whose screen can be read as a person sees it."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte


class Terminal:
    """Runs a command on a terminal of `columns` by `rows`; `recording` is all that it wrote."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        columns: int = 80,
        rows: int = 50,
        cwd: Path | None = None,
    ) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            ["setsid", "-c", "-w", *map(os.fspath, command)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", **env},
            cwd=cwd,
        )
        os.close(theirs)
        self._screen = pyte.HistoryScreen(columns, rows, history=2000)
        self._stream = pyte.ByteStream(self._screen)
        self.recording = b""

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, without what is empty."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self.lines)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def until(self, seen: Callable[[str], bool] | str, seconds: float = 60.0) -> str:
        """Wait until the screen shows a text, or is as `seen` wants it; returns the screen."""
        ends = time.monotonic() + seconds
        check = seen if callable(seen) else lambda text: seen in text
        while not check(self.text):
            if time.monotonic() > ends or not self._read(0.2):
                raise AssertionError(f"not seen: {seen}\n{self.text}")
        return self.text

    def wait(self, seconds: float = 120.0) -> int:
        """Wait for the end of the command and return its exit code."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self._read(0.2):
            pass
        return self._process.wait(timeout=10)

    def _read(self, seconds: float) -> bool:
        """Take what was written; False once nobody writes any more."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:
            return False
        self.recording += data
        self._stream.feed(data)
        return bool(data)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._ours)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
