"""The inbox: uploads that a program gives us, looked at within a time, and decided by rules.

An upload is on disk and in the ledger before `add` returns. What the model answers is kept; verdicts are a pure
function of answer and rules, so other rules decide anew without a request. Nothing is approved without an answer.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.domain.characters import CONTROLS
from indexer.domain.checks import HUMAN, Checks, read_checks
from indexer.domain.errors import ApprovalRequired, BudgetReached, GateFailed, ProviderError, UsageError
from indexer.domain.question import Question
from indexer.ledger.store import Ledger
from indexer.ledger.views import verdicts
from indexer.ledger.views.verdicts import Standing, Verdict
from indexer.library.folder import Access
from indexer.media.sniff import Kind, by_content
from indexer.storage.atomic import whole_file
from indexer.storage.layout import INBOX_FOLDER
from indexer.storage.paths import AnyPath, for_terminal

_MOST_BYTES = 200 << 20
_MOST_PIXELS = 500_000_000
_HEAD = 4096
_ID = re.compile(f"[^{CONTROLS}]{{1,200}}")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SOON = 900.0  # a batch is not worth its wait when the answer is due by then
_DAY = "24h"


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """How uploads are looked at: by whom, within how many seconds, for how many US dollars a day (UTC)."""

    provider: str
    within: float
    budget_per_day: float | None


class Inbox:
    """Uploads of one library and their verdicts; make one with `Library.inbox`."""

    def __init__(self, access: Access, checks: Checks, options: InboxOptions, index: Any) -> None:
        self._access = access
        self._checks = checks
        self._options = options
        self._index = index
        self._folder = access.folder / INBOX_FOLDER
        asked = Question("", "", checks.template.strip(), checks.schema)
        self._versions = (asked.prompt_version, asked.schema_version)

    def add(self, upload: str, picture: AnyPath | bytes) -> None:
        """Take in a picture, a path or bytes, under a name of the caller's; durable when it returns.

        The same name with the same bytes is the same upload. Raises `UsageError` for the same name with other bytes,
        and for what no decoder here would be let near.
        """
        if not _ID.fullmatch(upload):
            raise UsageError(f"{for_terminal(upload[:80])!r} cannot name an upload", hint="use 1 to 200 characters")
        raw = picture if isinstance(picture, bytes) else _read(picture)
        _refuse_bombs(raw)
        sha256 = hashlib.sha256(raw).hexdigest()
        with self._ledger() as ledger:
            before = verdicts.known(ledger, upload)
            if before not in (None, sha256):
                raise UsageError(f"the upload {for_terminal(upload)} has other bytes", hint="give it another name")
            target = self._folder / sha256[:2] / sha256
            if not target.exists():
                target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with whole_file(target) as stream:
                    stream.write(raw)
            verdicts.add(ledger, upload, sha256, os.fsencode(target))
            after = verdicts.known(ledger, upload)
        if after != sha256:
            raise UsageError(f"the upload {for_terminal(upload)} has other bytes", hint="give it another name")

    def advance(self) -> int:
        """Send what is due, fetch what is back, decide what can be decided; returns how many verdicts are new.

        It does not wait: call it again, from cron or a worker.
        """
        with self._access.reading() as ledger:
            oldest, paths = verdicts.waiting(ledger), verdicts.paths(ledger)
        stopped: ProviderError | None = None
        try:
            if paths and oldest is not None:
                self._send(oldest)
        except ProviderError as fault:  # what is back already is decided all the same
            stopped = fault
        with self._access.writing("inbox advance") as (run, _):
            made = self._decide(run.ledger)
            if made:
                verdicts.record(run.ledger, made)
            run.finish()
        if stopped is not None:
            raise stopped
        return len(made)

    def verdicts(self, after: str = "") -> Iterator[Verdict]:
        """Yield the verdicts behind the cursor `after` ("" for all), in order; each carries its own cursor."""
        if after and not after.isdigit():
            raise UsageError(f"{after!r} is not a cursor", hint="give the cursor of a verdict, or nothing")
        with self._access.reading() as ledger:
            yield from verdicts.after(ledger, int(after or 0))

    def decide(self, upload: str, decision: str, note: str = "") -> Verdict:
        """Record a person's decision, which no rule overrules; raises `UsageError` for an upload that is not known."""
        if decision not in ("approve", "reject"):
            raise UsageError(f"{decision!r} is not a decision", hint="approve or reject")
        with self._access.writing("inbox decide") as (run, _):
            found = next(verdicts.standing(run.ledger, *self._versions, only=upload), None)
            if found is None:
                raise UsageError(f"there is no upload {for_terminal(upload)!r}", hint="check its name")
            reasons = (f"decided by a person: {note}" if note else "decided by a person",)
            made = self._verdict(found, decision, reasons, person=True)
            verdicts.record(run.ledger, [made])
            run.finish()
        return made

    def _send(self, oldest: float) -> None:
        left = oldest + self._options.within - self._access.clock.time()
        prompt, schema = self._folder / "prompt.txt", self._folder / "schema.json"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for path, text in ((prompt, self._checks.template), (schema, self._checks.schema)):
            with whole_file(path) as stream:
                stream.write(text.encode())
        options: dict[str, Any] = {"provider": self._options.provider, "prompt": prompt, "schema": schema}
        options["min_side"] = 0  # whatever was uploaded is to be judged
        if self._options.provider == "best":
            options["deadline"] = max(60.0, left)
        elif left < self._slow():
            options["mode"] = "interactive"
        folders = sorted(path for path in self._folder.iterdir() if path.is_dir())
        try:
            self._index(folders, approve=True, pilot=0, wait=False, **options)
        except (ApprovalRequired, BudgetReached, GateFailed) as stop:
            self._access.watcher.note(str(stop))

    def _slow(self) -> float:
        """Seconds that a batch of the provider may take; 0 where it has none or is chosen by itself."""
        name = self._options.provider
        if name == "auto":
            return _SOON
        spec = self._access.spec(name)
        return spec.turnaround[1] if any(str(mode) == "batch" for mode in spec.modes) else 0.0

    def _decide(self, ledger: Ledger) -> list[Verdict]:
        made = []
        now = self._access.clock.time()
        for found in verdicts.standing(ledger, *self._versions):
            if found.person:
                continue
            decided = self._judge(found, now)
            if decided is not None and decided != found.last:
                made.append(self._verdict(found, *decided))
        return made

    def _judge(self, found: Standing, now: float) -> tuple[str, tuple[str, ...]] | None:
        """Return (decision, reasons), None while an answer may still come in time."""
        if found.fields is not None:
            decision, reasons = self._checks.decide(found.fields)
            return decision, tuple(reasons)
        if found.reason in ("blocked", "unreadable", "unsupported", "too_large", "rejected"):
            return HUMAN, (f"{found.reason}: {found.detail}",)
        if not _is_picture(found.path):
            return HUMAN, ("unreadable: not a picture that is known here",)
        if now - found.added_at >= self._options.within:
            why = f"still failing: {found.reason}: {found.detail}" if found.reason else "no answer in time"
            return HUMAN, (why,)
        return None

    def _verdict(self, found: Standing, decision: str, reasons: tuple[str, ...], *, person: bool = False) -> Verdict:
        moderation, checks = self._checks.read(found.fields) if found.fields is not None else ({}, {})
        return Verdict(
            found.id,
            decision,
            reasons,
            moderation,
            checks,
            found.description,
            found.tags,
            self._access.clock.time(),
            model=found.model,
            prompt_version=found.prompt_version,
            rules=self._checks.rules_version,
            person=person,
        )

    def _ledger(self) -> Any:
        """The ledger for one small commit beside whoever writes; SQLite lets one in at a time."""
        from contextlib import closing

        return closing(Ledger.open(self._access.folder, now=self._access.clock.time))


