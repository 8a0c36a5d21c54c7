"""Stand-ins for what opens files in a worker, some of which break the process they run in."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from indexer.crawl.inspect import Examined, WorkOptions
from indexer.crawl.listing import Found


def by_name(options: WorkOptions) -> Callable[[Found], Examined]:
    """Do to the process what the file's name says; `sha256` carries the process id."""

    def look(found: Found) -> Examined:
        name = found.path.rpartition(b"/")[2]
        if name.startswith(b"segfault"):
            os.kill(os.getpid(), signal.SIGSEGV)
        elif name.startswith(b"killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif name.startswith(b"exit"):
            os._exit(3)
        elif name.startswith(b"hang"):
            time.sleep(1000)
        elif name.startswith(b"once") and not os.path.exists(found.path):  # noqa: PTH110 - bytes
            os.close(os.open(found.path, os.O_CREAT))
            os.kill(os.getpid(), signal.SIGKILL)
        elif name.startswith(b"noisy"):
            os.write(1, b"\x1b[31mnoise")
            os.write(2, b"\x1b[31mnoise")
        return Examined(found, sha256=str(os.getpid()))

    return look


def broken(options: WorkOptions) -> Callable[[Found], Examined]:
    """Fail before the first file."""
    raise ValueError("the decoder is not what it was")


def modules(options: WorkOptions) -> Callable[[Found], Examined]:
    """Examine as always, and tell in `sha256` which modules that took."""
    from indexer.crawl.inspect import Examiner

    examiner = Examiner(options)

    def look(found: Found) -> Examined:
        examiner(found)
        return Examined(found, sha256=" ".join(sorted(sys.modules)))

    return look
