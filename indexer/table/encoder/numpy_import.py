"""Imports that two threads must not enter from two sides at once.

A search loads its encoder beside its table, and both need numpy. Python breaks a deadlock between two half-done
imports by handing out a half-made module, which ends the search in one run of some thousands.
"""

from __future__ import annotations

import threading

_ENTERING = threading.Lock()


def import_numpy() -> None:
    """Have numpy imported whole before anything that needs it is."""
    with _ENTERING:
        import numpy  # noqa: F401
