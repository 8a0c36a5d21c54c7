"""A person's correction: above every answer, of every model, until it is taken back."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from indexer.domain.answer import Answer
from indexer.domain.answer_fields import fields_of
from indexer.domain.correction import Correction, corrected, make_correction
from indexer.domain.errors import UsageError
from indexer.domain.prompts import ENGLISH_FIELD
from indexer.library.api import Library
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.gallery import serving
from tests.support.virtual import opened, samples

GEMINI = {"provider": "gemini", "workers": 0, "pilot": 0}
SCHEMA = {
    "type": "object",
    "properties": {
        "description": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "people": {"type": "integer"},
        "indoors": {"type": "boolean"},
        "kind": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["description", "people"],
}
TWO_THREE = {"n": 2, "o": 3}
WORDS, TAGS = "Grandmother's cup, the one from Naples.", ("grandmother", "naples")


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """Three photos that a model has described."""
    samples(tmp_path / "photos", 3)
    with opened(tmp_path / "library", emulator) as library:
        library.index([tmp_path / "photos"], approve=True, **GEMINI)
        yield library


def shown(library: Library, path: str) -> tuple[str | None, tuple[str, ...]]:
    """What a search shows of a photo."""
    with Index.open(library.folder) as index:
        hit = index.hit(path)
    assert hit is not None
    return hit.description, hit.tags


def a_path(library: Library) -> str:
    """The first photo of the library whose file has no keywords and no caption."""
    with Index.open(library.folder) as index:
        paths = sorted(hit.path for hit in index.search(within="/", limit=0))
    facts = {path: known.facts for path in paths if (known := library.photo(path))}
    return next(path for path in paths if not (facts[path].keywords or facts[path].caption or facts[path].title))


def test_a_correction_is_found_and_outlives_models(library: Library, tmp_path: Path) -> None:
    """It is shown and searched at once, after another prompt, after a rebuild, and for a copy of the photo."""
    path = a_path(library)
    library.correct(path, description=WORDS, tags=TAGS)
    with Index.open(library.folder) as index:
        assert index.search("grandmother from Naples")[0].path == path
        assert [hit.path for hit in index.search(tags=["naples"])] == [path]
    (tmp_path / "prompt.txt").write_text("Describe the photo in other words.")
    library.index([tmp_path / "photos"], approve=True, prompt=str(tmp_path / "prompt.txt"), **GEMINI)
    known = library.photo(path)
    assert known is not None
    assert len(known.said) == 2
    with serving(library.folder, tmp_path / "cache") as served, served.client() as client:
        page = client.get("/photo", params={"path": path}).text
    assert "All answers" in page
    assert all(html.escape(one.answer.description) in page for one in known.said)
    assert shown(library, path) == (WORDS, TAGS)
    library.rebuild()
    assert shown(library, path) == (WORDS, TAGS)
    (tmp_path / "photos" / "copy.jpg").write_bytes(Path(path).read_bytes())
    library.index([tmp_path / "photos"], approve=True, prompt=str(tmp_path / "prompt.txt"), **GEMINI)
    assert shown(library, str(tmp_path / "photos" / "copy.jpg")) == (WORDS, TAGS)


def test_undo_goes_back_one_correction_at_a_time(library: Library) -> None:
    """The last correction goes first, then the one before, then the model speaks again; then there is nothing."""
    path = a_path(library)
    before = shown(library, path)
    library.correct(path, description=WORDS)
    assert shown(library, path) == (WORDS, before[1])
    library.correct(path, tags=TAGS)
    assert shown(library, path) == (WORDS, TAGS)
    library.undo_correction(path)
    assert shown(library, path) == (WORDS, before[1])
    library.undo_correction(path)
    assert shown(library, path) == before
    with pytest.raises(UsageError, match="no correction"):
        library.undo_correction(path)


def test_a_persons_tags_follow_no_rule(library: Library) -> None:
    """Rules and bans are for generated tags; what a person wrote stands as a keyword does."""
    path = a_path(library)
    library.correct(path, tags=["Naples", "photo"])
    with pytest.raises(UsageError, match="correction of yours"):
        library.rename_tag("naples", "rome")
    library.ban_tags(["photo"])
    assert shown(library, path)[1] == ("naples", "photo")
    assert {one.tag: one.keywords for one in library.tags()}["naples"] == 1


def test_a_correction_is_exported(library: Library, tmp_path: Path) -> None:
    """It stands in the rows, which say that a person has spoken, and in the sidecar in the model's place."""
    path = a_path(library)
    library.export("xmp", tmp_path / "photos")
    library.correct(path, description=WORDS, tags=TAGS)
    library.export("jsonl", tmp_path / "rows.jsonl")
    rows = {row["path"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())}
    assert (rows[path]["description"], tuple(rows[path]["tags"]), rows[path]["corrected"]) == (WORDS, TAGS, True)
    assert [row["corrected"] for row in rows.values()].count(True) == 1
    library.export("xmp", tmp_path / "photos")
    sidecar = Path(f"{path}.xmp").read_text()
    assert WORDS in sidecar
    assert "naples" in sidecar
    report = library.index([tmp_path / "photos"], approve=True, **GEMINI)
    assert report.requests.submitted == 0
    assert shown(library, path) == (WORDS, TAGS)


