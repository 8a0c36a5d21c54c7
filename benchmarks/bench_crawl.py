"""How fast pictures are opened: 12 MP JPEGs through the worker pool, against a naive loop and against the floor.

    python benchmarks/bench_crawl.py

- *ours*: walk, sniff, sha256, facts, rendition, pixel digest, perceptual hash, packed as lines of a batch file
- *naive*: one process, `Image.open().convert("RGB").resize()`, JPEG, sha256, base64, json
- *floor*: as many processes as ours, doing nothing but a draft decode, a resize and a JPEG encode

All times include the start of their processes. Rounds are interleaved, ratios are those of the medians.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import multiprocessing
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from indexer.crawl.inspect import WorkOptions
from indexer.crawl.pool import examine, usable_cores
from indexer.crawl.walk import walk
from indexer.domain.keys import digest
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.pipeline.send.framing import ShardWriter
from indexer.providers.gemini.adapter import Gemini

SAMPLES = Path(__file__).parents[1] / "sample_images"
SIZE = (4032, 3024)
PICTURES = 8
COPIES = 10  # names for the same bytes: more to do, without more to keep in the page cache
NAIVE_COPIES = 2
ROUNDS = 3


def plant(root: Path) -> None:
    """Make 12 MP photos with the grain of a sensor, 2 to 3 MB each, and further names for them."""
    for number, path in enumerate(sorted(SAMPLES.glob("*.jpg"))[:PICTURES]):
        with Image.open(path) as sample:
            large = sample.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
        grain = Image.merge("RGB", [Image.effect_noise(SIZE, 8) for _ in "RGB"])
        first = root / f"0_{number}.jpg"
        Image.blend(large, grain, 0.25).save(first, quality=88)
        for copy in range(1, COPIES):
            os.link(first, root / f"{copy}_{number}.jpg")


def ours(root: Path) -> int:
    """Crawl and pack."""
    gemini = Gemini("not-a-key")
    service = gemini.batches
    assert service
    question = Question("gemini", gemini.spec.default_model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    prompt = fill(question.template, question.settings.language)
    found = (file for folder in walk([os.fsencode(root)]) for file in folder.files)
    with tempfile.TemporaryDirectory() as scratch, ShardWriter(Path(scratch) / "shard.jsonl") as shard:
        for seen in examine(found, options=WorkOptions()):
            assert seen.rendition, seen.failure
            key = digest(seen.rendition.digest)[:20]
            shard.write(service.encode(Request(key, question, seen.rendition.jpeg, prompt)))
        return shard.lines


def naive(root: Path) -> int:
    """Do what a first script does, one photo after the other."""
    paths = [path for path in sorted(root.iterdir()) if int(path.name[0]) < NAIVE_COPIES]
    with tempfile.TemporaryFile("w") as shard:
        for path in paths:
            content = path.read_bytes()
            with Image.open(path) as image:
                small = image.convert("RGB").resize((768, 576))
            buffer = io.BytesIO()
            small.save(buffer, "JPEG", quality=85)
            line = {"key": hashlib.sha256(content).hexdigest(), "data": base64.b64encode(buffer.getvalue()).decode()}
            shard.write(json.dumps(line) + "\n")
    return len(paths)


def shrink(path: str) -> int:
    """Draft decode, resize, encode."""
    with Image.open(path) as image:
        image.draft("RGB", (768, 768))
        image.thumbnail((768, 768), Image.Resampling.LANCZOS, reducing_gap=1.0)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=80)
    return len(buffer.getvalue())


def floor(root: Path) -> int:
    """Do only what no crawl can leave out, in a plain pool."""
    paths = [str(path) for path in sorted(root.iterdir())]
    with multiprocessing.get_context("spawn").Pool(usable_cores()) as pool:
        return len(list(pool.imap(shrink, paths, chunksize=4)))


def processor_seconds() -> float:
    """Return what this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """Print one table."""
    ways: dict[str, Callable[[Path], int]] = {"floor": floor, "ours": ours, "naive": naive}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        plant(root)
        mean = statistics.mean(path.stat().st_size for path in root.iterdir())
        print(
            f"{PICTURES * COPIES} JPEGs of 12.2 MP, {mean / 1e6:.1f} MB each, {usable_cores()} cores, {ROUNDS} rounds"
        )
        for _ in range(ROUNDS):
            for name, work in ways.items():
                before, started = processor_seconds(), time.perf_counter()
                count = work(root)
                rates[name].append(count / (time.perf_counter() - started))
                costs[name].append((processor_seconds() - before) / count)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in medians.items():
        spread = f"{min(rates[name]):.1f} to {max(rates[name]):.1f}"
        print(
            f"{name:6} {median:6.1f} photos/s ({spread}), {1000 * statistics.median(costs[name]):4.0f} CPU ms a photo"
        )
    print(f"ours = {medians['ours'] / medians['naive']:.1f} x naive, {medians['ours'] / medians['floor']:.2f} x floor")


if __name__ == "__main__":
    main()
