"""The keyless provider: honest words about pixels, and no socket."""

from __future__ import annotations

import ast
import re
import socket
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from indexer.domain.answer import Answer, Failure, Reason
from indexer.domain.errors import Refused
from indexer.domain.mode import Mode
from indexer.domain.question import Question, Request
from indexer.media.rendition import render
from indexer.media.text import text_installed
from indexer.providers import local
from indexer.providers.local import describe, labels, pixels
from indexer.providers.local.adapter import Local
from indexer.providers.seam import Provider
from tests.support.hostile import saved, scene

SAMPLES = Path(__file__).parents[2] / "sample_images"
QUESTION = Question("local", "pixels-1", "Describe it.", "{}")


def request(image: Image.Image, key: str = "k") -> Request:
    """The request that a crawl would make of `image`."""
    return Request(key, QUESTION, render(saved(image)).jpeg, "Describe it.")


def answer(image: Image.Image) -> Answer:
    """What local says of `image`."""
    outcome = Local().ask(request(image)).outcome
    assert isinstance(outcome, Answer)
    return outcome


def plain(colour: str, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", size, colour)


def test_it_satisfies_the_seam() -> None:
    """The keyless provider is free, has one lane, and needs no key."""
    provider: Provider = Local()
    spec = provider.spec
    assert (spec.name, spec.modes) == ("local", (Mode.INTERACTIVE,))
    expected = local.LABELLED if local.labels_installed() else "pixels-1"
    assert spec.default_model == expected + (local.READS if text_installed() else "")
    assert spec.free
    assert spec.key_variables == ()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("#ff0000", "red"),
        ("#8b0000", "red"),
        ("#00c000", "green"),
        ("#14501e", "green"),
        ("#0000ff", "blue"),
        ("#87ceeb", "blue"),
        ("#000080", "blue"),
        ("#ffff00", "yellow"),
        ("#ff8c00", "orange"),
        ("#800080", "purple"),
        ("#ffc0cb", "pink"),
        ("#8b4513", "brown"),
        ("#f5deb3", "beige"),
        ("#40e0d0", "turquoise"),
        ("#000000", "black"),
        ("#808080", "grey"),
        ("#ffffff", "white"),
    ],
)
def test_colours_have_their_plain_names(written: str, name: str) -> None:
    """A picture of one colour is described by that colour, as a tag and in the sentence."""
    assert pixels.colour_name((int(written[1:3], 16), int(written[3:5], 16), int(written[5:7], 16))) == name
    found = answer(plain(written))
    assert found.tags[0] == name
    assert name in found.description
    assert "plain" in found.tags


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((300, 200), "landscape format"),
        ((200, 300), "portrait format"),
        ((200, 200), "square format"),
        ((900, 200), "panorama format"),
    ],
)
def test_the_shape_is_a_format_not_a_subject(size: tuple[int, int], shape: str) -> None:
    """Who searches for a landscape or a portrait does not mean the format of the paper."""
    found = answer(scene(size))
    assert shape in found.tags
    assert not {"landscape", "portrait"} & set(found.tags)


def test_light_and_contrast_are_named_only_where_they_stand_out() -> None:
    """Night is dark, snow is bright, ink on paper is high contrast, and the rest is left unsaid."""
    ink = plain("white")
    ImageDraw.Draw(ink).rectangle((0, 0, 150, 200), fill="black")
    assert "dark" in answer(plain("#101010")).tags
    assert "bright" in answer(plain("#f0f0f0")).tags
    assert "high contrast" in answer(ink).tags
    assert not {"dark", "bright", "high contrast", "plain"} & set(answer(scene()).tags)


def test_black_and_white_is_told_by_the_lack_of_colour() -> None:
    """A grey version is black and white and names no colours; the coloured one is not."""
    coloured = Image.open(SAMPLES / "dandelions.jpg")
    grey = answer(coloured.convert("L").convert("RGB"))
    assert "black and white" in grey.tags
    assert "black-and-white" in grey.description
    assert not {"grey", "black", "green"} & set(grey.tags)
    assert "black and white" not in answer(coloured.convert("RGB")).tags


def test_a_small_red_thing_is_not_forgotten() -> None:
    """A colour counts from a small share on, as long as it is a colour."""
    table = plain("#808080", (400, 400))
    ImageDraw.Draw(table).rectangle((150, 150, 280, 280), fill="#c81414")
    assert set(answer(table).tags) >= {"grey", "red"}


def test_focus_is_told_from_the_finest_detail() -> None:
    """A blurred picture is soft, a crisp one is not."""
    image = Image.open(SAMPLES / "dogs_window.jpg").convert("RGB")
    assert " soft " in answer(image.filter(ImageFilter.GaussianBlur(12))).description
    assert " soft " not in answer(image).description


