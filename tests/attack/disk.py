"""Disks that are full at any byte, and files and folders that may not be read or written."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.attack.tally import Tally, Typed
from tests.support.commands import environment

_BIN = Path(sys.executable).parent
_LIMITED = """
import os, resource, sys
most = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
os.execv(sys.argv[2], sys.argv[2:])
"""


def full_disks(home: Path, photos: Path, work: Path, rounds: int, seed: int) -> Tally:
    """Let no file grow beyond a random size, as a full disk does; afterwards the same command ends well."""
    tally, dice = Tally("full disks"), random.Random(seed)
    for number in range(rounds):
        library = work / f"full-{number}"
        if dice.random() < 0.5:
            shutil.copytree(home, library)
        command = dice.choice((("index", photos, "--provider", "local", "--workers", "0"), ("index", "rebuild")))
        if not library.exists():
            command = ("index", photos, "--provider", "local", "--workers", "0")
        most = int(10 ** dice.uniform(2, 6.5))
        done = _run(command, library, most)
        tally.judge(f"{command[1]} with files up to {most:,} bytes", done.fault((0, 1)))
        again = _run(("index", photos, "--provider", "local", "--workers", "0"), library, None)
        tally.judge(f"{command[1]} after a disk of {most:,} bytes", again.fault((0,)))
        shutil.rmtree(library, ignore_errors=True)
    return tally


def permissions(home: Path, photos: Path, work: Path) -> Tally:
    """Take each file and folder of a library away from us in turn; as root nothing can be taken."""
    tally = Tally("permissions")
    if os.geteuid() == 0:
        return tally
    library = shutil.copytree(home, work / "forbidden")
    for path in sorted(library.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(0)
        for command, allowed in (
            (("search", "dogs"), (0, 1, 2)),
            (("index", "status"), (0, 1)),
            (("index", photos), (0, 1)),
        ):
            tally.judge(f"{command[0]} without {path.name}", _run(command, library, None).fault(allowed))
        if path.exists():
            path.chmod(mode)
    return tally


def _run(command: tuple[str | Path, ...], library: Path, most: int | None) -> Typed:
    name, *words = command
    limit = () if most is None else (sys.executable, "-c", _LIMITED, str(most))
    done = subprocess.run(
        [*limit, _BIN / name, "--library", library, *words],
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return Typed(done.returncode, done.stdout, done.stderr)
