"""Bombs: small files that unpack into gigabytes, claim sizes that nobody has, or go round for ever."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.attack.tally import Tally, Typed
from tests.support import hostile
from tests.support.commands import SAMPLES, environment

_BIN = Path(sys.executable).parent
_SECONDS = 60.0
_MEMORY = 4000 << 20  # the largest WebP takes 3.2 GB where a machine allows it
_WORKER = ("--provider", "local", "--workers", "1")


def _entities(depth: int) -> str:
    """An XML of a kilobyte that unfolds into ten to the power of `depth` words."""
    told = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, depth))
    packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    return f'<!DOCTYPE x [<!ENTITY l0 "lol">{told}]>{packet}&l{depth - 1};</rdf:RDF></x:xmpmeta>'


def _ztxt(size: int) -> bytes:
    return hostile.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))


def _profile(size: int) -> bytes:
    return hostile.chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(size), 9))


def _tiff_circle() -> bytes:
    """A TIFF whose directories name each other."""
    entries = [(0x100, 4, 1, 8), (0x101, 4, 1, 8), (0x14A, 4, 1, 8), (0x8769, 4, 1, 8), (0x8825, 4, 1, 8)]
    return b"II*\0" + struct.pack("<I", 8) + hostile.directory(entries, following=8) + bytes(64)


def _tiff_of_counts() -> bytes:
    """A TIFF whose tags have four billion values."""
    entries = [(tag, kind, 2**32 - 1, 8) for tag, kind in ((0x100, 4), (0x111, 4), (0x117, 4), (0x10E, 2), (0x2BC, 1))]
    return b"II*\0" + struct.pack("<I", 8) + hostile.directory(entries) + bytes(64)


def _webp(width: int, height: int) -> bytes:
    """A lossless WebP that begins and does not go on."""
    bits = (width - 1) | (height - 1) << 14
    body = b"WEBPVP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", bits) + b"\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _gif(frames: int) -> bytes:
    """A GIF of that many frames, each of all its sides."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 16_000, 16_000, 0) + b"\x02\x02\x4c\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 16_000, 16_000, 0x80, 0, 0) + bytes(6) + frame * frames + b"\x3b"


BOMBS: dict[str, Callable[[], dict[str, bytes]]] = {
    "PNG of 900 megapixels": lambda: {"a.png": hostile.png_bomb(30_000, 30_000)},
    "PNG that claims all": lambda: {"a.png": hostile.png_claiming(2**31 - 1, 2**31 - 1)},
    "JPEG that claims much": lambda: {"a.jpg": hostile.jpeg_claiming(65_000, 65_000)},
    "JPEG of scans": lambda: {"a.jpg": hostile.jpeg_of_scans(20_000)},
    "BMP that claims much": lambda: {"a.bmp": hostile.bmp_claiming(2**30, 2**30)},
    "WebP of 3 gigabytes": lambda: {"a.webp": _webp(16_383, 16_383)},
    "GIF of frames": lambda: {"a.gif": _gif(5000)},
    "TIFF in a circle": lambda: {"a.tif": _tiff_circle()},
    "TIFF of counts": lambda: {"a.tif": _tiff_of_counts()},
    "text in a PNG": lambda: {"a.png": hostile.with_chunks(hostile.saved(hostile.scene()), _ztxt(1 << 27))},
    "profile in a PNG": lambda: {"a.png": hostile.with_chunks(hostile.saved(hostile.scene()), _profile(1 << 27))},
    "entities in a sidecar": lambda: {
        "a.jpg": hostile.saved(hostile.scene(), "JPEG"),
        "a.jpg.xmp": _entities(10).encode(),
        "a.xmp": _entities(10).encode(),
    },
    "entities in a PNG": lambda: {
        "a.png": hostile.with_chunks(
            hostile.saved(hostile.scene()), hostile.text_chunk("XML:com.adobe.xmp", _entities(10))
        )
    },
    "deep Takeout": lambda: {
        "a.jpg": hostile.saved(hostile.scene(), "JPEG"),
        "a.jpg.json": b'{"a":' * 200_000,
        "a.jpg.supplemental-metadata.json": b"[" * 2_000_000,
    },
    "large sidecar": lambda: {"a.jpg": hostile.saved(hostile.scene(), "JPEG"), "a.jpg.xmp": b"<x>" * (30 << 20)},
    "patterns": lambda: {".captionignore": (b"**/" * 2000 + b"*a" * 2000 + b"\n") * 50 + b"[" * 1_000_000},
    "boxes in boxes": lambda: {
        "a.heic": struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"heicmif1" + b"\0\0\0\1meta" * 50_000,
        "a.avif": struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"avifmif1" + b"\0\0\0\0meta" * 50_000,
    },
}


def bombs(home: Path, work: Path, names: tuple[str, ...] = tuple(BOMBS), *, alone: bool = True) -> Tally:
    """Put each beside a good photo, and all of them beside it; only they fail, in bounded time and memory."""
    tally = Tally("bombs")
    for number, told in enumerate([*((name,) for name in names if alone), names]):
        place = work / f"bomb-{number}"
        library = shutil.copytree(home, place / "library")
        photos = place / "photos"
        photos.mkdir()
        shutil.copy(next(SAMPLES.glob("*.jpg")), photos / "good.jpg")
        for name in told:
            folder = photos / name.replace(" ", "-")
            folder.mkdir()
            for file, raw in BOMBS[name]().items():
                (folder / file).write_bytes(raw)
        tally.judge(" and ".join(told)[:80], _fault(library, photos))
        shutil.rmtree(place)
    return tally


def _fault(library: Path, photos: Path) -> str:
    began = time.monotonic()
    done, most = _run("index", "--library", library, photos, *_WORKER)
    took = time.monotonic() - began
    found, _ = _run("search", "--library", library, "--in", photos, "--paths", "--min-score", "0", "photo")
    fault = done.fault((0, 4))
    if fault or took > _SECONDS or most > _MEMORY:
        return fault or f"{took:.0f} s and {most >> 20} MiB"
    return "" if str(photos / "good.jpg") in found.out else f"the good photo is gone: {json.dumps(done.err[-300:])}"


def _run(*command: str | Path) -> tuple[Typed, int]:
    """Run a command; with it, the bytes that it or the largest of its workers held."""
    name, *words = command
    env = environment(PYTHONDONTWRITEBYTECODE="1")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen([_BIN / name, *words], env=env, stdout=out, stderr=err)
        watch = threading.Timer(2 * _SECONDS, process.kill)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        watch.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        said = [stream.seek(0) or stream.read().decode("utf-8", "replace") for stream in (out, err)]
    return Typed(process.returncode, *said), used.ru_maxrss << 10
