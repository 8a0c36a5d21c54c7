"""What a chat completion may hold: unknown fields are refused at any depth, and strict schemas held to their rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.fakes.openai.models import MODELS, Model
from tests.fakes.service import Refusal

_BODY = frozenset(
    [
        "model",
        "messages",
        "max_completion_tokens",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "seed",
        "stop",
        "user",
        "store",
        "metadata",
        "verbosity",
        "stream",
        "response_format",
        "reasoning_effort",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_options",
        "safety_identifier",
        "frequency_penalty",
        "presence_penalty",
        "logprobs",
        "top_logprobs",
    ]
)
_PARTS = {"text": frozenset({"type", "text"}), "image_url": frozenset({"type", "image_url"})}
_DATA = re.compile(r"data:image/(jpeg|png|gif|webp);base64,([A-Za-z0-9+/]+={0,2})")
_SCHEMA_WORDS = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    ]
)
_AT = "response_format.json_schema"


def check(body: Any, *, batch: bool) -> Model:
    """Return the model that a body asks; raises `Refusal` in the service's words."""
    if not isinstance(body, dict):
        raise Refusal(400, "We could not parse the JSON body of your request.", "invalid_json")
    _known(body, _BODY, "")
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refusal(400, "you must provide a model parameter", "missing_required_parameter", "model")
    model = MODELS.get(name)
    if model is None or not model.vision:
        raise Refusal(404, f"The model `{name}` does not exist or you do not have access to it.", "model_not_found")
    if body.get("stream") and batch:
        raise Refusal(400, "Streaming is not supported in the Batch API.", "unsupported_value", "stream")
    _numbers(body, model)
    if body.get("service_tier") not in (None, "auto", "default", "flex", "priority"):
        raise Refusal(400, f"Invalid value: '{body['service_tier']}'.", "invalid_value", "service_tier")
    _messages(body.get("messages"))
    _format(body.get("response_format"))
    return model


def _numbers(body: Mapping[str, Any], model: Model) -> None:
    if "max_tokens" in body:
        raise Refusal(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            "unsupported_parameter",
            "max_tokens",
        )
    most = body.get("max_completion_tokens", 1)
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise Refusal(400, "Invalid 'max_completion_tokens'.", "integer_below_min_value", "max_completion_tokens")
    effort = body.get("reasoning_effort", "medium")
    if effort not in model.efforts:
        raise Refusal(
            400,
            f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. Supported values are: "
            f"{', '.join(map(repr, model.efforts))}.",
            "unsupported_value",
            "reasoning_effort",
        )
    if body.get("temperature", 1) != 1 and effort != "none":
        raise Refusal(
            400,
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. "
            "Only the default (1) value is supported.",
            "unsupported_value",
            "temperature",
        )


def _messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refusal(400, "Missing required parameter: 'messages'.", "missing_required_parameter", "messages")
    for number, message in enumerate(messages):
        at = f"messages[{number}]"
        if not isinstance(message, dict) or message.get("role") not in ("system", "developer", "user", "assistant"):
            raise Refusal(400, f"Invalid value for '{at}.role'.", "invalid_value", f"{at}.role")
        _known(message, frozenset({"role", "content", "name"}), f"{at}.")
        content = message.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            _part(part, f"{at}.content[{index}]", message["role"])
        if not isinstance(content, str | list) or not content:
            raise Refusal(400, f"Invalid type for '{at}.content'.", "invalid_type", f"{at}.content")


def _part(part: Any, at: str, role: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _PARTS or (kind == "image_url" and role != "user"):
        raise Refusal(400, f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url'.", "invalid_value", at)
    _known(part, _PARTS[kind], f"{at}.")
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise Refusal(400, f"Missing required parameter: '{at}.text'.", "missing_required_parameter", f"{at}.text")
        return
    picture = part["image_url"]
    if not isinstance(picture, dict):
        raise Refusal(400, f"Invalid type for '{at}.image_url': expected an object.", "invalid_type", f"{at}.image_url")
    _known(picture, frozenset({"url", "detail"}), f"{at}.image_url.")
    if picture.get("detail", "auto") not in ("auto", "low", "high", "original"):
        raise Refusal(400, f"Invalid value for '{at}.image_url.detail'.", "invalid_value", f"{at}.image_url.detail")
    if not _DATA.fullmatch(str(picture.get("url"))):
        raise Refusal(400, "Invalid base64 image_url.", "invalid_base64", f"{at}.image_url.url")


def _format(told: Any) -> None:
    if told is None:
        return
    kind = told.get("type") if isinstance(told, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise Refusal(400, f"Invalid value: '{kind}'.", "invalid_value", "response_format.type")
    _known(told, frozenset({"type", "json_schema"} if kind == "json_schema" else {"type"}), "response_format.")
    if kind != "json_schema":
        return
    named = told.get("json_schema")
    if not isinstance(named, dict) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", str(named.get("name", ""))):
        raise Refusal(400, f"Missing required parameter: '{_AT}.name'.", "missing_required_parameter", f"{_AT}.name")
    _known(named, frozenset({"name", "strict", "schema", "description"}), f"{_AT}.")
    if named.get("strict"):
        schema = named.get("schema")
        if not isinstance(schema, dict) or schema.get("type") != "object":
            raise _bad(named["name"], "schema must be a JSON Schema of 'type: \"object\"'", ())
        _strict(schema, named["name"], (), 1)


def _strict(schema: Any, name: str, at: tuple[str, ...], depth: int) -> None:
    if not isinstance(schema, dict):
        raise _bad(name, f"{schema!r} is not of type 'object'", at)
    if depth > 10:
        raise _bad(name, "schema exceeds the maximum depth of 10", at)
    odd = sorted(schema.keys() - _SCHEMA_WORDS)
    if odd:
        raise _bad(name, f"'{odd[0]}' is not permitted", at)
    if not schema.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
        raise _bad(name, "schema must have a 'type' key", at)
    properties = schema.get("properties")
    if properties is not None or schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise _bad(name, "'additionalProperties' is required to be supplied and to be false", at)
        missing = [each for each in properties or {} if each not in schema.get("required", [])]
        if missing:
            told = "'required' is required to be supplied and to be an array including every key in properties."
            raise _bad(name, f"{told} Missing '{missing[0]}'", at)
        for each, inner in (properties or {}).items():
            _strict(inner, name, (*at, "properties", each), depth + 1)
    for word in ("$defs", "definitions"):
        for each, inner in schema.get(word, {}).items():
            _strict(inner, name, (*at, word, each), depth + 1)
    if "items" in schema:
        _strict(schema["items"], name, (*at, "items"), depth + 1)
    elif schema.get("type") == "array":
        raise _bad(name, "array schema missing items", at)
    for number, inner in enumerate(schema.get("anyOf", [])):
        _strict(inner, name, (*at, "anyOf", str(number)), depth + 1)


def _bad(name: str, words: str, at: tuple[str, ...]) -> Refusal:
    where = f"In context={at}, " if at else "In context=(), "
    told = f"Invalid schema for response_format '{name}': {where}{words}."
    return Refusal(400, told, "invalid_json_schema", "response_format")


def _known(told: Mapping[str, Any], fields: frozenset[str], at: str) -> None:
    for name in told:
        if name not in fields:
            raise Refusal(400, f"Unknown parameter: '{at}{name}'.", "unknown_parameter", f"{at}{name}")
