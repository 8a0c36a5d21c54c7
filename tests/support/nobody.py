"""Run as somebody who may not read everything, even where the tests run as the superuser."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody(*brought: Path) -> Iterator[Path]:
    """Yield a new folder of somebody who is not the superuser, and be that somebody meanwhile.

    In it lie copies of the folders that were `brought`, that somebody's own.
    """
    root = Path(tempfile.mkdtemp())
    for folder in brought:
        shutil.copytree(folder, root / folder.name, symlinks=True)
    user = os.geteuid()
    if user == 0:
        for path in (root, *root.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        os.seteuid(NOBODY)
    try:
        yield root
    finally:
        os.seteuid(user)
        for path in (*root.rglob("*/"), *root.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(root)
