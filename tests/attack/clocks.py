"""Clocks that jump: a library, photos and jobs whose times another clock wrote than the one that reads them."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from tests.attack.tally import Tally, typed
from tests.fakes.gemini import Emulator
from tests.support.virtual import VirtualTime, opened, samples

YEAR = 365 * 86_400.0
_JUMPS = (-60 * YEAR, -YEAR, -86_400.0, -3600.0, -1.0, 1.0, 3600.0, 86_400.0, YEAR, 30 * YEAR, 1000 * YEAR)
_MOMENTS = (-(2**31), -1, 0, 1, 2**31 - 1, 2**31, 2**32, 253_402_300_800, 2**40)
"""Times of files, in seconds since the epoch: 1901, 1969, 2038, 2106, the year 10000, and one far behind it."""
_LOOKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("search", ("dogs",)),
    ("search", ("--since", "2001", "--until", "2040", "--sort", "date")),
    ("search", ("--collapse", "bursts", "--json", "--min-score", "0", "dogs")),
    ("index", ("status", "--json")),
    ("index", ("report",)),
    ("index", ("collect",)),
    ("index", ("doctor",)),
)


def clocks(home: Path, photos: Path, work: Path, rounds: int, seed: int) -> Tally:
    """Shift the times of a library and its photos; every command ends well, nothing is lost."""
    tally, dice = Tally("clocks"), random.Random(seed)
    for number in range(rounds):
        place = work / f"clock-{number}"
        library, pictures = shutil.copytree(home, place / "library"), shutil.copytree(photos, place / "photos")
        typed("index", "--library", library, "relocate", photos, pictures)
        jump = dice.choice(_JUMPS)
        shift(library, jump)
        _set_times(place, dice)
        what = f"a jump of {jump / 86_400:,.0f} days"
        local = (str(pictures), "--provider", "local", "--workers", "0")
        for command, words in (("index", local), *_LOOKS, ("index", local)):
            done = typed(command, "--library", library, *words)
            tally.judge(
                f"{what}, then {command} {words[0]}",
                done.fault((0, 1) if "doctor" in words or command == "search" else (0,)),
            )
        told = typed("index", "--library", library, "status", "--json").out
        tally.judge(f"{what}, then what is there", _lost(told, len(list(photos.glob("*.jpg")))))
        shutil.rmtree(place)
    return tally


def jobs(work: Path, rounds: int, seed: int) -> Tally:
    """Leave a run that a service is at work on, let the clock jump, collect: everything comes, and is paid for once."""
    tally, dice = Tally("clocks of jobs"), random.Random(seed)
    with Emulator(work / "service") as service:
        for number in range(rounds):
            tally.judge(*_job(service, work / f"jobs-{number}", dice))
    return tally


def _job(service: Emulator, place: Path, dice: random.Random) -> tuple[str, str]:
    asked = {"provider": "gemini", "pilot": 0, "workers": 0}
    library, photos, jump = place / "library", samples(place / "photos", 3), dice.choice(_JUMPS)
    before = service.books()["served"]
    if dice.random() < 0.5:
        service.fault("create", "drop", nth=1, when="before")
    with opened(library, service) as ours:
        ours.index([photos], approve=True, wait=False, deadline=6 * 3600.0, **asked)
    shift(library, jump)
    began = VirtualTime(service).time()
    with opened(library, service) as ours:
        report = ours.collect(wait=True)
    served = service.books()["served"]
    bought = sum(served[mode] - before[mode] for mode in ("batch", "interactive"))
    waited = VirtualTime(service).time() - began
    fault = "" if (report.files.described, bought) == (3, 3) else f"{report.files.described} described, {bought} bought"
    fault = fault or ("" if waited < 2 * 86_400 else f"it waited {waited / 86_400:.0f} days")
    shutil.rmtree(place)
    return f"a jump of {jump / 86_400:,.0f} days while a job runs", fault


def shift(library: Path, seconds: float) -> None:
    """Add to every moment in the ledger, as if a clock that was wrong by as much had written it."""
    with closing(sqlite3.connect(library / "ledger.sqlite3")) as ledger, ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in ledger.execute(f"PRAGMA table_info({table})").fetchall():
                if kind == "REAL" and (column.endswith("_at") or column == "not_before"):
                    ledger.execute(f"UPDATE {table} SET {column} = {column} + ? WHERE {column} > 0", (seconds,))


def _set_times(place: Path, dice: random.Random) -> None:
    for path in sorted(place.rglob("*")):
        with suppress(OSError, OverflowError):  # not every file system knows every year
            os.utime(path, (dice.choice(_MOMENTS),) * 2)


def _lost(status: str, photos: int) -> str:
    files = json.loads(status)["files"]
    return "" if files["described"] >= photos and not files["deleted"] else status[:300]
