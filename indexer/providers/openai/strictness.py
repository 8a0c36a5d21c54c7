"""What OpenAI takes as a strict answer schema: every object closed and whole, and only words that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Fault = tuple[str, str, str]
"""Where, what is wrong there, and the fix."""

_DEEPEST = 10
_KNOWN = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs"),
        *("definitions", "description", "title", "pattern", "format", "multipleOf", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"),
    }
)
_SAYS_WHAT = frozenset({"type", "anyOf", "$ref", "enum", "const"})


def schema_faults(schema: Any, at: str, depth: int = 1) -> Iterator[Fault]:
    """Yield what would be refused in a strict schema; `at` is where it stands."""
    if not isinstance(schema, dict):
        yield at, "is not a JSON Schema", "put an object there"
        return
    if depth > _DEEPEST:
        yield at, f"is nested more than {_DEEPEST} levels deep", "make the schema flatter"
        return
    for word in sorted(schema.keys() - _KNOWN):
        yield f"{at}.{word[:40]}", "is not a word that strict schemas may use", "take it out"
    if not schema.keys() & _SAYS_WHAT:
        yield at, "has no type", 'add "type"'
    properties = schema.get("properties")
    if isinstance(properties, dict) or schema.get("type") == "object":
        yield from _object_faults(schema, properties if isinstance(properties, dict) else {}, at)
    if "array" in (schema.get("type"), *_kinds(schema)) and "items" not in schema:
        yield at, "is an array without items", 'say what is in it: "items": {"type": "string"}'
    for place, inner in _below(schema):
        yield from schema_faults(inner, f"{at}.{place}", depth + 1)


def _object_faults(schema: dict[str, Any], properties: dict[str, Any], at: str) -> Iterator[Fault]:
    if schema.get("additionalProperties") is not False:
        yield at, "allows additional properties", 'add "additionalProperties": false'
    required = schema.get("required")
    missing = sorted(set(properties) - set(required if isinstance(required, list) else []))
    if missing:
        yield at, f"does not require {', '.join(missing)[:80]}", "name every property under required"


def _kinds(schema: dict[str, Any]) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else []


def _below(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for word in ("properties", "$defs", "definitions"):
        found = schema.get(word)
        for name, inner in found.items() if isinstance(found, dict) else ():
            yield f"{word}.{name[:40]}", inner
    if "items" in schema:
        yield "items", schema["items"]
    choices = schema.get("anyOf")
    for number, inner in enumerate(choices if isinstance(choices, list) else ()):
        yield f"anyOf[{number}]", inner