def test_the_shares_of_the_colours_are_kept() -> None:
    """Half blue, half white: the fields say how much of each, and who says so."""
    flag = plain("white", (200, 200))
    ImageDraw.Draw(flag).rectangle((0, 0, 199, 99), fill="#0000d0")
    found = answer(flag)
    assert found.fields["source"] == "pixels"
    assert {colour["name"]: colour["share"] for colour in found.fields["colours"]} == {"blue": 0.5, "white": 0.5}
    assert found.model == "pixels-1"


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jpg")), ids=lambda path: path.stem)
def test_samples_get_one_sentence_and_lower_case_tags(path: Path) -> None:
    """What is said of real photos reads as a sentence, and claims no object."""
    found = Local().ask(Request("k", QUESTION, render(path).jpeg, "")).outcome
    assert isinstance(found, Answer)
    assert re.fullmatch(r"A [a-z -]*picture in [a-z]+ format(, mostly [a-z, ]+)?\.", found.description)
    assert all(tag == tag.lower() for tag in found.tags)
    assert len(set(found.tags)) == len(found.tags) >= 2


def test_the_same_picture_gets_the_same_answer() -> None:
    """Nothing about it is random."""
    assert answer(scene()) == answer(scene())


def test_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """It works with the network taken away."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert answer(scene()).description


def test_it_imports_no_network_and_no_numpy() -> None:
    """The keyless path stays light: only Pillow and the standard library."""
    source = (Path(pixels.__file__).read_text(), Path(describe.__file__).read_text())
    roots = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for text in source
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert roots <= {
        "__future__",
        "base64",
        "collections",
        "dataclasses",
        "indexer",
        "json",
        "pathlib",
        "typing",
        "PIL",
    }


def shares(**given: float) -> list[float]:
    """Probabilities of the thousand classes: those given by number, next to nothing for the rest."""
    return [given.get(f"class_{number}", 0.00001) for number in range(1000)]


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (shares(class_967=0.94), "class 967"),
        (shares(class_967=0.49), None),
        (shares(class_219=0.3, class_220=0.3), "dog"),
        (shares(class_219=0.6, class_220=0.3), "class 219"),
        (shares(class_281=0.3, class_282=0.3), "cat"),
        (shares(class_281=0.3, class_220=0.3), None),
    ],
)
def test_a_label_needs_half_of_all_probability(found: list[float], name: str | None) -> None:
    """For itself, or for its group; a mix of everything is no label."""
    label = labels.likeliest(found, [f"class {number}" for number in range(1000)])
    assert (label.name if label else None) == name


@pytest.mark.skipif(local.labels_installed(), reason="the extra is installed here")
def test_labels_that_are_not_installed_are_refused_in_words() -> None:
    """Who asks for them is told what to install; nobody else ever needs them."""
    with pytest.raises(Refused, match="not installed") as caught:
        Local().ask(Request("k", Question("local", local.LABELLED, "", "{}"), render(saved(scene())).jpeg, ""))
    assert ".[labels]" in caught.value.hint


@pytest.mark.skipif(not local.labels_installed(), reason="needs the extra `labels`")
def test_labels_are_said_with_a_possibly() -> None:
    """What the classifier sees is in the sentence and the fields, never among the tags."""
    question = Question("local", local.LABELLED, "", "{}")
    row = Local().ask(Request("k", question, render(SAMPLES / "coffee_cup.jpg").jpeg, ""))
    assert isinstance(row.outcome, Answer)
    assert row.outcome.description.endswith(" Possibly: espresso.")
    assert row.outcome.fields["labels"][0]["p"] > 0.5
    assert "espresso" not in row.outcome.tags
    assert row.outcome.model == local.LABELLED


@pytest.mark.skipif(text_installed(), reason="the extra is installed here")
def test_reading_text_without_the_extra_is_refused_in_words() -> None:
    """Who asks for it is told what to install."""
    question = Question("local", f"pixels-1{local.READS}", "", "{}")
    with pytest.raises(Refused, match="not installed") as caught:
        Local().ask(Request("k", question, render(saved(scene())).jpeg, ""))
    assert "'.[ocr]'" in caught.value.hint


@pytest.mark.skipif(not text_installed(), reason="needs the extra `ocr`")
def test_text_in_a_picture_is_read() -> None:
    """Line by line, as a model tells it; a picture without text has none."""
    sign = Image.new("RGB", (700, 300), "white")
    for row, line in enumerate(("Corner Bakery, 12 Station Road", "Total 48.20 EUR", "ab")):
        ImageDraw.Draw(sign).text((40, 40 + 80 * row), line, fill="black", font=ImageFont.load_default(30))
    question = Question("local", f"pixels-1{local.READS}", "", "{}")
    read, blank = (
        Local().ask(Request("k", question, render(saved(image)).jpeg, "")).outcome for image in (sign, plain("red"))
    )
    assert isinstance(read, Answer)
    assert isinstance(blank, Answer)
    assert read.visible_text.splitlines() == ["Corner Bakery, 12 Station Road", "Total 48.20 EUR"]
    assert (blank.visible_text, blank.model) == ("", f"pixels-1{local.READS}")


def test_a_broken_rendition_is_a_failure() -> None:
    """What cannot be decoded is an outcome with a reason, under the request's key."""
    row = Local().ask(Request("k", QUESTION, b"\xff\xd8\xff nonsense", ""))
    assert row.key == "k"
    assert isinstance(row.outcome, Failure)
    assert row.outcome.reason is Reason.UNREADABLE


def test_it_has_no_batches() -> None:
    """A service that answers one call at a time ends there."""
    provider: Provider = Local()
    assert provider.batches is None
