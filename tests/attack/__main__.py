"""All attacks, each on a library of the sample pictures: `make attack`, or with another seed `make attack SEED=7`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.attack.damage import damage
from tests.attack.disk import full_disks, permissions
from tests.attack.options import options, settings
from tests.attack.signals import signals
from tests.attack.tally import Tally, typed
from tests.support.commands import SAMPLES

ATTACKS: dict[str, Callable[[Path, Path, int], Tally]] = {
    "full disks": lambda home, photos, seed: full_disks(home, photos, home.parent, 24, seed),
    "signals": lambda home, photos, seed: signals(home, photos, home.parent, 80, seed),
    "damage": lambda home, photos, seed: damage(home, home.parent, 80, seed),
    "options": lambda home, photos, seed: options(home, photos, 600, seed),
    "settings": lambda home, photos, seed: settings(home, photos, 120, seed),
    "permissions": lambda home, photos, seed: permissions(home, photos, home.parent),
}
"""The longest ones first: they run at the same time, one a core, each in a process and on a library of its own."""


def attacked(name: str, made: Path, seed: int) -> Tally:
    """Run one attack in a folder of its own, with copies of the library and the photos in `made`."""
    work = made.parent / name.replace(" ", "-")
    shutil.copytree(made, work)
    os.chdir(work)
    return ATTACKS[name](work / "library", made / "photos", seed)


def main(seed: int) -> int:
    """Run them, print a row each and what did not hold, then the sum; 1 where something did not."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "made"
        photos = shutil.copytree(SAMPLES, made / "photos")
        typed("index", "--library", made / "library", photos, "--provider", "local", "--workers", "0")
        total = Tally("all")
        with ProcessPoolExecutor(max(2, os.cpu_count() or 1), get_context("spawn")) as pool:
            for done in as_completed([pool.submit(attacked, name, made, seed) for name in ATTACKS]):
                tally = done.result()
                print(tally.line(), *tally.broken, sep="\n  ", flush=True)
                total.tried += tally.tried
                total.broken += tally.broken
    print(total.line())
    return int(bool(total.broken))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
