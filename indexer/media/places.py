"""Where a position is, in words: the nearest place, the city it belongs to, its state and country; nothing far at sea.

The table is GeoNames' places of 1,000 people and more (geonames.org, CC BY 4.0), made by `docs/places.py`. Nothing is
asked of anybody. It and numpy are loaded when the first photo has a position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.domain.photo import Facts

if TYPE_CHECKING:
    import numpy as np

TABLE = Path(__file__).with_name("places.npz")
_PLACE_KM, _CITY_KM, _STATE_KM, _COUNTRY_KM = 50.0, 30.0, 100.0, 200.0
_CITY = 100_000
"""People of a town that outsiders know."""
_CORE_KM = 3.0
"""Within this distance of its middle a city pulls no stronger."""
_EARTH_KM = 6371.0088
_KM_PER_DEGREE = math.pi * _EARTH_KM / 180


@dataclass(frozen=True, slots=True)
class _Table:
    """Places in order of latitude; `points` lie on the unit sphere, shape (n, 3)."""

    latitudes: np.ndarray
    points: np.ndarray
    people: np.ndarray
    state: np.ndarray
    country: np.ndarray
    places: list[str]
    states: list[str]
    countries: list[str]


def placed(facts: Facts) -> Facts:
    """Return `facts` with the place of their position, if the file names none itself."""
    if facts.place or facts.latitude is None or facts.longitude is None:
        return facts
    return replace(facts, place=place_at(facts.latitude, facts.longitude))


def place_at(latitude: float, longitude: float) -> str | None:
    """Return the names of where a position is, "Vanves, Paris, Ile-de-France, France", None far from any place."""
    import numpy as np

    table = _table()
    reach = _COUNTRY_KM / _KM_PER_DEGREE
    first, last = np.searchsorted(table.latitudes, (latitude - reach, latitude + reach))
    if first == last:
        return None
    chords = np.linalg.norm(table.points[first:last] - _points(np.array([latitude]), np.array([longitude])), axis=1)
    distances = 2 * _EARTH_KM * np.arcsin(np.minimum(1.0, chords / 2))
    nearest = int(distances.argmin())
    distance, number = float(distances[nearest]), int(first) + nearest
    names = [table.places[number]] if distance <= _PLACE_KM else []
    if distance <= _PLACE_KM and (city := _city(distances, table.people[first:last])) is not None:
        names.append(table.places[int(first) + city])
    if distance <= _STATE_KM:
        names.append(table.states[table.state[number]])
    if distance <= _COUNTRY_KM:
        names.append(table.countries[table.country[number]])
    return ", ".join(dict.fromkeys(filter(None, names))) or None


def _city(distances: np.ndarray, people: np.ndarray) -> int | None:
    """The city that pulls the most: the larger one, if it is not much farther off."""
    import numpy as np

    known = np.flatnonzero((distances <= _CITY_KM) & (people >= _CITY))
    if not len(known):
        return None
    return int(known[(people[known] / np.maximum(distances[known], _CORE_KM) ** 2).argmax()])


@cache
def _table() -> _Table:
    import numpy as np

    with np.load(TABLE) as held:
        latitude, longitude = held["latitude"].astype(float), held["longitude"].astype(float)
        texts = {name: held[name].tobytes().decode().split("\n") for name in ("places", "states", "countries")}
        numbers = {name: held[name] for name in ("people", "state", "country")}
    return _Table(latitudes=latitude, points=_points(latitude, longitude), **numbers, **texts)


def _points(latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Positions in degrees as points on the unit sphere."""
    import numpy as np

    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
