"""One folder, listed: what may be a picture, what lies below, what is left out.

Nothing is opened but the ignore file. The loop over entries is the hot path of every run over an unchanged
archive, so it asks the directory entry, not the disk, wherever the entry knows.
"""

# ruff: noqa: PTH116 - paths are bytes here, which pathlib cannot hold

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from indexer.crawl.ignore import Rules, read_ignore_file
from indexer.crawl.known_names import DEVELOPED, JUNK, JUNK_STARTS, SIDECAR_END, is_of_a_program
from indexer.media import takeout_names
from indexer.media.sniff import Kind, by_name
from indexer.storage import objects
from indexer.storage.paths import is_address

_DOT = 0x2E
_MOST = 1 << 63
_new = tuple.__new__  # the constructor of a named tuple takes three times as long


class Found(NamedTuple):
    """A file that may be a picture; `sidecar_mtime_ns` is 0 without a sidecar beside it, else changes with each.

    `known` says that its content is known already, and only what it says of itself is to be read anew; `was` is the
    photo that the ledger knows at this path. `beside` names the sidecars of an object.
    A tuple rather than a dataclass because an archive has a million of them.
    """

    path: bytes
    size: int
    mtime_ns: int
    sidecar_mtime_ns: int = 0
    ctime_ns: int = 0
    known: bool = False
    was: str = ""
    beside: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be looked at; `detail` is one line."""

    path: bytes
    detail: str


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder: its files sorted by path, how many were left out, and what went wrong.

    `whole` says that the folder was listed to its end, so that a file not in `files` is gone or left out;
    False when it could not be, or when only single files of it were asked for. `left_out` are files that are there and
    not wanted, as far as only the listing can tell: in object storage. `paired` are RAW files that are left out for the
    developed picture beside them, with the path of that.
    """

    path: bytes
    files: tuple[Found, ...]
    ignored: int = 0
    problems: tuple[Problem, ...] = ()
    whole: bool = True
    left_out: frozenset[bytes] = frozenset()
    paired: tuple[tuple[Found, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder with the ways that lead on from it, sorted, and the rules that hold for them."""

    folder: Folder
    below: tuple[bytes, ...]
    links: tuple[bytes, ...]
    rules: Rules


def list_folder(path: bytes, rules: Rules, *, follow: bool, hidden: bool) -> Listed:
    """List the folder `path`; what cannot be read is a `Problem`, what vanished meanwhile is nothing."""
    listing = _Listing(path, rules, follow, hidden)
    listing.run()
    return listing.result()


def found_alone(path: bytes) -> Found | None:
    """Look at one file that was named by itself, None when it is gone."""
    if is_address(path):
        return _object_alone(path)
    try:
        status = os.stat(path)
    except OSError:
        return None
    bases, (folder, slash, name) = (path, path.rpartition(b".")[0]), path.rpartition(b"/")
    beside = max(_mtime(base + end) for base in bases for end in (SIDECAR_END, SIDECAR_END.upper()))
    google = (_mtime(folder + slash + json) for json in takeout_names.json_names(name))
    together = _together(beside, next(filter(None, google), 0))
    return Found(path, status.st_size, storable(status.st_mtime_ns), together, storable(status.st_ctime_ns))


def _object_alone(path: bytes) -> Found | None:
    try:
        one = objects.head(path)
    except OSError:
        return None
    return Found(path, one.size, one.version)  # alone: what lies beside it is not looked for


def _mtime(path: bytes) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def storable(stamp: int) -> int:
    """Return a time of a file so that it fits 63 bits, which those of the year 2262 and later do not: a number then."""
    return stamp if -_MOST <= stamp < _MOST else stamp % _MOST


def _together(newest: int, google: int) -> int:
    """One number that changes when the newest XMP file or Google's JSON changes, comes or goes; it fits 63 bits."""
    return (newest + google) % _MOST


class _Listing:
    """A folder while it is being listed."""

    def __init__(self, path: bytes, rules: Rules, follow: bool, hidden: bool) -> None:
        self._path = path
        self._rules = rules
        self._follow = follow
        self._hidden = hidden
        self._files: list[Found] = []
        self._sidecars: dict[bytes, int] = {}
        self._takeout: dict[takeout_names.Key, int] = {}
        self._raws: list[bytes] = []
        self._below: list[bytes] = []
        self._links: list[bytes] = []
        self._ignored = 0
        self._unseen: list[str] = []
        self._problems: list[Problem] = []
        self._whole = True

    def run(self) -> None:
        """List the folder to its end, or to the fault that ends it."""
        try:
            self._read_rules()
            with os.scandir(self._path) as entries:
                self._take(entries)
        except FileNotFoundError:
            self._whole = False  # it went while its parent was listed; the next run will know more
        except OSError as fault:
            self._fail(f"cannot be listed: {fault.strerror}")
        if self._unseen:
            self._fail(f"{len(self._unseen)} entries cannot be looked at, first {self._unseen[0]}")

    def result(self) -> Listed:
        """Return what was listed, sorted."""
        if self._sidecars or self._takeout:
            self._files = [self._with_sidecars(found) for found in self._files]
        paired: tuple[tuple[Found, bytes], ...] = ()
        if self._raws:
            kept = without_paired(self._files, self._raws)
            self._ignored += len(self._files) - len(kept)
            paired = _pairs(self._files, kept)
            self._files = kept
        self._files.sort(key=itemgetter(0))
        problems = tuple(self._problems)
        folder = Folder(self._path, tuple(self._files), self._ignored, problems, self._whole, paired=paired)
        return Listed(folder, tuple(sorted(self._below)), tuple(sorted(self._links)), self._rules)

    def _fail(self, detail: str) -> None:
        self._whole = False
        self._problems.append(Problem(self._path, detail))

    def _read_rules(self) -> None:
        # When the ignore file cannot be read the folder is not listed: it may hold what must not be sent out.
        own = read_ignore_file(self._path.rstrip(b"/") + b"/")
        if own:
            self._rules = self._rules.with_file(own.level)
            words = "a line of its ignore file is not a pattern"
            self._problems += [Problem(self._path, f"{words}: {x}") for x in own.faults]

    def _take(self, entries: Iterable[os.DirEntry[bytes]]) -> None:
        files, hidden, ruled = self._files, self._hidden, bool(self._rules)
        for entry in entries:
            name = entry.name
            lower = name.lower()
            try:
                if (name[0] == _DOT and not hidden) or lower in JUNK or lower.startswith(JUNK_STARTS):
                    self._ignored += not entry.is_dir(follow_symlinks=False)
                elif entry.is_file(follow_symlinks=False):
                    if ruled and self._rules.ignores(entry.path, folder=False):
                        self._ignored += 1
                    elif not _is_plain(lower.rpartition(b".")[2]):
                        self._take_file(entry, lower)
                    else:
                        status = entry.stat()
                        told, changed = status.st_mtime_ns, status.st_ctime_ns
                        if not (-_MOST <= told < _MOST and -_MOST <= changed < _MOST):
                            told, changed = storable(told), storable(changed)
                        files.append(_new(Found, (entry.path, status.st_size, told, 0, changed, False, "", ())))
                elif entry.is_dir(follow_symlinks=False):
                    self._take_folder(entry, self._below)
                elif self._follow and entry.is_symlink():
                    self._take_link(entry, lower)
                else:
                    self._ignored += 1
            except FileNotFoundError:
                pass  # gone between the listing and the look
            except OSError as fault:
                self._unseen.append(f"{name!r}: {fault.strerror}")

    def _take_file(self, entry: os.DirEntry[bytes], lower: bytes) -> None:
        path, status = entry.path, entry.stat()
        if lower.endswith(SIDECAR_END):
            self._sidecars[path[: -len(SIDECAR_END)]] = status.st_mtime_ns
            self._ignored += 1
            return
        if _is_raw(lower.rpartition(b".")[2]):
            self._raws.append(path)
        elif lower.endswith(takeout_names.END):
            self._takeout[takeout_names.key_of_json(entry.name[: -len(takeout_names.END)])] = status.st_mtime_ns
        self._files.append(Found(path, status.st_size, storable(status.st_mtime_ns), 0, storable(status.st_ctime_ns)))

    def _take_folder(self, entry: os.DirEntry[bytes], ways: list[bytes]) -> None:
        if is_of_a_program(entry.name.lower(), self._path.rpartition(b"/")[2].lower()):
            return
        if not (self._rules and self._rules.ignores(entry.path, folder=True)):
            ways.append(entry.path)

    def _take_link(self, entry: os.DirEntry[bytes], lower: bytes) -> None:
        try:
            if entry.is_dir():
                self._take_folder(entry, self._links)
            elif entry.is_file() and not (self._rules and self._rules.ignores(entry.path, folder=False)):
                self._take_file(entry, lower)
            else:
                self._ignored += 1
        except OSError:  # it leads nowhere, or in a circle
            self._ignored += 1

    def _with_sidecars(self, found: Found) -> Found:
        path = found.path
        stem, name = path.rpartition(b".")[0], path.rpartition(b"/")[2]
        newest = max(self._sidecars.get(path, 0), self._sidecars.get(stem, 0))
        google = self._takeout.get(takeout_names.key_of_picture(name), 0) if self._takeout else 0
        together = _together(newest, google)
        return found._replace(sidecar_mtime_ns=together) if together else found


def _pairs(files: list[Found], kept: list[Found]) -> tuple[tuple[Found, bytes], ...]:
    """Return the files that were not kept, each with the path of the developed picture that stands for it."""
    paths = {found.path for found in kept}
    twins = {path.rpartition(b".")[0]: path for path in paths if path.rpartition(b".")[2].lower() in DEVELOPED}
    return tuple((found, twins[found.path.rpartition(b".")[0]]) for found in files if found.path not in paths)


def without_paired(files: list[Found], raws: Iterable[bytes]) -> list[Found]:
    """Return `files` without those RAW files beside which the camera's own picture of the same name lies."""
    stems = {stem for stem, _, end in (f.path.rpartition(b".") for f in files) if end.lower() in DEVELOPED}
    paired = {path for path in raws if path.rpartition(b".")[0] in stems}
    return [found for found in files if found.path not in paired] if paired else files


def is_raw(name: bytes) -> bool:
    """Say whether a file of this name is a RAW file."""
    return _is_raw(name.lower().rpartition(b".")[2])


@lru_cache(1024)
def _is_plain(suffix: bytes) -> bool:
    """Whether nothing but its own bytes tells what a file of this name is: neither a sidecar nor one of a pair."""
    return not (_is_raw(suffix) or SIDECAR_END.endswith(suffix) or takeout_names.END.endswith(suffix))


@lru_cache(1024)
def _is_raw(suffix: bytes) -> bool:
    return by_name(b"a." + suffix) is Kind.RAW
