"""`index doctor` and `index evaluate`, as a user runs them."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from indexer import Library
from indexer.library.doctor import examine_library
from indexer.media.text import text_installed
from tests.support.commands import SAMPLES, index


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyless library of the sample pictures."""
    folder = tmp_path_factory.mktemp("examined") / "library"
    assert index("--library", folder, "--provider", "local", SAMPLES).code == 0
    return folder


def test_a_healthy_library_passes(library: Path) -> None:
    """Every finding is good, and a missing key is no fault."""
    done = index("--library", library, "doctor", "--json")
    assert done.code == 0, done.out
    looked = {"ledger", "table", "encoder", "settings", "disk kind", "completion", "extra labels", "provider gemini"}
    assert looked <= {finding["what"] for finding in done.json}


@pytest.mark.skipif(text_installed(), reason="the extra `ocr` is installed here")
def test_words_that_nobody_reads_are_told(tmp_path: Path) -> None:
    """Of screenshots: once, in the run that sees them first, and by the doctor as long as it is so."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("Screenshot_2024-05-03.jpg", "IMG_1234.jpg"):
        shutil.copy(SAMPLES / "wall_clock.jpg", photos / name)
    with Library.open(tmp_path / "library") as library:
        notes = [library.index([photos], provider="local").notes for _ in range(2)]
    assert [["named like screenshots, whose text is not read: 1" in note for note in each] for each in notes] == [
        [True],
        [],
    ]
    told = {finding.what: finding.words for finding in examine_library(tmp_path / "library", {})}
    assert "'.[ocr]'" in told["screenshots"]


@pytest.mark.parametrize("harm", ["table", "encoder"])
def test_a_harmed_library_is_told_how_to_fix(tmp_path: Path, library: Path, harm: str) -> None:
    """A table that lost its rows, a broken encoder: exit 1 and the command that fixes it."""
    copy = tmp_path / "library"
    shutil.copytree(library, copy)
    if harm == "table":
        with sqlite3.connect(copy / "ledger.sqlite3") as ledger:
            ledger.execute(
                "UPDATE files SET row_digest = NULL WHERE path = (SELECT max(path) FROM files WHERE picture = 1)"
            )
    else:
        (copy / "encoder" / "model.onnx").write_bytes(b"not a model")
    done = index("--library", copy, "doctor")
    assert done.code == 1
    lines = done.out.splitlines()
    (place,) = (place for place, line in enumerate(lines) if line.startswith("FIX"))
    assert lines[place].startswith(f"FIX {harm}")
    assert "index" in lines[place + 1].split("hint: ")[1]


def test_evaluation_measures_somebodys_own_questions(tmp_path: Path, library: Path) -> None:
    """Questions whose photo comes first give an MRR of one; a wrong one lowers it."""
    questions = tmp_path / "questions.tsv"
    good = f"espresso cup\t{SAMPLES / 'coffee_cup.jpg'}\ndogs at a window\t{SAMPLES / 'dogs_window.jpg'}\n"
    questions.write_text(good)
    done = index("--library", library, "evaluate", questions, "--json")
    assert done.code == 0, done.err
    assert done.json["queries"] == 2
    assert done.json["mrr"]["mean"] == done.json["recall_1"]["mean"] == 1.0
    questions.write_text(good + f"espresso cup\t{SAMPLES / 'wall_clock.jpg'}\n")
    assert index("--library", library, "evaluate", questions, "--json").json["recall_1"]["mean"] == pytest.approx(2 / 3)


def test_a_line_that_is_no_question_is_named(tmp_path: Path, library: Path) -> None:
    """The number of the line is told, with exit 2."""
    questions = tmp_path / "questions.tsv"
    questions.write_text("# fine\nno tab here\n")
    done = index("--library", library, "evaluate", questions)
    assert done.code == 2
    assert "line 2" in done.err
