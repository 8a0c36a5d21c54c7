"""Turn an answer schema into the OpenAPI subset that Gemini calls `response_schema`.

Batches have ignored `response_json_schema` where `response_schema` held (502 of 502 rows in one report),
hence the conversion. What the subset cannot say (`additionalProperties`, `$schema`, ...) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from indexer.domain.errors import BadSetting
from indexer.providers.strict_schema import read_schema

_KEPT = {
    "title": "title",
    "description": "description",
    "format": "format",
    "pattern": "pattern",
    "minimum": "minimum",
    "maximum": "maximum",
    "minItems": "min_items",
    "maxItems": "max_items",
    "minLength": "min_length",
    "maxLength": "max_length",
    "nullable": "nullable",
}
_DEEPEST = 32


class SchemaField(StrEnum):
    """The two ways to send an answer schema; a request with both is refused."""

    OPENAPI = "response_schema"
    JSON = "response_json_schema"


def answer_schema(text: str, field: SchemaField) -> Mapping[str, Any]:
    """Return the JSON Schema `text` as the value of `field`; BadSetting when the text is no schema."""
    schema = read_schema(text)
    if field is SchemaField.JSON:
        return schema
    return _converted(schema, _definitions(schema), 0)


def _definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        f"#/{section}/{name}": value
        for section in ("$defs", "definitions")
        for name, value in (schema.get(section) or {}).items()
    }


def _converted(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if depth > _DEEPEST or not isinstance(schema, dict):
        raise BadSetting(
            "the answer schema is recursive or malformed",
            hint=f"flatten it, or send it as {SchemaField.JSON}",
        )
    if "$ref" in schema:
        return _converted(known.get(schema["$ref"], None), known, depth + 1)
    made: dict[str, Any] = {ours: schema[theirs] for theirs, ours in _KEPT.items() if theirs in schema}
    made.update(_type_of(schema))
    if "enum" in schema or "const" in schema:
        choices = schema.get("enum", [schema.get("const")])
        made["enum"] = [choice if isinstance(choice, str) else json.dumps(choice) for choice in choices]
    made.update(_choice(schema.get("anyOf") or schema.get("oneOf") or [], known, depth))
    if "items" in schema:
        made["items"] = _converted(schema["items"], known, depth + 1)
    if schema.get("properties"):
        made.update(_properties(schema, known, depth))
    return made


def _choice(branches: Sequence[Any], known: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The subset has no null type: a null branch becomes `nullable`; one branch left is no choice."""
    real = [branch for branch in branches if branch != {"type": "null"}]
    nullable = {"nullable": True} if len(real) < len(branches) else {}
    if len(real) == 1:
        return {**_converted(real[0], known, depth + 1), **nullable}
    return {"any_of": [_converted(branch, known, depth + 1) for branch in real], **nullable} if real else {}


def _type_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    named = schema.get("type")
    types = named if isinstance(named, list) else [named]
    real = [name for name in types if isinstance(name, str) and name != "null"]
    made: dict[str, Any] = {"type": real[0].upper()} if real else {}
    if "null" in types:
        made["nullable"] = True
    return made


def _properties(schema: Mapping[str, Any], known: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The model writes in the order of `required`: a canonical schema has its other names sorted."""
    properties = schema["properties"]
    required = [name for name in schema.get("required", ()) if name in properties]
    return {
        "properties": {name: _converted(value, known, depth + 1) for name, value in properties.items()},
        "property_ordering": list(dict.fromkeys([*required, *properties])),
        **({"required": required} if required else {}),
    }
