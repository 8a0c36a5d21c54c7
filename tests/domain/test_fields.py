"""A person's own schema: its fields become typed columns that a search can filter by."""

from __future__ import annotations

import json
import operator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.domain.answer_fields import Field, FieldKind, field_of, fields_of, fitted, unsearchable
from indexer.domain.errors import UsageError
from indexer.table.dataset import open_dataset
from indexer.table.photo_table import PhotoRow, PhotoTable
from search import Index
from search.conditions import Condition, compiled, parse
from tests.fakes.gemini import Emulator
from tests.support.commands import index, search
from tests.support.virtual import opened, samples

SCHEMA = {
    "type": "object",
    "properties": {
        "description": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "people": {"type": "integer"},
        "amount": {"type": ["number", "null"]},
        "indoors": {"type": "boolean"},
        "document": {"type": "string", "enum": ["receipt", "letter"]},
        "moderation": {"type": "array", "items": {"type": "string", "enum": ["Violence", "none"]}},
        "boxes": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
    },
    "required": ["description", "people"],
}
FIELDS = [
    Field("people", FieldKind.INTEGER),
    Field("amount", FieldKind.NUMBER),
    Field("indoors", FieldKind.BOOLEAN),
    Field("document", FieldKind.TEXT),
    Field("moderation", FieldKind.TEXTS),
]


def test_a_schema_gives_a_field_for_each_plain_property() -> None:
    """Numbers, booleans, texts and lists of texts; what is always asked, and boxes, are no fields."""
    assert fields_of([json.dumps(SCHEMA)]) == FIELDS
    assert [field_of(field.column) for field in FIELDS] == FIELDS
    assert field_of("description") is None


def test_two_schemas_that_differ_in_kind_get_two_fields() -> None:
    """No column is ever converted."""
    other = {"properties": {"people": {"type": "string"}}}
    both = fields_of([json.dumps(SCHEMA), json.dumps(other)])
    assert [field for field in both if field.name == "people"] == [FIELDS[0], Field("people", FieldKind.TEXT)]


@pytest.mark.parametrize("name", ["zwei Wörter", "a.b", "1st", "x" * 80, "", "a`b"])
def test_a_name_that_no_filter_could_name_is_refused(tmp_path: Path, name: str) -> None:
    """The schema file is refused, with the name, before anything is sent."""
    schema = {"type": "object", "properties": {"description": {"type": "string"}, name: {"type": "string"}}}
    assert unsearchable(json.dumps(schema)) == [name]
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    arguments = [tmp_path, "--provider", "local", "--schema", tmp_path / "schema.json"]
    done = index("--library", tmp_path / "library", *arguments)
    assert (done.code, "letters, digits and underscores" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        (3, FieldKind.INTEGER, 3),
        ("3", FieldKind.INTEGER, 3),
        (3.0, FieldKind.INTEGER, 3),
        (3.5, FieldKind.INTEGER, None),
        ("three", FieldKind.INTEGER, None),
        (True, FieldKind.INTEGER, None),
        (2**60, FieldKind.INTEGER, None),
        ("12.50", FieldKind.NUMBER, 12.5),
        ("nan", FieldKind.NUMBER, None),
        ("1e999", FieldKind.NUMBER, None),
        (True, FieldKind.BOOLEAN, True),
        ("No", FieldKind.BOOLEAN, False),
        (1, FieldKind.BOOLEAN, None),
        (7, FieldKind.TEXT, "7"),
        (None, FieldKind.TEXT, None),
        ({"a": 1}, FieldKind.TEXT, None),
        ("One", FieldKind.TEXTS, ["one"]),
        (["A", 2, "b "], FieldKind.TEXTS, ["a", "b"]),
        (None, FieldKind.TEXTS, None),
    ],
)
def test_values_fit_without_a_guess_or_not_at_all(value: object, kind: FieldKind, fits: object) -> None:
    """What would need guessing leaves the cell empty."""
    assert fitted(value, kind) == fits


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("people", "not a condition"),
        (">=3", "not a condition"),
        ("pe ople=3", "not a condition"),
        ("people>=many", "compared"),
        ("people~3", "compared"),
        ("indoors>true", "compared"),
        ("moderation~vio", "compared"),
        ("dogs=3", "there are: amount, document"),
        ("people==many", "compared"),
    ],
)
def test_a_condition_that_cannot_be_meant_says_so(text: str, says: str) -> None:
    """A usage error names what is wrong, or which fields there are."""
    with pytest.raises(UsageError) as told:
        compiled(parse([text]), FIELDS)
    assert says in f"{told.value} {told.value.hint}"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("count==2", {"/two"}),
        ("count>=1.5", {"/two"}),
        ("count>=1", {"/one", "/two"}),
        ("count>=9007199254740993", set()),
        ("count=two dogs", {"/words"}),
        ("count~\udcff", set()),
    ],
)
def test_conditions_mean_what_people_write(tmp_path: Path, text: str, paths: set[str]) -> None:
    """Two equal signs are one, halves compare with whole numbers, and words are neither more nor less than these."""
    kinds = [Field("count", FieldKind.INTEGER), Field("count", FieldKind.TEXT)]
    opened_table = PhotoTable.open(tmp_path)
    opened_table.widen(kinds)
    told = {"/one": (0, 1), "/two": (0, 2), "/words": (1, "two dogs")}
    opened_table.upsert(
        PhotoRow(path=path, photo="p", own={kinds[kind].column: value}) for path, (kind, value) in told.items()
    )
    (where,) = compiled(parse([text]), kinds)
    assert set(open_dataset(tmp_path).to_table(columns=["path"], filter=where).column("path").to_pylist()) == paths


