"""The worker pool of the crawl: files in, what they hold out, in the same order.

Files are opened in processes of their own, because a decoder that crashes, hangs or eats the memory must cost one
file, not the run. A process is handed few files at a time over its own socket, so when it dies it is known which one
it had open. Nobody else's work is lost, and that file is tried once more while nothing else runs (it may have been
the innocent victim of a memory shortage) before it is given up.

Workers are started as work comes in: a run without new files starts none, and one new file costs one start.
"""

from __future__ import annotations

import math
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from indexer.crawl.inspect import Examined, Examiner, WorkOptions
from indexer.crawl.listing import Found
from indexer.crawl.worker import Examiners, Worker
from indexer.domain.answer import Failure, Reason
from indexer.domain.errors import CaptionaryError

__all__ = ["Examined", "Examiner", "WorkOptions", "examine"]

WINDOW = 64
"""How many files may be ahead of the one that is due: bounds the renditions that wait for a slow one, 80 kB each."""
TASKS_A_WORKER = 2000
"""How many files a process opens before it is replaced, which bounds what decoders leak."""
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STILLBORN = 2
_DEPTH = 2  # a file in work, and one at hand so that the process never waits for us


def examine(
    files: Iterable[Found], *, options: WorkOptions, examiners: Examiners = Examiner
) -> Generator[Examined, None, None]:
    """Yield what each of `files` holds; memory stays flat however many there are.

    Processes of this machine give them in their order, a Ray cluster as they come. `files` is read lazily, in this
    process. Raises `CaptionaryError` when no worker can be started. Closing the iterator ends the workers at once.
    """
    if options.workers == 0:
        look = examiners(options)
        with closing(look) if isinstance(look, Examiner) else nullcontext():
            yield from map(look, files)
        return
    if isinstance(options.workers, str):
        from indexer.crawl.ray_pool import examine_on_ray

        yield from examine_on_ray(files, options, examiners)
        return
    pool = _Pool(files, options, examiners)
    try:
        yield from pool.results()
    finally:
        pool.close()


def usable_cores() -> int:
    """Return how many cores this process may use, a container's quota heeded."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return max(1, min(allowed, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or no quota: "max 100000"
        return allowed


@dataclass(slots=True)
class _Task:
    """A file that is being examined; `suspect` once a process has died over it."""

    number: int
    found: Found
    suspect: bool = False


class _Seat:
    """A worker with the tasks it has been handed, the first of them in work."""

    def __init__(self, worker: Worker[Examined]) -> None:
        self.worker = worker
        self.tasks: deque[_Task] = deque()
        self.handed = 0

    @property
    def open(self) -> bool:
        """Whether it may be handed one more."""
        return len(self.tasks) < _DEPTH and self.handed < TASKS_A_WORKER

    def hand(self, task: _Task) -> None:
        """Give it one more file."""
        self.tasks.append(task)
        self.handed += 1
        self.worker.send(task.found)


class _Pool:
    """The workers, what they have in hand, and the results that are not due yet."""

    def __init__(self, files: Iterable[Found], options: WorkOptions, examiners: Examiners) -> None:
        self._source = iter(files)
        self._options = options
        self._examiners = examiners
        self._size = int(options.workers or usable_cores())
        self._window = max(WINDOW, 2 * _DEPTH * self._size)
        self._seats: list[_Seat] = []
        self._suspects: deque[_Task] = deque()
        self._again: deque[_Task] = deque()  # lost with a worker through no fault of their own
        self._done: dict[int, Examined] = {}
        self._drawn = 0
        self._due = 0
        self._stillborn = 0  # workers in a row that died before they could say a word

    def results(self) -> Generator[Examined, None, None]:
        """Hand out the files and yield the results in order."""
        while True:
            while self._has_room() and (task := self._next_task()):
                self._seat().hand(task)
            if self._due in self._done:
                self._due += 1
                yield self._done.pop(self._due - 1)
            elif busy := {seat.worker.connection: seat for seat in self._seats if seat.tasks}:
                from multiprocessing.connection import wait  # a run without new files waits for nobody

                ready = wait(list(busy))
                for connection, seat in busy.items():
                    if connection in ready:
                        self._receive(seat)
            else:
                return

    def close(self) -> None:
        """End all workers at once."""
        for seat in self._seats:
            seat.worker.end()
        self._seats.clear()

    def _has_room(self) -> bool:
        return len(self._seats) < self._size or any(seat.open for seat in self._seats)

    def _seat(self) -> _Seat:
        free = [seat for seat in self._seats if seat.open]
        if free:
            return min(free, key=lambda seat: len(seat.tasks))
        self._seats.append(_Seat(Worker(self._examiners, self._options)))
        return self._seats[-1]

    def _next_task(self) -> _Task | None:
        handed = [task for seat in self._seats for task in seat.tasks]
        if any(task.suspect for task in handed):
            return None  # it runs alone
        if self._suspects:
            return None if handed else self._suspects.popleft()
        if self._again:
            return self._again.popleft()
        found = next(self._source, None) if self._drawn - self._due < self._window else None
        if found is None:
            return None
        self._drawn += 1
        return _Task(self._drawn - 1, found)

    def _receive(self, seat: _Seat) -> None:
        try:
            result = seat.worker.receive()
        except CaptionaryError:
            self._stillborn += 1
            if self._stillborn > _STILLBORN:
                raise
            self._start_again(seat)
            return
        except (EOFError, OSError):
            self._bury(seat)
            return
        self._stillborn = 0
        if result is not None:
            self._done[seat.tasks.popleft().number] = result
        if seat.handed >= TASKS_A_WORKER and not seat.tasks:
            self._seats.remove(seat)
            seat.worker.end()

    def _start_again(self, seat: _Seat) -> None:
        """Take on the work of a worker that died before it could say a word: memory was short for a moment, perhaps."""
        self._seats.remove(seat)
        seat.worker.end()
        self._again += seat.tasks

    def _bury(self, seat: _Seat) -> None:
        """Take on the work of a dead worker: the file it had open is suspect, those at hand are innocent."""
        self._seats.remove(seat)
        code = seat.worker.end()
        task = seat.tasks.popleft()
        self._again += seat.tasks
        if task.suspect or code == -signal.SIGALRM:
            self._done[task.number] = self._given_up(task.found, code)
        else:
            task.suspect = True
            self._suspects.append(task)

    def _given_up(self, found: Found, code: int) -> Examined:
        return Examined(found, failure=epitaph(code, self._options.seconds), grounds=self._options.grounds().limits)


def epitaph(code: int, seconds: float) -> Failure:
    """Say how a worker ended that died over a file, by its exit code or minus a signal."""
    if code == -signal.SIGALRM:
        return Failure(Reason.UNREADABLE, f"its decoder did not finish within {seconds:g} seconds")
    if code == -signal.SIGKILL:
        return Failure(Reason.TOO_LARGE, "its decoder was killed twice, as systems do when memory is short")
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Failure(Reason.UNREADABLE, f"its decoder crashed on it twice ({name})")
