"""The vector of a photo stands between its text and its sentences, and there is none that nobody can read."""

from __future__ import annotations

import numpy as np
import pytest

from indexer.domain.answer import Answer
from indexer.domain.photo import Facts
from indexer.table.document import Document, compose
from indexer.table.meaning import GUESSED, vectors
from tests.support.libraries import encoder

LONG = "Two brown dogs lean out of a window. A red flower pot stands below. Nice."


def document(description: str, tags: tuple[str, ...] = (), caption: str | None = None) -> Document:
    """A photo described by a model."""
    return compose("/p/a.jpg", Facts(caption=caption), Answer(description, tags))


def test_sentences_are_those_of_description_and_caption() -> None:
    """Tags are no sentence, and neither is a word or two."""
    assert document(LONG, ("dog", "window"), "Bella at home").sentences == (
        "Two brown dogs lean out of a window.",
        "A red flower pot stands below.",
        "Bella at home.",
    )


def test_the_vector_is_the_sum_of_the_whole_and_the_mean_of_its_sentences() -> None:
    """Of length 1, whatever the number of threads, and each document by itself."""
    one = document(LONG, ("dog", "window"))
    whole, *parts = encoder().encode([one.text, *one.sentences])
    expected = whole + np.mean(parts, axis=0)
    alone, among = vectors(encoder(), [one])[0], vectors(encoder(), [document("A cat."), one], threads=2)[1]
    assert alone is not None
    assert among is not None
    np.testing.assert_allclose(alone, expected / np.linalg.norm(expected), atol=1e-6)
    np.testing.assert_array_equal(alone, among)


def test_a_text_that_is_one_sentence_is_encoded_once() -> None:
    """Its vector is that of the text."""
    one = document("Two brown dogs lean out of a window.")
    (vector,) = vectors(encoder(), [one])
    assert vector is not None
    np.testing.assert_array_equal(vector, encoder().encode([one.text])[0])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("A dog at a café in Köln.", True),
        ("42", True),
        ("窗边的两只狗", False),
        ("창가의 강아지", False),
        ("собака у окна", False),
        ("หมาที่หน้าต่าง", False),
        ("खिड़की पर कुत्ता", False),
        ("🎂", False),
        ("sushi 寿司 on a plate", True),
        ("", False),
    ],
)
def test_what_the_encoder_cannot_read_has_no_vector(text: str, read: bool) -> None:
    """It learned English: all texts of unknown words are near to each other, and say nothing."""
    assert encoder().reads(text) is read
    (vector,) = vectors(encoder(), [document(text)])
    assert (vector is not None) is read


SPANIEL = Answer(
    "A picture in portrait format, mostly brown. Possibly: Cocker Spaniel.",
    ("brown",),
    fields={"labels": [{"name": "Cocker Spaniel", "p": 0.6}, {"name": "Irish Setter", "p": 0.2}, {"name": "", "p": 0}]},
)


def test_a_guess_stands_between_the_names_of_classes() -> None:
    """By their probabilities, and shorter than a description, so that it counts for less."""
    one = compose("/p/a.jpg", Facts(), SPANIEL, measured=True)
    assert one.guesses == (("Cocker Spaniel", 0.6), ("Irish Setter", 0.2))
    (vector,) = vectors(encoder(), [one])
    assert vector is not None
    spaniel, setter = encoder().encode(["Cocker Spaniel", "Irish Setter"])
    expected = 0.6 * spaniel + 0.2 * setter
    np.testing.assert_allclose(vector, GUESSED * expected / np.linalg.norm(expected), atol=1e-6)


def test_words_of_a_person_are_embedded_before_any_guess() -> None:
    """Neither a caption nor a description is mixed with what a classifier takes the picture for."""
    assert compose("/p/a.jpg", Facts(caption="Bella at home"), SPANIEL, measured=True).guesses == ()
    assert compose("/p/a.jpg", Facts(), SPANIEL).guesses == ()


@pytest.mark.parametrize(
    "labels", [None, "dog", [1], [{"name": 1, "p": 2}], [{"name": "dog"}], [{"name": "dog", "p": -1}]]
)
def test_labels_that_are_none_are_left_alone(labels: object) -> None:
    """What a schema of somebody's own calls labels is no guess."""
    answer = Answer("Grey.", fields={"labels": labels})
    assert compose("/p/a.jpg", Facts(), answer, measured=True).guesses == ()
