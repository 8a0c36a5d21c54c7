"""Signals at any moment to every command: 130 or 143 and a word, no traceback, and nothing is lost or bought twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.attack.tally import Tally
from tests.support.commands import environment

_BIN = Path(sys.executable).parent
_LONGEST = 60.0


def signals(library: Path, photos: Path, work: Path, rounds: int, seed: int) -> Tally:
    """Send Ctrl-C after so many random times; the library serves afterwards."""
    tally, dice = Tally("signals"), random.Random(seed)
    commands = (
        ("index", photos, "--provider", "local", "--workers", "1"),
        ("search", "two", "dogs"),
        ("index", "status"),
        ("index", "export", "--format", "csv", "--to", "OUT"),
        ("index", "doctor"),
        ("index", "rebuild"),
    )
    for number in range(rounds):
        name, *words = dice.choice(commands)
        fresh = name == "index" and words[0] == photos
        home = work / f"signalled-{number}" if fresh else library
        words = [work / f"out-{number}.csv" if word == "OUT" else word for word in words]
        wait = dice.choice((0.3, 1.0, 3.0)) * dice.random()
        told, code = _pressed([_BIN / name, "--library", home, *words], wait, twice=dice.random() < 0.3)
        tally.judge(f"{name} {words[0]} after {wait:.2f} s", _fault(told, code, early=wait < 0.25))
        if fresh:
            shutil.rmtree(home, ignore_errors=True)
    done = subprocess.run(
        [_BIN / "index", "--library", library, "doctor"], env=environment(), capture_output=True, text=True, check=False
    )
    tally.judge("doctor afterwards", "" if done.returncode == 0 else done.stdout[-500:])
    return tally


def _pressed(command: list[str | Path], wait: float, *, twice: bool) -> tuple[str, int]:
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        time.sleep(wait)
        for _ in range(2 if twice else 1):
            if process.poll() is None:
                os.kill(process.pid, signal.SIGINT)
                time.sleep(0.02)
        try:
            _, told = process.communicate(timeout=_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            return "it did not end", -1
    return told, process.returncode


def _fault(told: str, code: int, *, early: bool) -> str:
    """Python itself answers while it starts; from our first line on, we do."""
    if early and "indexer/" not in told and "search/" not in told:
        return ""
    if "Traceback" in told or "Exception ignored" in told:
        return told[-600:]
    return "" if code in (0, 1, 130) else f"exit {code}: {told[-300:]}"