def test_fields_of_ones_own_are_corrected_in_the_gallery(tmp_path: Path, emulator: Emulator) -> None:
    """They keep their type, are searched by, exported, outlive another answer, and go back one by one."""
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    samples(tmp_path / "photos", 2)
    asked = {**GEMINI, "approve": True, "schema": tmp_path / "schema.json"}
    with opened(tmp_path / "library", emulator) as library:
        library.index([tmp_path / "photos"], **asked)
        path = a_path(library)
        with serving(library.folder, tmp_path / "cache") as served, served.client() as client:

            def page() -> str:
                return client.get("/photo", params={"path": path}).text

            def send(address: str, **fields: str) -> httpx.Response:
                token = re.findall(r'name="form_token" value="([^"]+)"', page())[0]
                stood = dict(re.findall(r'name="((?:field-|tags)[^"]*)" value="([^"]*)"', page()))
                form = {"form_token": token, "path": path, "description": described, **stood, **fields}
                return client.post(address, data=form)

            (described,) = re.findall(r'name="description"[^>]*>([^<]*)<', page())
            assert "nothing was changed" in client.get(send("/correct").headers["location"]).text
            assert send("/correct", **{"field-people": "many"}).status_code == 400
            wished = {"field-people": "77", "field-indoors": "yes", "field-labels": "Red, blue", "field-kind": "<b>"}
            assert send("/correct", **wished).status_code == 303
            assert "<dd>&lt;b&gt;</dd>" in page()
            assert 'value="red, blue"' in page()
        fields = {"people": 77, "indoors": True, "labels": ["red", "blue"], "kind": "<b>"}
        asked["prompt"] = tmp_path / "prompt.txt"
        asked["prompt"].write_text("Describe the photo in other words.")
        library.index([tmp_path / "photos"], **asked)
        with Index.open(library.folder) as index:
            (hit,) = index.search(where=["people=77", "indoors=true", "labels=blue"])
        assert (hit.path, dict(hit.fields)) == (path, fields)
        known = library.photo(path)
        assert known is not None
        assert all(one.answer.description and one.answer.fields["people"] != 77 for one in known.said)
        assert shown(library, path) == (known.said[0].answer.description, known.tags), "the rest goes on following"
        library.correct(path, fields={"kind": None})
        library.export("jsonl", tmp_path / "rows.jsonl")
        rows = {row["path"]: row for row in map(json.loads, (tmp_path / "rows.jsonl").read_text().splitlines())}
        assert (rows[path]["corrected"], rows[path]["fields"]) == (
            True,
            {name: value for name, value in fields.items() if name != "kind"},
        )
        library.undo_correction(path)
        with Index.open(library.folder) as index:
            assert [dict(hit.fields) for hit in index.search(where=["people=77"])] == [fields]
        library.undo_correction(path)
        with Index.open(library.folder) as index:
            assert index.search(where=["people=77"]) == []


