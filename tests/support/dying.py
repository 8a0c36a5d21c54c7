"""Examiners for workers of a cluster: one that dies over some files, one that is slow enough to be killed."""

from __future__ import annotations

import os
import signal
import time

from indexer.crawl.inspect import Examined, Examiner
from indexer.crawl.listing import Found

POISON = b"7.jpg"


class Poisoned(Examiner):
    """Kills the process that opens one of the files."""

    def __call__(self, found: Found) -> Examined:
        """Die, or examine."""
        if found.path.endswith(POISON):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(found)


class Slow(Examiner):
    """Takes its time, so that there is some to be killed in."""

    def __call__(self, found: Found) -> Examined:
        """Wait, then examine."""
        time.sleep(0.05)
        return super().__call__(found)
