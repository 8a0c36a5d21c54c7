"""Files of a person, opened only where they are files and read up to a bound: a pipe is refused, not waited for."""

from __future__ import annotations

import errno
import io
import os
import stat
from io import BufferedReader
from pathlib import Path

_WORDS = "it is a pipe or a device, not a file"
_MOST = 16 << 20
"""The bytes of a file that is read whole: settings, prompts, lists of words; no picture is."""


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


def read_regular(path: Path, most: int = _MOST) -> bytes:
    """Return the content of the file at `path`; raises `OSError`, also for what is not a regular file, or too large."""
    with open_regular(path) as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", os.fspath(path))
    return found


def read_words(path: Path) -> str:
    """Return the text of the file at `path`, each line ended by a newline alone; raises as `read_regular` does.

    Raises `UnicodeDecodeError` for what is not UTF-8.
    """
    return io.StringIO(read_regular(path).decode("utf-8"), newline=None).read()
