"""What can be read of a library without writing to it: how it stands, what failed, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.crawl.decoders import Decoders
from indexer.crawl.inspect import WorkOptions
from indexer.domain.errors import MissingPath, UsageError
from indexer.domain.plan import Cost
from indexer.domain.progress import Progress
from indexer.ledger.photos import files
from indexer.ledger.scope import Scope
from indexer.ledger.spend import accounts
from indexer.ledger.spend.accounts import Accounts
from indexer.ledger.views import counts, known_photo, people
from indexer.ledger.views.known_photo import KnownFile, KnownPhoto
from indexer.ledger.views.people import PersonCount
from indexer.ledger.work import questions
from indexer.library.backup import Backup, back_up
from indexer.library.opened import Opened, scope_of
from indexer.pipeline.report import Report, RunFacts
from indexer.storage.paths import AnyPath, is_address, resolve_new, resolve_root, to_bytes, to_text

if TYPE_CHECKING:
    from indexer.export.sidecars import Exported

_PATIENCE = 30.0
"""Seconds that somebody who looks at a page waits for one picture."""


@dataclass(frozen=True, slots=True)
class FailedPhoto:
    """A path without a description: why, in words, after how many attempts, in which job."""

    path: str
    reason: str
    detail: str
    attempts: int
    job: str


class Reading(Opened):
    """Look at a library; nobody waits for a lock."""

    def status(self, paths: Sequence[AnyPath] | None = None, *, estimate: Cost = Cost()) -> Report:
        """Return how the library (or what lies at `paths`) stands; waits for nobody."""
        scope = scope_of(paths)
        with self._access.reading() as ledger:
            return self._report(ledger, self._last_asked(ledger), scope, RunFacts(estimate=estimate))

    def failures(self) -> list[FailedPhoto]:
        """Return every path that failed, with its one reason."""
        with self._access.reading() as ledger:
            question, _ = self._last_asked(ledger)
            found = counts.failed_paths(ledger, Scope(), questions.known_question(ledger, question))
        return [FailedPhoto(to_text(one.path), one.reason, one.detail, one.attempts, one.job) for one in found]

    def photo(self, path: str) -> KnownPhoto | None:
        """Return what is known of the photo at `path`, spelled as a hit spells it; None where there is none."""
        with self._access.reading() as ledger:
            return known_photo.known_photo(ledger, to_bytes(path))

    def file(self, path: str) -> KnownFile | None:
        """Return the picture's file at `path`, spelled as a hit spells it; None for a path that the library lacks."""
        with self._access.reading() as ledger:
            return known_photo.known_file(ledger, to_bytes(path))

    def decoders(self) -> Decoders:
        """Return what makes small copies of pictures, within the limits of the settings; close it."""
        return Decoders(WorkOptions(max_pixels=self._access.config().max_pixels, seconds=_PATIENCE))

    def people(self) -> list[PersonCount]:
        """Return the people whom files name, those with most photos first."""
        with self._access.reading() as ledger:
            return people.counts(ledger)

    def accounts(self) -> Accounts:
        """Return every request, token and cent by run, batch and model, and whether the books balance."""
        with self._access.reading() as ledger:
            return accounts.accounts(ledger)

    def export(
        self,
        format: str,
        to: AnyPath,
        paths: Sequence[AnyPath] | None = None,
        *,
        sidecar_names: str = "",
        bom: bool = False,
    ) -> Exported:
        """Write the photos (at `paths`) to `to`: jsonl, csv or parquet to a new file, xmp as sidecars to a folder.

        `sidecar_names` lightroom or darktable names those of RAW files as that program wants; `bom` begins CSV with a
        byte order mark, which some spreadsheets need.
        Raises `UsageError` where `to` is in the way, `Unwritable` where it cannot be written.
        """
        from indexer.export.rows import ExportOptions, export

        watcher = self._access.watcher
        scope = scope_of(paths)
        if is_address(resolve_root(to)):
            raise UsageError("exports to object storage are not supported", hint="export to a folder, then copy that")
        with self._access.reading() as ledger:
            if paths is not None and not files.knows(ledger, scope):
                raise MissingPath("the library knows nothing there", hint="check the path after --in")
            done = export(
                ledger,
                format,
                resolve_root(to) if format == "xmp" else resolve_new(to),
                scope,
                ExportOptions(sidecar_names, bom),
                lambda done: watcher.progress(Progress("exporting", done)),
            )
        for note in done.notes:
            watcher.note(note)
        return done

    def backup(self, to: AnyPath) -> Backup:
        """Copy the ledger, which is all that was paid for, to the new file `to`; a writer need not stop for it.

        In a folder that exists the file is called `ledger.sqlite3`, and that folder is a library whose table `rebuild`
        makes. Raises `UsageError` where something is in the way, `Unwritable` where the disk refuses.
        """
        with self._access.reading() as ledger:
            return back_up(ledger, to, self._access.watcher.progress)
