"""What `index quote` costs on a library that knows 100,000 described photos and 1,000 new ones, against `index status`.

    python benchmarks/bench_quote.py [KNOWN] [NEW]

The ledger is filled in through its own transitions, as in bench_unchanged.py. Rounds are interleaved, both are whole
processes, and the ratio is that of the medians. Exit code 1 when quote takes more than twice as long.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from itertools import islice
from pathlib import Path

from bench_unchanged import _sighting, seconds
from bench_walk import plant

from indexer.crawl.walk import walk
from indexer.domain.answer import Answer
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question
from indexer.ledger.photos import dirty_rows, files
from indexer.ledger.spend import approvals
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.ledger.work import answers, bursts, items
from indexer.ledger.work.answers import Booking
from indexer.library.api import Library
from indexer.media.rendition import DIGEST_VERSION
from indexer.media.versions import FACTS_READER

_BATCH = 4096
_CLAIM = 2.0
_ROUNDS = 3


def forge(home: Path, root: Path, known: int) -> None:
    """Make a library that knows every file below `root`; the first `known` are described by Gemini."""
    with Library.open(home):
        pass
    ledger = Ledger.open(home)
    run = counts.begin_run(ledger, "run")
    question = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    found = (file for folder in walk([os.fsencode(root)]) for file in folder.files)
    with ledger.transaction("campaign") as transaction:
        campaign = approvals.begin_campaign(transaction)
    left = known
    while batch := list(islice(found, _BATCH)):
        files.record_sightings(ledger, run, [_sighting(file) for file in batch], DIGEST_VERSION)
        of_path = "SELECT photo FROM files WHERE path = ?"
        wanted = [ledger.connection.execute(of_path, (file.path,)).fetchone()[0] for file in batch[:left]]
        left -= len(wanted)
        with ledger.transaction("works") as transaction:
            items.want(transaction, question, wanted, campaign, Mode.INTERACTIVE)
        keys = map(question.work_key, wanted)
        begun = [(items.Work(key, photo, 0), f"{key}-a-1", 0.0) for key, photo in zip(keys, wanted, strict=True)]
        with ledger.transaction("intents") as transaction:
            for work, attempt, high in begun:
                items.begin_call(transaction, work, attempt, high, Mode.INTERACTIVE)
        with ledger.transaction("answers") as transaction:
            for work, attempt, _ in begun:
                said = Answer("a dark, warm picture", ("dark",), model=question.model)
                answers.record_answer(transaction, Booking(attempt, work.key, 0.0, None), said, 30)
        dirty_rows.clear(ledger, {file.path: "row" for file in batch})
    with ledger.transaction("read by the reader of today") as transaction:
        transaction.execute("UPDATE files SET facts_reader = ?", (FACTS_READER,))
    bursts.regroup(ledger)
    approvals.end_campaign_when_done(ledger)
    counts.end_run(ledger, run)
    ledger.close()


def main() -> int:
    """Print one table."""
    known, new = (
        (int(word) for word in [*sys.argv[1:], "100000", "1000"][:2]) if len(sys.argv) > 2 else (100_000, 1_000)
    )
    os.environ["GEMINI_API_KEY"] = "no-request-is-sent"
    with tempfile.TemporaryDirectory() as scratch:
        home, tree = Path(scratch, "library"), Path(scratch, "tree")
        plant(tree, known + new)
        forge(home, tree, known)
        program = Path(sys.executable).with_name("index")
        common: list[str | Path] = [program, "--library", home, "--json"]
        ways: dict[str, list[str | Path]] = {
            "index status": [*common, "status"],
            "index quote": [*common, "quote", tree],
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(_ROUNDS + 1):
            for name, command in ways.items():
                spent, out = seconds(command, Path(scratch, "compiled"))
                if number:
                    times[name].append(spent)
        told = json.loads(out)
        assert (told["photos"], told["new"]) == (known + new, new), told
        medians = {name: statistics.median(spent) for name, spent in times.items()}
        for name, median in medians.items():
            print(f"{name:14} {median:7.3f} s ({min(times[name]):.3f} to {max(times[name]):.3f})")
        ratio = medians["index quote"] / medians["index status"]
        print(f"quote = {ratio:.2f} x status, claim {_CLAIM}")
        return 0 if ratio < _CLAIM else 1


if __name__ == "__main__":
    sys.exit(main())
