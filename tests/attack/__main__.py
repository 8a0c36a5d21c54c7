"""All attacks, each on a library of the sample pictures: `make attack`, or with another seed `make attack SEED=7`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.attack.damage import damage
from tests.attack.disk import full_disks, permissions
from tests.attack.options import options, settings
from tests.attack.signals import signals
from tests.attack.tally import Tally, typed
from tests.support.commands import SAMPLES


def main(seed: int) -> int:
    """Run them, print a row each, and what did not hold; 1 where something did not."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        home, photos = work / "library", shutil.copytree(SAMPLES, work / "photos")
        os.chdir(work)
        typed("index", "--library", home, photos, "--provider", "local", "--workers", "0")
        copy = shutil.copytree(home, work / "other")
        tallies: list[Tally] = []
        for attack in (
            lambda: damage(home, work, 80, seed),
            lambda: options(copy, photos, 600, seed),
            lambda: settings(copy, work, photos, 120, seed),
            lambda: full_disks(home, photos, work, 60, seed),
            lambda: permissions(home, photos, work),
            lambda: signals(home, photos, work, 120, seed),
        ):
            tallies.append(attack())
            print(tallies[-1].line(), flush=True)
    for tally in tallies:
        for words in tally.broken:
            print(f"\n{tally.name}: {words}")
    return int(any(tally.broken for tally in tallies))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
