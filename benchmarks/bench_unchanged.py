"""What a run over an unchanged archive costs: `index PATH` as a whole process, against a bare scandir and stat.

    python benchmarks/bench_unchanged.py [FILES]

The ledger is filled in through its own transitions, as if every photo had been crawled, described by `local` and
written to the table before: an unchanged run opens neither a picture nor the table, so neither has to be real. Rounds
are interleaved, ratios are those of the medians, and both sides pay for the start of their interpreter.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bench_walk import plant

from indexer.crawl.listing import Found
from indexer.crawl.walk import walk
from indexer.domain.answer import Answer
from indexer.domain.keys import digest
from indexer.domain.mode import Mode
from indexer.domain.photo import Facts, Rendition
from indexer.domain.prompts import DEFAULT_SCHEMA, FIRST_TEMPLATE
from indexer.domain.question import Question
from indexer.ledger.photos import dirty_rows, files
from indexer.ledger.photos.files import Sighting, Stat
from indexer.ledger.spend import approvals
from indexer.ledger.store import Ledger
from indexer.ledger.work import answers, items
from indexer.ledger.work.answers import Booking
from indexer.library.api import Library
from indexer.media.rendition import DIGEST_VERSION
from indexer.media.versions import FACTS_READER
from indexer.providers.local.adapter import Local
from indexer.storage.layout import TABLE_FOLDER

FILES = 100_000
ROUNDS = 7
_BATCH = 4096
_BARE = """
import os, sys
def bare(root):
    count = 0
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                count += bare(entry.path)
            else:
                entry.stat(follow_symlinks=False)
                count += 1
    return count
print(bare(os.fsencode(sys.argv[1])))
"""


def forge(home: Path, root: Path) -> None:
    """Make a library that knows every file below `root`, each a photo of its own with an answer and a row."""
    with Library.open(home):
        (home / TABLE_FOLDER).mkdir()
    ledger = Ledger.open(home)
    question = Question("local", Local().spec.default_model, FIRST_TEMPLATE, DEFAULT_SCHEMA)
    found = (file for folder in walk([os.fsencode(root)]) for file in folder.files)
    with ledger.transaction("campaign") as transaction:
        campaign = approvals.begin_campaign(transaction)
    while batch := list(islice(found, _BATCH)):
        files.record_sightings(ledger, 0, [_sighting(file) for file in batch], DIGEST_VERSION)
        with ledger.transaction("answers") as transaction:
            photos = [row[0] for row in ledger.connection.execute("SELECT photo FROM files WHERE row_digest IS NULL")]
            items.want(transaction, question, photos, campaign, Mode.INTERACTIVE)
        for start in range(0, len(photos), _BATCH):
            _answer(ledger, [question.work_key(photo) for photo in photos[start : start + _BATCH]], photos)
        dirty_rows.clear(ledger, {file.path: digest(file.path) for file in batch})
    approvals.end_campaign_when_done(ledger)
    ledger.close()


def _sighting(file: Found) -> Sighting:
    drawn = Rendition(digest(file.path), "0" * 16, 4032, 3024, "jpeg", b"")
    facts = Facts(taken_at="2024-05-01T12:00:00", camera="Camera 1")
    stat = Stat(file.size, file.mtime_ns, file.sidecar_mtime_ns, file.ctime_ns)
    told = (file.path, file.path.rpartition(b"/")[0], stat, True, digest(b"bytes", file.path), facts, None, drawn, None)
    return Sighting(*told, facts_reader=FACTS_READER)


def _answer(ledger: Ledger, keys: Sequence[str], photos: Sequence[str]) -> None:
    begun = [(items.Work(key, photo, 0), f"{key}-a-1", 0.0) for key, photo in zip(keys, photos, strict=True)]
    with ledger.transaction("intents") as transaction:
        for work, attempt, high in begun:
            items.begin_call(transaction, work, attempt, high, Mode.INTERACTIVE)
    with ledger.transaction("answers") as transaction:
        for work, attempt, _ in begun:
            said = Answer("a dark, warm picture in brown and red", ("dark", "warm"), model="pixels-1")
            answers.record_answer(transaction, Booking(attempt, work.key, 0.0, None), said, 10)


def seconds(command: Sequence[str | Path], compiled: Path) -> tuple[float, str]:
    """Time a process from start to end; returns what it wrote too. Bytecode is kept in `compiled`, as installed."""
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(compiled)}
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True, text=True, env={**os.environ, **kept})
    return time.perf_counter() - started, done.stdout


def main() -> None:
    """Print one table."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with tempfile.TemporaryDirectory() as scratch:
        home, tree = Path(scratch, "library"), Path(scratch, "tree")
        plant(tree, files)
        forge(home, tree)
        program = Path(sys.executable).with_name("index")
        ways: dict[str, list[str | Path]] = {
            "interpreter start": [sys.executable, "-c", "print(0)"],
            "bare scandir + stat": [sys.executable, "-c", _BARE, tree],
            "index PATH": [program, "--library", home, "--json", tree],
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, command in ways.items():
                spent, out = seconds(command, Path(scratch, "compiled"))
                if number:  # the first round compiles and counts, which the next ones need not do again
                    times[name].append(spent)
        counts = json.loads(out)["files"]
        assert counts["unchanged"] == counts["described"] == files, counts
        medians = {name: statistics.median(spent) for name, spent in times.items()}
        for name, median in medians.items():
            print(f"{name:20} {median:7.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
        print(f"index PATH = {medians['index PATH'] / medians['bare scandir + stat']:.2f} x bare, {files:,} files")


if __name__ == "__main__":
    main()
