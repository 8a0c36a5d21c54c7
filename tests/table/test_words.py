"""Text becomes the same terms wherever it comes from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.table.words import joined, name_words, phrase, query_terms, stem, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dogs", "dog"),
        ("running", "runs"),
        ("Café", "cafe"),
        ("berries", "berry"),
        ("women", "woman"),
        ("boxes", "box"),
        ("riding", "ride"),
        ("the dog's bone", "the dog bone"),
        ("STRASSE", "straße"),
        ("ﬁsh", "fish"),
        ("Åland", "aland"),
    ],
)
def test_forms_of_a_word_are_one_term(one: str, other: str) -> None:
    """Case, accents, ligatures, plurals and regular verbs make no difference."""
    assert terms(one) == terms(other)


@pytest.mark.parametrize(("one", "other"), [("bus", "bu"), ("glass", "glas"), ("sing", "s"), ("red", "r")])
def test_short_words_keep_their_endings(one: str, other: str) -> None:
    """An ending is only taken off where a word is left."""
    assert stem(one) != other


def test_scripts_without_spaces_are_found_by_parts() -> None:
    """A word inside a Chinese or Japanese sentence is among its terms."""
    assert set(terms("犬")) <= set(terms("窓辺の犬と猫"))
    assert set(terms("窓辺")) <= set(terms("窓辺の犬と猫"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("हिन्दी किताब", ["हिन्दी", "किताब"]),
        ("বাংলা বই", ["বাংলা", "বই"]),
        ("தமிழ் நூல்", ["தமிழ்", "நூல்"]),
        ("собака у окна", ["собака", "у", "окна"]),
        ("창가의 강아지", ["창가의", "강아지"]),
        ("a party 🎂🎈", ["a", "parti", "🎂", "🎈"]),
        ("שָׁלוֹם", ["שלום"]),
        ("แมว", ["แ", "ม", "ว", "แม", "มว"]),
        ("ที่นี่", ["ที่", "นี่", "ที่นี่"]),
        ("ガラス", ["ガ", "ラ", "ス", "ガラ", "ラス"]),
    ],
)
def test_words_end_where_unicode_says(text: str, expected: list[str]) -> None:
    """Vowel signs belong to their letter, accents and points that people leave out do not, and emoji are words."""
    assert [unicodedata.normalize("NFC", term) for term in terms(text)] == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [("red T-shirts", [" red t shirt "]), ("犬と猫", [" 犬と と猫 "]), ("犬", [" 犬 "]), ("a 犬と", [" a ", " 犬と "])],
)
def test_a_phrase_is_found_in_a_line_that_holds_it(text: str, parts: list[str]) -> None:
    """Word by word, and pair by pair where there are no spaces."""
    assert phrase(text) == parts
    assert all(part in joined([f"x {text} y"]) for part in parts)


def test_a_query_drops_words_that_say_nothing() -> None:
    """Stop words go, unless there is nothing else."""
    assert query_terms("a photo of the two dogs at a window") == terms("two dogs window")
    assert query_terms("the who") == terms("the who")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dogs_window", {"dog", "window"}),
        ("DogsAtWindow2", {"dog", "window", "2"}),
        ("IMG_1234", {"img", "1234"}),
        ("2019-07 Rügen", {"2019", "07", "rugen"}),
        ("IMG1234", {"img1234", "img", "1234"}),
    ],
)
def test_names_are_cut_into_words(name: str, words: set[str]) -> None:
    """File and folder names give their words, and stay findable as they are written."""
    assert words <= set(terms(name_words(name)))


@given(st.text())
def test_terms_survive_any_text(text: str) -> None:
    """Every text has terms, each is one word of at most 64 characters, and they find themselves."""
    found = terms(text)
    assert all(term and len(term) <= 64 and not set(term) & set(" \t\n'\"") for term in found)
    line = joined([text])
    assert all(f" {term} " in line for term in found)


@given(st.text(), st.text())
def test_terms_of_parts_are_terms_of_the_whole(one: str, other: str) -> None:
    """Splitting text at a space changes nothing, so that documents may be joined from parts."""
    assert terms(f"{one} {other}") == terms(one) + terms(other)
