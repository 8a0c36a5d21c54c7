"""The other side of the pool: files examined by a Ray cluster instead of by processes of this machine.

Groups of files go out, what they hold comes back as it is ready. What was on a node that dies goes out once more. When
a worker dies, each file of its group goes out alone, twice at most: a file that kills costs itself and nothing else,
and one that was beside it, or unlucky once, is not blamed. Nothing here writes: the ledger stays with the one process
that has it.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from indexer.crawl.inspect import Examined, Examiner, WorkOptions
from indexer.crawl.listing import Found
from indexer.domain.answer import Failure, Reason
from indexer.domain.errors import CaptionaryError, UsageError
from indexer.domain.workers import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from indexer.crawl.worker import Examiners

_GROUP = 32
_FIRST_GROUP = 2  # small piles are spread over all cores, large ones travel in few parcels
_TRIES = 2
_AHEAD = 2  # groups out for each core, so that no core waits for us
_LOOK = 2.0  # seconds between two looks at how large the cluster is
_LISTENING = 5.0  # seconds in which somebody at an address must take a connection
_EXTRA = "pip install '.[ray]' in the folder of Captionary"


class Looked(NamedTuple):
    """What a worker brings back: its version, its outcomes in the order of the files, and the files it cannot see."""

    version: str
    outcomes: list[Examined]
    unseen: list[bytes]


class _WorkerGroup(NamedTuple):
    files: list[Found]
    alone: int  # each file of a group that died is tried by itself, this often so far; 0: it is a group yet


def look_at(group: list[Found], options: WorkOptions, examiners: Examiners) -> Looked:
    """Examine a group of files; this is what runs on a worker of the cluster."""
    import signal

    from indexer.storage.paths import is_address

    look, outcomes, unseen = examiners(options), [], []
    for found in group:
        if not is_address(found.path) and not os.path.lexists(found.path):
            unseen.append(found.path)
        signal.setitimer(signal.ITIMER_REAL, options.seconds)
        try:
            outcomes.append(look(found))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return Looked(own_version(), outcomes, unseen)


def own_version() -> str:
    """Return the version of this Captionary, as far as workers must share it."""
    from indexer import __version__
    from indexer.media.versions import DIGEST_VERSION

    return f"{__version__} (photo ids of kind {DIGEST_VERSION})"


def examine_on_ray(
    files: Iterable[Found], options: WorkOptions, examiners: Examiners = Examiner
) -> Generator[Examined, None, None]:
    """Yield what each of `files` holds, as it comes back; memory stays flat however many there are.

    Raises `UsageError` without the extra, `CaptionaryError` where no cluster answers or its workers cannot serve.
    """
    first = next(iterator := iter(files), None)
    if first is None:
        return  # nothing to open: no cluster is needed
    with joined(str(options.workers)) as ray:
        # A node cannot read the ledger or the cache: it takes all bytes for new, and who has the ledger knows better.
        yield from _Crowd(ray, chain([first], iterator), replace(options, ledger=None, spool=None), examiners).results()


class _Crowd:
    """The groups that are out, and those that must go out again."""

    def __init__(self, ray: Any, files: Iterator[Found], options: WorkOptions, examiners: Examiners) -> None:
        self._ray = ray
        self._files = files
        self._options = ray.put(options)
        self._seconds = options.seconds
        self._examiners = examiners
        self._task = ray.remote(look_at).options(scheduling_strategy="SPREAD", num_cpus=1, max_retries=1)
        self._out: dict[Any, _WorkerGroup] = {}
        self._again: deque[_WorkerGroup] = deque()
        self._size = _FIRST_GROUP
        self._window = 0
        self._looked = -_LOOK

    def results(self) -> Iterator[Examined]:
        """Hand out groups and yield outcomes until nothing is left."""
        while True:
            while len(self._out) < self._room() and (group := self._next()):
                self._out[self._task.remote(group.files, self._options, self._examiners)] = group
            if not self._out:
                return
            ready, _ = self._ray.wait(list(self._out), num_returns=1, timeout=_LOOK)
            for done in ready:
                yield from self._outcomes(done, self._out.pop(done))

    def _room(self) -> int:
        """How many groups may be out: the cluster may grow and shrink while it works."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._window = _AHEAD * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self._window

    def _next(self) -> _WorkerGroup | None:
        if self._again:
            return self._again.popleft()
        files = list(islice(self._files, self._size))
        self._size = min(_GROUP, self._size + 1)
        return _WorkerGroup(files, alone=0) if files else None

    def _outcomes(self, done: Any, group: _WorkerGroup) -> Iterator[Examined]:
        from ray import exceptions as faults

        try:
            looked: Looked = self._ray.get(done)
        except faults.RayTaskError as fault:
            raise _unfit(fault) from None
        except (faults.OutOfMemoryError, faults.WorkerCrashedError) as fault:
            if group.alone >= _TRIES:
                yield Examined(group.files[0], failure=_epitaph(fault, self._seconds))
            else:
                self._again += [_WorkerGroup([found], group.alone + 1) for found in group.files]
            return
        except faults.RayError:  # a node went away with what it had: no file is at fault
            self._again.append(group)
            return
        refuse_unfit(looked)
        yield from looked.outcomes


