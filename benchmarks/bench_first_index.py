"""The first index without a key: names of things, text and places together, to the same run with none of them.

Claim: at most 2.5 times as long. Both sides index as many photos in a library and a process of their own, in turns; the
plain side's photos have no position and are asked about their pixels alone. Needs the extras `labels` and `ocr`.

Usage: bench_first_index.py [PHOTOS [ROUNDS]]
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from corpus import told
from PIL import Image, ImageDraw, ImageFont

from indexer.media.text import text_installed
from indexer.providers.local import MODEL, SPEC, labels_installed

SAMPLES = sorted((Path(__file__).parents[1] / "sample_images").glob("*.jpg"))
MOST = 2.5
SCREENSHOTS = 20
"""One photo in so many is a screenshot."""


def make(folder: Path, count: int, *, placed: bool) -> None:
    """Write photos of 3 megapixels, other crops of the samples; with positions all over Europe where `placed`."""
    folder.mkdir()
    draw = random.Random(1)
    sources = [Image.open(path).convert("RGB") for path in SAMPLES]
    for number in range(count):
        source = sources[number % len(sources)]
        left, top = draw.randrange(source.width // 4), draw.randrange(source.height // 4)
        part = (left, top, left + source.width * 3 // 4, top + source.height * 3 // 4)
        picture = source.crop(part).resize((2048, 1536))
        if number % SCREENSHOTS == 0:
            picture = Image.new("RGB", (1080, 1920), "white")
            for row in range(12):
                line = f"Message {number} of {draw.randrange(1000)}, line {row}"
                ImageDraw.Draw(picture).text((60, 100 + 140 * row), line, fill="black", font=ImageFont.load_default(44))
        exif = Image.Exif()
        if placed:
            north, east = draw.uniform(38, 58), draw.uniform(0, 28)
            exif.get_ifd(0x8825).update({1: "N", 2: (north, 0.0, 0.0), 3: "E", 4: (east, 0.0, 0.0)})
        picture.save(folder / f"IMG_{number:05}.jpg", quality=85, exif=exif)


def index(photos: Path, home: Path, model: str) -> float:
    """Seconds that the command took."""
    shutil.rmtree(home, ignore_errors=True)
    command = [Path(sys.executable).with_name("index"), "--library", home, photos, "--provider", "local"]
    begun = time.perf_counter()
    done = subprocess.run([*command, "--model", model, "--json"], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(done.stderr)
    assert json.loads(done.stdout)["files"]["described"] == sum(1 for _ in photos.iterdir())
    return seconds


def main() -> int:
    """Measure, print, and return 1 when the claim does not hold."""
    if not (labels_installed() and text_installed()):
        raise SystemExit("bench_first_index.py needs the extras `labels` and `ocr`")
    count, rounds = (int(given) for given in (*sys.argv[1:], *("300", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory(prefix="captionary-bench-") as folder:
        home = Path(folder)
        make(home / "placed", count, placed=True)
        make(home / "plain", count, placed=False)
        make(home / "first", 4, placed=True)
        index(home / "first", home / "warm", SPEC.default_model)  # the networks are exported once a machine
        full, plain = [], []
        for _ in range(rounds):
            full.append(index(home / "placed", home / "full", SPEC.default_model))
            plain.append(index(home / "plain", home / "bare", MODEL))
    ratio = statistics.median(full) / statistics.median(plain)
    seconds = f"{statistics.median(full):.1f} s to {statistics.median(plain):.1f} s"
    what = f"first index of {count} photos, to one without names, text and places"
    print(f"| {what} | {ratio:.2f} ({seconds}) | at most {MOST} | {told(ratio <= MOST)} |")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
