"""What the emulator says about a picture: hand-written for the samples, derived from the pixels for the rest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

from PIL import Image

from tests.fakes.gemini.pictures import GRID, Picture


@dataclass(frozen=True, slots=True)
class Caption:
    """One description."""

    description: str
    visible_text: str
    tags: tuple[str, ...]


def _caption(description: str, tags: str, visible_text: str = "") -> Caption:
    return Caption(description, visible_text, tuple(tag.strip() for tag in tags.split(",")))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SAMPLES = {
    "astronaut": _caption(
        "Smiling woman with short brown hair in an orange space suit with mission patches. She holds a white helmet "
        "with a dark visor in front of her. A flag of the United States hangs on the left and a model of a space "
        "shuttle with its rocket boosters stands on the right, before a grey studio backdrop.",
        "astronaut, woman, portrait, space suit, orange, helmet, nasa, flag, usa, space shuttle, rocket, smile, "
        "studio, short hair",
        "NASA",
    ),
    "cat_face": _caption(
        "Close-up of the face of a ginger tabby cat with green-yellow eyes looking to the right. The fur has dark "
        "stripes on the forehead, the nose is pinkish brown and long white whiskers spread to both sides. The "
        "background is a soft blur of cream and brown.",
        "cat, tabby, kitten, pet, animal, face, close-up, whiskers, fur, green eyes, ginger, indoor, portrait",
    ),
    "chinese_tower": _caption(
        "Multi-tiered Chinese tower with orange and green tiled roofs and red pillars rising above dense trees. "
        "Behind it a wide lake lies in haze, with small boats and a low island on the horizon under a pale blue sky.",
        "tower, pagoda, temple, china, architecture, roof tiles, lake, trees, haze, travel, summer, sky, landmark",
    ),
    "coffee_cup": _caption(
        "Red cup of espresso with a white inside on a red saucer, with a small metal spoon beside it. The set stands "
        "on a brown wooden table with visible grain, and warm light shines on the glaze.",
        "coffee, espresso, cup, mug, saucer, spoon, red, wooden table, cafe, drink, breakfast, brown, still life",
    ),
    "dandelions": _caption(
        "Dandelion seed head glowing in the light of a low sun, standing tall on its stem. More dandelion clocks are "
        "blurred in the dark green grass of the meadow behind, and the sun shines through trees at the edge.",
        "dandelion, seed head, flower, meadow, grass, sunset, backlight, golden hour, spring, nature, plant, "
        "close-up, green",
    ),
    "dogs_window": _caption(
        "Two brown long-eared dogs, probably spaniels, lean out of the open window of a grey wooden house, one above "
        "the other. A white curtain hangs behind them, and weathered boards and a wooden fence fill the foreground.",
        "dogs, two dogs, spaniel, window, house, wood, pets, animals, curtain, brown, grey, fence, daylight, outdoor",
    ),
    "fig_bowl": _caption(
        "Half a fig with red, seedy flesh in a pointed orange-red bowl. The bowl stands on rough grey concrete in "
        "strong sun and casts a hard, dark shadow to the upper left.",
        "fig, fruit, bowl, food, red, orange, shadow, concrete, sunlight, still life, minimal, top view",
    ),
    "forest_stream": _caption(
        "Stream running down small cascades between mossy grey rocks in a forest. Thin trees with green leaves stand "
        "on both banks, dead leaves cover the slope and the water is white where it falls.",
        "stream, brook, waterfall, cascade, forest, woods, rocks, moss, trees, water, nature, green, hiking, summer",
    ),
    "mountain_trail": _caption(
        "Eroded dirt trail crossing a grassy slope towards jagged grey mountains with patches of snow. A white cloud "
        "drifts over the ridge in a deep blue sky, and a few pale stones lie in the grass.",
        "mountains, trail, path, hiking, grass, snow, rocks, peaks, sky, cloud, landscape, summer, nature, blue sky",
    ),
    "paint_brushes": _caption(
        "Close-up of used paint brushes with blue, turquoise, pink and yellow bristles standing side by side. Their "
        "metal ferrules are spattered with dried paint, and the background is warm brown.",
        "paint brushes, brushes, paint, art, colourful, blue, turquoise, pink, yellow, bristles, craft, studio, "
        "close-up, tools",
    ),
    "wall_clock": _caption(
        "Tilted close-up of a round grey wall clock with thin black hands. The numerals are cut out of the face and "
        "glow yellow-green against a lit textured wall.",
        "clock, wall clock, time, numerals, hands, grey, yellow, green, design, modern, interior, close-up, abstract",
        "1",
    ),
}

_COLOURS = {
    "black": (20, 20, 20),
    "white": (240, 240, 240),
    "grey": (128, 128, 128),
    "red": (200, 40, 40),
    "orange": (230, 130, 40),
    "yellow": (225, 210, 60),
    "green": (60, 150, 60),
    "turquoise": (60, 190, 180),
    "blue": (50, 80, 200),
    "purple": (130, 60, 170),
    "pink": (235, 140, 180),
    "brown": (120, 80, 45),
}
_THINGS = _words(
    """lantern bicycle kettle harbour orchard staircase umbrella violin lighthouse tractor pumpkin anchor sailboat
    hammock typewriter windmill suitcase teapot ladder compass garden bridge tram market telescope basket fountain
    accordion greenhouse canoe bookshelf chessboard"""
)
_MANNERS = _words("woven polished painted weathered folded carved striped rusty glossy dusty frosted embroidered")
_PLACES = (
    "by a window",
    "on a shelf",
    "in a courtyard",
    "near a wall",
    "under a roof",
    "at the roadside",
    "on a terrace",
    "in a hall",
)
_CLOSINGS = (
    "The light is even.",
    "Soft light falls from one side.",
    "The edges lie in slight shade.",
    "The picture is taken from eye level.",
)
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


def caption(picture: Picture, seed: int = 0) -> Caption:
    """Return the caption of a picture: the same for the same bytes and seed, whatever the lane."""
    digest = bytes.fromhex(picture.sha256)
    known = SAMPLES.get(picture.sample)
    base = known if known is not None else _derived(picture, digest)
    choice = hashlib.sha256(digest + seed.to_bytes(8, "big", signed=True)).digest()[0]
    closing = _CLOSINGS[choice % len(_CLOSINGS)]
    return Caption(f"{base.description} {closing}", base.visible_text, base.tags)


def word(sha256: str) -> str:
    """Return the made-up word that stands in the caption of the picture with this content hash, and in no other."""
    number = int(sha256[:16], 16)
    letters = []
    for _ in range(5):
        number, index = divmod(number, len(_SYLLABLES))
        letters.append(_SYLLABLES[index])
    return "".join(letters)


def _derived(picture: Picture, digest: bytes) -> Caption:
    first, second = _dominant(picture.thumb)
    manner = _MANNERS[digest[0] % len(_MANNERS)]
    thing = _THINGS[digest[1] % len(_THINGS)]
    place = _PLACES[digest[2] % len(_PLACES)]
    shape = "wide" if picture.width > picture.height else "tall" if picture.height > picture.width else "square"
    bright = "bright" if sum(picture.thumb) / len(picture.thumb) > 127 else "dark"
    name = word(picture.sha256)
    text = (
        f"{manner.capitalize()} {thing} {place}, mostly {first} with some {second}. "
        f"A {bright} {shape} picture; the maker's mark reads like {name}."
    )
    return Caption(text, "", (thing, manner, first, second, shape, bright, name, "picture"))


def _dominant(thumb: bytes) -> tuple[str, str]:
    names = list(_COLOURS)
    quantized = Image.frombytes("RGB", (GRID, GRID), thumb).quantize(palette=_palette(), dither=Image.Dither.NONE)
    votes = sorted(((-count, names[index % len(names)]) for index, count in enumerate(quantized.histogram()) if count))
    return votes[0][1], votes[1][1] if len(votes) > 1 else votes[0][1]


@cache
def _palette() -> Image.Image:
    palette = Image.new("P", (1, 1))
    # A palette has 256 places; repeating ours keeps stray black out of it.
    palette.putpalette([channel for _ in range(256 // len(_COLOURS)) for rgb in _COLOURS.values() for channel in rgb])
    return palette
