"""What only a screen is told, and fields of one's own: totals, weaker matches under a line, orders with ties."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.domain.answer_fields import Field, Kind
from indexer.table.photo_table import PhotoTable
from search import Index, cli
from tests.support.libraries import make_library, photo_row

WEAK = "swimming"
PEOPLE, KIND = Field("people", Kind.INTEGER), Field("kind", Kind.TEXT)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen boats with two fields of somebody's schema; one has neither."""
    home = make_library(tmp_path_factory.mktemp("screen") / "library", [])
    table = PhotoTable.open(home / "lancedb")
    table.widen([PEOPLE, KIND])
    boats = [photo_row(f"/p/{number:02}.jpg", f"A red boat number {number} at a pier.") for number in range(14)]
    own = [{PEOPLE.column: number % 3, KIND.column: "ABC"[number % 3]} for number in range(13)]
    table.upsert([*map(lambda row, own: replace(row, own=own), boats, own), boats[13]])
    return home


class Screen(io.BytesIO):
    """A terminal that remembers what it was shown."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def shown(library: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    """Exit code and what the command wrote on a terminal."""
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, "utf-8"))
    monkeypatch.setenv("NO_COLOR", "1")
    with pytest.raises(SystemExit) as left:
        cli.main(["--library", str(library), *arguments])
    sys.stdout.flush()
    return int(left.value.code or 0), screen.getvalue().decode()


def test_a_page_tells_how_many_hits_there_are(
    library: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ten of all, and how to see all; nothing where all are shown."""
    code, listed = shown(library, monkeypatch, "red", "boat")
    assert (code, listed.count("A red boat")) == (0, 10)
    assert "10 of 14, all: -n 0" in capsys.readouterr().err
    assert shown(library, monkeypatch, "red", "boat", "-n", "0")[1].count("A red boat") == 14
    assert " of 14" not in capsys.readouterr().err


def test_weaker_matches_stand_under_a_line_of_their_own(
    library: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Three at most on a terminal, with the exit code of no hits; a pipe gets none unless it asks for them."""
    code, listed = shown(library, monkeypatch, WEAK)
    line, *rest = listed.splitlines()
    assert (code, line, sum("A red boat" in one for one in rest)) == (1, "weaker matches:", 3)
    monkeypatch.undo()
    with pytest.raises(SystemExit) as left:
        cli.main(["--library", str(library), WEAK, "--json"])
    assert (left.value.code, json.loads(capfd.readouterr().out)) == (1, [])
    assert {hit.weak for hit in Index.open(library).search(WEAK, min_score="weak")} == {True}


@pytest.mark.parametrize(
    ("sort", "first", "last"), [("people", ["02", "05", "08", "11", "01"], "13"), ("kind", ["00", "03", "06"], "13")]
)
def test_fields_of_ones_own_are_told_and_put_hits_in_order(
    library: Path, sort: str, first: list[str], last: str
) -> None:
    """Numbers from the largest, texts from A; equals by path, what has no value last; pages do not overlap."""
    index = Index.open(library)
    hits = index.search("red boat", sort=sort, limit=0)
    names = [Path(hit.path).stem for hit in hits]
    assert (names[: len(first)], names[-1]) == (first, last)
    assert hits[0].fields == {"people": int(first[0]) % 3, "kind": "ABC"[int(first[0]) % 3]}
    pages = [index.search("red boat", sort=sort, limit=4, offset=offset) for offset in range(0, 16, 4)]
    assert [hit.path for page in pages for hit in page] == [hit.path for hit in hits]
