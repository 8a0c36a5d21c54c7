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
def as_nobody() -> Iterator[Path]:
    """Yield a new folder of somebody who is not the superuser, and be that somebody meanwhile."""
    root = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(root, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield root
    finally:
        os.seteuid(user)
        for path in (*root.rglob("*/"), *root.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(root)