def refuse_unfit(looked: Looked) -> None:
    """Refuse workers that would give photos other ids, or that look at another disk."""
    if looked.version != own_version():
        raise CaptionaryError(
            f"a worker of the cluster runs Captionary {looked.version}, this machine {own_version()}",
            hint="install the same version on every node, then run the same command again",
        )
    here = next((path for path in looked.unseen if os.path.lexists(path)), None)
    if here is not None:
        raise UsageError(
            f"workers of the cluster cannot see {os.fsdecode(here)!r}",
            hint="put the photos in object storage, or on a disk that every node mounts at the same place",
        )


def _epitaph(fault: Exception, seconds: float) -> Failure:
    if type(fault).__name__ == "OutOfMemoryError":
        return Failure(Reason.TOO_LARGE, "workers of the cluster ran out of memory over it")
    return Failure(Reason.UNREADABLE, f"its decoder crashed twice, or did not finish within {seconds:g} seconds")


def _unfit(fault: Exception) -> CaptionaryError:
    said = str(fault)
    if "ModuleNotFoundError" in said or "ImportError" in said:
        return CaptionaryError("the workers of the cluster lack Captionary", hint="install it on every node")
    last = said.strip().rpartition("\n")[2][:200]
    return CaptionaryError(f"a worker of the cluster failed: {last}", hint="ray status says how the cluster stands")


@contextmanager
def joined(where: str) -> Iterator[Any]:
    """Join the cluster at `where`, or make one of this machine for as long as this lasts; nothing phones home."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise UsageError("--workers ray needs an extra", hint=_EXTRA) from None
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    before = ray.is_initialized()
    try:
        if not before:
            ray.init(**_told(where), **_local(where), **quiet)
    except Exception as fault:  # Ray raises bare ones, too
        raise CaptionaryError(
            f"no Ray cluster answers at {where if where != CLUSTER else os.environ.get('RAY_ADDRESS', 'this machine')}",
            hint="start one with: ray start --head",
        ) from fault
    try:
        yield ray
    finally:
        if not before:
            ray.shutdown()


def _told(where: str) -> dict[str, str]:
    """Return the address to join, if any; raises `ConnectionError` where nobody listens: Ray would wait for minutes."""
    named = where if where != CLUSTER else os.environ.get("RAY_ADDRESS", "")
    if named:
        if not _listens(named):
            raise ConnectionError(named)
        return {"address": named}
    note = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray" / "ray_current_cluster"
    left = note.read_text().strip() if note.is_file() else ""
    return {} if not left or _listens(left) else {"address": "local"}  # that cluster is gone


def _listens(address: str) -> bool:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return True  # "auto" and the like: Ray knows
    try:
        socket.create_connection((host, int(port)), _LISTENING).close()
    except OSError:
        return False
    return True


def _local(where: str) -> dict[str, Any]:
    return {} if where.startswith("ray://") else {"include_dashboard": False}
