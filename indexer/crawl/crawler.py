"""Folder -> files and photos: what is new, changed, moved, gone, and what cannot be read.

Three steps, each dearer than the one before: size and mtime unchanged, the file is not opened; known bytes, nothing
is decoded; known pixels, nothing is asked. Deletions are judged only inside the roots that were given, and a root
that looks unplugged keeps its rows.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from indexer.crawl.elsewhere import let_go
from indexer.crawl.inspect import DRAWING, SMALL, Examined, WorkOptions
from indexer.crawl.listing import Folder, Found, found_alone
from indexer.crawl.pool import examine
from indexer.crawl.walk import WalkOptions, walk
from indexer.domain.answer import Reason
from indexer.ledger.photos import files
from indexer.ledger.photos.files import Sighting, Stat
from indexer.ledger.photos.known import Known, failed_for, known_in
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.work import bursts
from indexer.media.rendition_cache import Spool
from indexer.media.versions import FACTS_READER
from indexer.storage.paths import is_address, is_inside, parent, to_text
from indexer.storage.places import device as device_of
from indexer.storage.places import is_tree, stands

_BATCH = 256
_SECONDS = 2.0  # what was read is kept at least so often
_SOME = 64  # once so many files had to be opened, it pays to look how many more there are
_MANY = 20  # a root that lost more than half of more files than this looks unplugged


@dataclass(frozen=True, slots=True)
class CrawlOptions:
    """How to crawl: which files, how they are opened, and whether vanished ones are surely deleted.

    `reread` opens also the files that look unchanged.
    """

    walk: WalkOptions
    work: WorkOptions
    confirm_deleted: bool = False
    reread: bool = False


class CrawlCount(NamedTuple):
    """How far a crawl is: files seen, bytes read, and bytes to be read in all, None while nobody knows."""

    files: int
    bytes: int
    total_bytes: int | None


@dataclass(slots=True)
class Crawled:
    """What a crawl saw: pictures unchanged since last time, and notes for a person.

    `left_out` counts the pictures that were found not to be photos, by kind.
    """

    unchanged: int = 0
    opened: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


class Crawl:
    """One crawl of `roots`."""

    def __init__(
        self, ledger: Ledger, run: int, roots: Sequence[bytes], options: CrawlOptions, digest_version: int
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._options = options
        self._digest_version = digest_version
        self._grounds = options.work.grounds()
        self.scope = Scope(tuple(roots))
        self._standing = [root for root in roots if stands(root)]
        self._trees = [root for root in self._standing if is_tree(root)]
        self._singles = frozenset(roots) - frozenset(self._trees)
        self._visited: set[bytes] = set()
        self._unreadable: list[bytes] = []
        self._missing: list[bytes] = []
        self._back: list[bytes] = []
        self._left_out: set[bytes] = set()
        # What is offline is not judged again, unless somebody says that it was deleted.
        self._judged = ("present", "offline") if options.confirm_deleted else ("present",)
        self._ignored: dict[bytes, int] = {}
        self._spares: dict[bytes, tuple[Found, Known | None]] = {}
        self._wanted: list[tuple[Found, Known | None]] = []
        self._result = Crawled()
        self._remote = any(map(is_address, roots))

    def run(self, spool: Spool, progress: Callable[[CrawlCount], None]) -> Crawled:
        """Walk, open what must be opened, keep what was found; renditions of new photos go to the spool.

        `progress` is told after each file that was opened.
        """
        self._open(self._to_open(), spool, progress)
        self._open((one for pair in self._wanted for one in self._instead(*pair)), spool, progress)
        files.record_states(self._ledger, self._run, self._back, "present", "back")
        self._count_left_out()
        self._tell_left_out()
        self._judge_missing()
        self._result.notes += let_go(self._ledger, self._run, self.scope)
        files.mark_moves(self._ledger, self._run)
        bursts.regroup(self._ledger)
        return self._result

    def look_again(self, reasons: Sequence[str], spool: Spool, progress: Callable[[CrawlCount], None]) -> list[bytes]:
        """Open files again that failed for one of `reasons`; returns those that no longer fail.

        Without `reread` only those whose outcome may be another one today.
        """
        failed = failed_for(self._ledger, reasons)
        self._remote = any(map(is_address, failed))
        self._open(self._failed(failed), spool, progress)
        still = failed_for(self._ledger, list(Reason))
        bursts.regroup(self._ledger)
        return [path for path in failed if path not in still]

    def _failed(self, failed: Mapping[bytes, Known]) -> Iterator[Found]:
        for path, before in failed.items():
            found = found_alone(path)
            if found and self._differs(found, before):
                yield found._replace(was=before.photo or "")

    def _open(self, wanted: Iterator[Found], spool: Spool, progress: Callable[[CrawlCount], None]) -> None:
        options = replace(self._options.work, objects=self._remote)
        work = self._told(examine(wanted, options=options), progress)
        batch: list[Examined] = []
        since = time.monotonic()
        try:
            for seen in work:
                batch.append(seen)
                if len(batch) >= _BATCH or time.monotonic() - since > _SECONDS:
                    self._keep(batch, spool)
                    batch, since = [], time.monotonic()
        except KeyboardInterrupt:
            self._keep(batch, spool)
            raise
        self._keep(batch, spool)

    def _told(self, work: Iterator[Examined], progress: Callable[[CrawlCount], None]) -> Iterator[Examined]:
        """Tell of each file that was opened; once there are some, how much there is to do."""
        read, total = 0, None
        for seen in work:
            if seen.found.known:  # it was counted as unchanged, and only its first bytes were read
                yield seen
                continue
            if seen.found.path in self._spares:
                self._judge_pair(seen)
            self._result.opened += 1
            self._result.left_out[seen.left_out] += 1
            read += seen.found.size
            if self._result.opened == _SOME:
                total = self._bytes_to_open()
            progress(CrawlCount(self._result.opened + self._result.unchanged, read, total))
            yield seen

    def _bytes_to_open(self) -> int:
        """Walk once more, only to add up: next to opening that many files it takes no time."""
        size = 0
        for folder in walk(self._standing, self._options.walk):
            known = known_in(self._ledger, folder.path, FACTS_READER)
            size += sum(found.size for found in folder.files if self._differs(found, known.get(found.path)))
        return size

    def _to_open(self) -> Iterator[Found]:
        for folder in walk(self._standing, self._options.walk):
            self._visited.add(folder.path)
            for problem in folder.problems:
                self._result.notes.append(f"{to_text(problem.path)}: {problem.detail}")
            if folder.problems and not folder.whole:
                self._unreadable.append(folder.path)
            if folder.whole:
                self._ignored[folder.path] = folder.ignored
            yield from self._compare(folder)

    def _compare(self, folder: Folder) -> Iterator[Found]:
        known = known_in(self._ledger, folder.path, FACTS_READER)
        raws, reread = {twin: raw for raw, twin in folder.paired}, self._options.reread
        for found in folder.files:
            before = known.pop(found[0], None)
            if before and before[:5] == found[:5] and not before.special and not reread:
                self._result.unchanged += 1  # nearly every file of nearly every run, so the short way
                continue
            raw = raws.get(found.path)
            if raw and (before is None or self._differs(found, before)):
                self._spares[found.path] = raw, known.pop(raw.path, None)
            elif raw and before and before.reason:
                yield from self._instead(raw, known.pop(raw.path, None))
            yield from self._compared(found, before)
        self._left_out.update(known.keys() & folder.left_out)
        self._missing += [
            path for path, was in known.items() if was.state in self._judged and (folder.whole or path in self._singles)
        ]

    def _compared(self, found: Found, before: Known | None) -> Iterator[Found]:
        """Yield the file if it must be opened."""
        if before is None or self._differs(found, before):
            yield found._replace(was=before.photo or "") if before else found
            return
        self._result.unchanged += 1
        if before.state != "present":
            self._back.append(found.path)
        if before.outdated:
            yield found._replace(known=True)

    def _instead(self, raw: Found, before: Known | None) -> Iterator[Found]:
        """Take a RAW file whose developed picture cannot be read."""
        if parent(raw.path) in self._ignored:
            self._ignored[parent(raw.path)] -= 1
        yield from self._compared(raw, before)

    def _judge_pair(self, seen: Examined) -> None:
        """Say what becomes of the RAW file beside a developed picture that was opened."""
        raw, before = self._spares.pop(seen.found.path)
        if seen.failure:
            self._wanted.append((raw, before))
        elif before and before.state in self._judged:
            self._missing.append(raw.path)

    def _differs(self, found: Found, before: Known | None) -> bool:
        """Say whether the file must be opened: it is not the one that was seen, or what was seen is out of date."""
        if before is None or self._options.reread:
            return True
        if before[1:5] != found[1:5] and (before[1:4] != found[1:4] or before.ctime_ns):  # 0 was never kept
            return True
        return not before.photo_read and not self._grounds.hold(before.grounds)

    def _keep(self, batch: Sequence[Examined], spool: Spool) -> None:
        if not batch:
            return
        facts = [
            (seen.found.path, seen.found.ctime_ns, seen.facts) for seen in batch if seen.found.known and seen.facts
        ]
        if facts:
            files.record_facts(self._ledger, self._run, facts, FACTS_READER)
        sightings = [_sighting(seen) for seen in batch if not seen.found.known]
        sightings = files.with_known_photos(self._ledger, sightings)
        photos = files.record_sightings(self._ledger, self._run, sightings, self._digest_version)
        drawn = [(seen.sha256, photos[seen.sha256], seen.rendition) for seen in sightings if seen.rendition]
        spool.put((photo, rendition.jpeg) for _, photo, rendition in drawn)
        if self._ledger.rehearsing:
            spool.remember(drawn)

    def _count_left_out(self) -> None:
        before = files.left_out_in(self._ledger, self.scope)
        gone = {folder: 0 for folder in before if folder not in self._visited and not os.path.lexists(folder)}
        changed = {folder: count for folder, count in self._ignored.items() if count != before.get(folder, 0)}
        files.record_left_out(self._ledger, {**gone, **changed})

    def _tell_left_out(self) -> None:
        drawings, small = (self._result.left_out[kind] for kind in (DRAWING, SMALL))
        if drawings:
            self._result.notes.append(f"drawings and icons (SVG, ICO and the like), which are left out: {drawings:,}")
        if small:
            side = self._options.work.min_side
            words = f"pictures smaller than {side} pixels, which are left out (--min-side 0 takes them): {small:,}"
            self._result.notes.append(words)

    def _judge_missing(self) -> None:
        self._missing += self._in_vanished_folders()
        elsewhere = files.seen_elsewhere(self._ledger, self._run, self._missing)
        missing = [path for path in self._missing if path not in elsewhere]
        lost = [path for path in missing if not self._is_there(path)]
        if len(lost) < len(missing):
            left_out = len(missing) - len(lost)
            self._result.notes.append(f"{left_out} known files are left out now; they leave the search")
        unplugged = [root for root in self.scope.roots or () if self._looks_unplugged(root, lost)]
        offline = frozenset(path for path in lost if any(is_inside(path, root) for root in unplugged))
        if offline:
            self._result.notes.append(
                f"{len(offline)} known files are not where they were, as if a drive were unplugged; they stay in the "
                "search, marked offline. If they were deleted, run again with --confirm-deleted; if they moved: "
                "index relocate OLD NEW"
            )
        gone = [path for path in self._missing if path not in offline]
        files.record_states(self._ledger, self._run, offline, "offline", "offline")
        files.record_states(self._ledger, self._run, gone, "gone", "gone")
        self._remember_devices(frozenset(unplugged))

    def _is_there(self, path: bytes) -> bool:
        return path in self._left_out if is_address(path) else os.path.lexists(path)

    def _in_vanished_folders(self) -> Iterator[bytes]:
        roots = self.scope.roots or ()
        for folder in dict.fromkeys(each for root in roots for each in files.folders(self._ledger, root)):
            if folder in self._visited or any(is_inside(folder, bad) for bad in self._unreadable):
                continue
            whole = any(is_inside(folder, root) for root in self.scope.roots or ())
            for path, was in known_in(self._ledger, folder, FACTS_READER).items():
                if was.state in self._judged and (whole or path in self._singles):
                    yield path

    def _looks_unplugged(self, root: bytes, lost: Sequence[bytes]) -> bool:
        count = sum(is_inside(path, root) for path in lost)
        if not count or self._options.confirm_deleted:
            return False
        if root not in self._trees:
            return True
        before = files.count_before(self._ledger, self._run, Scope((root,)))
        device = files.root_device(self._ledger, root)
        moved_device = device is not None and device != device_of(root)
        return moved_device or count == before or (before > _MANY and count > before / 2)

    def _remember_devices(self, unplugged: frozenset[bytes]) -> None:
        files.record_roots(self._ledger, [(root, device_of(root)) for root in self._trees if root not in unplugged])


def _sighting(seen: Examined) -> Sighting:
    found = seen.found
    return Sighting(
        path=found.path,
        folder=parent(found.path),
        stat=Stat(found.size, found.mtime_ns, found.sidecar_mtime_ns, found.ctime_ns, seen.grounds),
        picture=not seen.ignored,
        sha256=seen.sha256,
        facts=seen.facts,
        facts_reader=FACTS_READER,
        photo=seen.photo,
        rendition=seen.rendition,
        failure=seen.failure,
        left_out=seen.left_out,
    )
