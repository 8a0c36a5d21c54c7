"""Batches at scale: peak memory of a run of 20,000 photos against one of 200, and the rates of packing and parsing.

    python benchmarks/bench_batches.py [PHOTOS] [gemini|openai]

The photos lie in the ledger and in the spool as after a crawl; from there on everything is real: shards are packed,
checked, uploaded over HTTP, downloaded, collected and written to the table, by a process of its own for each size. The
service is the tests' emulator, in another process; at OpenAI nothing but its limit of bytes cuts shards. The rates are
against plain `json.dumps` and `json.loads` loops over the same documents, interleaved in this run.
"""

from __future__ import annotations

import base64
import io
import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from PIL import Image

from indexer.storage.layout import BATCHES_FOLDER, RENDITIONS_FILE

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer.domain.keys import digest
from indexer.domain.mode import Mode
from indexer.domain.photo import Facts, Rendition
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.ledger.photos import files
from indexer.ledger.photos.files import Sighting, Stat
from indexer.ledger.spend import approvals
from indexer.ledger.spend.approvals import Yes
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts
from indexer.ledger.work import items, questions
from indexer.library.api import Library
from indexer.media.rendition import DIGEST_VERSION
from indexer.media.rendition_cache import Spool
from indexer.providers.gemini.adapter import Gemini
from tests.fakes.gemini import EmulatorProcess
from tests.fakes.gemini.captions import Caption
from tests.fakes.gemini.pictures import Picture
from tests.fakes.openai import FakeOpenAI

