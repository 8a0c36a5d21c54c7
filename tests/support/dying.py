"""What dies or is slow in workers: examiners of a cluster, and what makes small copies."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from indexer.crawl.decoders import Shrinker, Wanted
from indexer.crawl.inspect import Examined, Examiner
from indexer.crawl.listing import Found
from indexer.media.refusal import PictureError

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


class Deadly(Shrinker):
    """Logs what it opens; dies over one name, and never finishes with another."""

    def __call__(self, wanted: Wanted) -> bytes | PictureError:
        """Die, hang, or make the copy."""
        name = wanted.source.stem if isinstance(wanted.source, Path) else ""
        if isinstance(wanted.source, Path) and name in ("dies", "hangs"):
            with wanted.source.with_suffix(".log").open("a") as log:
                log.write("opened\n")
        if name == "dies":
            os.kill(os.getpid(), signal.SIGSEGV)
        if name == "hangs":
            time.sleep(600)
        return super().__call__(wanted)
