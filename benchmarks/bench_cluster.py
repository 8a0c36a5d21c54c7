"""A cluster of two nodes on this machine against the pool of processes: pictures a second, memory of the driver.

    python benchmarks/bench_cluster.py [PICTURES] [FILES]

The rate is that of the same pictures through as many workers on each side, in turns, from the first question to the
last outcome; the cluster runs already, its workers start as those of the pool do. Memory is the peak of a process that
crawls FILES tiny photos into a ledger through the cluster, and that of one that crawls a tenth of them.
Claims: at least 0.8 of the rate of the pool; at most 50 MB more for ten times the files. 0 PICTURES or FILES leave a
part out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_million import plant

from indexer.crawl.inspect import WorkOptions
from indexer.crawl.pool import examine
from indexer.crawl.walk import walk

REPOSITORY = Path(__file__).parents[1]
PICTURES = 1500
FILES = 20_000
ROUNDS = 3
NODES = 2
_MEMORY = """
import os, sys
from pathlib import Path
from indexer.crawl.crawler import Crawl, CrawlOptions
from indexer.crawl.inspect import WorkOptions
from indexer.crawl.walk import WalkOptions
from indexer.ledger.store import Ledger
from indexer.media.rendition import DIGEST_VERSION
from indexer.media.rendition_cache import Spool

home, root, workers = Path(sys.argv[1]), os.fsencode(sys.argv[2]), sys.argv[3]
ledger, spool = Ledger.open(home), Spool(home / "spool.sqlite3")
options = CrawlOptions(WalkOptions(), WorkOptions(ledger=ledger.path, workers=workers))
seen = Crawl(ledger, 1, [root], options, DIGEST_VERSION).run(spool, lambda reading: None)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
peak = int(status["VmHWM"].split()[0]) - int(status["RssShmem"].split()[0])
print('{"opened": %d, "peak_mb": %.1f, "shared_mb": %.1f}' % (
    seen.opened, peak / 1024, int(status["RssShmem"].split()[0]) / 1024))
"""


@contextmanager
def cluster() -> Iterator[None]:
    """Two nodes with a processor each, which `--workers ray` finds."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(REPOSITORY)}
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(NODES - 1):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    os.environ["RAY_ADDRESS"] = made.address
    try:
        yield
    finally:
        made.shutdown()


def photos(root: Path, count: int) -> None:
    """Make names for the sample pictures."""
    samples = sorted((REPOSITORY / "sample_images").glob("*.jpg"))
    for number in range(count):
        os.link(_beside(root, samples[number % len(samples)]), root / f"{number:05}.jpg")


def _beside(root: Path, sample: Path) -> Path:
    copy = root.parent / sample.name
    if not copy.exists():
        copy.write_bytes(sample.read_bytes())
    return copy


def rate(root: Path, workers: int | str) -> float:
    """Open every picture; returns how many a second."""
    found = [file for folder in walk([os.fsencode(root)]) for file in folder.files]
    started = time.perf_counter()
    count = sum(seen.rendition is not None for seen in examine(found, options=WorkOptions(workers=workers)))
    assert count == len(found)
    return count / (time.perf_counter() - started)


def rates(scratch: Path, pictures: int) -> bool:
    """Print both rates and say whether the claim holds."""
    root = scratch / "pictures"
    root.mkdir()
    photos(root, pictures)
    ways: dict[str, Callable[[], float]] = {"pool": lambda: rate(root, NODES), "cluster": lambda: rate(root, "ray")}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, measure in ways.items():
            found[name].append(measure())
    medians = {name: statistics.median(each) for name, each in found.items()}
    for name, each in found.items():
        print(f"{name:8} {medians[name]:6.1f} pictures/s ({min(each):.1f} to {max(each):.1f}), {NODES} workers")
    ratio = medians["cluster"] / medians["pool"]
    print(f"cluster = {ratio:.2f} x pool, {pictures:,} pictures, {ROUNDS} rounds   claim 0.8", flush=True)
    return ratio >= 0.8


def memory(scratch: Path, files: int) -> bool:
    """Print the peaks of the driver and say whether the claim holds."""
    peaks = []
    for count in (files // 10, files):
        root, home = scratch / f"tree-{count}", scratch / f"library-{count}"
        plant(root, count)
        home.mkdir()
        command = [sys.executable, "-c", _MEMORY, str(home), str(root), "ray"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        assert told["opened"] == count, told
        peaks.append(float(told["peak_mb"]))
        print(f"{count:,} files: driver {told['peak_mb']} MB, and {told['shared_mb']} MB shared", flush=True)
    print(f"{peaks[1] - peaks[0]:+.1f} MB for ten times the files   claim: at most 50")
    return peaks[1] - peaks[0] <= 50


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    pictures = int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES
    files = int(sys.argv[2]) if len(sys.argv) > 2 else FILES
    with tempfile.TemporaryDirectory() as scratch, cluster():
        held = [measure(Path(scratch), size) for measure, size in ((rates, pictures), (memory, files)) if size]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
