"""What one carrier of metadata says, before the carriers are weighed against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """A position in decimal degrees, north and east positive."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Claims:
    """Texts as they were written, not yet cleaned or bounded; "" and () where the carrier is silent.

    `places` run from the narrow to the wide; `people` are names of persons shown; `paths` the steps of hierarchical
    keywords; `words` what else is said, for word search only; `rating` counts stars, `percent` is Microsoft's way to
    count them; `dates` map the name of a field to its text.
    """

    title: str = ""
    headline: str = ""
    caption: str = ""
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    paths: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    position: Place | None = None
    make: str = ""
    model: str = ""
    lens: str = ""
    rating: str = ""
    percent: str = ""
    dates: Mapping[str, str] = field(default_factory=dict)


def position(latitude: float | None, longitude: float | None) -> Place | None:
    """Return a place on Earth; None for half a position, one off the globe, and for 0, 0: a receiver without a fix."""
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return Place(round(latitude, 7), round(longitude, 7))
