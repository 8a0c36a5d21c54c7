"""The walk through object storage: one flat listing by pages, cut into folders as it comes.

Keys come in order, so a folder is whole when a key comes that does not begin with it, and a page of a thousand keys
costs one request however many folders it holds. Rules, hidden names, sidecars and RAW twins are judged as on a disk. A
listing that fails leaves what it did not reach unlisted, so that nothing is taken for gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from indexer.crawl.ignore import Rules, level_of
from indexer.crawl.known_names import IGNORE_FILE, JUNK, JUNK_STARTS, SIDECAR_END
from indexer.crawl.listing import Folder, Found, Problem, is_raw, without_paired
from indexer.media import takeout_names
from indexer.storage import objects
from indexer.storage.objects import Object

_DOT = b"."


class _Unreadable(Exception):
    """The ignore file of a folder, or of one above it, could not be read: it may name what must not be sent out."""


class _Prefix:
    """A common beginning of keys, while the listing runs through it."""

    def __init__(self, path: bytes, parent: _Prefix | None, rules: Rules) -> None:
        self.path = path
        self.parent = parent
        self.passed = False  # whether the listing is past the place of its ignore file
        self.has_rules = False
        self._top = rules
        self._rules: Rules | None = None
        self._left: bool | None = None
        self._seen: list[Object] = []
        self._problems: list[Problem] = []

    def take(self, one: Object) -> None:
        """Take an object that lies directly in here."""
        if one.path == self.path + b"/" + IGNORE_FILE:
            self.has_rules = True
        self._seen.append(one)

    def folder(self, *, hidden: bool) -> Folder | None:
        """Return what lies in here, None where a folder above could not be judged."""
        try:
            if self._is_left_out(hidden=hidden):
                paths = frozenset(one.path for one in self._seen)
                return Folder(self.path, (), len(paths), left_out=paths)
            rules = self._own_rules()
        except _Unreadable:
            if not self._problems:
                return None
            return Folder(self.path, (), 0, tuple(self._problems), whole=False)
        return self._judged(rules, hidden=hidden)

    def _judged(self, rules: Rules, *, hidden: bool) -> Folder:
        files: list[Found] = []
        beside = _Beside()
        raws: list[bytes] = []
        left_out: set[bytes] = set()
        for one in self._seen:
            name = one.path[len(self.path) + 1 :]
            if not name or _is_left_by_name(name, hidden=hidden) or (rules and rules.ignores(one.path, folder=False)):
                left_out.add(one.path)
            elif not beside.take(name, one):
                if is_raw(name):
                    raws.append(one.path)
                files.append(Found(one.path, one.size, one.version))
        files = [beside.joined(found) for found in files]
        kept = without_paired(files, raws)
        left_out.update({found.path for found in files} - {found.path for found in kept})
        ignored = len(self._seen) - len(kept)
        return Folder(self.path, tuple(kept), ignored, tuple(self._problems), left_out=frozenset(left_out))

    def _is_left_out(self, *, hidden: bool) -> bool:
        if self.parent is None:
            return False
        if self._left is None:
            above = self.parent
            self._left = (
                above._is_left_out(hidden=hidden)
                or _is_left_by_name(self.path[len(above.path) + 1 :], hidden=hidden)
                or above._own_rules().ignores(self.path, folder=True)
            )
        return self._left

    def _own_rules(self) -> Rules:
        """Return the rules that hold in here; raises `_Unreadable`."""
        if self._problems:
            raise _Unreadable
        if self._rules is None:
            rules = self.parent._own_rules() if self.parent else self._top
            self._rules = self._with_file(rules) if self.has_rules else rules
        return self._rules

    def _with_file(self, rules: Rules) -> Rules:
        base = self.path + b"/"
        try:
            own = level_of(base, objects.read(base + IGNORE_FILE).data)
        except OSError as fault:
            self._problems.append(Problem(self.path, f"its ignore file cannot be read: {fault.strerror}"))
            raise _Unreadable from None
        words = "a line of its ignore file is not a pattern"
        self._problems += [Problem(self.path, f"{words}: {x}") for x in own.faults]
        return rules.with_file(own.level)


def folders(root: bytes, rules: Rules, *, hidden: bool) -> Iterator[Folder]:
    """Yield every folder at and below the address `root`, those below a folder before it.

    What stops the listing is a problem of the root, which then is not whole; nothing that lies behind is yielded.
    """
    return cut(root, objects.pages(root), rules, hidden=hidden)


def cut(root: bytes, pages: Iterable[list[Object]], rules: Rules, *, hidden: bool) -> Iterator[Folder]:
    """Cut a listing, whose keys are in order, into folders; see `folders`."""
    open_: list[_Prefix] = [_Prefix(root, None, rules)]
    closed: list[_Prefix] = []
    try:
        for page in pages:
            for one in page:
                _enter(one.path, open_, closed)
                open_[-1].take(one)
            if closed and all(each.passed for each in open_):
                yield from _judged(closed, hidden=hidden)
    except OSError as fault:
        yield Folder(root, (), problems=(Problem(root, f"cannot be listed to its end: {fault.strerror}"),), whole=False)
        return
    yield from _judged(closed + open_[::-1], hidden=hidden)


def _judged(prefixes: list[_Prefix], *, hidden: bool) -> Iterator[Folder]:
    found = [folder for each in prefixes if (folder := each.folder(hidden=hidden))]
    prefixes.clear()
    yield from found


def _enter(path: bytes, open_: list[_Prefix], closed: list[_Prefix]) -> None:
    """Close the folders that `path` does not lie in, and open those that it lies in."""
    while not path.startswith(open_[-1].path + b"/"):
        closed.append(open_.pop())
    for each in open_:
        each.passed = each.passed or path[len(each.path) + 1 :] >= IGNORE_FILE
    inside = path[len(open_[-1].path) + 1 :].split(b"/")[:-1]
    for part in inside:
        above = open_[-1]
        fresh = _Prefix(above.path + b"/" + part, above, Rules())
        fresh.passed = path[len(fresh.path) + 1 :] >= IGNORE_FILE
        open_.append(fresh)


def _is_left_by_name(name: bytes, *, hidden: bool) -> bool:
    lower = name.lower()
    return (name.startswith(_DOT) and not hidden) or lower in JUNK or lower.startswith(JUNK_STARTS)


class _Beside:
    """What lies beside pictures and speaks for them: XMP files, and the JSON of Google Takeout."""

    def __init__(self) -> None:
        self._sidecars: dict[bytes, list[Object]] = {}
        self._takeout: dict[takeout_names.Key, Object] = {}

    def take(self, name: bytes, one: Object) -> bool:
        """Keep an object if it may speak for another one; say whether it is nothing else."""
        lower = name.lower()
        if lower.endswith(SIDECAR_END):
            self._sidecars.setdefault(one.path[: -len(SIDECAR_END)], []).append(one)
            return True
        if lower.endswith(takeout_names.END):
            self._takeout[takeout_names.key_of_json(name[: -len(takeout_names.END)])] = one
        return False

    def joined(self, found: Found) -> Found:
        """Return `found` with the names of what speaks for it, and a number that changes with each of them."""
        if not (self._sidecars or self._takeout):
            return found
        path = found.path
        speaks = [*self._sidecars.get(path, ()), *self._sidecars.get(path.rpartition(b".")[0], ())]
        google = self._takeout.get(takeout_names.key_of_picture(path.rpartition(b"/")[2]))
        speaks += [google] if google else []
        if not speaks:
            return found
        told = blake2b(repr([(one.path, one.version) for one in speaks]).encode(), digest_size=7).digest()
        return found._replace(sidecar_mtime_ns=int.from_bytes(told) | 1, beside=tuple(one.path for one in speaks))
