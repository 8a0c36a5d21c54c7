"""Words as people type them: joined or split, in quotes, unwanted, as filters, misspelt, of any length."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.errors import UsageError
from search import Index, cli
from search.filters import Query
from search.language import understood
from search.spelling import faults
from tests.support.libraries import make_library, photo_row

ROWS = [
    photo_row("/p/umbrella.jpg", "A red umbrella on the beach beside a sand castle.", ["beach"], camera="Canon EOS"),
    photo_row("/p/shirt.jpg", "A boy in a blue t-shirt near a wi-fi router.", ["kid", "golden hour", "t-shirt"]),
    photo_row("/p/hill.jpg", "A castle on a hill, with sand before it.", ["castle"]),
    photo_row("/p/tide.jpg", "Children built a sandcastle at low tide.", ["kid"]),
    photo_row("/p/robot.jpg", "A C-3PO toy robot stands in its box."),
    photo_row("/p/Müller/IMG_1234.JPG"),
    photo_row("/p/Fjord trip/Goethe.jpg"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven photos whose words are spelled in many ways."""
    return make_library(tmp_path_factory.mktemp("language") / "library", ROWS)


@pytest.fixture(scope="module")
def index(library: Path) -> Index:
    """The library, open."""
    return Index.open(library)


def holding(index: Index, text: str, **options: object) -> list[str]:
    """The names of the hits whose words matched, or of all hits of a search by filters."""
    hits = index.search(text, **options)  # type: ignore[arg-type]
    return [hit.path.rsplit("/", 1)[1].partition(".")[0] for hit in hits if hit.why["words"] or hit.score == 1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tshirt", ["shirt"]),
        ("t-shirt", ["shirt"]),
        ("T shirts", ["shirt"]),
        ("wifi", ["shirt"]),
        ("Wi Fi", ["shirt"]),
        ("sandcastle", ["tide", "umbrella"]),
        ("sandcastles", ["tide", "umbrella"]),
        ("C3PO", ["robot"]),
        ("c-3po", ["robot"]),
        ("c 3PO", ["robot"]),
        ("mueller", ["IMG_1234"]),
        ("Müller", ["IMG_1234"]),
        ("muller", ["IMG_1234"]),
        ("Göthe", ["Goethe"]),
        ("IMG_1234.JPG", ["IMG_1234"]),
        ("/p/Müller/IMG_1234.JPG", ["IMG_1234"]),
        ("'Fjord trip/Goethe.jpg'", ["Goethe"]),
    ],
)
def test_spellings_find_each_other(index: Index, text: str, found: list[str]) -> None:
    """Joined, hyphenated and split words, umlauts as two letters, file names and paths."""
    assert holding(index, text) == found


def test_neighbours_in_a_query_may_be_one_word_of_a_caption(index: Index) -> None:
    """All three castles of sand are found by two words, wherever these stand."""
    assert set(holding(index, "sand castle")) == {"tide", "umbrella", "hill"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"sand castle"', ["umbrella"]),
        ('castle "on a hill"', ["hill"]),
        ("“sand castle”", ["umbrella"]),
        ('"castle sand"', []),
        ("castle -hill", ["umbrella"]),
        ("castle -tide -hill", ["umbrella"]),
        ("castle -sandcastle", ["hill"]),
        ('castle -"sand castle"', ["hill"]),
        ("kid -tshirt tag:kid", ["tide"]),
        ("tag:kid", ["shirt", "tide"]),
        ("tag:kid -tshirt", ["tide"]),
        ("tag:kid -wifi", ["tide"]),
        ('tag:"golden hour"', ["shirt"]),
        ("-tag:castle castle", ["umbrella"]),
        ("camera:canon", ["umbrella"]),
        ("in:/p/Müller", ["IMG_1234"]),
        ('in:"/p/Fjord trip"', ["Goethe"]),
        ('"tag:kid"', []),
        ('"camera:canon"', []),
    ],
)
def test_quotes_dashes_and_names_of_filters(index: Index, text: str, found: list[str]) -> None:
    """A phrase holds word by word, a dash leaves out, a name with a colon filters, and quotes escape it."""
    assert sorted(holding(index, text)) == sorted(found)


def test_unwanted_words_mean_all_their_spellings(index: Index) -> None:
    """`--not tshirt` leaves out the t-shirt, and not every shirt is one."""
    assert "shirt" not in holding(index, "", not_words="tshirt")
    assert len(holding(index, "", not_words="sandcastle", limit=0)) == 5
    assert len(holding(index, "", not_words="t-castle", limit=0)) == 7


