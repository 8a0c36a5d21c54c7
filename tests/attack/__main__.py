"""All attacks, each on a library of the sample pictures: `make attack`, or with another seed `make attack SEED=7`."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.attack.attacks import ATTACKS, attacked
from tests.attack.tally import Tally, typed
from tests.support.commands import SAMPLES


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
