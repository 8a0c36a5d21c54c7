"""An answer schema in the strict form that OpenAI, Anthropic and Mistral want: all required, nothing additional."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from indexer.domain.errors import BadSetting

_DEEPEST = 32
_UNSUPPORTED = ("$schema", "default", "examples", "minLength", "maxLength", "format", "pattern", "title")


def read_schema(text: str) -> dict[str, Any]:
    """Return the JSON Schema `text` as it stands; `BadSetting` when it is not a JSON object."""
    try:
        schema = json.loads(text)
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise BadSetting("the answer schema is not a JSON object", hint="give a JSON Schema of type object")
    return schema


@lru_cache(maxsize=64)
def strict(text: str) -> dict[str, Any]:
    """Return the JSON Schema `text` with every property required and no additional ones, at every level.

    A property that may be absent, because `required` names others, may be null instead.
    Raises `BadSetting` when the text is not a JSON Schema of an object.
    """
    found: dict[str, Any] = _strict(read_schema(text), 0)
    return found


def _strict(schema: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise BadSetting("the answer schema is nested too deeply", hint=f"use at most {_DEEPEST} levels")
    if isinstance(schema, list):
        return [_strict(each, depth + 1) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: value for name, value in schema.items() if name not in _UNSUPPORTED or not isinstance(value, str | int)
    }
    for name in ("items", "anyOf", "$defs", "definitions"):
        if name in made:
            inner = made[name]
            named = isinstance(inner, dict) and name != "items"
            made[name] = {k: _strict(v, depth + 1) for k, v in inner.items()} if named else _strict(inner, depth + 1)
    properties = made.get("properties")
    if isinstance(properties, dict):
        required = schema.get("required") or list(properties)
        inner = {name: _strict(value, depth + 1) for name, value in properties.items()}
        made["properties"] = {name: value if name in required else _nullable(value) for name, value in inner.items()}
        made["required"] = list(properties)
        made["additionalProperties"] = False
    return made


def _nullable(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if "enum" not in schema and isinstance(kind, str | list):
        kinds = [kind] if isinstance(kind, str) else kind
        return {**schema, "type": kinds if "null" in kinds else [*kinds, "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