SIGNS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
WORDS = ["receipt", "Letter", "it's", "100%", "a_b", "') OR true --", "", "ü", "a,b", "\\", "`", "[x]"]
OWN: list[dict[str, Any]] = [
    {
        "people": number % 5 if number % 3 else None,
        "amount": number / 4 - 5 if number % 4 else None,
        "indoors": (None, True, False)[number % 3],
        "document": WORDS[number % len(WORDS)] if number % 5 else None,
        "moderation": [WORDS[number % 7].lower(), WORDS[number % 11].lower()][: number % 3] if number % 4 else None,
    }
    for number in range(90)
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A table whose own columns came in the middle of its life."""
    home = tmp_path_factory.mktemp("fields")
    opened_table = PhotoTable.open(home)
    opened_table.upsert(PhotoRow(path=f"/old/{number}", photo="p") for number in range(5))
    opened_table.widen(FIELDS)
    opened_table.widen(FIELDS)
    columns = {field.name: field.column for field in FIELDS}
    opened_table.upsert(
        PhotoRow(
            path=f"/{number}",
            photo=f"p{number}",
            own={columns[name]: value for name, value in row.items() if value is not None},
        )
        for number, row in enumerate(OWN)
    )
    return open_dataset(home)


def holds(condition: Condition, row: dict[str, Any]) -> bool:
    """What the condition means, in plain words."""
    value, asked = row[condition.name], condition.value
    if value is None:
        return False
    if condition.name == "moderation":
        return (asked.lower() in value) == (condition.sign == "=")
    if condition.name == "indoors":
        return SIGNS[condition.sign](value, asked == "true")
    if condition.name == "document":
        if condition.sign == "~":
            return asked.lower() in value.lower()
        return SIGNS[condition.sign](value.lower(), asked.lower())
    return SIGNS[condition.sign](value, float(asked))


numbers = st.one_of(st.integers(-6, 18).map(str), st.floats(-6, 18).map(repr))
conditions = st.one_of(
    st.tuples(st.just("people"), st.sampled_from(list(SIGNS)), st.integers(-1, 6).map(str)),
    st.tuples(st.just("amount"), st.sampled_from(list(SIGNS)), numbers),
    st.tuples(st.just("indoors"), st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"])),
    st.tuples(st.just("document"), st.sampled_from([*SIGNS, "~"]), st.sampled_from(WORDS)),
    st.tuples(st.just("moderation"), st.sampled_from(["=", "!="]), st.sampled_from(WORDS)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(conditions, min_size=1, max_size=3))
def test_conditions_let_through_exactly_what_they_say(table: Any, told: list[tuple[str, str, str]]) -> None:
    """As the same condition in Python, whatever quotes, wildcards and empty cells there are."""
    asked = parse(["".join(one) for one in told])
    where = " AND ".join(compiled(asked, FIELDS))
    found = set(table.to_table(columns=["path"], filter=where).column("path").to_pylist())
    assert found == {f"/{number}" for number, row in enumerate(OWN) if all(holds(one, row) for one in asked)}


def test_fields_of_a_schema_are_searched_by_in_the_same_run(tmp_path: Path, emulator: Emulator) -> None:
    """The table learns the columns in the run that brings the first answers; without one, the fields are named."""
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    photos = samples(tmp_path / "photos", 6)
    with opened(tmp_path / "library", emulator) as library:
        library.index([photos], provider="gemini", workers=0, approve=True)
        asked = {"provider": "gemini", "workers": 0, "approve": True, "schema": tmp_path / "schema.json"}
        assert library.index([photos], **asked).files.described == 6
        found = Index.open(tmp_path / "library")
        people = [row["field_people__integer"] for row in found.to_arrow().to_pylist()]
        most = max(people)
        hits = found.search(where=[f"people>={most}", "indoors=true"], limit=0)
        assert len(hits) == people.count(most) > 0
        assert found.search("a photo", where=["people<0"], min_score=0) == []
        library.rebuild()
        assert len(Index.open(tmp_path / "library").search(where=[f"people={most}"], limit=0)) == len(hits)
    done = search("--library", tmp_path / "library", "--where", f"people={most}", "--json")
    assert (done.code, len(done.json)) == (0, len(hits))
    wrong = search("--library", tmp_path / "library", "--where", "dogs=1")
    assert (wrong.code, "people" in wrong.err) == (2, True)
