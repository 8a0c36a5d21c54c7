"""How fast uploads are taken in, and how fast verdicts are read far behind.

    python benchmarks/bench_inbox.py [UPLOADS] [VERDICTS]

Taking in is compared with writing the same files with fsync, which is the claim, and from four processes at once, which
wait for each other's commits; rounds are interleaved and the ratio is that of the medians. A page of verdicts is read
at the beginning and at the end of all. Exit code 1 when a claim does not hold.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from indexer.ledger.store import Ledger
from indexer.ledger.views import verdicts
from indexer.ledger.views.verdicts import Verdict
from indexer.library.api import Library

_ROUNDS = 5
_BYTES = 60_000
_PROCESSES = 4
_PAGE = 100
_LEAST, _MOST_SLOWER = 0.5, 2.0
_HEAD = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def content(seed: str) -> bytes:
    """Bytes that begin as a JPEG does."""
    return _HEAD + random.Random(seed).randbytes(_BYTES)


def plain(folder: Path, name: str, uploads: int) -> None:
    """Write files with fsync."""
    folder.mkdir(exist_ok=True, parents=True)
    for number in range(uploads):
        with (folder / f"{name}-{number}").open("wb") as stream:
            stream.write(content(f"{name} {number}"))
            stream.flush()
            os.fsync(stream.fileno())


def taken_in(folder: Path, name: str, uploads: int) -> None:
    """Add the same bytes to an inbox."""
    inbox = Library.open(folder).inbox("marketplace", provider="local")
    for number in range(uploads):
        inbox.add(f"{name}-{number}", content(f"{name} {number}"))
    inbox.close()


def seconds(work: Callable[[Path, str, int], None], folder: Path, name: str, uploads: int, processes: int) -> float:
    """Time the work, shared by so many processes."""
    context, share = get_context("spawn"), uploads // processes
    if processes == 1:
        started = time.perf_counter()
        work(folder, name, uploads)
        return time.perf_counter() - started
    with context.Pool(processes) as pool:
        pool.starmap(work, [(folder, f"warm {name} {place}", 2) for place in range(processes)], chunksize=1)
        started = time.perf_counter()
        pool.starmap(work, [(folder, f"{name} {place}", share) for place in range(processes)], chunksize=1)
        return time.perf_counter() - started


def intake(scratch: Path, uploads: int) -> dict[int, float]:
    """Return the rate of taking in to that of writing, by the number of processes."""
    Library.open(scratch / "library").inbox("marketplace", provider="local").close()
    found = {}
    for processes in (1, _PROCESSES):
        times: dict[str, list[float]] = {"files": [], "inbox": []}
        for number in range(_ROUNDS + 1):
            for name, work, folder in (("files", plain, "files"), ("inbox", taken_in, "library")):
                spent = seconds(work, scratch / folder, f"{processes} {number}", uploads, processes)
                if number:
                    times[name].append(spent)
        files, inbox = (statistics.median(times[name]) for name in ("files", "inbox"))
        found[processes] = files / inbox
        rates = f"{uploads / files:,.0f} files/s, {uploads / inbox:,.0f} uploads/s"
        print(f"{processes} processes: {rates}, {found[processes]:.2f} x, claim {_LEAST}")
    return found


def paging(scratch: Path, count: int) -> float:
    """Return how much longer a page takes at the end of `count` verdicts than at their beginning."""
    folder = scratch / "many"
    library = Library.open(folder)
    inbox = library.inbox("marketplace", provider="local")
    ledger = Ledger.open(folder)
    for start in range(0, count, 50_000):
        numbers = range(start, min(start + 50_000, count))
        rows = [Verdict(f"u{n}", "approve", (), {"sexual": "none"}, {}, "A picture.", ("one",), 0.0) for n in numbers]
        verdicts.record(ledger, rows)
    ledger.close()
    pages = {}
    for name, after in (("beginning", "0"), ("end", str(count - _PAGE - 1))):
        spent = []
        for _ in range(30):
            started = time.perf_counter()
            assert len(list(islice(inbox.verdicts(after), _PAGE))) == _PAGE
            spent.append(time.perf_counter() - started)
        pages[name] = statistics.median(spent)
    told = ", ".join(f"{name} {value * 1000:.2f} ms" for name, value in pages.items())
    print(f"a page of {_PAGE} of {count:,} verdicts: {told}")
    return pages["end"] / pages["beginning"]


def main() -> int:
    """Print the figures beside the claims."""
    told = [int(word) for word in sys.argv[1:]]
    uploads, count = (*told, *(400, 1_000_000)[len(told) :])
    with tempfile.TemporaryDirectory() as scratch:
        rates = intake(Path(scratch), uploads)
        slower = paging(Path(scratch), count)
    return 0 if rates[1] >= _LEAST and slower <= _MOST_SLOWER else 1


if __name__ == "__main__":
    sys.exit(main())
