"""The terminal: bars and notes on stderr, nothing but errors when quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from indexer.storage.paths import for_terminal

if TYPE_CHECKING:
    from indexer.domain.progress import Progress


class Screen:
    """Writes to stderr: bars only on a terminal, nothing but errors when quiet.

    `words` gives the name of a stage and a few words about where it is.
    """

    def __init__(self, words: Callable[[Progress], tuple[str, str]], *, quiet: bool, bars: bool) -> None:
        self.quiet = quiet
        self._words = words
        self._bars = bars and not quiet and sys.stderr.isatty()
        self._stage = ""
        self._bar: Any = None

    def progress(self, progress: Progress) -> None:
        """Move the bar of a stage."""
        if not self._bars:
            return
        name, detail = self._words(progress)
        if progress.stage != self._stage:
            self.close()
            from tqdm import tqdm

            self._stage = progress.stage
            scaled = progress.unit == "B"
            self._bar = tqdm(
                desc=name, total=progress.total, unit=progress.unit, unit_scale=scaled, file=sys.stderr, leave=False
            )
        if progress.total is not None:
            self._bar.total = progress.total
        still = progress.done == self._bar.n  # then nothing else would show the detail
        self._bar.set_postfix_str(detail, refresh=still and bool(detail))
        self._bar.update(progress.done - self._bar.n)

    def note(self, text: str) -> None:
        """Write one line for a person."""
        self.lines([text])

    def lines(self, lines: Iterable[str]) -> None:
        """Write lines for a person."""
        if self.quiet:
            return
        self.close()
        for line in lines:
            sys.stderr.write(for_terminal(line) + "\n")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
        self._bar, self._stage = None, ""
