"""Where the list of hits ends: questions that the library cannot answer come back empty, others do not.

Claims, at 1,000 described rows and more: at least 80 % of unrelated queries come back empty, at most 5 % of sentences
and at most 5 % of keyword queries that have an answer are emptied. Usage: bench_cutoff.py CAPTIONS.tsv
"""

from __future__ import annotations

import shutil
import sys

import numpy as np
from corpus import Captioned, captions_file, interval, library_of, rarest, read_captions

from search import Index

SIZES = (300, 1000, 2000, 4000)
QUERIES = 600
LEAST = 1_000

UNRELATED = """
kubernetes pod eviction policy; quarterly tax return deadline; mitochondrial membrane potential; invoice number 48213
python list comprehension syntax; interest rate swap valuation; how to reset a router password; gdp of portugal 1987
side effects of ibuprofen; proof of the central limit theorem; constitutional court ruling; sql inner join example
vitamin deficiency; mortgage refinancing calculator; quantum chromodynamics lagrangian; passport renewal form
linear regression residuals; patent claims; semiconductor band gap; protein folding prediction
diffusion tensor imaging; electron microscope calibration; mri scan of the brain; chest x-ray with pneumonia
circuit diagram of an amplifier; screenshot of a spreadsheet; bar chart of revenue by region; floor plan of an apartment
galaxy seen through a telescope; surface of the moon; spacecraft docking with a station; nebula in infrared
bacteria on an agar plate; crystal structure of graphene; chemical formula of caffeine; periodic table of the elements
sheet music for piano sonata; wedding invitation text; restaurant menu with prices; boarding pass barcode
bridal bouquet; nursery with a baby crib; chandelier in an opera house; stained glass window in a cathedral
pumpkin soup recipe; sushi platter with salmon; loaf of sourdough bread; cheeseboard with grapes
penguins on an iceberg; elephants at a waterhole; coral reef with clownfish; polar bear on sea ice
giraffe in the savanna; owl on a branch at night; butterfly on lavender; honeybees on a comb
cactus in a terracotta pot; tulip fields in holland; orchid in a greenhouse; mushrooms in a forest
jet engine turbine blades; steam locomotive on a viaduct; container ship in a harbour; oil rig at sea
nuclear cooling towers; wind turbines at dusk; solar panels on a roof; power lines in fog
northern lights over iceland; erupting volcano with lava; lightning over a wheat field; total solar eclipse
egyptian pyramids at sunrise; taj mahal reflection; great wall of china in mist; machu picchu from above
medieval manuscript page; roman coin collection; samurai armour in a museum; greek marble statue
wine cellar with oak barrels; coffee beans roasting; cocktail with an olive; pizza oven with flames
operating theatre with surgeons; dentist chair; pharmacy shelf with boxes; blood pressure monitor
stock exchange trading floor; parliament in session; courtroom sketch; voting booth
typewriter on a desk; broken laptop screen; server rack with cables; old rotary telephone
submarine control room; cockpit of an airliner; empty swimming pool tiles; parking garage ramp
grandfather clock; antique violin; porcelain teapot; persian carpet pattern
"""
"""Subjects that the captions, people and dogs out of doors, do not have: other fields, documents, animals, places."""


def unrelated() -> list[str]:
    """The queries that have no answer."""
    return [query.strip() for query in UNRELATED.replace("\n", ";").split(";") if query.strip()]


def emptied(index: Index, queries: list[str]) -> np.ndarray:
    """Which queries come back empty."""
    return np.array([float(not index.search(query)) for query in queries])


def measure(photos: list[Captioned], keywords: list[str]) -> bool:
    """Measure one library."""
    home, _ = library_of(photos)
    index = Index.open(home)
    asked = np.random.default_rng(2).permutation(len(photos))[:QUERIES]
    shares = {
        "unrelated": emptied(index, unrelated()),
        "sentences": emptied(index, [photos[at].captions[3 + at % 2] for at in asked]),
        "keywords": emptied(index, [keywords[at] for at in asked]),
    }
    print(f"{len(photos)} rows, share of queries that come back empty [95 % interval]")
    for kind, values in shares.items():
        print(f"  {kind:10} {interval(values)}  of {len(values)}")
    shutil.rmtree(home)
    means = {kind: float(values.mean()) for kind, values in shares.items()}
    return len(photos) < LEAST or (
        means["unrelated"] >= 0.8 and means["sentences"] <= 0.05 and means["keywords"] <= 0.05
    )


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    photos = read_captions(captions_file())
    keywords, order = rarest(photos), np.random.default_rng(5).permutation(len(photos))
    held = [measure([photos[at] for at in order[:size]], [keywords[at] for at in order[:size]]) for size in SIZES]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