def open_inbox(access: Access, checks: AnyPath, options: InboxOptions, index: Any) -> Inbox:
    """Return the inbox that looks for what the file `checks` says; raises `UsageError` where it cannot be read."""
    path = Path(os.fsdecode(checks)).expanduser()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}", hint="name the file that says what to look for") from fault
    checked = read_checks(text, path.name)
    Ledger.open(access.folder, now=access.clock.time).close()
    return Inbox(access, checked, options, index)


def seconds(within: str | float) -> float:
    """Return a time such as "24h" in seconds; raises `UsageError` when it is not one."""
    if isinstance(within, int | float) and not isinstance(within, bool) and within > 0:
        return float(within)
    text = str(within).strip()
    try:
        found = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        found = 0.0
    if not 0 < found < 1e9:
        raise UsageError(f"{within!r} is not a duration", hint=f"use 30m, 6h or {_DAY}")
    return found


def _read(picture: AnyPath) -> bytes:
    path = Path(os.fsdecode(picture)).expanduser()
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {for_terminal(str(path))}", hint="give a file or bytes")
        with path.open("rb") as stream:
            return stream.read(_MOST_BYTES + 1)
    except OSError as fault:
        raise UsageError(f"{for_terminal(str(path))} cannot be read: {fault.strerror}", hint="check it") from fault


def _is_picture(path: bytes) -> bool:
    try:
        with Path(os.fsdecode(path)).open("rb") as stream:
            return by_content(stream.read(_HEAD)) not in (None, Kind.DRAWING)
    except OSError:
        return False


def _refuse_bombs(raw: bytes) -> None:
    """Refuse at the door what would cost a decoder more than any photo does; a header is read, no pixel."""
    if not raw:
        raise UsageError("the upload is empty", hint="give the bytes of a picture")
    if len(raw) > _MOST_BYTES:
        raise UsageError(f"the upload has more than {_MOST_BYTES >> 20} MB", hint="send a smaller picture")
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(raw)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError:
        width = height = 1 << 20
    except (OSError, ValueError, SyntaxError, MemoryError, OverflowError, RecursionError, TypeError, KeyError):
        return  # what is not a picture, or a broken one, is for a person
    if width * height > _MOST_PIXELS:
        raise UsageError(f"the upload has {width:,} x {height:,} pixels, too many", hint="send a smaller picture")
