"""What people decide about a library: which prompt is in force, which tags are shown, what a model said wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from indexer.domain.correction import make_correction
from indexer.domain.errors import UsageError
from indexer.domain.tags import Act
from indexer.ledger.photos import dismissed
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.views import known_photo, prompts, tags
from indexer.ledger.views.prompts import Pair, Version
from indexer.ledger.views.tags import TagCount
from indexer.ledger.work import corrections
from indexer.library import tag_rules
from indexer.library.opened import Opened, scope_of
from indexer.library.relocation import moved
from indexer.library.tag_rules import Retagged
from indexer.storage.paths import AnyPath, to_bytes


class Curation(Opened):
    """Prompts, tags and corrections of a library; nothing here is ever sent or paid."""

    def prompts(self) -> list[Version]:
        """Return the prompts and answer schemas that were asked with, the oldest first, and the default prompt."""
        with self._access.reading() as ledger:
            return prompts.versions(ledger)

    def prompt(self, wanted: str) -> Version:
        """Return the newest text of this version or name; raises `UsageError` where there is none."""
        with self._access.reading() as ledger:
            found = prompts.find(ledger, wanted)
        if not found:
            raise UsageError(f"no prompt or schema is called {wanted!r}", hint="see: index prompts list")
        return found[0]

    def use(self, wanted: str) -> Version:
        """Put a prompt or a schema in force: its answers win from now on, and the next run asks with it."""
        one = self.prompt(wanted)
        with self._access.writing("prompts use") as (run, _):
            with run.ledger.transaction("prompt in force", uncounted=True) as transaction:
                versions = {f"{one.kind}_version": one.version}
                prompts.keep(transaction, one)
                prompts.choose(transaction, **versions)
            run.finish()
        return replace(one, chosen=True)

    def diff(self, left: str, right: str, paths: Sequence[AnyPath] | None = None) -> list[Pair]:
        """Return the photos (at `paths`) that were described under both prompts, side by side."""
        versions = [self.prompt(wanted).version for wanted in (left, right)]
        scope = scope_of(paths)
        with self._access.reading() as ledger:
            return prompts.pairs(ledger, versions[0], versions[1], scope)

    def tags(self, paths: Sequence[AnyPath] | None = None) -> list[TagCount]:
        """Return the tags of the photos (at `paths`) as search finds them, the most frequent first."""
        scope = scope_of(paths)
        with self._access.reading() as ledger:
            return tags.counts(ledger, scope, tags.tagging(ledger))

    def rename_tag(self, old: str, new: str) -> Retagged:
        """Show the generated tag `old` as `new`; raises `UsageError` where no photo has it."""
        return self._retag("rename", lambda ledger: tag_rules.decide(ledger, Act.RENAME, [old], new))

    def merge_tags(self, tags: Sequence[str], into: str) -> Retagged:
        """Show each of the generated `tags` as `into`; raises `UsageError` where no photo has one of them."""
        return self._retag("merge", lambda ledger: tag_rules.decide(ledger, Act.MERGE, tags, into))

    def ban_tags(self, tags: Sequence[str]) -> Retagged:
        """Hide the generated `tags`, also in answers to come; keywords in files stay."""
        return self._retag("ban", lambda ledger: tag_rules.decide(ledger, Act.BAN, tags))

    def undo_tags(self) -> Retagged:
        """Take back the last rule about tags; raises `UsageError` where there is none."""
        return self._retag("undo", tag_rules.undo)

    def correct(
        self,
        path: str,
        *,
        description: str | None = None,
        tags: Sequence[str] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Say of the photo at `path`, spelled as a hit spells it, what a model said wrong; None leaves that as it is.

        `fields` are those of one's own schema that are wrong, None for one that should have no value. A correction
        stands above every answer, for all copies of the photo, until it is taken back. Raises `UsageError` for a photo
        that the library does not know, and for a value that does not fit its field.
        """

        def correct(transaction: Transaction, photo: str) -> None:
            wished = make_correction(description, tags, fields, prompts.own_fields(transaction.ledger))
            corrections.correct(transaction, photo, wished)

        self._change(path, correct)

    def undo_correction(self, path: str) -> None:
        """Take back the last correction of the photo at `path`; `UsageError` where there is none."""

        def undo(transaction: Transaction, photo: str) -> None:
            if not corrections.take_back(transaction, photo):
                raise UsageError("this photo has no correction to undo", hint="corrections are made in index gallery")

        self._change(path, undo)

    def relocate(self, old: AnyPath, new: AnyPath) -> int:
        """Say that what lay at `old` lies at `new` now; nothing is read or asked again. Returns how many files.

        Raises `MissingPath` where the library has nothing at `old`, or none of its files is at `new`.
        """
        with self._access.writing("relocate") as (run, _):
            done = moved(run, old, new)
            run.finish()
            return done

    def dismiss(self, paths: Sequence[AnyPath], *, undo: bool = False) -> int:
        """Accept the failures at `paths`: they count as left out until their file changes. Returns how many paths.

        Raises `UsageError` where nothing has failed, or with `undo` nothing was accepted.
        """
        with self._access.writing("dismiss") as (run, _):
            done = dismissed.dismiss(run.ledger, scope_of(paths), undo=undo)
            if not done:
                what = "was dismissed" if undo else "has failed"
                raise UsageError(f"nothing {what} there", hint="see: index failures")
            run.finish()
            return done

    def _change(self, path: str, change: Callable[[Transaction, str], None]) -> None:
        with self._access.writing("correct") as (run, _):
            file = known_photo.known_file(run.ledger, to_bytes(path))
            if file is None:
                raise UsageError(f"the library knows no photo at {path}", hint="index it first")
            with run.ledger.transaction("correction") as transaction:
                change(transaction, file.photo)
            run.project()
            run.finish()

    def _retag(self, command: str, change: Callable[[Ledger], Retagged]) -> Retagged:
        with self._access.writing(f"tags {command}") as (run, _):
            done = change(run.ledger)
            run.project()
            run.finish()
            return done
