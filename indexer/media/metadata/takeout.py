"""Google Takeout's JSON beside a picture -> claims. It is read and never written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from indexer.media.metadata.raw_facts import Claims, Place, position

DATE_TAKEN = "Takeout photoTakenTime (UTC)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(content: bytes) -> Claims:
    """Return what Google Photos knew of a picture; nothing where `content` is something else."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return Claims()
    if not (isinstance(told, dict) and isinstance(told.get("title"), str) and "photoTakenTime" in told):
        return Claims()
    people = told.get("people")
    names = [_text(person, "name") for person in people] if isinstance(people, list) else []
    return Claims(
        caption=_text(told, "description"),
        people=tuple(name for name in names if name.strip()),
        position=_position(told.get("geoData")) or _position(told.get("geoDataExif")),
        dates={DATE_TAKEN: _moment(told["photoTakenTime"])},
    )


def _text(told: Any, name: str) -> str:
    value = told.get(name) if isinstance(told, Mapping) else None
    return value if isinstance(value, str) else ""


def _position(told: Any) -> Place | None:
    if not isinstance(told, Mapping):
        return None
    latitude, longitude = (told.get(name) for name in ("latitude", "longitude"))
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in (latitude, longitude)):
        return None
    return position(float(latitude), float(longitude))  # type: ignore[arg-type]


def _moment(told: Any) -> str:
    """Return the time in UTC: Google keeps no zone."""
    try:
        moment = _EPOCH + timedelta(seconds=int(_text(told, "timestamp")))
    except (ValueError, OverflowError):
        return ""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment.year > 999 else ""
