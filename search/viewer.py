"""The system's viewer: shows a file or a folder in the program that is meant for it."""

from __future__ import annotations

import subprocess
import sys

from indexer.domain.errors import UsageError


def show(path: bytes) -> None:
    """Open `path` in the system's viewer, which goes on when this process has ended; `UsageError` without one."""
    viewer = "open" if sys.platform == "darwin" else "xdg-open"
    try:
        subprocess.Popen(
            [viewer, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise UsageError(f"there is no viewer: {viewer} is not installed", hint="install xdg-utils") from None
