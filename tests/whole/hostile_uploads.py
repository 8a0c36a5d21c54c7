"""Uploads that nobody means well, through the inbox: refused at the door or for a person, approved only on an answer.

    python -m tests.whole.hostile_uploads [DAMAGED]

DAMAGED copies of a picture of each format, and odd pictures that are whole, stand beside files that are broken on
purpose. Exit code 1 when an upload was lost, when one that cannot be looked at was approved, or when anything was
approved that nobody answered about.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from indexer.domain.errors import UsageError
from indexer.library.api import Library, Seams
from tests.support import hostile
from tests.support.services import SHOPS, environ
from tests.support.uploads import CHECKS, CODED, Hand, Judge

_HOUR = 3600.0
_FORMATS = ("plain.jpg", "plain.png", "plain.webp", "plain.heic", "plain.avif", "plain.gif", "plain.tif", "camera.nef")
_NAMES = ("../../etc/passwd", "<b>bold", "'; DROP TABLE uploads; --", "\u202etfel", "-rf", "a" * 200)
_NO_NAMES = ("", "a" * 201, "new\nline", "\x1b[2J", "\ud800")


def corpus(damaged: int) -> Iterator[tuple[str, bytes, bool]]:
    """Yield name, bytes, and whether a model may see a picture in them."""
    for name, (raw, _) in hostile.broken().items():
        yield name, raw, False
    for name, (raw, _) in CODED.items():
        yield f"{name} cut", raw[: len(raw) // 2], False
        yield f"{name} with a tail", raw + b"<script>" * 99, True
    yield "text", b"../../etc/passwd", False
    yield "head of a JPEG", b"\xff\xd8\xff\xe0" + bytes(500), False
    odd = hostile.unusual()
    for name in (*_NAMES, *_NO_NAMES):
        yield name, odd["plain.png"] + name.encode("utf-8", "replace"), True
    if damaged:
        yield from ((f"odd {name}", raw, True) for name, raw in odd.items())
    for kind in _FORMATS:
        for number, raw in enumerate(hostile.mutations(odd[kind], damaged, seed=7)):
            yield f"damaged {number} {kind}", raw, True


def play(folder: Path, damaged: int) -> tuple[Counter[str], list[str]]:
    """Put it all in; returns how many ended in which way, and what does not hold."""
    (folder / "checks.toml").write_text(CHECKS)
    ends: Counter[str] = Counter()
    blind, names = set[str](), set[str]()
    with Judge() as judge:
        clock = Hand(judge)
        told = environ(SHOPS["openai"], judge)
        with Library.open(folder / "library", seams=Seams(environ=told, clock=clock)) as library:
            inbox = library.inbox(folder / "checks.toml", provider="openai", within="10m")
            for name, raw, seen in corpus(damaged):
                try:
                    inbox.add(name, raw)
                except UsageError:
                    ends["refused"] += 1
                    continue
                names.add(name)
                if not seen:
                    blind.add(name)
            for _ in range(3):
                inbox.advance()
            clock.sleep(_HOUR)
            inbox.advance()
            found = {verdict.id: verdict for verdict in inbox.verdicts()}
            inbox.close()
    ends.update(verdict.decision for verdict in found.values())
    faults = [f"{name!r} has no verdict" for name in names - found.keys()]
    faults += [
        f"{name!r} was {found[name].decision}" for name in blind & found.keys() if found[name].decision != "human"
    ]
    faults += [
        f"{verdict.id!r} was approved without an answer"
        for verdict in found.values()
        if verdict.decision == "approve" and not (verdict.description and verdict.moderation)
    ]
    return ends, faults


def main() -> int:
    """Play it, and print how all ended."""
    damaged = int(sys.argv[1]) if len(sys.argv) > 1 else 250
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        ends, faults = play(Path(folder), damaged)
    for fault in faults[:20]:
        print(fault)
    told = ", ".join(f"{count:,} {how}" for how, count in sorted(ends.items()))
    print(f"{ends.total():,} uploads: {told}; {len(faults)} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
