"""A ledger of very many files: what nothing has changed in is not walked through again."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer import Library
from tests.fakes.gemini import Emulator
from tests.support.virtual import opened, samples

LARGE = "files works attempts answers photos contents"
SMALL_INDEXES = "works_wanted works_out works_failed attempts_out attempts_in_doubt files_faulty files_no_pictures"
"""Indexes of what is unfinished or odd: few rows, however many files there are."""


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of databases that are opened meanwhile; the real connections are listened to."""
    heard: list[str] = []
    connect = sqlite3.connect

    def listening(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **options)
        connection.set_trace_callback(heard.append)
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", listening)
        yield heard


def walks(ledger: Path, asked: list[str]) -> list[str]:
    """Return those of the statements that go through all rows of a large table."""
    return [
        f"{step}: {statement}"
        for statement, step, table, index in steps(ledger, asked)
        if step.startswith("SCAN") and table in LARGE.split() and index not in SMALL_INDEXES.split()
        if not _is_an_end(statement)
    ]


def walks_for_each(ledger: Path, asked: list[str]) -> list[str]:
    """Return those that go through all answers or work of a provider or a question once for each of other rows."""
    coarse = re.compile(r"SEARCH .*\((provider|question|mode|state)=\?\)")
    found: list[str] = []
    outer = ""
    for statement, step, _, index in steps(ledger, asked):
        if statement == outer and coarse.match(step) and index not in SMALL_INDEXES.split():
            found.append(f"{step}: {statement}")
        outer = statement if "CORRELATED" in step else outer if statement == outer else ""
    return found


def steps(ledger: Path, asked: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield the steps of SQLite's plans for the statements, each with its statement, table and index."""
    with closing(sqlite3.connect(ledger)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for statement in dict.fromkeys(asked):
            if not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE|INSERT)", statement):
                continue
            try:
                plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
            except sqlite3.OperationalError:  # asked of another database: the cache of renditions
                continue
            names = {
                alias: table for table, alias in re.findall(r"\b(\w+)(?: AS)? (\w)\b", statement) if table in tables
            }
            for *_, step in plan:
                found = re.match(r"(?:SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
                at, index = found.groups() if found else ("", "")
                yield " ".join(statement.split()), step, names.get(at, at), index or ""


def _is_an_end(statement: str) -> bool:
    """Whether only the first or the last entry of an index is looked at."""
    return bool(
        re.fullmatch(
            r"SELECT (min|max)\(path\) FROM files|.*LIMIT \d+|SELECT EXISTS \(SELECT 1 FROM files\).*", statement, re.S
        )
    )


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """Two folders that were described, of which one is asked about."""
    with opened(tmp_path / "library", emulator) as held:
        for name in ("one", "two"):
            held.index([samples(tmp_path / name, 3)], approve=True, provider="gemini", workers=0)
        yield held


def test_an_unchanged_run_and_a_status_walk_through_no_large_table(library: Library, tmp_path: Path) -> None:
    """Every query of theirs finds its rows by an index, so that they take as long among ten million files."""
    library.index([tmp_path / "one"], provider="gemini", workers=0)
    with statements() as asked:
        library.index([tmp_path / "one"], provider="gemini", workers=0)
        library.status()
    assert len(asked) > 20
    assert walks(tmp_path / "library" / "ledger.sqlite3", asked) == []


def test_no_count_goes_through_all_answers_for_each_photo(library: Library, tmp_path: Path) -> None:
    """When something has changed, counting takes as many steps as there are photos, not as many times as many."""
    with statements() as asked:
        library.index([samples(tmp_path / "three", 5)], provider="gemini", workers=0, approve=True)
        library.status()
        library.status([tmp_path / "two"])
        library.index([tmp_path / "three"], provider="local", workers=0)
        library.failures()
        library.retry()
        library.tags()
        library.quote([tmp_path])
        library.export("jsonl", tmp_path / "out.jsonl")
        library.photo(str(next((tmp_path / "one").iterdir())))
    assert len(asked) > 100
    assert walks_for_each(tmp_path / "library" / "ledger.sqlite3", asked) == []


def test_counts_that_are_kept_are_those_that_are_counted(library: Library, tmp_path: Path) -> None:
    """After any change the kept numbers are the new ones: a file gone, one new, money spent."""
    shutil.copy(
        tmp_path / "one" / sorted(path.name for path in (tmp_path / "one").iterdir())[0], tmp_path / "two" / "x.jpg"
    )
    next(iter((tmp_path / "one").iterdir())).unlink()
    for name in ("one", "two"):
        library.index([tmp_path / name], approve=True, provider="gemini", workers=0)
        kept = library.status()
        with closing(sqlite3.connect(tmp_path / "library" / "ledger.sqlite3")) as ledger, ledger:
            ledger.execute("DELETE FROM kept_counts")
        assert library.status() == kept


def test_a_run_of_the_only_root_counts_the_library_once(tmp_path: Path, emulator: Emulator) -> None:
    """Where all files lie below one root, its counts are those of the library."""
    with opened(tmp_path / "library", emulator) as held:
        held.index([samples(tmp_path / "one", 3)], approve=True, provider="gemini", workers=0)
    with closing(sqlite3.connect(tmp_path / "library" / "ledger.sqlite3")) as ledger:
        names = [name for (name,) in ledger.execute("SELECT name FROM kept_counts")]
    assert names
    assert all(name.endswith(" everything") for name in names)
