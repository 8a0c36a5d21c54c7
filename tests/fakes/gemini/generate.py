"""One GenerateContentRequest in, one answer out: the same for a batch row and for a single call."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.gemini import captions
from tests.fakes.gemini.answers import answer_text, json_schema
from tests.fakes.gemini.models import Model
from tests.fakes.gemini.pictures import Gallery, Picture
from tests.fakes.gemini.protojson import decode_base64
from tests.fakes.gemini.wire import ApiError, Json

INTERNAL = (
    "An internal error has occurred. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting"
)
CHARS_PER_TOKEN = 4
_CONFIG = "GenerateContentRequest.generation_config"
_THOUGHTS = {"MINIMAL": 0, "LOW": 24, "MEDIUM": 96, "HIGH": 240}

FileReader = Callable[[str], tuple[bytes, str]]
"""Maps a file uri to bytes and mime type; raises `ApiError` for one that cannot be read."""


@dataclass(slots=True)
class Served:
    """The outcome of one request: `response` or `error`, and what it is charged."""

    response: Json | None = None
    error: ApiError | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cap: int = 0
    pictures: list[Picture] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        """One word for the books: ok, error or blocked."""
        if self.error is not None or self.response is None:
            return "error"
        candidates = self.response.get("candidates")
        return "ok" if candidates and candidates[0].get("finishReason") in ("STOP", "MAX_TOKENS") else "blocked"


class Brain:
    """The model behind the service."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def answer(self, request: Json, model: Model, read: FileReader) -> Served:
        """Serve one request; a refusal of the request itself is a `Served` with an error."""
        served = Served()
        try:
            check(request, model)
            served.pictures = [picture for picture, _ in self._pictures(request, model, read)]
            text_tokens, image_tokens = self.count(request, model, read)
            served.input_tokens = text_tokens + image_tokens
            self._respond(request, model, served, (text_tokens, image_tokens))
        except ApiError as error:
            served.error = error
            served.input_tokens = served.output_tokens = 0
        return served

    def count(self, request: Json, model: Model, read: FileReader | None = None) -> tuple[int, int]:
        """Return the text and image tokens of the input; without `read` pictures are counted by rule alone."""
        chars = sum(len(part.get("text", "")) for part in parts(request))
        images = 0
        for part in image_parts(request):
            width = height = 1024
            if read is not None and model.generation < 3:
                picture = self._gallery.look(*_data(part, read))
                width, height = picture.width, picture.height
            images += model.image_tokens(_resolution(request, part), width, height)
        return math.ceil(chars / CHARS_PER_TOKEN), images

    def _pictures(self, request: Json, model: Model, read: FileReader) -> Iterator[tuple[Picture, Json]]:
        for part in image_parts(request):
            yield self._gallery.look(*_data(part, read)), part

    def _respond(self, request: Json, model: Model, served: Served, tokens: tuple[int, int]) -> None:
        config = request.get("generation_config", {})
        caption = captions.caption(served.pictures[0], int(config.get("seed") or 0)) if served.pictures else _NOTHING
        text = answer_text(config, caption)
        thoughts = _thought_tokens(config, model)
        served.cap = int(config.get("max_output_tokens") or 65_536)
        room = max(0, served.cap - thoughts) * CHARS_PER_TOKEN
        reason = "STOP" if len(text) <= room else "MAX_TOKENS"
        text = text[:room]
        content: Json = {"parts": [{"text": text}], "role": "model"} if text else {"role": "model"}
        produced = math.ceil(len(text) / CHARS_PER_TOKEN)
        thoughts = min(thoughts, served.cap)
        served.output_tokens = produced + thoughts
        served.response = {
            "candidates": [{"content": content, "finishReason": reason, "index": 0}],
            "usageMetadata": _usage(tokens, produced, thoughts),
            "modelVersion": model.name,
            "responseId": secrets.token_urlsafe(16),
        }


_NOTHING = captions.Caption("No picture was sent.", "", ("no picture",))


def _usage(tokens: tuple[int, int], produced: int, thoughts: int) -> Json:
    text_tokens, image_tokens = tokens
    usage: Json = {"promptTokenCount": text_tokens + image_tokens, "candidatesTokenCount": produced}
    usage["totalTokenCount"] = text_tokens + image_tokens + produced + thoughts
    usage["promptTokensDetails"] = token_details(tokens)
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage


def token_details(tokens: tuple[int, int]) -> list[Json]:
    """Return input tokens by modality."""
    named = (("TEXT", tokens[0]), ("IMAGE", tokens[1]))
    return [{"modality": name, "tokenCount": count} for name, count in named if count]


def parts(request: Mapping[str, Any]) -> Iterator[Json]:
    """Yield every part of the contents and of the system instruction."""
    for content in [*request.get("contents", ()), request.get("system_instruction") or {}]:
        yield from content.get("parts", ())


def image_parts(request: Mapping[str, Any]) -> Iterator[Json]:
    """Yield the parts that carry data or point to a file."""
    return (part for part in parts(request) if "inline_data" in part or "file_data" in part)


