"""Text becomes the same terms wherever it comes from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.table.words import joined, name_words, query_terms, stem, terms


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
