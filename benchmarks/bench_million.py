"""A first crawl of very many tiny photos, and a second one that finds them unchanged: time, memory, and the books.

    python benchmarks/bench_million.py [FILES]

The files are hard links to a few thousand different pictures, so a million of them fit on any disk. Memory is the peak
of the process that crawls; its workers are processes of their own and are replaced as they go.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

FILES = 1_000_000
IN_FOLDER = 1000
DIFFERENT = 2000
LINKS = 60_000  # that one file may have; ext4 allows 65,000
_CRAWL = """
import json, os, resource, sys, tempfile
from pathlib import Path
from indexer.crawl.crawler import Crawl, CrawlOptions
from indexer.crawl.inspect import WorkOptions
from indexer.ledger.store import Ledger
from indexer.media.rendition import DIGEST_VERSION
from indexer.media.rendition_cache import Spool
from indexer.crawl.walk import WalkOptions

home, root, run = Path(sys.argv[1]), os.fsencode(sys.argv[2]), int(sys.argv[3])
ledger, spool = Ledger.open(home), Spool(home / "spool.sqlite3")
options = CrawlOptions(WalkOptions(), WorkOptions(ledger=ledger.path))
seen = Crawl(ledger, run, [root], options, DIGEST_VERSION).run(spool, lambda reading: None)
spool.close()
ledger.close()
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
print(json.dumps({"opened": seen.opened, "unchanged": seen.unchanged, "peak_mb": peak}))
"""


def plant(root: Path, files: int) -> None:
    """Make some thousand different pictures, and further names for them, 1000 a folder."""
    different = max(1, min(files, max(DIFFERENT, files // LINKS)))
    for number in range(files):
        folder = root / f"{number // IN_FOLDER:05}"
        if number % IN_FOLDER == 0:
            folder.mkdir(parents=True)
        path = folder / f"IMG_{number:07}.JPG"
        if number < different:
            colour = (number % 256, number // 256 * 16 % 256, number * 37 % 256)
            Image.new("RGB", (32, 24), colour).save(path, "JPEG")
        else:
            first = number % different
            os.link(root / f"{first // IN_FOLDER:05}" / f"IMG_{first:07}.JPG", path)


def crawl(home: Path, root: Path, run: int) -> tuple[float, dict[str, float]]:
    """Crawl in a process of its own; returns its seconds and what it tells."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _CRAWL, home, root, str(run)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.perf_counter() - started, json.loads(done.stdout)


def main() -> None:
    """Print one table: a tenth of the files, then all of them, then all of them unchanged."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    peaks = []
    for count in (files // 10, files):
        with tempfile.TemporaryDirectory() as scratch:
            home, root = Path(scratch, "library"), Path(scratch, "tree")
            home.mkdir()
            plant(root, count)
            spent, told = crawl(home, root, 1)
            assert told["opened"] == count, told
            peaks.append(told["peak_mb"])
            print(f"{count:9,} new        {spent:8.1f} s {count / spent:9,.0f} files/s  peak {told['peak_mb']:6.1f} MB")
            spent, told = crawl(home, root, 2)
            assert told["unchanged"] == count, told
            print(f"{count:9,} unchanged  {spent:8.1f} s {count / spent:9,.0f} files/s  peak {told['peak_mb']:6.1f} MB")
    more = peaks[1] - peaks[0]
    print(f"ten times as many files take {more:.1f} MB more; no process took more than {_largest():.1f} MB")


def _largest() -> float:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


if __name__ == "__main__":
    main()
