"""Captions in languages that the encoder does not know are found by their words, and answer nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import Index
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
