"""The walk: one generator over folders, so that memory stays flat and a caller can compare folder by folder.

Links are not followed unless asked; then each folder is visited once (by device and inode), and after all real
folders, so that a file keeps its real path. Ignore files count from the root down: a root
given by hand is wanted.
"""

# ruff: noqa: PTH116, PTH120 - paths are bytes here, which pathlib cannot hold

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

from indexer.crawl import buckets
from indexer.crawl.ignore import Rules, compile_excludes, excluding
from indexer.crawl.known_names import ARCHIVES, suffix_of
from indexer.crawl.listing import Folder, found_alone, list_folder
from indexer.domain.errors import MissingPath, UsageError
from indexer.storage.layout import INBOX_FOLDER
from indexer.storage.paths import is_address, is_inside, parent, shown
from indexer.storage.places import is_tree, refuse_absent


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """What to look at; `skip` holds absolute folders that are never entered, such as the library itself."""

    follow: bool = False
    hidden: bool = False
    exclude: tuple[str, ...] = ()
    skip: frozenset[bytes] = frozenset()


def walk(roots: Sequence[bytes], options: WalkOptions = WalkOptions()) -> Iterator[Folder]:
    """Yield every folder at and below `roots` once, in sorted order; a root may be a file.

    Roots are absolute (`paths.resolve_root`). Raises before the first folder: `MissingPath` for a root that
    is not there, `UsageError` for an archive or a device, `BadSetting` for an `exclude` that is no glob.
    """
    tour = _Tour(options)
    for root in sorted(set(roots)):
        tour.add(root)
    return tour.folders()


def refuse_inside(root: bytes, places: Iterable[bytes]) -> None:
    """Raise `UsageError` for a root that lies in one of `places`, the folders of the library itself; not its inbox."""
    inbox = os.fsencode(INBOX_FOLDER)
    if any(is_inside(root, place) and not is_inside(root, os.path.join(place, inbox)) for place in places):  # noqa: PTH118
        raise UsageError(f"{shown(root)} belongs to the library", hint="give a folder of pictures")


class _Tour:
    """The roots that are still to be walked, and what was walked."""

    def __init__(self, options: WalkOptions) -> None:
        self._options = options
        self._exclude = compile_excludes(options.exclude)
        self._roots: dict[bytes, None] = {}
        self._files: dict[bytes, list[bytes]] = {}
        self._trees: list[bytes] = []
        self._links: deque[tuple[bytes, Rules]] = deque()
        self._entered: set[tuple[int, int]] = set()
        for place in options.skip:
            self._enter(place)  # lest a link leads there

    def add(self, root: bytes) -> None:
        """Note a root, after looking at what it is."""
        if is_address(root):
            self._add_address(root)
            return
        refuse_inside(root, self._options.skip)
        try:
            mode = os.stat(root).st_mode
        except PermissionError:
            mode = stat.S_IFDIR  # listing it says why it cannot be read
        except OSError:
            hint = "check the spelling; if it lies on another drive, connect that first"
            raise MissingPath(f"no such file or folder: {shown(root)}", hint=hint) from None
        if stat.S_ISDIR(mode):
            self._roots[root] = None
        elif not stat.S_ISREG(mode):
            hint = "give a folder or a picture file"
            raise UsageError(f"neither a file nor a folder: {shown(root)}", hint=hint)
        elif suffix_of(root) in ARCHIVES:
            hint = "unpack it, then give the folder"
            raise UsageError(f"archives are not supported yet: {shown(root)}", hint=hint)
        else:
            self._files.setdefault(os.path.dirname(root), []).append(root)

    def _add_address(self, root: bytes) -> None:
        refuse_absent([root])
        if not is_tree(root):
            self._files.setdefault(parent(root), []).append(root)
        elif not any(is_inside(root, tree) for tree in self._trees):
            self._trees.append(root)

    def folders(self) -> Iterator[Folder]:
        """Walk real folders root by root, then what only links lead to, then single files elsewhere."""
        while self._roots:
            root = next(iter(self._roots))
            yield from self._below(root, excluding(self._exclude, root.rstrip(b"/") + b"/"))
        while self._links:
            yield from self._below(*self._links.popleft())
        for tree in self._trees:
            yield from buckets.folders(tree, excluding(self._exclude, tree + b"/"), hidden=self._options.hidden)
        for folder, paths in self._files.items():
            yield self._with_singles(Folder(folder, (), whole=False), paths)

    def _below(self, top: bytes, rules: Rules) -> Iterator[Folder]:
        stack = [(top, rules)]
        while stack:
            path, rules = stack.pop()
            self._roots.pop(path, None)
            if self._options.follow and not self._enter(path):
                continue
            options = self._options
            listed = list_folder(path, rules, follow=options.follow, hidden=options.hidden)
            singles = self._files.pop(path, None)
            yield self._with_singles(listed.folder, singles) if singles else listed.folder
            stack += [(below, listed.rules) for below in reversed(listed.below) if below not in options.skip]
            self._links += [(link, listed.rules) for link in listed.links]

    def _enter(self, path: bytes) -> bool:
        try:
            status = os.stat(path)
        except OSError:
            return True  # listing it says why it cannot be read
        before = len(self._entered)
        self._entered.add((status.st_dev, status.st_ino))
        return len(self._entered) > before

    def _with_singles(self, folder: Folder, paths: list[bytes]) -> Folder:
        rules = excluding(self._exclude, b"/")
        known = {found.path for found in folder.files}
        wanted = [path for path in paths if path not in known and not rules.ignores_deep(path)]
        singles = [found for path in wanted if (found := found_alone(path))]
        files = tuple(sorted((*folder.files, *singles), key=itemgetter(0)))
        left_out = len(paths) - len(wanted) if not folder.whole else 0
        ignored = folder.ignored + left_out
        return Folder(folder.path, files, ignored, folder.problems, folder.whole, paired=folder.paired)
