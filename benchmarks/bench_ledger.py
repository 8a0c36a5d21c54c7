"""A ledger of very many files: how big it is, how long `status` takes, and a crawl of one unchanged folder in it.

    python benchmarks/bench_ledger.py [FILES] [FOLDER] [lean]

Two real libraries of 1,000 photos are made, and their ledgers filled up to 10,000 and to FILES with photos that exist
nowhere, each with its bytes, its work item, its attempt and its answer. Both are asked in turns, as whole processes
with their bytecode as installed. FOLDER keeps what was made for the next time; `lean` has short ids, no facts and a
word for a description, and every other photo is not asked about yet, so that ten million files take 6 GB, not 26.
Claims: `status` takes under 1 s, the crawl under 2 x of that in the small ledger.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench_unchanged import seconds
from PIL import Image

from indexer import Library
from indexer.ledger.store import Ledger

FILES = 10_000_000
REAL = 1000
SMALL = 10_000
ROUNDS = 5
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


def lean() -> None:
    """Make the rows small and half of the photos unasked: what is walked through stays as many."""
    global _NUMBERS, _FILLED
    _NUMBERS = _NUMBERS.replace("%040x", "%08x").replace("%064x", "%08x")
    short = {
        "%016x": "%x",
        ":facts": "NULL",
        "/archive/%06d/IMG_%09d.JPG": "/a/%05d/%07d.JPG",
        "/archive/%06d": "/a/%05d",
        "printf('%s %d', :words, x)": "'A boat.'",
        '["one", "two", "three"]': "[]",
    }
    for long, brief in short.items():
        _FILLED = tuple(statement.replace(long, brief) for statement in _FILLED)
    asked = ("INSERT INTO works", "INSERT INTO attempts", "INSERT INTO answers")
    _FILLED = tuple(f"{one} WHERE x % 2" if one.startswith(asked) else one for one in _FILLED)


def made(home: Path, photos: Path, files: int) -> Path:
    """Make a library with so many files, or complete it."""
    if not home.exists():
        with Library.open(home) as library:
            library.index([os.fsencode(photos)], provider="local")
    started = time.perf_counter()
    fill(home, files)
    size = (home / "ledger.sqlite3").stat().st_size / 1e9
    print(f"{files:,} files: {size:.2f} GB, filled in {time.perf_counter() - started:.0f} s", flush=True)
    return home


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    if "lean" in sys.argv:
        lean()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(sys.argv[2] if len(sys.argv) > 2 else scratch)
        photos, program = place / "photos", Path(sys.executable).with_name("index")
        if not photos.exists():
            plant(photos)
        homes = {count: made(place / str(count), photos, count) for count in (SMALL, files)}
        ways: dict[str, list[str | Path]] = {}
        for count, home in homes.items():
            ways[f"crawl {count}"] = [program, "--library", home, photos, "--provider", "local"]
            ways[f"status {count}"] = [program, "--library", home, "status"]
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, command in ways.items():
                spent, _ = seconds(command, place / "compiled")
                if number:  # the first round compiles, and counts what the next ones keep
                    times[name].append(spent)
                else:
                    print(f"{name:18} {spent:6.1f} s the first time")
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    for name, median in medians.items():
        print(f"{name:18} {median:6.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
    status, ratio = medians[f"status {files}"], medians[f"crawl {files}"] / medians[f"crawl {SMALL}"]
    print(f"status {status:.2f} s   claim under 1;   crawl {ratio:.2f} x of the small one   claim under 2")
    return 0 if status < 1 and ratio < 2 else 1


if __name__ == "__main__":
    sys.exit(main())
