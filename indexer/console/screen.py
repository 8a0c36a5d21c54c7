"""The terminal: a live line with a clock, and notes, all on stderr; nothing but errors when quiet."""

from __future__ import annotations

import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from indexer.console.cells import laid_out, wrapped
from indexer.console.words import span
from indexer.storage.paths import for_terminal

if TYPE_CHECKING:
    from indexer.domain.progress import Progress

_TICK = 1.0  # seconds: the clock moves though nothing else does
_FRAME = 0.1  # seconds between two drawings of a stage that runs
_BAR = 20  # cells
_RATED = 10.0  # seconds after which a rate can be told
_ENOUGH = 5
_PULSE = 30.0  # seconds between two lines of a stage that runs, off a terminal
_ERASE = "\r\x1b[J"


class Screen:
    """Writes to stderr: a live line on a terminal, else a line for each change; nothing but errors when quiet.

    `words` gives the name of a stage and a few words about where it is. The live line is wiped before other text.
    """

    def __init__(self, words: Callable[[Progress], tuple[str, str]], *, quiet: bool, bars: bool) -> None:
        self.quiet = quiet
        self._words = words
        self._live = bars and not quiet and sys.stderr.isatty()
        self._lines_off = bars and not quiet and not sys.stderr.isatty()
        self._lock = threading.RLock()
        self._told = ("", "")
        self._last: Progress | None = None
        self._since = self._drawn = time.monotonic()
        self._counted = (self._since, 0)  # since when, and from which number on, the rate is measured
        self._height = 0
        self._last_count: tuple[str, int] | None = None
        self._clock: threading.Thread | None = None
        self._ended = threading.Event()

    def progress(self, progress: Progress) -> None:
        """Show how far a stage is."""
        if self._last_count is None or self._last_count[0] != progress.stage or progress.done < self._last_count[1]:
            self._counted = (time.monotonic(), progress.done)
        self._last_count = (progress.stage, progress.done)
        if self._lines_off:
            self._line(progress)
        if not self._live:
            return
        with self._lock:
            now = time.monotonic()
            changed = self._last is None or self._last.stage != progress.stage
            if changed:
                self._since = now
            self._last = progress
            if changed or now - self._drawn >= _FRAME:
                self._draw()
            if self._clock is None:
                self._ended.clear()
                self._clock = threading.Thread(target=self._tick, args=(self._ended,), daemon=True)
                self._clock.start()

    def _line(self, progress: Progress) -> None:
        """Off a terminal: a line when what is waited for changes, and now and then while a long stage runs."""
        name, detail = self._words(progress)
        now = time.monotonic()
        if progress.stage != self._told[0]:
            self._since = self._drawn = now
        state = str(progress.job.state) if progress.job else ""
        due = bool(state) and (progress.stage, state) != self._told
        if due or (not state and now - self._drawn >= _PULSE):
            self._drawn = now
            told = _amount(progress) + self._left(progress)
            self._write([f"{name}: {detail}" if state else f"{name}: {told}"])
        self._told = (progress.stage, state)

    def note(self, text: str) -> None:
        """Write one line for a person."""
        self.lines([text])

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines for a person."""
        if self.quiet:
            return
        self.close()
        self._write(lines)

    def catch_warnings(self) -> None:
        """Show what libraries warn of as notes, on this screen."""

        def show(message: Warning | str, *_: object, **__: object) -> None:
            self.note(str(message).strip().partition("\n")[0])

        warnings.showwarning = show  # its file and line help nobody here

    def close(self) -> None:
        """Wipe the live line."""
        with self._lock:
            self._wipe()
            self._last = None
            self._ended.set()
            self._clock = None

    def watch(self, lines: Iterable[str]) -> None:
        """Show these lines in the place of those before them; off a terminal below them."""
        if not self._live:
            self._write(lines)
            return
        with self._lock:
            self._wipe()
            self._paint([part for line in lines for part in wrapped(for_terminal(line), _columns())])

    def _write(self, lines: Iterable[str]) -> None:
        for line in map(for_terminal, lines):
            sys.stderr.write(laid_out(line, sys.stderr) + "\n")
        sys.stderr.flush()

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(_TICK):
            with self._lock:
                if not ended.is_set() and self._last is not None:
                    self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        self._drawn = time.monotonic()
        name, detail = self._words(self._last)
        moves = self._last.job is None  # nobody says how far a job at a provider is
        middle = f"{_bar(self._last)}{_amount(self._last)}{self._left(self._last)}" if moves else ""
        text = " · ".join(part for part in (f"{name} {_clock(self._drawn - self._since)}", middle, detail) if part)
        self._wipe()
        self._paint(wrapped(for_terminal(text), _columns()))

    def _left(self, progress: Progress) -> str:
        """About how long the rest of a stage takes, by its own rate."""
        began, first = self._counted
        return time_left(progress.done - first, (progress.total or 0) - progress.done, time.monotonic() - began)

    def _paint(self, lines: list[str]) -> None:
        sys.stderr.write("\n".join(lines))
        sys.stderr.flush()
        self._height = len(lines)

    def _wipe(self) -> None:
        if self._height:
            up = f"\x1b[{self._height - 1}A" if self._height > 1 else ""
            sys.stderr.write(up + _ERASE)
            sys.stderr.flush()
        self._height = 0


def _columns() -> int:
    return max(20, shutil.get_terminal_size().columns - 1)


def _bar(progress: Progress) -> str:
    if not progress.total:
        return ""
    full = min(_BAR, round(_BAR * progress.done / progress.total))
    return f"[{'#' * full}{'.' * (_BAR - full)}] {min(1.0, progress.done / progress.total):.0%} "


def _amount(progress: Progress) -> str:
    if progress.unit == "B":
        total = f" of {progress.total / 1e6:,.0f}" if progress.total else ""
        return f"{progress.done / 1e6:,.0f}{total} MB"
    total = f" of {progress.total:,}" if progress.total else ""
    return f"{progress.done:,}{total}{progress.unit}"


def time_left(done: int, left: int, seconds: float) -> str:
    """Say about how long `left` takes where `done` took so many seconds; nothing before a rate can be told."""
    if done < _ENOUGH or seconds < _RATED or left <= 0:
        return ""
    return f", about {span(seconds * left / done)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
