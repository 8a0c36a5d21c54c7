"""A person's own answer fields: which columns a JSON Schema gives, and what an answer puts into them.

A column's name carries its kind, `field_people__integer`: two schemas that mean different things by one name get
two columns, and no table is ever converted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from indexer.domain.prompts import ENGLISH_FIELD

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_COLUMN = re.compile(rf"field_({NAME.pattern})__([a-z]+)")
_NO_FIELDS = frozenset({"description", "tags", "visible_text", ENGLISH_FIELD})
_YES, _NO = ("true", "yes"), ("false", "no")


class FieldKind(StrEnum):
    """What a field holds; `TEXTS` is a list of words, such as labels."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    TEXTS = "texts"


class Field(NamedTuple):
    """A field of a person's own schema that can be searched by."""

    name: str
    kind: FieldKind

    @property
    def column(self) -> str:
        """The name of its column in the table."""
        return f"field_{self.name}__{self.kind}"


def fields_of(schemas: Iterable[str]) -> list[Field]:
    """Return the fields that answer `schemas`, JSON Schema texts, name beside what is always asked."""
    found: dict[Field, None] = {}
    for schema in schemas:
        for name, told in json.loads(schema).get("properties", {}).items():
            kind = _kind(told) if isinstance(told, dict) else None
            if kind and name not in _NO_FIELDS and NAME.fullmatch(name):
                found[Field(name, kind)] = None
    return list(found)


def unsearchable(schema: str) -> list[str]:
    """Return the names in a schema that no filter can name."""
    named = json.loads(schema).get("properties", {})
    return [name for name in named if name not in _NO_FIELDS and not NAME.fullmatch(name)]


def field_of(column: str) -> Field | None:
    """Return the field whose column that is, None for the columns that every table has."""
    found = _COLUMN.fullmatch(column)
    return Field(found[1], FieldKind(found[2])) if found and found[2] in set(FieldKind) else None


def values(fields: Iterable[Field], answered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an answer puts into the columns of `fields`; what does not fit without a guess is left out."""
    told = ((field.column, fitted(answered.get(field.name), field.kind)) for field in fields)
    return {column: value for column, value in told if value is not None}


def fitted(value: object, kind: FieldKind) -> Any:
    """Return `value` as `kind`, None where that would be a guess; texts in lists are lower-case."""
    if kind is FieldKind.TEXTS:
        items = [value] if isinstance(value, str) else value if isinstance(value, list) else None
        return None if items is None else [item.strip().lower() for item in items if isinstance(item, str)]
    if kind is FieldKind.BOOLEAN:
        word = str(value).strip().lower()
        return True if word in _YES else False if word in _NO else None
    if isinstance(value, bool):
        return None
    if kind is FieldKind.TEXT:
        return str(value) if isinstance(value, str | int | float) else None
    return _number(value, whole=kind is FieldKind.INTEGER)


def _number(value: object, *, whole: bool) -> int | float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if not whole:
        return number
    return int(number) if number.is_integer() and abs(number) < 2**53 else None


def _kind(told: Mapping[str, Any]) -> FieldKind | None:
    kinds = told.get("type")
    named = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
    if named == ["array"]:
        items = told.get("items")
        return FieldKind.TEXTS if isinstance(items, dict) and items.get("type") == "string" else None
    if not named and told.get("enum"):
        named = ["string"] if all(isinstance(word, str) for word in told["enum"]) else named
    known = {
        "integer": FieldKind.INTEGER,
        "number": FieldKind.NUMBER,
        "boolean": FieldKind.BOOLEAN,
        "string": FieldKind.TEXT,
    }
    return known.get(str(named[0])) if len(named) == 1 else None
