"""One worker process: how it is started, what it does, how it ends.

It is a plain interpreter and not one of `multiprocessing`'s, whose spawn imports the caller's main module again: a
script without a main guard would start itself anew in every worker, and each would load all that the command line
loads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

from indexer.crawl.inspect import Examined, WorkOptions
from indexer.crawl.listing import Found
from indexer.domain.errors import CaptionaryError
from indexer.domain.secrets import without_secrets
from indexer.storage.objects import credentials

Look = Callable[[Found], Examined]
Examiners = Callable[[WorkOptions], Look]
"""What makes, in the worker, the callable that opens files; sent by name, so it must be importable there."""
Told = TypeVar("Told")

_BOOT = (
    "import sys; asked, told, *sys.path = sys.argv[1:]; "
    "from indexer.crawl.worker import serve; serve(int(asked), int(told))"
)


class Worker(Generic[Told]):
    """A process that opens files; `connection` becomes readable when it has something to say or is dead."""

    def __init__(self, examiners: Callable[[WorkOptions], Callable[[Any], Told]], options: WorkOptions) -> None:
        from multiprocessing.connection import Connection  # most runs start no worker

        # Two pipes, because a run without a key opens no socket, not even to itself.
        asked, asking = os.pipe()
        telling, told = os.pipe()
        self._asking = Connection(asking, readable=False)
        self.connection = Connection(telling, writable=False)
        try:
            self._process = _interpreter(asked, told, _environment(options))
        finally:
            os.close(asked)
            os.close(told)
        self._ready = False
        self.send((examiners, options))

    def send(self, message: object) -> None:
        """Hand something over; a dead process shows when it is read from."""
        with suppress(ConnectionError):
            self._asking.send(message)

    def receive(self) -> Told | None:
        """Return the next result, None when it says only that it is ready.

        Raises `EOFError` or `OSError` when it died, `CaptionaryError` when it never lived.
        """
        try:
            result: Told | None = self.connection.recv()
        except (EOFError, OSError):
            if not self._ready:
                raise self._stillborn() from None
            raise
        self._ready = True
        return result

    def stop(self) -> None:
        """Kill it; whoever waits for it sees that it is dead."""
        self._process.kill()

    def end(self) -> int:
        """End it at once and return how it ended: an exit code, or minus a signal. It only reads: nothing is lost."""
        self.stop()
        code = self._process.wait()
        self.connection.close()
        self._asking.close()
        if self._process.stderr:
            self._process.stderr.close()
        return code

    def _stillborn(self) -> CaptionaryError:
        self._process.wait()
        said = self._process.stderr.read().decode(errors="replace") if self._process.stderr else ""
        last = said.strip().rpartition("\n")[2] or f"it ended with {self._process.returncode}"
        return CaptionaryError(
            f"a worker process could not start: {last}", hint="index doctor says whether the installation is whole"
        )


def _environment(options: WorkOptions) -> dict[str, str]:
    """What a process that decodes foreign files may know: keys of a store only where it must fetch objects."""
    return {**without_secrets(os.environ), **(credentials(os.environ) if options.objects or options.renditions else {})}


def _interpreter(asked: int, told: int, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-c", _BOOT, str(asked), str(told), *sys.path],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(asked, told),
            process_group=0,  # an interrupt typed at the terminal is for the one who started us
        )
    except OSError as fault:
        hint = "the system has no room for another process; fewer --workers need less"
        raise CaptionaryError(f"a worker process could not start: {fault.strerror}", hint=hint) from None


def serve(asked: int, told: int) -> None:
    """Be a worker: examine what comes in over the pipe `asked`, answer over `told`, until the first is closed."""
    from multiprocessing.connection import Connection

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with Connection(asked, writable=False) as source, Connection(told, readable=False) as answers:
        examiners, options = source.recv()
        look = examiners(options)
        _mute()
        answers.send(None)
        try:
            while True:
                found = source.recv()
                # The alarm ends the process even inside a decoder, and even when nobody is left to do so.
                signal.setitimer(signal.ITIMER_REAL, options.seconds)
                result = look(found)
                signal.setitimer(signal.ITIMER_REAL, 0)
                answers.send(result)
        except (EOFError, ConnectionError):
            return  # whoever asked has gone


def _mute() -> None:
    """Send what C libraries have to say of broken pictures nowhere: it is no text for a terminal."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)