@pytest.mark.parametrize(
    ("tag", "found"),
    [("tshirt", 1), ("T-Shirt", 1), ("t shirt", 1), ("goldenhour", 1), ("golden-hour", 1), ("ki-d", 2), ("kids", 0)],
)
def test_tags_find_each_other_in_any_spelling(index: Index, tag: str, found: int) -> None:
    """Joined, hyphenated or split, wanted or unwanted; a tag of other letters is another one."""
    assert len(index.search(tags=[tag])) == len(index.search(any_tags=[tag])) == found
    assert len(index.search(no_tags=[tag], limit=0)) == len(ROWS) - found
    assert all(hit.why["tags"] for hit in index.search(tags=[tag]))


@pytest.mark.parametrize("text", ["in:/a in:/b", "camera:a camera:b", "-in:/p dog"])
def test_what_cannot_be_meant_is_usage(index: Index, text: str) -> None:
    """A filter given twice, or turned round, is told."""
    with pytest.raises(UsageError):
        index.search(text)


@pytest.mark.parametrize(
    ("text", "name", "meant"),
    [
        ("umberlla", "umbrella", "umbrella"),
        ("rboot", "robot", "robot"),
        ("childern", "tide", "children"),
        ("hlils", "hill", "hill"),
    ],
)
def test_swapped_letters_are_one_fault(index: Index, text: str, name: str, meant: str) -> None:
    """In short words too, and before an ending."""
    assert holding(index, text) == [name]
    assert index.answer(Query(text=text)).meant == {text: meant}


def test_a_misspelt_word_is_searched_as_what_the_library_has(index: Index) -> None:
    """A single word that finds nothing is corrected; others are offered."""
    assert holding(index, "umbrela") == ["umbrella"]
    answered = index.answer(Query(text="umbrela"))
    assert (answered.meant, answered.corrected) == ({"umbrela": "umbrella"}, True)
    offered = index.answer(Query(text="red umbrela"), advised=True)
    assert (offered.meant, offered.corrected) == ({"umbrela": "umbrella"}, False)
    assert index.answer(Query(text="castle"), advised=True).meant == {}


@pytest.mark.parametrize(
    ("one", "other", "number"),
    [("umbrela", "umbrella", 1), ("form", "from", 1), ("dog", "dog", 0), ("cat", "cut", 1), ("abcd", "dcba", 3)],
)
def test_faults_are_counted(one: str, other: str, number: int) -> None:
    """A letter missing, changed or swapped with its neighbour is one fault; what is above the most is only more."""
    assert faults(one, other, 2) == number or (faults(one, other, 2) > 2 and number > 2)


@pytest.mark.parametrize("words", [1, 300, 20_000])
def test_a_query_has_any_length(index: Index, words: int) -> None:
    """A pasted page is a query too."""
    assert holding(index, " ".join(["red umbrella sand castle beach"] * words))[0] == "umbrella"
    index.search(" ".join(f"word{number}" for number in range(words)))


@given(st.lists(st.sampled_from([*'ab "-:“”«/.', "tag:", "in:", "camera:", "jpg"]), max_size=12).map("".join))
def test_any_text_is_understood(text: str) -> None:
    """Quotes without an end, dashes and colons alone: nothing breaks, and nothing is unwanted that has no dash."""
    try:
        asked = understood(Query(text=text), date(2026, 11, 26))
    except UsageError:
        return
    assert "-" in text or not (asked.not_words or asked.unwanted or asked.no_tags)
    assert all(phrase in asked.text for phrase in asked.phrases)


def run(library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, its output going into pipes."""
    command = [sys.executable, "-c", "from search.cli import main; main()", "--library", str(library), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_says_what_it_searched(library: Path) -> None:
    """A corrected word is told on stderr."""
    done = run(library, "umbrela", "-l", "-n1")
    assert (done.returncode, done.stdout) == (0, "/p/umbrella.jpg\n")
    assert "did you mean umbrella?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "out"),
    [
        (["castle", "-hill", "-l", "-n", "1"], 0, "umbrella"),
        (["castle", "-n1", "-hill", "-l"], 0, "umbrella"),
        (["-sand castle", "tag:beach"], 1, ""),
        (["in:/p/Fjord trip"], 0, "Goethe"),
        (["--", "castle", "-hill", "tag:beach"], 0, "umbrella"),
        (["castle", "-json"], 2, ""),
        (["castle", "-tag"], 2, ""),
    ],
)
def test_a_dash_before_a_word_is_no_option(
    library: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, out: str
) -> None:
    """`-hill` leaves out, `-n1` is an option, `-json` is told that it has two dashes."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--library", str(library), *arguments])
    told = capfd.readouterr()
    assert left.value.code == code
    assert [Path(line).stem for line in told.out.splitlines()] == ([out] if out else [])
    assert code != 2 or f"did you mean: -{arguments[1]}" in told.err
