"""A document says what is known of a photo, and its digest when that is new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from indexer.domain.answer import Answer
from indexer.domain.photo import Facts
from indexer.table.document import ENGLISH_FIELD, compose

PATH = "/home/ann/Pictures/2019/Lake Como/DogsAtWindow_03.jpg"
ANSWER = Answer("Two brown dogs lean out of a window.", ("dog", "window"), "ZIMMER FREI")
FACTS = Facts(
    title="Summer",
    caption="Bella and Max in the guest house",
    keywords=("Holiday", "Dog"),
    place="Bellagio, Italy",
    camera="Canon EOS R6",
    lens="RF 24-105mm",
)


def test_what_is_embedded_is_what_the_picture_means() -> None:
    """Description, tags, visible text and human words are embedded; names, places and cameras are not."""
    document = compose(PATH, FACTS, ANSWER)
    for said in ("lean out of a window", "dog, window, holiday", "ZIMMER FREI", "Bella and Max", "Summer"):
        assert said in document.text
    for outer in ("Como", "Canon", "Bellagio", "2019", "DogsAtWindow"):
        assert outer not in document.text
        assert outer in document.words


def test_only_the_last_folders_are_words() -> None:
    """The way to the pictures' home is the same for all and says nothing."""
    words = compose(PATH, Facts(), None).words
    assert "Como" in words
    assert "ann" not in words.split()


def test_a_move_costs_no_embedding() -> None:
    """The digest does not depend on the path, the place or the camera."""
    here = compose(PATH, FACTS, ANSWER)
    there = compose("/elsewhere/x.jpg", replace(FACTS, camera=None), ANSWER)
    assert here.digest == there.digest
    assert here.words != there.words


@pytest.mark.parametrize(
    "changed",
    [
        (FACTS, replace(ANSWER, description="A cat.")),
        (FACTS, replace(ANSWER, tags=("cat",))),
        (FACTS, replace(ANSWER, visible_text="")),
        (replace(FACTS, caption="Bella"), ANSWER),
        (replace(FACTS, keywords=()), ANSWER),
    ],
)
def test_new_meaning_is_a_new_digest(changed: tuple[Facts, Answer]) -> None:
    """Each part of the embedded text counts."""
    before = compose(PATH, FACTS, ANSWER)
    assert compose(PATH, changed[0], changed[1]).digest != before.digest


def test_nothing_known_is_nothing_embedded() -> None:
    """A bare file has no text, no description and no tags, but its name is searched."""
    document = compose(PATH, Facts(), None)
    assert (document.text, document.description, document.tags) == ("", None, ())
    assert "Dogs At Window" in document.words


def test_pixel_measures_are_for_words_only() -> None:
    """What `local` says of colours is searched by words and shown, but never embedded."""
    measured = Answer("A picture in portrait format, mostly grey.", ("grey", "portrait format"))
    document = compose(PATH, Facts(caption="Bella at home"), measured, measured=True)
    assert document.text == "Bella at home."
    assert "mostly grey" in document.words
    assert document.description == "Bella at home. A picture in portrait format, mostly grey."
    assert document.tags == ("grey", "portrait format")


def test_a_remote_description_is_shown_alone() -> None:
    """Where a model has described the picture, its words are the description."""
    assert compose(PATH, FACTS, ANSWER).description == ANSWER.description


def test_tags_are_merged_once() -> None:
    """Answer's tags first, then the author's keywords, in lower case, each once."""
    facts = Facts(keywords=("DOG", "  Lake   Como ", ""))
    assert compose(PATH, facts, ANSWER).tags == ("dog", "window", "lake como")


def test_other_languages_are_embedded_in_english() -> None:
    """With an English description in the answer, that is embedded and the other is searched by words."""
    answer = Answer("Zwei Hunde am Fenster.", fields={ENGLISH_FIELD: "Two dogs at a window."})
    document = compose(PATH, Facts(), answer)
    assert "Two dogs" in document.text
    assert "Hunde" not in document.text
    assert "Hunde" in document.words
    assert document.description == "Zwei Hunde am Fenster."


def test_long_visible_text_does_not_drown_the_description() -> None:
    """Only the beginning of a page is embedded; all of it is searched by words."""
    page = " ".join(f"word{number}" for number in range(500))
    document = compose(PATH, Facts(), replace(ANSWER, visible_text=page))
    assert "word499" not in document.text
    assert "word499" in document.words
    assert all(f"word{number}" in f"{document.text} {document.words}" for number in range(500))
