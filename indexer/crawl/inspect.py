"""One file, opened: is it a picture, are its bytes known, what does it say of itself, what does it look like.

This is what a worker process runs, so it leads to nothing heavier than Pillow; and the process that only hands out
work need not load even that, which is why the imports stand where they are used.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from indexer.crawl.grounds import Grounds
from indexer.crawl.listing import Found
from indexer.domain.answer import Failure, Reason
from indexer.domain.photo import Facts, Rendition
from indexer.domain.workers import Workers
from indexer.media.far_renditions import put_far
from indexer.media.limits import DEFAULT_LIMITS, PictureLimits
from indexer.media.refusal import PictureError, TooSmall
from indexer.media.rendition_cache import Remembered
from indexer.media.sniff import HEAD_BYTES, Kind, by_name, sniff
from indexer.media.versions import DIGEST_VERSION
from indexer.storage import objects
from indexer.storage.paths import is_address
from indexer.storage.places import laid_down
from indexer.storage.regular import open_regular

DRAWING, SMALL = "drawing", "small"
"""What a picture may be that is not a photo."""
_CHANGED = "it changed while it was read; run again when it is complete"


@dataclass(frozen=True, slots=True)
class WorkOptions:
    """How files are opened: by how many processes, up to which size, and how long each may take.

    `workers` None means one a usable core, 0 means in this process: quick for a handful of files, but then a decoder
    that crashes or hangs takes the run with it; a text names a Ray cluster. `ledger` is the database that knows bytes
    seen before, `spool` the cache that may know what they decode to (see `rendition_cache`). `max_bytes` and
    `max_pixels` None mean the limits of `rendition`; a picture neither of whose sides reaches `min_side` pixels is left
    out; `seconds` is the patience with one file. `objects` says that some lie in object storage, `renditions` is the
    address below which renditions are put instead of being brought back.
    """

    workers: Workers | None = None
    max_bytes: int | None = None
    max_pixels: int | None = None
    ledger: Path | None = None
    spool: Path | None = None
    seconds: float = 120.0
    min_side: int = 0
    objects: bool = False
    renditions: bytes = b""

    def limits(self) -> PictureLimits:
        """Return what a picture may cost."""
        default = DEFAULT_LIMITS
        return PictureLimits(
            max_bytes=self.max_bytes or default.max_bytes,
            max_pixels=self.max_pixels or default.max_pixels,
            max_jpeg_pixels=self.max_pixels or default.max_jpeg_pixels,
            min_side=self.min_side,
        )

    def grounds(self) -> Grounds:
        """Return what an outcome depends on beside a file's bytes."""
        most = self.limits()
        return Grounds((most.max_bytes, most.max_pixels, most.max_jpeg_pixels), self.min_side)


@dataclass(frozen=True, slots=True)
class Examined:
    """What opening a file brought; exactly one of `photo`, `rendition`, `failure` and `ignored` holds.

    Of a file whose content is `known`, it is only the `facts`.
    `photo` is the id that the ledger has for these bytes: then nothing was decoded. `ignored` means that neither
    content nor extension says picture, or that the file is gone; `left_out` says of what kind a picture is that is not
    a photo. `sha256` is 64 hex digits, "" when it was not taken. `grounds` is what the outcome depended on, see there.
    """

    found: Found
    sha256: str = ""
    facts: Facts | None = None
    photo: str | None = None
    rendition: Rendition | None = None
    failure: Failure | None = None
    ignored: bool = False
    left_out: str = ""
    grounds: str = ""


