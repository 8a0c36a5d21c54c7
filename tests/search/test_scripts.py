"""Captions in languages that the encoder does not know are found by their words, and answer nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import Index, cli
from search.filters import Query
from tests.support.libraries import make_library, photo_row

ROWS = [
    photo_row("/p/zh.jpg", "两只棕色的狗从窗户探出头来。"),
    photo_row("/p/ja.jpg", "窓辺で猫が眠っている。"),
    photo_row("/p/ko.jpg", "창가의 강아지 두 마리."),
    photo_row("/p/ru.jpg", "Красная лодка у деревянного причала."),
    photo_row("/p/hi.jpg", "खिड़की पर दो कुत्ते बैठे हैं।"),
    photo_row("/p/th.jpg", "สุนัขสองตัวที่หน้าต่าง"),
    photo_row("/p/emoji.jpg", "A party with 🎂 and candles on a table."),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Seven photos in seven scripts."""
    return Index.open(make_library(tmp_path_factory.mktemp("scripts"), ROWS))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("狗", "zh"),
        ("窗户", "zh"),
        ("猫", "ja"),
        ("강아지", "ko"),
        ("лодка", "ru"),
        ("कुत्ते", "hi"),
        ("หน้าต่าง", "th"),
        ("🎂", "emoji"),
    ],
)
def test_words_of_any_script_are_found(index: Index, text: str, name: str) -> None:
    """By words alone, the photo that holds them and no other."""
    assert [Path(hit.path).stem for hit in index.search(text)] == [name]


@pytest.mark.parametrize("text", ["量子力学", "비행기", "самолёт", "विमान", "เครื่องบิน", "🚀", "kubernetes pod eviction"])
def test_no_caption_answers_because_it_is_unknown(index: Index, text: str) -> None:
    """Two texts that the encoder cannot read are not alike."""
    assert index.search(text) == []


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos described in English, one of whose folders has a German name."""
    rows = [
        photo_row("/p/dogs.jpg", "Two dogs run across a meadow."),
        photo_row("/p/Hunde auf Reisen/car.jpg", "A terrier looks out of a car."),
        photo_row("/p/pier.jpg", "A wooden pier in the fog."),
        photo_row("/p/Los Angeles/sign.jpg", "A large white sign on a hill."),
    ]
    more = [photo_row(f"/p/more/{number}.jpg", f"A stone wall, number {number}.") for number in range(30)]
    return make_library(tmp_path_factory.mktemp("described") / "library", rows + more)


@pytest.mark.parametrize(
    ("text", "names", "unread"),
    [
        ("Hunde auf der Wiese", ["car"], True),
        ("chiens dans un pré", [], True),
        ("un perro en la playa", [], True),
        ("cane sul prato", [], True),
        ("犬", [], True),
        ("dogs on a meadow", ["dogs"], False),
        ("Los Angeles", ["sign"], False),
        ("dogs de", ["dogs"], False),
        ("the car of Anna von der Heide", ["car"], False),
    ],
)
def test_a_query_in_a_language_that_the_encoder_does_not_know_goes_by_words(
    described: Path, text: str, names: list[str], unread: bool
) -> None:
    """No photo answers it by a meaning that the encoder made up; English with foreign names is read."""
    answered = Index.open(described).answer(Query(text=text))
    assert answered.unread == unread
    assert [Path(hit.path).stem for hit in answered.hits][: len(names) or 1] == names
    assert not unread or all(hit.why["meaning"] is None for hit in answered.hits)


def test_photos_described_in_the_language_of_a_query_are_found_by_meaning_too(tmp_path: Path) -> None:
    """Where the photos speak it, the encoder still knows which texts look alike."""
    rows = [photo_row("/p/hunde.jpg", "Zwei Hunde laufen auf der Wiese."), photo_row("/p/steg.jpg", "Ein Steg am See.")]
    answered = Index.open(make_library(tmp_path / "library", rows)).answer(Query(text="ein Hund auf der Wiese"))
    assert not answered.unread
    assert answered.hits[0].path == "/p/hunde.jpg"


def test_the_command_says_once_that_it_went_by_words(described: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, with what to do about it."""
    with pytest.raises(SystemExit):
        cli.main(["--library", str(described), "Hunde auf der Wiese"])
    told = capsys.readouterr().err
    assert told.count("searched by words only") == 1
    assert "text_model" in told