def _data(part: Json, read: FileReader) -> tuple[bytes, str]:
    if "inline_data" in part:
        blob = part["inline_data"]
        return decode_base64(blob.get("data", "")), blob.get("mime_type", "")
    data, stored_type = read(part["file_data"].get("file_uri", ""))
    return data, part["file_data"].get("mime_type") or stored_type


def _resolution(request: Json, part: Json) -> str:
    level = part.get("media_resolution", {}).get("level") or request.get("generation_config", {}).get(
        "media_resolution", ""
    )
    return str(level).removeprefix("MEDIA_RESOLUTION_")


def _thought_tokens(config: Json, model: Model) -> int:
    thinking = config.get("thinking_config", {})
    if thinking.get("thinking_budget") is not None:
        budget = thinking["thinking_budget"]
        return _THOUGHTS["MEDIUM"] if budget < 0 else min(budget, _THOUGHTS["MEDIUM"])
    return _THOUGHTS[thinking.get("thinking_level") or model.default_thinking]


def check(request: Json, model: Model) -> None:
    """Refuse what the model refuses; raises `ApiError`. The front end has checked names and types before."""
    if not request.get("contents"):
        raise ApiError(3, "* GenerateContentRequest.contents: contents is not specified\n")
    for number, content in enumerate(request["contents"]):
        _check_content(number, content)
    config = request.get("generation_config", {})
    _check_thinking(config.get("thinking_config", {}), model)
    _check_schema(config)
    if not 0 <= config.get("temperature", 1) <= 2:
        raise ApiError(
            3,
            f"* {_CONFIG}.temperature: temperature must be in the range [0.0, 2.0].\n",
        )
    if str(config.get("media_resolution")).endswith("ULTRA_HIGH"):
        raise ApiError(3, "MEDIA_RESOLUTION_ULTRA_HIGH is only supported for individual parts.")
    if model.generation < 3 and any("media_resolution" in part for part in parts(request)):
        raise ApiError(3, f"Per-part media resolution is not supported for models/{model.name}.")


def _check_content(number: int, content: Json) -> None:
    where = f"GenerateContentRequest.contents[{number}]"
    if content.get("role", "user") not in ("user", "model", "function"):
        raise ApiError(3, "Please use a valid role: user, model.")
    if not content.get("parts"):
        raise ApiError(3, f"* {where}.parts: contents.parts must not be empty.\n")
    for index, part in enumerate(content["parts"]):
        if part.get("text") == "":
            raise ApiError(13, INTERNAL)
        if not part.keys() - {
            "thought",
            "thought_signature",
            "media_resolution",
            "video_metadata",
            "part_metadata",
        }:
            oneof = "required oneof field 'data' must have one initialized field"
            raise ApiError(3, f"* {where}.parts[{index}].data: {oneof}\n")


def _check_thinking(thinking: Json, model: Model) -> None:
    level = thinking.get("thinking_level")
    if level and thinking.get("thinking_budget") is not None:
        raise ApiError(3, "You can only set only one of thinking budget and thinking level.")
    if level and model.generation < 3:
        raise ApiError(3, "Thinking level is not supported for this model.")
    if level and level not in model.levels:
        text = f"Thinking level {level} is not supported for this model. Please retry with other thinking level."
        raise ApiError(3, text)
    if thinking.get("thinking_budget") == 0 and "pro" in model.name:
        raise ApiError(3, "Budget 0 is invalid. This model only works in thinking mode.")


def _check_schema(config: Json) -> None:
    schema, other = config.get("response_schema"), json_schema(config)
    if schema is not None and other is not None:
        raise ApiError(3, "Only one of response_schema and response_json_schema can be set.")
    if schema is None and other is None:
        return
    if config.get("response_mime_type") != "application/json":
        name = "response_schema" if schema is not None else "response_json_schema"
        raise ApiError(
            3,
            f"* {_CONFIG}.{name}: only allowed with an application/json response mime type\n",
        )
    if schema is not None:
        _check_node(schema, f"{_CONFIG}.response_schema")


def _check_node(schema: Json, where: str) -> None:
    if not schema.get("type") and not schema.get("any_of"):
        raise ApiError(3, f"* {where}.type: must be specified\n")
    if schema.get("type") == "OBJECT" and not schema.get("properties"):
        raise ApiError(3, f"* {where}.properties: should be non-empty for OBJECT type\n")
    if schema.get("type") == "ARRAY" and "items" not in schema:
        raise ApiError(3, f"* {where}.items: missing field.\n")
    names = schema.get("properties", {})
    for number, name in enumerate(schema.get("required", ())):
        if name not in names:
            raise ApiError(3, f"* {where}.required[{number}]: property is not defined\n")
    for name, child in names.items():
        _check_node(child, f"{where}.properties[{name}]")
    if "items" in schema:
        _check_node(schema["items"], f"{where}.items")