class Examiner:
    """Examines files one after the other; holds the read-only connection to the ledger."""

    def __init__(self, options: WorkOptions) -> None:
        self._limits = options.limits()
        self._grounds = options.grounds()
        self._far = options.renditions
        uri = f"{options.ledger.absolute().as_uri()}?mode=ro" if options.ledger else ""
        self._known = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None) if uri else None
        self._spool = Remembered(options.spool) if options.spool and options.spool.exists() else None

    def close(self) -> None:
        """Let go of the ledger."""
        for opened in (self._known, self._spool):
            if opened:
                opened.close()

    def __call__(self, found: Found) -> Examined:
        """Examine one file; whatever happens to it is an outcome, never an exception."""
        try:
            return self._examine(found)
        except (FileNotFoundError, NotADirectoryError):
            return Examined(found, ignored=True)
        except PermissionError:
            return _failed(_once_more(found), "no permission to read it")
        except OSError as fault:
            found = _once_more(found)
            return _failed(found, f"it cannot be read: {fault.strerror or type(fault).__name__}")
        except Exception as fault:  # noqa: BLE001 - one photo: a fault of ours must not end a run of a million
            return _failed(found, f"unexpected {type(fault).__name__} while it was read")

    def _examine(self, found: Found) -> Examined:
        return self._examine_object(found) if is_address(found.path) else self._examine_file(found)

    def _examine_object(self, found: Found) -> Examined:
        """Fetch an object once and look at it as at a file; one that is not called like a picture, by its beginning."""
        if by_name(found.path) is None and (left := self._left_out(objects.begin(found.path, HEAD_BYTES), found)):
            return left
        if found.size > self._limits.max_bytes:
            words = f"{found.size:,} bytes are more than the limit of {self._limits.max_bytes:,}"
            return self._refused(found, "", PictureError(Reason.TOO_LARGE, words))
        content = objects.read(found.path)
        if left := self._left_out(content.data[:HEAD_BYTES], found):
            return left
        if content.version != found.mtime_ns:  # another one by now: the next listing shall find this one unchanged
            found = found._replace(size=len(content.data), mtime_ns=content.version, known=False)
        with laid_down(_name(found.path), content.data, _beside(found)) as path:
            if found.known:
                return self._facts(found, path)
            return self._look(found, path, hashlib.sha256(content.data).hexdigest())

    def _left_out(self, head: bytes, found: Found) -> Examined | None:
        """Return the outcome of a file that is no photo by its first bytes and its name, None of one that may be."""
        kind = sniff(head, found.path)
        if kind is not None and kind is not Kind.DRAWING:
            return None
        return Examined(found, ignored=True, left_out=DRAWING if kind else "", grounds=self._grounds.pictures)

    def _examine_file(self, found: Found) -> Examined:
        if found.known:
            return self._facts(found, Path(os.fsdecode(found.path)))
        # Not to wait for a writer, should the file have become a pipe since it was listed.
        descriptor = os.open(found.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return Examined(found, ignored=True, grounds=self._grounds.pictures)
            head = stream.read(HEAD_BYTES)
            if left := self._left_out(head, found):
                return left
            stream.seek(0)
            short = before.st_size <= self._limits.max_bytes
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest() if short else ""
        path = Path(os.fsdecode(found.path))
        examined = self._look(found, path, sha256)
        # Bytes keep their photo for ever, so digest and pixels must be of the same bytes.
        after = path.stat()
        return examined if _version(after) == _version(before) else _failed(found, _CHANGED)

    def _look(self, found: Found, path: Path, sha256: str) -> Examined:
        from indexer.media.metadata import read_facts
        from indexer.media.places import placed

        photo = self._photo(sha256)
        try:
            drawn = self._spool.get(sha256) if self._spool and not photo and not found.was else None
            rendition = drawn if photo or drawn else self._render(path, found)
        except PictureError as error:
            return self._refused(found, sha256, error)
        named = Path(os.fsdecode(found.path))
        facts = placed(read_facts(path, beside=found.sidecar_mtime_ns != 0, named=named))
        return Examined(found, sha256, facts, photo, rendition)

    def _render(self, path: Path, found: Found) -> Rendition:
        from indexer.media.rendition import render

        drawn = render(path, limits=self._limits, before=_digest_of(found.was))
        return put_far(self._far, drawn) if self._far else drawn

    def _refused(self, found: Found, sha256: str, error: PictureError) -> Examined:
        if isinstance(error, TooSmall):
            return Examined(found, sha256, ignored=True, left_out=SMALL, grounds=self._grounds.side)
        grounds = self._grounds.limits if error.reason is Reason.TOO_LARGE else self._grounds.decoders
        failure = Failure(error.reason, error.detail)
        return Examined(found, sha256, failure=failure, grounds="" if error.passing else grounds)

    def _facts(self, found: Found, path: Path) -> Examined:
        from indexer.media.metadata import read_facts
        from indexer.media.places import placed
        from indexer.media.tiff import FileSpan

        beside, named = found.sidecar_mtime_ns != 0, Path(os.fsdecode(found.path))
        with open_regular(path) as stream:  # what cannot be read now keeps the facts it has
            return Examined(found, facts=placed(read_facts(path, FileSpan(stream), beside=beside, named=named)))

    def _photo(self, sha256: str) -> str | None:
        if not (self._known and sha256):
            return None
        row = self._known.execute("SELECT photo FROM contents WHERE sha256 = ?", (sha256,)).fetchone()
        return str(row[0]) if row else None


def _digest_of(photo: str) -> str:
    """Return the digest in a photo's id, "" where it was taken in another way than today's."""
    version, _, digest = photo.partition("-")
    return digest if version == str(DIGEST_VERSION) else ""


def _failed(found: Found, detail: str) -> Examined:
    return Examined(found, failure=Failure(Reason.UNREADABLE, detail))


def _once_more(found: Found) -> Found:
    """An object that a store did not hand out may be handed out tomorrow: the next crawl shall find it changed."""
    return found._replace(mtime_ns=0) if is_address(found.path) else found


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _beside(found: Found) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the sidecars of an object."""
    for path in found.beside:
        with suppress(FileNotFoundError):
            yield _name(path), objects.read(path).data


def _version(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