PHOTOS = 20_000
FEW = 200
ROUNDS = 5
_LINES = 400
_ALLOWED_MB = 200
_QUESTION = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
_OPENAI = Question("openai", "gpt-6-luna", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
_SAMPLE = Path(__file__).parent.parent / "sample_images" / "mountain_trail.jpg"
_CHILD = """
import resource, sys
from indexer.library.api import Library
report = Library.open(sys.argv[1]).collect(wait=True)
print(report.files.described, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def picture() -> bytes:
    """A rendition of about 56 KB, which makes a line of 76 KB."""
    with Image.open(_SAMPLE) as image:
        image.thumbnail((768, 768))
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=62)
    return stream.getvalue()


def forge(home: Path, count: int, question: Question = _QUESTION, mode: Mode = Mode.BATCH) -> None:
    """Make a library that has crawled `count` photos, and is approved to ask about all of them."""
    with Library.open(home):
        (home / BATCHES_FOLDER).mkdir()
    ledger, spool, jpeg = Ledger.open(home), Spool(home / BATCHES_FOLDER / RENDITIONS_FILE), picture()
    for start in range(0, count, 1000):
        numbers = range(start, min(count, start + 1000))
        photos = files.record_sightings(ledger, 1, [_sighting(number) for number in numbers], DIGEST_VERSION)
        spool.put([(photo, jpeg + sha.encode()) for sha, photo in photos.items()])
    photos_known = [row[0] for row in ledger.connection.execute("SELECT id FROM photos")]
    run = counts.begin_run(ledger, "run")
    with ledger.transaction("approval") as transaction:
        campaign = approvals.begin_campaign(transaction)
        approvals.approve(transaction, campaign, Yes("{}", 1e6))
        items.want(transaction, question, photos_known, campaign, mode)
        counts.record_asked(transaction, run, questions.question_id(transaction, question), mode)
    spool.close()
    ledger.close()


def _sighting(number: int) -> Sighting:
    path = f"/photos/{number // 500:03}/{number:06}.jpg".encode()
    drawn = Rendition(digest(path), "0" * 16, 4032, 3024, "jpeg", b"")
    stat = Stat(1000, 1, 0, 0)
    return Sighting(path, path.rpartition(b"/")[0], stat, True, digest(b"b", path), Facts(), None, drawn, None)


@contextmanager
def _gemini(state: Path) -> Iterator[Mapping[str, str]]:
    with EmulatorProcess(state) as service:
        yield {"GEMINI_API_KEY": "key", "GOOGLE_GEMINI_BASE_URL": service.url}


@contextmanager
def _openai(state: Path) -> Iterator[Mapping[str, str]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve_openai, args=(state, theirs), daemon=True)
    process.start()
    yield {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": ours.recv(), "CAPTIONARY_SHARD_LINES": "50000"}
    process.terminate()
    process.join()
    with closing(sqlite3.connect(state / "service.sqlite3")) as books:
        told = "SELECT count(*), max(bytes) FROM requests WHERE route = 'upload'"
        number, largest = books.execute(told).fetchone()
    print(f"{number} uploads, the largest of {largest / 1e6:.1f} MB")


class _OneMotif(FakeOpenAI):
    """All photos of this benchmark show the same, so one is looked at; their last bytes differ."""

    def look(self, data: bytes, mime_type: str) -> tuple[Picture, Caption]:
        picture, caption = super().look(data[: -len(digest(b""))], mime_type)
        return replace(picture, sha256=digest(data)), caption


def _serve_openai(state: Path, told: Connection) -> None:
    with _OneMotif(state) as service:
        told.send(service.url)
        service.stopping.wait()


def peak(scratch: Path, count: int, provider: str) -> int:
    """Return the peak memory in MB of a process that sends and collects `count` photos."""
    home, question, start = scratch / f"library-{count}", *_SERVICES[provider]
    forge(home, count, question)
    with start(scratch / f"service-{count}") as variables:
        env = {**os.environ, **variables, "HF_HUB_OFFLINE": "1"}
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _CHILD, home], env=env, check=True, stdout=subprocess.PIPE)
        spent = time.perf_counter() - started
    described, megabytes = map(int, done.stdout.split())
    print(f"{count:7,} photos: {described:,} described, peak {megabytes} MB, {spent:.0f} s", flush=True)
    assert described == count
    return megabytes


_SERVICES = {"gemini": (_QUESTION, _gemini), "openai": (_OPENAI, _openai)}


def rates() -> None:
    """Print packing and parsing against plain loops: medians of interleaved rounds."""
    provider, jpeg = Gemini("key"), picture()
    prompt = fill(DEFAULT_TEMPLATE, "English")
    requests = [Request(f"k{number}", _QUESTION, jpeg, prompt) for number in range(_LINES)]
    first = json.loads(provider.batches.encode(requests[0]))
    words = {"description": "Two dogs look out of a window. " * 8, "tags": ["dog", "window"] * 8, "visible_text": ""}
    candidate = {"content": {"parts": [{"text": json.dumps(words)}], "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 800, "candidatesTokenCount": 150, "totalTokenCount": 950}
    row = json.dumps({"response": {"candidates": [candidate], "usageMetadata": usage}, "key": "k"}).encode()

    def dumped() -> None:
        for _ in requests:
            first["request"]["contents"][0]["parts"][0] = {
                "inline_data": {"mime_type": "image/jpeg", "data": base64.b64encode(jpeg).decode()}
            }
            json.dumps(first).encode()

    ways: dict[str, Callable[[], object]] = {
        "encode": lambda: [provider.batches.encode(request) for request in requests],
        "json.dumps": dumped,
        "decode": lambda: [provider.batches.decode(row) for _ in range(_LINES)],
        "json.loads twice": lambda: [json.loads(_text(json.loads(row))) for _ in range(_LINES)],
    }
    times = _interleaved(ways)
    for name, spent in times.items():
        print(f"{name:18} {_LINES / spent:9,.0f} lines/s")
    print(f"encode = {times['json.dumps'] / times['encode']:.2f} x the rate of json.dumps with base64")
    print(f"decode = {times['json.loads twice'] / times['decode']:.2f} x the rate of json.loads of line and answer")


def _text(row: dict) -> str:  # type: ignore[type-arg]
    return str(row["response"]["candidates"][0]["content"]["parts"][0]["text"])


def _interleaved(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(spent) for name, spent in times.items()}


def main(count: str = str(PHOTOS), provider: str = "gemini") -> None:
    """Print the rates, which are Gemini's, then the memory."""
    if provider == "gemini":
        rates()
    with tempfile.TemporaryDirectory() as scratch:
        few, many = peak(Path(scratch), FEW, provider), peak(Path(scratch), int(count), provider)
    print(f"{many - few:+} MB for {int(count):,} photos over {FEW}; allowed are {_ALLOWED_MB}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
