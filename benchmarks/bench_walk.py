"""How much the walk costs above the system's own: 100,000 files, against a bare scandir and stat of the same tree.

    python benchmarks/bench_walk.py [FILES]

Rounds are interleaved, so that a busy machine slows all of them; the ratio is that of the medians.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from indexer.crawl.walk import WalkOptions, walk

FILES = 100_000
IN_FOLDER = 500
ROUNDS = 7


def plant(root: Path, files: int) -> None:
    """Make `files` empty files, 500 a folder, named as a camera does."""
    for number in range(files):
        folder = root / f"{number // IN_FOLDER:04}"
        if number % IN_FOLDER == 0:
            folder.mkdir(parents=True)
        os.close(os.open(folder / f"IMG_{number:06}.JPG", os.O_CREAT))


def bare(root: bytes) -> int:
    """Count the files of a tree and stat each, the least that any incremental crawl must do."""
    count = 0
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += bare(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count


def ours(root: bytes, options: WalkOptions) -> int:
    """Count what the walk finds."""
    return sum(len(folder.files) for folder in walk([root], options))


def seconds(work: Callable[[], int], expected: int) -> float:
    """Time one pass."""
    started = time.perf_counter()
    count = work()
    assert count == expected, (count, expected)
    return time.perf_counter() - started


def peak_of(root: bytes) -> float:
    """Return the peak memory of a process that walks `root`, in MB."""
    code = (
        "import sys, os, resource; from indexer.crawl.walk import walk; "
        "sum(len(f.files) for f in walk([os.fsencode(sys.argv[1])])); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, check=True)
    return int(done.stdout) / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    """Print one table."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory() as scratch:
        small, tree = Path(scratch, "small"), Path(scratch, "tree")
        plant(small, files // 10)
        plant(tree, files)
        root = os.fsencode(tree)
        ways: dict[str, Callable[[], int]] = {
            "bare scandir + stat": lambda: bare(root),
            "walk": lambda: ours(root, WalkOptions()),
            "walk with two globs": lambda: ours(root, WalkOptions(exclude=("*.png", "raw/"))),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, work in ways.items():
                times[name].append(seconds(work, files))
        floor = statistics.median(times["bare scandir + stat"])
        for name, spent in times.items():
            median = statistics.median(spent)
            print(f"{name:22} {median:7.3f} s  {files / median:10,.0f} files/s  {median / floor:5.2f} x bare")
        print(
            f"peak memory: {peak_of(os.fsencode(small)):.1f} MB for {files // 10:,} files, "
            f"{peak_of(root):.1f} MB for {files:,}"
        )


if __name__ == "__main__":
    main()
