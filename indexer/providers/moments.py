"""Moments as services write them: RFC 3339, with up to nine decimals."""

from __future__ import annotations

import re
from datetime import datetime

_BEYOND_MICRO = re.compile(r"(\.\d{6})\d+")


def moment(value: object) -> float | None:
    """Return the seconds since the epoch that the text `value` tells, None where it tells none."""
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(_BEYOND_MICRO.sub(r"\1", value)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
