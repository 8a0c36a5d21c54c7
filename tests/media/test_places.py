"""A position in words: nearest place, city, state, country; nothing at sea, and no edge of the map."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.media.metadata import read_facts
from indexer.media.places import place_at, placed


@pytest.mark.parametrize(
    ("latitude", "longitude", "names"),
    [
        (48.8584, 2.2945, ["Paris", "France"]),
        (48.8049, 2.1204, ["Versailles", "Paris", "France"]),
        (37.8044, -122.2712, ["Oakland", "California", "United States"]),
        (52.4009, 13.0591, ["Potsdam", "Brandenburg", "Germany"]),
        (46.0207, 7.7491, ["Zermatt", "Valais", "Switzerland"]),
        (-33.8568, 151.2153, ["Sydney", "New South Wales", "Australia"]),
        (-25.3444, 131.0369, ["Yulara", "Australia"]),
        (41.9022, 12.4539, ["Vatican City", "Rome"]),
        (37.5665, 126.978, ["Seoul", "South Korea"]),
        (78.22, 15.63, ["Longyearbyen"]),
        (-16.85, -179.97, ["Fiji"]),
        (-16.85, 179.97, ["Fiji"]),
        (66.3, -179.1, ["Russia"]),
    ],
)
def test_a_position_has_names(latitude: float, longitude: float, names: list[str]) -> None:
    """A suburb is of its city, a small town is itself, and the antimeridian parts nothing."""
    found = place_at(latitude, longitude)
    assert found is not None
    assert set(names) <= set(found.split(", "))


WORLD = """
40.6892 -74.0445 New York; 37.8199 -122.4783 San Francisco; 43.0962 -79.0377 Niagara Falls; 51.1784 -115.5708 Banff
48.8584 2.2945 Paris; 51.5007 -0.1246 London; 52.5163 13.3777 Berlin; 47.5576 10.7498 Bavaria; 41.8902 12.4922 Rome
45.4342 12.3388 Venice; 41.4036 2.1744 Barcelona; 37.9715 23.7257 Athens; 41.0086 28.9802 Istanbul
55.7539 37.6208 Moscow; 29.9792 31.1342 Giza; -33.9628 18.4098 Cape Town; -17.9243 25.8572 Victoria Falls
27.1751 78.0421 Agra; 40.3597 116.02 Beijing; 35.6586 139.7454 Tokyo; 13.4125 103.867 Siem Reap
1.2834 103.8607 Singapore; -33.8568 151.2153 Sydney; -25.3444 131.0369 Yulara; -44.6414 167.8974 New Zealand
-13.1631 -72.545 Peru; -22.9519 -43.2105 Rio de Janeiro; -16.85 -179.97 Fiji; -16.85 179.97 Fiji; 66.3 -179.1 Russia
"""
"""Thirty sights, and how a person would say where they are."""


def test_sights_all_over_the_world_are_where_people_say() -> None:
    """At least 26 of 30 by the name that a traveller would type."""
    sights = [one.strip().split(" ", 2) for one in WORLD.strip().replace("\n", ";").split(";")]
    found = [(name, place_at(float(latitude), float(longitude)) or "") for latitude, longitude, name in sights]
    wrong = [(name, place) for name, place in found if name not in place]
    assert len(sights) == 30
    assert len(wrong) <= 4, wrong


@pytest.mark.parametrize(("latitude", "longitude"), [(40, -40), (0, -140), (56.5, 3), (90, 0), (-90, 0), (-40, 180)])
def test_the_open_sea_has_none(latitude: float, longitude: float) -> None:
    """Far from any place there is nothing to say."""
    assert place_at(latitude, longitude) is None


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_any_position_is_answered(latitude: float, longitude: float) -> None:
    """Names without repetition, or none."""
    found = place_at(latitude, longitude)
    assert found is None or len(set(found.split(", "))) == len(found.split(", "))


def picture(path: Path, *, city: str = "") -> Path:
    """A picture taken at the Brandenburg Gate, with a place of its own if one is given."""
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 58.7), 3: "E", 4: (13.0, 22.0, 39.7)})
    Image.new("RGB", (32, 32), "red").save(path, exif=exif)
    if city:
        path.with_suffix(".xmp").write_text(
            '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            '<rdf:Description xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
            f' photoshop:City="{city}"/></rdf:RDF></x:xmpmeta>'
        )
    return path


def test_a_photo_with_a_position_has_a_place(tmp_path: Path) -> None:
    """From its coordinates, unless the file names one itself."""
    assert "Berlin" in (placed(read_facts(picture(tmp_path / "a.jpg"))).place or "")
    assert placed(read_facts(picture(tmp_path / "b.jpg", city="Home"))).place == "Home"


def test_a_photo_without_a_position_loads_no_table(tmp_path: Path) -> None:
    """Neither the table nor numpy."""
    Image.new("RGB", (32, 32), "red").save(tmp_path / "a.jpg")
    code = (
        "import sys; from pathlib import Path; from indexer.media.metadata import read_facts;"
        "from indexer.media.places import placed;"
        f"placed(read_facts(Path({str(tmp_path / 'a.jpg')!r}))); sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
