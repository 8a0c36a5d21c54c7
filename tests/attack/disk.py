"""Disks that are full at any byte, and files and folders that may not be read or written."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.attack.tally import Tally, Typed, typed
from tests.support.commands import environment
from tests.support.nobody import as_nobody

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


def permissions(home: Path, photos: Path, seed: int, most: int | None = None) -> Tally:
    """Take each file and folder of a library, and each photo, away from us in turn, and give it back.

    From the superuser nothing can be taken: then somebody else runs the commands.
    """
    tally, dice = Tally("permissions"), random.Random(seed)
    with as_nobody(home, photos) as place:
        library, pictures = place / home.name, place / photos.name
        index = ("index", pictures, "--provider", "local", "--workers", "0")
        typed(*index[:1], "--library", library, "relocate", photos, pictures)
        paths = [library, *sorted(library.rglob("*")), pictures, *sorted(pictures.iterdir())]
        for path in paths if most is None else dice.sample(paths, most):
            if not path.exists():
                continue  # a version of the table that the run before took away
            mode = path.stat().st_mode
            path.chmod(dice.choice((0, 0o400, 0o100) if path.is_dir() else (0, 0o200)))
            for command, allowed in (
                (("search", "dogs"), (0, 1, 2)),
                (("index", "status"), (0, 1)),
                (index, (0, 1, 4)),
                (("index", "doctor"), (0, 1)),
            ):
                done = typed(str(command[0]), "--library", library, *command[1:])
                tally.judge(f"{command[0]} {command[-1]} without {path.relative_to(place)}", done.fault(allowed))
            path.chmod(mode)
            done = typed(str(index[0]), "--library", library, *index[1:])
            tally.judge(f"index with {path.relative_to(place)} again", done.fault((0,)))
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
