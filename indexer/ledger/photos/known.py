"""Files as the ledger remembers them; a crawl compares every file of every run with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from indexer.ledger.store import Ledger

_KNOWN = (
    "path, size, mtime_ns, sidecar_ns, ctime_ns, photo, CASE"
    " WHEN state = 'present' AND photo IS NOT NULL AND reason IS NULL AND (facts_reader >= ? OR facts IS NULL) THEN ''"
    " ELSE json_array(state, reason, grounds, facts_reader < ? AND facts IS NOT NULL AND reason IS NULL) END"
)
_read = lru_cache(json.loads)  # few things are special, and many files are so in the same way
_new = tuple.__new__  # the constructor of a named tuple takes three times as long


class Known(NamedTuple):
    """A file as the ledger remembers it; `special` is "" for a photo at hand, of which nothing more is to be said.

    That is nearly every file of nearly every run, so what is special about the others is kept as JSON until it is
    asked for: state, reason, grounds, and whether an older reader read its facts.
    """

    path: bytes
    size: int
    mtime_ns: int
    sidecar_ns: int
    ctime_ns: int
    photo: str | None
    special: str

    @property
    def state(self) -> str:
        """Whether it was present, offline or gone."""
        return str(_read(self.special)[0]) if self.special else "present"

    @property
    def reason(self) -> str | None:
        """Why it could not be read when it was seen last."""
        return _read(self.special)[1] if self.special else None

    @property
    def grounds(self) -> str:
        """What the refusal to read it depended on."""
        return str(_read(self.special)[2]) if self.special else ""

    @property
    def outdated(self) -> bool:
        """Whether its facts were read by an older reader."""
        return bool(self.special and _read(self.special)[3])

    @property
    def photo_read(self) -> bool:
        """Whether the file, as it was seen last, could be read and is a photo."""
        return bool(self.photo) and not self.reason


def known_in(ledger: Ledger, folder: bytes, facts_reader: int) -> dict[bytes, Known]:
    """Return what is known of the files directly in `folder`, by path; `facts_reader` is the version of today's."""
    rows = ledger.connection.execute(
        f"SELECT {_KNOWN} FROM files WHERE folder = ?", (facts_reader, facts_reader, folder)
    )
    return _by_path(rows)


def failed_for(ledger: Ledger, reasons: Sequence[str]) -> dict[bytes, Known]:
    """Return the present files that could not be read for one of `reasons`, by path."""
    marks = ",".join("?" * len(reasons))
    rows = ledger.connection.execute(
        f"SELECT {_KNOWN} FROM files WHERE reason IN ({marks}) AND state = 'present' ORDER BY path", (0, 0, *reasons)
    )
    return _by_path(rows)


def _by_path(rows: Iterable[tuple[Any, ...]]) -> dict[bytes, Known]:
    return {row[0]: _new(Known, row) for row in rows}
