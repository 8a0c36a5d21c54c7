"""Answers that fit the schema a request asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.fakes.gemini.captions import Caption
from tests.fakes.gemini.wire import ApiError

_DESCRIPTION = ("description", "caption", "summary", "alt_text", "alt", "text")
_VISIBLE = ("visible_text", "ocr", "text_in_image", "visibleText")
_TAGS = ("tags", "keywords", "labels", "objects")
_MOST_ITEMS = 100
_PLAIN: dict[str, Any] = {
    "type": "OBJECT",
    "properties": {
        "description": {"type": "STRING"},
        "visible_text": {"type": "STRING"},
        "tags": {"type": "ARRAY", "items": {"type": "STRING"}},
    },
}


def answer_text(config: Mapping[str, Any], caption: Caption) -> str:
    """Return the text of the answer: JSON in the asked schema, or plain words when no JSON is asked for."""
    if config.get("response_mime_type") != "application/json":
        return caption.description
    schema = config.get("response_schema") or json_schema(config) or _PLAIN
    try:
        document = _fill(schema, "", caption, schema, 0)
    except (TypeError, ValueError, AttributeError, KeyError):
        raise ApiError(3, "* GenerateContentRequest.generation_config.response_json_schema: invalid schema\n") from None
    return json.dumps(document, ensure_ascii=False, indent=2)


def json_schema(config: Mapping[str, Any]) -> Any:
    """Return the JSON Schema of a request under either of its names."""
    return config.get("response_json_schema") or config.get("_response_json_schema")


def _fill(schema: Any, name: str, caption: Caption, root: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > 12:
        return None
    if "$ref" in schema:
        return _fill(_resolve(root, schema["$ref"]), name, caption, root, depth + 1)
    for key in ("any_of", "anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _fill(schema[key][0], name, caption, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][len(caption.description) % len(schema["enum"])]
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, caption, root, depth)
    if kind == "array":
        return _array(schema, name, caption, root, depth)
    if kind == "string":
        return _string(schema, name, caption)
    if kind in ("number", "integer"):
        return _number(schema, kind, caption)
    return {"boolean": True, "null": None}.get(kind)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "null")
    return str(kind).lower()


def _resolve(root: Any, reference: str) -> Any:
    found = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _object(schema: Mapping[str, Any], caption: Caption, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    order = schema.get("property_ordering") or schema.get("propertyOrdering") or []
    names = [name for name in order if name in properties] + [name for name in properties if name not in order]
    return {name: _fill(properties[name], name, caption, root, depth + 1) for name in names}


def _array(schema: Mapping[str, Any], name: str, caption: Caption, root: Any, depth: int) -> list[Any]:
    items = schema.get("items", {"type": "string"})
    least = min(int(_bound(schema, "min_items", 0)), _MOST_ITEMS)
    most = int(_bound(schema, "max_items", 20))
    if name in _TAGS and _kind(items) == "string" and not items.get("enum"):
        values: list[Any] = list(caption.tags)
    else:
        values = [_fill(items, name, caption, root, depth + 1)]
    while len(values) < least:
        values.append(_fill(items, name, caption, root, depth + 1))
    return values[:most]


def _string(schema: Mapping[str, Any], name: str, caption: Caption) -> str:
    if name in _VISIBLE:
        text = caption.visible_text
    elif name in _TAGS:
        text = ", ".join(caption.tags)
    elif name in _DESCRIPTION or not name:
        text = caption.description
    elif schema.get("format") == "date-time":
        text = "2026-01-01T00:00:00Z"
    elif schema.get("format") == "date":
        text = "2026-01-01"
    else:
        text = caption.tags[sum(name.encode()) % len(caption.tags)] if caption.tags else ""
    return text[: int(_bound(schema, "max_length", len(text)))]


def _number(schema: Mapping[str, Any], kind: str, caption: Caption) -> float:
    least = _bound(schema, "minimum", 0)
    most = _bound(schema, "maximum", least + 10)
    value = least + (len(caption.description) % 11) / 11 * (most - least)
    return int(value) if kind == "integer" else round(value, 3)


def _bound(schema: Mapping[str, Any], name: str, default: float) -> float:
    head, _, tail = name.partition("_")
    value = schema.get(name, schema.get(head + tail.capitalize(), default))
    return float(value)