def test_forgetting_a_photo_forgets_its_correction(library: Library, tmp_path: Path) -> None:
    """What is indexed again begins anew."""
    path = a_path(library)
    library.correct(path, description=WORDS)
    library.forget([path], confirm=True)
    library.index([tmp_path / "photos"], approve=True, **GEMINI)
    known = library.photo(path)
    assert known is not None
    assert known.correction is None


def test_a_photo_that_nobody_described_can_be_corrected(tmp_path: Path) -> None:
    """Without a model, a person's words replace the sentence about colours and are found by their meaning."""
    samples(tmp_path / "photos", 2)
    with Library.open(tmp_path / "library") as library:
        library.index([tmp_path / "photos"], provider="local")
        path = a_path(library)
        library.correct(path, description="An old steam locomotive in the snow.")
        assert shown(library, path)[0] == "An old steam locomotive in the snow."
        with Index.open(library.folder) as index:
            assert index.search("train in winter")[0].path == path


@pytest.mark.parametrize(
    ("wished", "answer", "expected"),
    [
        (Correction("b"), Answer("a", ("x",), "text", {"n": 1}), Answer("b", ("x",), "text", {"n": 1})),
        (Correction("b"), Answer("a", fields={ENGLISH_FIELD: "old"}), Answer("b")),
        (Correction(tags=("y",)), Answer("a", ("x",)), Answer("a", ("y",))),
        (Correction(fields={"n": 2, "m": None}), Answer("a", fields={"m": 1, "o": 3}), Answer("a", fields=TWO_THREE)),
        (Correction(fields={"n": 2}), None, Answer("", fields={"n": 2})),
        (Correction("", ()), Answer("a", ("x",)), Answer("")),
        (Correction("b"), None, Answer("b")),
        (None, Answer("a"), Answer("a")),
        (None, None, None),
    ],
)
def test_only_what_a_person_said_is_replaced(
    wished: Correction | None, answer: Answer | None, expected: Answer | None
) -> None:
    """Fields and text stay the model's; an English twin of a replaced description goes."""
    assert corrected(answer, wished) == expected


@pytest.mark.parametrize(
    ("description", "tags"),
    [(None, None), ("x" * 10_001, None), (None, "one text"), (None, [f"t{n}" for n in range(201)])],
)
def test_what_cannot_be_kept_is_refused(description: str | None, tags: list[str] | None) -> None:
    """Nothing at all, a novel, a text for a list, a flood of tags."""
    with pytest.raises(UsageError):
        make_correction(description, tags)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("people", "3", 3),
        ("people", 3, 3),
        ("people", "many", None),
        ("people", True, None),
        ("indoors", "No", False),
        ("indoors", "perhaps", None),
        ("labels", ["Red", "blue "], ["red", "blue"]),
        ("labels", 3, None),
        ("kind", "receipt\ud800", "receipt?"),
        ("kind", "x" * 10_001, None),
        ("dogs", 1, None),
    ],
)
def test_a_field_takes_what_it_holds(name: str, value: object, kept: object) -> None:
    """A value has the type of its field; what does not fit, or fits no field, is refused with the reason."""
    known = fields_of([json.dumps(SCHEMA)])
    if kept is None:
        with pytest.raises(UsageError, match=name):
            make_correction(None, None, {name: value}, known)
    else:
        assert make_correction(None, None, {name: value}, known) == Correction(fields={name: kept})


def test_an_unknown_path_is_refused(library: Library) -> None:
    """A correction of a photo that is not there is a mistake."""
    with pytest.raises(UsageError, match="knows no photo"):
        library.correct("/nowhere.jpg", description="x")
