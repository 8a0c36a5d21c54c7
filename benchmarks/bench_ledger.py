"""A ledger of very many files: how big it is, how long `status` takes, and a crawl of one unchanged folder in it.

    python benchmarks/bench_ledger.py [FILES] [FOLDER]

A real library of 1,000 photos is made, and the ledger of a copy filled up to FILES with photos that exist nowhere,
each with its bytes, its work item, its attempt and its answer. FOLDER keeps what was made for the next time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from indexer import Library
from indexer.ledger.store import Ledger

FILES = 10_000_000
REAL = 1000
SMALL = 10_000
IN_FOLDER = 1000
CHUNK = 200_000
_NUMBERS = (
    "WITH RECURSIVE c(x) AS (VALUES (:first) UNION ALL SELECT x + 1 FROM c WHERE x < :last),"
    " n AS (SELECT x, printf('1-%040x', x) AS photo, printf('%064x', x) AS work FROM c)"
)
_FILLED = (
    "INSERT INTO photos SELECT photo, printf('%016x', x), 4032, 3024, 'JPEG', '', 0.0 FROM n",
    "INSERT INTO contents SELECT work, photo FROM n",
    (
        "INSERT INTO files (path, folder, size, mtime_ns, sidecar_ns, state, picture, photo, facts, changed_run,"
        " change, row_digest, facts_reader, ctime_ns)"
        " SELECT CAST(printf('/archive/%06d/IMG_%09d.JPG', x / :in_folder, x) AS BLOB),"
        " CAST(printf('/archive/%06d', x / :in_folder) AS BLOB), 3000000 + x, 1700000000000000000 + x, 0, 'present', 1,"
        " photo, :facts, :run, 'new', work, :reader, 1 FROM n"
    ),
    (
        "INSERT INTO works (key, photo, question, campaign, mode, state, attempts)"
        " SELECT work, photo, :question, :campaign, 'interactive', 'answered', 1 FROM n"
    ),
    (
        "INSERT INTO attempts (key, work, number, campaign, state, high_usd, spent_usd, input_tokens, output_tokens,"
        " started_at, ended_at, question, mode)"
        " SELECT work, work, 1, :campaign, 'answered', 0.001, 0.0003, 745, 120, 0, 1, :question, 'interactive' FROM n"
    ),
    (
        "INSERT INTO answers SELECT work, photo, :question, :provider, :standing, 'a-model',"
        " printf('%s %d', :words, x), '[\"one\", \"two\", \"three\"]', '', '{}', 1.0, '{}' FROM n"
    ),
)


def plant(root: Path) -> None:
    """Make a folder of small pictures."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(REAL):
        colour = (number % 256, number // 256 * 16 % 256, number * 37 % 256)
        Image.new("RGB", (160, 120), colour).save(root / f"IMG_{number:04}.JPG", "JPEG")


def fill(home: Path, files: int) -> None:
    """Put photos that exist nowhere into the ledger, until it has so many files."""
    ledger = Ledger.open(home)
    connection = ledger.connection
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("PRAGMA cache_size=-400000")
    question, campaign, provider, standing = connection.execute(
        "SELECT a.question, w.campaign, a.provider, a.standing FROM answers a JOIN works w ON w.key = a.work LIMIT 1"
    ).fetchone()
    facts, run, reader = connection.execute("SELECT facts, changed_run, facts_reader FROM files LIMIT 1").fetchone()
    (have,) = connection.execute("SELECT count(*) FROM files").fetchone()
    told = {"question": question, "campaign": campaign, "provider": provider, "standing": standing, "facts": facts}
    told |= {"run": run, "reader": reader, "in_folder": IN_FOLDER, "words": "A red boat lies on the beach. " * 6}
    for first in range(have, files, CHUNK):
        with ledger.transaction("filled"):
            for statement in _FILLED:
                connection.execute(_placed(statement), told | _span(first, files))
        print(f"{min(files, first + CHUNK):,}", file=sys.stderr)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()


def _span(first: int, files: int) -> dict[str, int]:
    return {"first": first, "last": min(files, first + CHUNK) - 1}


def _placed(statement: str) -> str:
    """Return the statement with its numbers, which SQLite wants before the SELECT."""
    head, _, rest = statement.partition(" SELECT ")
    return f"{head} {_NUMBERS} SELECT {rest}"


def timed(*command: str | Path) -> float:
    """Run a command of ours, three times; returns the seconds of the quickest."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([Path(sys.executable).with_name("index"), *command], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def measure(home: Path, photos: Path, files: int) -> None:
    """Fill a library up to `files`, and print a line of the table."""
    started = time.perf_counter()
    fill(home, files)
    filled = time.perf_counter() - started
    first = timed("--library", home, photos, "--provider", "local")
    status = timed("--library", home, "status")
    size = (home / "ledger.sqlite3").stat().st_size / 1e9
    print(f"| {files:,} | {size:.2f} GB | {filled:.0f} s | {status:.2f} s | {first:.2f} s |", flush=True)


def main() -> None:
    """Print one table: a small ledger, then a large one."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        photos, home = place / "photos", place / "library"
        if not home.exists():
            plant(photos)
            with Library.open(home) as library:
                library.index([os.fsencode(photos)], provider="local")
        print("| files | ledger | made in | `status` | unchanged crawl of 1,000 |\n|--:|--:|--:|--:|--:|")
        for count in (SMALL, files):
            measure(home, photos, count)


if __name__ == "__main__":
    main()
