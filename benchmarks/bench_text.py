"""Text in pictures: how many words of clean screenshots, receipts and signs the extra `ocr` reads, and what it costs.

Claim: at least 95 % of all words, as search gets them: read from the small rendition that a crawl makes. Lines of fewer
than three letters, which are most often scraps, are left out by rule and count as missed here.

Usage: bench_text.py
"""

from __future__ import annotations

import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from corpus import told
from PIL import Image, ImageDraw, ImageFont

from indexer.media.rendition import decode, render
from indexer.media.text import read_text, text_installed, text_places

LEAST = 0.95
SAMPLES = Path(__file__).parents[1] / "sample_images"
FONTS = sorted(Path("/usr/share/fonts").rglob("*.ttf"))
PLAIN = re.compile(r"(DejaVu|Liberation)Sans(Mono)?(-Regular|-Bold)?\.ttf")

MESSAGES = """
Are we still meeting at the station tomorrow; Yes, platform seven at half past nine; Bring the blue umbrella please
The plumber called and comes on Thursday morning; Can you send me the address of the hotel; Happy birthday to you both
Battery; Display and brightness; Notifications; Storage almost full; Software update available; Privacy settings
Order confirmed; Your parcel arrives between noon and three; Track shipment; Contact support; Leave a review
Flight delayed until 18:45; Gate B12; Boarding starts in twenty minutes; Window seat; Hand luggage only
Meeting notes from Monday; Budget approved for the second quarter; Hire one more designer; Next review in October
"""
GOODS = (
    "bread; butter; coffee; apples; cheese; tomatoes; yoghurt; noodles; napkins; shampoo; candles; batteries; stamps"
)
SIGNS = """
OPEN DAILY; NO PARKING; EMERGENCY EXIT; CITY LIBRARY; PLEASE RING THE BELL; BEWARE OF THE DOG; FRESH FISH MARKET
PLATFORM 4 TRAINS TO OXFORD; WET FLOOR; ROAD CLOSED AHEAD; GRAND HOTEL; BOOKS AND RECORDS; CAUTION HIGH VOLTAGE
TICKETS AND INFORMATION; PULL; MUSEUM OF MODERN ART; SPEED LIMIT 30; FARM SHOP NEXT LEFT; PRIVATE PROPERTY; WELCOME
"""


def listed(text: str) -> list[str]:
    """The entries of a list above."""
    return [one.strip() for one in text.replace("\n", ";").split(";") if one.strip()]


def font(draw: random.Random, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A plain font of this machine, or the one that Pillow brings."""
    plain = [path for path in FONTS if PLAIN.fullmatch(path.name)]
    chosen = draw.choice([None, *plain])
    return ImageFont.load_default(size) if chosen is None else ImageFont.truetype(chosen, size)


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of text with the places of their corners, drawn in one font."""

    kind: str
    size: tuple[int, int]
    lines: list[tuple[int, int, str]]
    letters: ImageFont.FreeTypeFont | ImageFont.ImageFont
    ground: str
    ink: str

    def picture(self) -> Image.Image:
        """The page, drawn."""
        drawn = Image.new("RGB", self.size, self.ground)
        pen = ImageDraw.Draw(drawn)
        for x, y, line in self.lines:
            pen.text((x, y), line, fill=self.ink, font=self.letters)
        return drawn


def screenshots(draw: random.Random) -> Iterator[Page]:
    """Telephones and windows, light and dark."""
    for number in range(10):
        size, height = ((750, 1334), 28) if number % 2 else ((1280, 800), 30)
        ground, ink = draw.choice([("white", "#222222"), ("#1c1c1e", "#f0f0f0"), ("#e8f0fe", "#102040")])
        texts = draw.sample(listed(MESSAGES), 7)
        lines = [(40 + 20 * (row % 2), 60 + row * size[1] // 8, text) for row, text in enumerate(texts)]
        letters = font(draw, height)
        widest = max(letters.getlength(text) for text in texts)
        size = (max(size[0], int(widest) + 100), size[1])
        yield Page("screenshots", size, lines, letters, ground, ink)


def receipts(draw: random.Random) -> Iterator[Page]:
    """Names on the left, prices on the right."""
    for _ in range(10):
        lines = [(150, 40, "CORNER STORE"), (60, 100, "12 Station Road")]
        for row, name in enumerate(draw.sample(listed(GOODS), 8)):
            lines += [(60, 180 + 60 * row, name), (420, 180 + 60 * row, f"{draw.randint(100, 2999) / 100:.2f}")]
        lines += [(60, 700, "TOTAL"), (420, 700, f"{draw.randint(3000, 9999) / 100:.2f}"), (60, 780, "Thank you")]
        yield Page("receipts", (600, 900), lines, font(draw, 30), "#fbfbf7", "#303030")


def signs(draw: random.Random) -> Iterator[Page]:
    """A few large words on a colour."""
    for text in listed(SIGNS):
        each = text.split()
        rows = [" ".join(each[at : at + 2]) for at in range(0, len(each), 2)]
        ground, ink = draw.choice(
            [("#0a5a2a", "white"), ("#f5c518", "black"), ("#b01020", "white"), ("white", "#003080")]
        )
        lines = [(60, 60 + 130 * row, line) for row, line in enumerate(rows)]
        yield Page("signs", (1100, 160 + 130 * len(rows)), lines, font(draw, 84), ground, ink)


def as_crawled(picture: Image.Image) -> Image.Image:
    """The rendition of a picture, as the keyless provider sees it."""
    stream = BytesIO()
    picture.save(stream, "PNG")
    return decode(render(stream.getvalue()).jpeg).convert("RGB")


def timed(times: list[float], work: Callable[[Image.Image], Any], picture: Image.Image) -> Any:
    """What `work` makes of a picture; its processor time is added to `times`."""
    begun = time.process_time()
    done = work(picture)
    times.append(time.process_time() - begun)
    return done


def words(text: str) -> Counter[str]:
    """The words of a text, whatever their case."""
    return Counter(re.findall(r"[\w.:]+", text.lower()))


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    if not text_installed():
        raise SystemExit("bench_text.py needs the extra `ocr`")
    draw = random.Random(1)
    asked: Counter[str] = Counter()
    read: Counter[str] = Counter()
    times: dict[str, list[float]] = {"glance, no text": [], "glance, text": [], "glance and reading": []}
    for page in (*screenshots(draw), *receipts(draw), *signs(draw)):
        picture, wanted = as_crawled(page.picture()), words("\n".join(line for _, _, line in page.lines))
        found = words(timed(times["glance and reading"], read_text, picture))
        timed(times["glance, text"], text_places, picture)
        asked[page.kind] += wanted.total()
        read[page.kind] += (wanted & found).total()
        if wanted - found:
            print(f"  {page.kind}: missed {' '.join((wanted - found).elements())}")
    passed = sum(
        bool(timed(times["glance, no text"], text_places, as_crawled(Image.open(path))))
        for path in SAMPLES.glob("*.jpg")
    )
    for kind in asked:
        print(f"| words read on {kind} | {read[kind]} of {asked[kind]} ({read[kind] / asked[kind]:.1%}) | - | - |")
    held = read.total() / asked.total() >= LEAST
    print(
        f"| all words | {read.total()} of {asked.total()} ({read.total() / asked.total():.1%}) | 95 % | {told(held)} |"
    )
    for what, seconds in times.items():
        print(
            f"| {what}, processor time, median of {len(seconds)} | {1000 * statistics.median(seconds):.0f} ms | - | - |"
        )
    print(f"  {passed} of {len(times['glance, no text'])} sample pictures were thought to have text")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
