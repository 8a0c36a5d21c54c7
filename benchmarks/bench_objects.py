"""Photos and table in object storage: an unchanged crawl against the listing alone, a search against a local one.

    python benchmarks/bench_objects.py CAPTIONS.tsv [OBJECTS] [ROWS] [FOLDER]

The store is moto's S3 server in a process of its own, its objects are laid into its memory. The ledger is filled in as
bench_unchanged.py does it, the table is made as bench_search.py does it. All sides take turns, ratios are those of the
medians. Claims: the crawl takes at most twice the listing; a warm search from the store takes at most three times one
of the same table in the library, as a whole process and in an index that stays open. FOLDER keeps what was made for
the next time; 0 OBJECTS or ROWS leave a part out.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench_search import build
from bench_unchanged import forge

from indexer.table.local_copy import local_copy
from indexer.table.published import Published
from search import Index

OBJECTS, ROWS, ROUNDS, WARM = 100_000, 100_000, 3, 60
BUCKET = "benchmark"
_SERVER = """
import logging, sys, time
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
store.create_bucket(sys.argv[1], "us-east-1")
for number in range(int(sys.argv[2])):
    store.put_object(sys.argv[1], f"photos/{number // 500:04}/IMG_{number:07}.JPG", b"a picture")
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
_LISTING = """
import os, sys
from indexer.storage import objects
print(sum(len(page) for page in objects.pages(os.fsencode(sys.argv[1]))))
"""


@contextmanager
def store(objects: int) -> Iterator[None]:
    """A server with so many objects, which this process and its children take for Amazon's."""
    command = [sys.executable, "-c", _SERVER, BUCKET, str(objects)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        assert server.stdin
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.stdout.readline().strip()}",
            "AWS_ACCESS_KEY_ID": "an-access-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_REGION": "us-east-1",
        }
        try:
            yield
        finally:
            server.stdin.close()


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Print and return the median seconds of each way; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if number:
                times[name].append(time.perf_counter() - started)
    for name, spent in times.items():
        print(f"  {name:28} {statistics.median(spent):8.3f} s ({min(spent):.3f} to {max(spent):.3f})", flush=True)
    return {name: statistics.median(spent) for name, spent in times.items()}


def run(*command: str | Path, **environ: str) -> str:
    """Run a process to its end and return what it wrote."""
    told = {**os.environ, **environ}
    return subprocess.run(command, env=told, check=True, capture_output=True, text=True).stdout


def crawl(scratch: Path, objects: int) -> bool:
    """Measure an unchanged crawl."""
    home, root = scratch / "library", f"s3://{BUCKET}/photos"
    if not home.exists():
        forge(home, root)  # type: ignore[arg-type]
    command = [Path(sys.executable).with_name("index"), "--library", home, "--json", root]
    assert int(run(sys.executable, "-c", _LISTING, root)) == objects
    assert json.loads(run(*command))["files"]["unchanged"] == objects
    ways = {"listing": lambda: run(sys.executable, "-c", _LISTING, root), "index ADDRESS": lambda: run(*command)}
    print(f"{objects:,} objects, as whole processes:")
    medians = in_turns(ways, ROUNDS)
    ratio = medians["index ADDRESS"] / medians["listing"]
    print(f"  unchanged crawl = {ratio:.2f} x listing   claim: at most 2", flush=True)
    return ratio <= 2


def search(scratch: Path, rows: int) -> bool:
    """Measure a search of a copy that was fetched before."""
    home, queries = _built(scratch / "rows", rows)
    far, uri, cache = scratch / "far", f"s3://{BUCKET}/table", scratch / "cache"
    shutil.rmtree(far, ignore_errors=True)
    shutil.rmtree(cache, ignore_errors=True)
    far.mkdir()
    (far / "captionary.toml").write_text(f'[table]\nuri = "{uri}"\n')
    shutil.copytree(home / "encoder", far / "encoder")
    started = time.perf_counter()
    copy = Published(uri, "bench")
    copy.replace(home / "lancedb")
    copy.maintain()
    print(f"{rows:,} rows: published in {time.perf_counter() - started:.0f} s", flush=True)
    program = Path(sys.executable).with_name("search")

    def process(library: Path) -> Callable[[], object]:
        text = queries[0]
        told = {"XDG_CACHE_HOME": str(cache)}
        return lambda: run(program, "--library", library, "--min-score", "0", text, **told)

    started = time.perf_counter()
    process(far)()
    print(f"  cold, as a whole process: {time.perf_counter() - started:.1f} s")
    medians = in_turns({"process, local": process(home), "process, store": process(far)}, ROUNDS)
    ratios = [medians["process, store"] / medians["process, local"]]
    near, there = Index.open(home), Index(far, local_copy(uri, cache / "captionary" / "tables", 10**10))
    texts = [iter(queries * 2), iter(queries * 2)]
    warm = {
        "open index, local": lambda: near.search(next(texts[0]), min_score=0),
        "open index, store": lambda: there.search(next(texts[1]), min_score=0),
    }
    medians = in_turns(warm, WARM)
    ratios.append(medians["open index, store"] / medians["open index, local"])
    print(f"  store = {ratios[0]:.2f} and {ratios[1]:.2f} x local   claim: at most 3", flush=True)
    return max(ratios) <= 3


def _built(kept: Path, rows: int) -> tuple[Path, list[str]]:
    """Make the table, or take the one that was made before."""
    told = kept / "queries.json"
    if not told.exists():
        home, queries = build(rows)
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(home, kept)
        told.write_text(json.dumps(queries))
    return kept, json.loads(told.read_text())


def main() -> int:
    """Measure, print, and return 1 when a claim does not hold."""
    objects = int(sys.argv[2]) if len(sys.argv) > 2 else OBJECTS
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else ROWS
    with tempfile.TemporaryDirectory() as scratch, store(objects):
        place = Path(sys.argv[4] if len(sys.argv) > 4 else scratch)
        place.mkdir(exist_ok=True)
        held = [measure(place, size) for measure, size in ((crawl, objects), (search, rows)) if size]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
