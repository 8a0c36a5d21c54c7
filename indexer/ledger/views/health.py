"""What is wrong with a ledger: pages, references, texts that should be JSON, and a clock that runs behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from indexer.ledger.store import Ledger

_JSON = (
    ("files", "facts"),
    ("answers", "tags"),
    ("answers", "fields"),
    ("answers", "given"),
    ("works", "given"),
    ("questions", "settings"),
    ("tag_rules", "tags"),
    ("approvals", "plan"),
)
_MOST = 3
_DAY = 86_400.0


def faults(ledger: Ledger, *, deep: bool = False) -> Iterator[str]:
    """Yield what is damaged, in words; `deep` reads every page against its indexes, which takes longer."""
    try:
        yield from _pages(ledger, "integrity_check" if deep else "quick_check")
        broken = ledger.connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)
        yield from (f"a row of {table} names a row of {parent} that is not there" for table, _, parent, _ in broken)
        for table, column in _JSON:
            odd = f"SELECT count(*) FROM {table} WHERE {column} IS NOT NULL AND NOT json_valid({column})"
            (count,) = ledger.connection.execute(odd).fetchone()
            if count:
                yield f"{count} rows of {table} have no {column} that can be read"
    except sqlite3.DatabaseError as fault:
        yield str(fault)


def _pages(ledger: Ledger, check: str) -> Iterator[str]:
    found = ledger.connection.execute(f"PRAGMA {check}({_MOST})").fetchall()
    yield from (str(words).partition("\n")[0] for (words,) in found if words != "ok")


def written_ahead(ledger: Ledger) -> float:
    """Return how many seconds the newest entry lies ahead of the clock, 0 where it does not by a day."""
    (newest,) = ledger.connection.execute("SELECT coalesce(max(started_at), 0) FROM runs").fetchone()
    ahead = float(newest) - ledger.now()
    return ahead if ahead > _DAY else 0.0
