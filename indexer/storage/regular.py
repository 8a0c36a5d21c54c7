"""Files of a person, opened only where they are files: a pipe or a device in their place is refused, not waited for."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

_WORDS = "it is a pipe or a device, not a file"


def open_regular(path: Path) -> BufferedReader:
    """Open the file at `path` for reading; raises `OSError`, also for whatever is not a regular file.

    To look first and open then would wait for ever for the writer of a pipe that took the file's place in between.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, _WORDS, os.fspath(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """Return the content of the file at `path`; raises `OSError`, also for whatever is not a regular file."""
    with open_regular(path) as stream:
        return stream.read()
