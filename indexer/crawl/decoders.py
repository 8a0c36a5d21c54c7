"""Small copies of pictures for pages, made by processes of their own: a decoder that dies costs one picture.

The limits are those of the crawl. Processes are started as pictures are asked for, and no more than there are cores.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from indexer.crawl.inspect import WorkOptions
from indexer.crawl.pool import TASKS_A_WORKER, epitaph, usable_cores
from indexer.crawl.worker import Worker
from indexer.domain.answer import Failure
from indexer.media.refusal import PictureError

_Worker = Worker["bytes | PictureError"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A small copy: of a file or of a file's content, at most `side` pixels long, as a JPEG of this quality."""

    source: Path | bytes
    side: int
    quality: int


class Shrinker:
    """Makes small copies; this is what a worker runs."""

    def __init__(self, options: WorkOptions) -> None:
        from indexer.media.rendition import shrink  # here, for what it loads is not on a picture's time

        self._shrink = shrink
        self._limits = options.limits()

    def __call__(self, wanted: Wanted) -> bytes | PictureError:
        """Return the JPEG, or why there is none."""
        try:
            return self._shrink(wanted.source, wanted.side, quality=wanted.quality, limits=self._limits)
        except PictureError as fault:
            return fault


class Decoders:
    """Workers that make small copies for any number of threads."""

    def __init__(self, options: WorkOptions, shrinker: type[Shrinker] = Shrinker) -> None:
        self._options = options
        self._shrinker = shrinker
        self._room = threading.Semaphore(usable_cores())
        self._idle: list[tuple[_Worker, int]] = []
        self._busy: set[_Worker] = set()
        self._deadly: dict[tuple[object, ...], Failure] = {}
        self._closed = False

    def shrink(self, source: Path | bytes, side: int, *, quality: int) -> bytes:
        """Return a small copy of a file, or of a file's content, as a JPEG; see `media.rendition.shrink`.

        Raises `PictureError` where there is none, `CaptionaryError` when no worker can be started. What two workers
        crashed on, or one did not finish, is not opened again before it changes.
        """
        version = _version(source)
        code = 0
        while version not in self._deadly:
            made = self._tried(Wanted(source, side, quality))
            if isinstance(made, bytes):
                return made
            if isinstance(made, PictureError):
                raise made
            if code or made == -signal.SIGALRM or self._closed:
                self._deadly[version] = epitaph(made, self._options.seconds)
            code = made
        failure = self._deadly[version]
        raise PictureError(failure.reason, failure.detail)

    def _tried(self, wanted: Wanted) -> bytes | PictureError | int:
        """Ask one worker; an int is how it died: an exit code, or minus a signal."""
        with self._room:
            worker, handed = self._idle.pop() if self._idle else (Worker(self._shrinker, self._options), 0)
            self._busy.add(worker)
            alive = False
            try:
                made = _asked(worker, wanted)
                alive = not self._closed and handed + 1 < TASKS_A_WORKER
            except (EOFError, OSError):
                return worker.end()
            finally:
                self._busy.discard(worker)
                if alive:
                    self._idle.append((worker, handed + 1))
                else:
                    worker.end()
        return made

    def close(self) -> None:
        """End all workers at once; what they have in hand is given up."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].end()
        for worker in list(self._busy):
            worker.stop()


def _version(source: Path | bytes) -> tuple[object, ...]:
    """What a picture is known by until it changes; raises `OSError` where there is no file."""
    if isinstance(source, bytes):
        return (hash(source),)
    told = source.stat()
    return (source, told.st_size, told.st_mtime_ns)


def _asked(worker: _Worker, wanted: Wanted) -> bytes | PictureError:
    worker.send(wanted)
    while (made := worker.receive()) is None:
        pass  # it says only that it is ready
    return made
