"""Where the list of hits ends: questions that the library cannot answer are not answered, others are.

Claims, at each size: at least 88 % of unrelated queries are not answered, at most 5 % of keyword queries find nothing
at all, weaker matches counted, and at least 99 % of sentences are answered. Usage: bench_cutoff.py CAPTIONS.tsv
"""

from __future__ import annotations

import shutil
import sys

import numpy as np
from corpus import Captioned, captions_file, interval, library_of, rarest, read_captions, told

from search import Index

SIZES = (16, 50, 100, 300, 1_000, 4_000)
QUERIES = 600
LEAST_QUERIES = 400
"""Small libraries are made several times, of other photos, until they have answered so many queries."""

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


def tiers(index: Index, queries: list[str]) -> list[str]:
    """How each query is answered: answered, weak or nothing."""
    found = [index.search(query, min_score="weak", limit=1) for query in queries]
    return ["nothing" if not hits else "weak" if hits[0].weak else "answered" for hits in found]


def measure(photos: list[Captioned], keywords: list[str], pairs: list[str], size: int) -> bool:
    """Measure libraries of one size."""
    ways_of: dict[str, list[str]] = {kind: [] for kind in ("unrelated", "sentences", "keywords", "two words")}
    draw = np.random.default_rng(size)
    while len(ways_of["sentences"]) < LEAST_QUERIES:
        chosen = draw.permutation(len(photos))[:size]
        home, _ = library_of([photos[at] for at in chosen])
        index, asked = Index.open(home), chosen[:QUERIES]
        ways_of["unrelated"] += tiers(index, unrelated())
        ways_of["sentences"] += tiers(index, [photos[at].captions[3 + at % 2] for at in asked])
        ways_of["keywords"] += tiers(index, [keywords[at] for at in asked])
        ways_of["two words"] += tiers(index, [pairs[at] for at in asked])
        index.close()
        shutil.rmtree(home)
    print(f"{size} rows: answered, weak, nothing [95 % intervals]")
    for kind, ways in ways_of.items():
        shares = [interval(np.array([float(way == tier) for way in ways])) for tier in ("answered", "weak", "nothing")]
        print(f"  {kind:10} {'  '.join(shares)}  of {len(ways)}")
    held = True
    for what, kind, tier, wanted, claim in (
        ("unrelated queries not answered", "unrelated", "answered", False, "at least 88 %"),
        ("keyword queries with nothing at all", "keywords", "nothing", True, "at most 5 %"),
        ("sentences answered", "sentences", "answered", True, "at least 99 %"),
    ):
        hits = np.array([float((way == tier) == wanted) for way in ways_of[kind]])
        least, bound = claim.startswith("at least"), float(claim.split()[2]) / 100
        kept = bool(hits.mean() >= bound if least else hits.mean() <= bound)
        print(f"| {what}, {size:,} rows | {interval(hits)} of {len(hits)} | {claim} | {told(kept)} |")
        held &= kept
    return held


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    photos = read_captions(captions_file())
    keywords, pairs = rarest(photos), rarest(photos, 2)
    held = [measure(photos, keywords, pairs, size) for size in SIZES]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
