"""The memory of all decoders of a machine has a sum: a large picture waits for its turn, a larger one is too large."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from indexer.domain.answer import Reason
from indexer.media.refusal import PictureError
from indexer.media.sniff import Kind

_SHARE = 0.5
_PIXEL, _JPEG_PIXEL = 12, 3  # bytes, while it is turned, converted and measured; JPEGs are decoded at a fraction
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def budget() -> int:
    """Return how many bytes all decoders of this machine, or this container, may take together."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        machine = 8 << 30
    with suppress(OSError, ValueError):  # no such file, or no limit: "max"
        machine = min(machine, int(_CGROUP.read_text()))
    return int(machine * _SHARE)


@contextmanager
def room(size: tuple[int, int], kind: Kind, most: int | None = None) -> Iterator[None]:
    """Decode in the block; of pictures that take a good part of `most` bytes, only one at a time is decoded.

    `most` None is this machine's budget. Raises `PictureError` for one that takes more than that.
    """
    most = budget() if most is None else most
    needed = size[0] * size[1] * (_JPEG_PIXEL if kind in (Kind.JPEG, Kind.RAW) else _PIXEL)
    if needed > most:
        words = f"decoding it takes about {needed / 1e9:,.1f} GB, and this machine allows {most / 1e9:,.1f} GB"
        raise PictureError(Reason.TOO_LARGE, words)
    if needed * 2 * (os.cpu_count() or 1) <= most:
        yield
        return
    descriptor = _turnstile()
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _turnstile() -> int | None:
    """Wait until nobody else decodes a large picture; what waits is not timed. None where nothing can be locked."""
    name = os.path.join(tempfile.gettempdir(), f"captionary-large-{os.geteuid()}.lock")  # noqa: PTH118
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError:
        return None
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    finally:
        if left:
            signal.setitimer(signal.ITIMER_REAL, left)
    return descriptor
