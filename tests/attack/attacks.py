"""Every attack by its name, with how often it is tried; each runs in a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.attack.bombs import bombs
from tests.attack.clocks import clocks, jobs
from tests.attack.damage import damage
from tests.attack.disk import full_disks, permissions
from tests.attack.echoes import echoes
from tests.attack.links import links
from tests.attack.options import options, settings
from tests.attack.signals import signals
from tests.attack.tally import Tally

ATTACKS: dict[str, Callable[[Path, Path, int], Tally]] = {
    "full disks": lambda home, photos, seed: full_disks(home, photos, home.parent, 24, seed),
    "signals": lambda home, photos, seed: signals(home, photos, home.parent, 80, seed),
    "damage": lambda home, photos, seed: damage(home, home.parent, 80, seed),
    "options": lambda home, photos, seed: options(home, photos, 600, seed),
    "settings": lambda home, photos, seed: settings(home, photos, 120, seed),
    "permissions": lambda home, photos, seed: permissions(home, photos, seed, 24),
    "clocks": lambda home, photos, seed: clocks(home, photos, home.parent, 12, seed),
    "clocks of jobs": lambda home, photos, seed: jobs(home.parent, 12, seed),
    "links": lambda home, photos, seed: links(home, photos, home.parent, 14, seed),
    "bombs": lambda home, photos, seed: bombs(home, home.parent),
    "echoes": lambda home, photos, seed: echoes(home.parent, 20, seed),
}
"""The longest ones first: they run at the same time, one a core, each in a process and on a library of its own."""


def attacked(name: str, made: Path, seed: int) -> Tally:
    """Run one attack in a folder of its own, with copies of the library and the photos in `made`."""
    work = made.parent / name.replace(" ", "-")
    shutil.copytree(made, work)
    os.chdir(work)
    return ATTACKS[name](work / "library", made / "photos", seed)
