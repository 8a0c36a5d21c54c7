"""How a request travels: many in a batch, or one call at a time at one of several prices."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """The mode that carries a request; all but `BATCH` are single calls."""

    BATCH = "batch"
    INTERACTIVE = "interactive"
    FLEX = "flex"
    OFF_PEAK = "off-peak"
