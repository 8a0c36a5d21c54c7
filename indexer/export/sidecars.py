"""Where sidecars go: beside the pictures, or into a folder of their own as a mirror of their tree."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.domain.answer import Answer
from indexer.domain.errors import UsageError
from indexer.export.xmp_merge import OwnWords, merge
from indexer.ledger.store import Ledger
from indexer.ledger.views import export_rows
from indexer.ledger.views.export_rows import Entry
from indexer.media.metadata.sidecar_file import Beside, sidecar_of
from indexer.media.metadata.xmp_packet import NotXmp
from indexer.media.sniff import Kind, by_name
from indexer.storage.atomic import whole_file
from indexer.storage.paths import for_terminal, is_address, is_inside, to_text

_NO_WAY_ON = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture whose words were left as they are, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: how many photos it holds, how many rows or sidecars were written, what was kept.

    `kept` also names the `failed` pictures, whose sidecars could not be written; `notes` are lines for a person.
    """

    photos: int
    written: int
    kept: tuple[Kept, ...] = ()
    failed: int = 0
    notes: tuple[str, ...] = ()

    def with_note(self, note: str) -> Exported:
        """Return the same with one more line."""
        return replace(self, notes=(*self.notes, note))


SIDECAR_NAMES = ("lightroom", "darktable")
"""Programs after which sidecars of RAW files are named: photo.xmp, or photo.nef.xmp."""


class Mirror:
    """Sidecars of the pictures in and below `folder`, beside them; if there are none, a mirror of the whole tree.

    `names` is the program after which those of RAW files are named, "" keeps the name of the one that is there.
    """

    def __init__(self, ledger: Ledger, folder: Path, names: str = "") -> None:
        self._names = names
        self._ledger = ledger
        self._folder = folder
        self._root = os.fsencode(folder)
        self._beside = export_rows.holds_pictures(ledger, self._root)
        self._top = export_rows.top(ledger)
        self._kept: list[Kept] = []
        self._photos = self._written = self._failed = self._elsewhere = self._unanswered = 0

    def write(self, entries: Iterator[Entry]) -> Exported:
        """Write the sidecars that are new or changed; raises `UsageError` where none can be meant."""
        if os.path.lexists(self._folder) and not self._folder.is_dir():
            raise UsageError(f"{self._folder} is not a folder", hint="for sidecars, --to names a folder")
        for entry in entries:
            if self._beside and not is_inside(entry.path, self._root):
                self._elsewhere += 1
            elif entry.answer is None:
                self._unanswered += 1
            else:
                self._try(entry, entry.answer)
        if self._elsewhere and not (self._photos or self._failed or self._unanswered):
            raise UsageError(
                f"{self._folder} holds other photos than these",
                hint="name the folder of these photos, or one without photos for a mirror of their tree",
            )
        return Exported(self._photos, self._written, tuple(self._kept), self._failed, tuple(self._notes()))

    def _notes(self) -> Iterator[str]:
        if self._elsewhere:
            yield f"photos left out because they do not lie in {self._folder}: {self._elsewhere:,}"
        if self._unanswered:
            yield f"photos left out because they have no description yet: {self._unanswered:,}"

    def _try(self, entry: Entry, answer: Answer) -> None:
        try:
            self._write(entry, answer)
        except NotXmp as fault:
            self._fail(entry, f"{fault}; it was left alone")
        except OSError as fault:
            if fault.errno in _NO_WAY_ON:
                raise
            self._fail(entry, f"its sidecar cannot be written: {fault.strerror}")
        else:
            self._photos += 1

    def _fail(self, entry: Entry, why: str) -> None:
        self._failed += 1
        self._kept.append(Kept(to_text(entry.path), for_terminal(why)))

    def _write(self, entry: Entry, answer: Answer) -> None:
        picture = Path(os.fsdecode(entry.path))
        if self._beside and not os.path.lexists(picture):
            raise FileNotFoundError(errno.ENOENT, "the picture is gone")
        place = picture if self._beside else self._folder / os.fsdecode(_inside(entry.path, self._top))
        there = sidecar_of(place)
        begun = there or sidecar_of(picture)
        target = place.with_name(self._name(entry, picture, begun))
        if (there is None or there.path != target) and _stands(target):
            raise NotXmp(f"its sidecar {target.name} cannot be read")
        facts = entry.facts
        shared = target.name.rpartition(".")[0] == place.stem and place.stem != place.name
        extension = place.suffix.lstrip(".") if shared and self._names and _is_raw(entry.path) else ""
        paths = tuple(word for word in facts.words if "|" in word and word.rpartition("|")[2] in facts.keywords)
        said = OwnWords(answer.description, answer.tags, facts.caption or "", facts.keywords, paths, extension)
        try:
            merged = merge(begun.packet if begun else b"", said)
        except NotXmp as fault:
            raise NotXmp(f"its sidecar {target.name} is broken or not XMP") from fault
        if merged.changed or (begun is not None and (there is None or there.path != target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(target, fresh=not os.path.lexists(target)) as stream:
                stream.write(merged.packet)
            self._written += 1
        if merged.described:
            self._kept.append(Kept(to_text(entry.path), "described by a person, whose words stay"))

    def _name(self, entry: Entry, picture: Path, begun: Beside | None) -> str:
        """Name the sidecar as the one that is there, unless that one speaks for several pictures."""
        if self._names and _is_raw(entry.path):
            return f"{picture.stem if self._names == 'lightroom' else picture.name}.xmp"
        if begun is None:
            return f"{picture.name}.xmp"
        # IMG.png.xmp is named like IMG.png.jpg up to its last dot, but speaks for IMG.png.
        of_another = begun.shared and os.path.lexists(picture.with_name(begun.path.stem))
        if of_another or (begun.shared and export_rows.stem_is_shared(self._ledger, entry.path)):
            return f"{picture.name}.xmp"
        return begun.path.name


def _inside(path: bytes, top: bytes) -> bytes:
    """Where a picture lies in a mirror: below the top of those on disks; an object below its store and bucket."""
    return path.replace(b"://", b"/", 1) if is_address(path) else os.path.relpath(path, top)


def _is_raw(path: bytes) -> bool:
    return by_name(path) is Kind.RAW


def _stands(target: Path) -> bool:
    """Say whether something is there that is not to be replaced: anything but an empty file, a link too."""
    try:
        found = target.lstat()
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(found.st_mode) and not found.st_size)
