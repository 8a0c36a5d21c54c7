"""One message: checked, answered, counted, cached; the same for a batch and for a call."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.gemini.answers import answer_text
from tests.fakes.openai.chat import shown
from tests.fakes.service import FakeService, Json, Refusal, Served

ANSWER_FAULTS = frozenset(
    [
        "max_tokens", "refusal", "not_json", "fenced", "prose", "wrong_schema", "all_null", "empty_content",
        "no_usage", "no_content", "extra_fields", "control", "split_text"
    ]
)  # fmt: skip
"""Faults of one answer; all of them are billed."""

_FIELDS = frozenset(
    [
        "model", "max_tokens", "temperature", "top_p", "top_k", "system", "messages", "output_config",
        "stop_sequences", "metadata", "thinking", "service_tier"
    ]
)  # fmt: skip
_MOST_IMAGE = 5 << 20
_OVERHEAD = 7  # tokens of a message's envelope
_HEAD = "output_config.format.schema"


@dataclass(frozen=True, slots=True)
class Model:
    """Dollars per million tokens, in and out; the least prefix that is cached; tokens of a picture at most."""

    name: str
    usd: tuple[float, float]
    cached_from: int
    most_picture: int

    def dollars(self, batch: bool, plain: int, read: int, written: int, left: int) -> float:
        """Return what a request costs: a cached token a tenth, one written for an hour twice, a batch half of all."""
        into, out = self.usd
        whole = (plain + 0.1 * read + 2 * written) * into + left * out
        return whole * (0.5 if batch else 1.0) / 1e6


MODELS = {
    model.name: model
    for model in (
        Model("claude-haiku-5-5", (0.10, 0.50), 2048, 4_000),
        Model("claude-haiku-4-5", (1.00, 5.00), 4096, 1_600),
        Model("claude-sonnet-5-5", (2.00, 10.00), 1024, 4_000),
    )
}


class Messages:
    """Answers messages and books them."""

    def __init__(self, service: FakeService) -> None:
        self._service = service

    def answer(self, params: Any, *, batch: bool, fault: Fault | None = None) -> tuple[Json, Served]:
        """Return a message and what it costs; raises `Refusal`."""
        model = check(params, batch=batch)
        served = Served("batch" if batch else "interactive", model.name)
        text, plain, cacheable, prefix = self._look(params, model, served)
        read, written = self._cache(prefix, cacheable if cacheable >= model.cached_from else 0)
        plain += cacheable - read - written
        kind = fault.kind if fault else ""
        content, _, refusal = shown(text, "length" if kind == "max_tokens" else kind)
        content = "I cannot describe this." if refusal else content or ""
        left = math.ceil(len(content) / 4)
        stop = "refusal" if refusal else "max_tokens" if kind == "max_tokens" else "end_turn"
        if left > params["max_tokens"]:
            content, stop, left = content[: params["max_tokens"] * 4], "max_tokens", params["max_tokens"]
        served.input_tokens, served.output_tokens, served.cached_tokens = plain + read + written, left, read
        served.outcome = "blocked" if refusal else "ok"
        served.usd = model.dollars(batch, plain, read, written, left)
        usage = {
            "input_tokens": plain,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": written},
            "output_tokens": left,
            "service_tier": "batch" if batch else "standard",
        }
        made: Json = {
            "id": self._service.new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": model.name,
            "content": [{"type": "text", "text": content}],
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }
        _damage(made, kind)
        return made, served

    def _look(self, params: Json, model: Model, served: Served) -> tuple[str, int, int, str]:
        """Return the answer, the tokens outside and inside the part to be cached, and that part."""
        plain, cacheable, prefix, said = _OVERHEAD, 0, "", "There is no picture."
        system = params.get("system") or []
        for part in [{"type": "text", "text": system}] if isinstance(system, str) else system:
            tokens = math.ceil(len(part["text"]) / 4)
            plain, cacheable = plain, cacheable + tokens
            prefix += part["text"]
            if not part.get("cache_control"):
                plain, cacheable, prefix = plain + cacheable, 0, prefix
        for part in _parts(params):
            if part["type"] == "text":
                plain += math.ceil(len(part["text"]) / 4)
                continue
            source = part["source"]
            try:
                raw = base64.b64decode(source["data"], validate=True)
            except ValueError:
                raise Refusal(400, "messages.0.content.0.image.source.base64.data: invalid base64") from None
            picture, caption = self._service.look(raw, source["media_type"])
            plain += min(model.most_picture, math.ceil(picture.width / 28) * math.ceil(picture.height / 28))
            served.pictures.append(picture.sha256)
            said = answer_text(_asked(params), caption)
        return said, plain, cacheable, prefix

    def _cache(self, prefix: str, tokens: int) -> tuple[int, int]:
        """Return the tokens read from the cache and those written to it."""
        if not tokens:
            return 0, 0
        name = hashlib.sha256(prefix.encode()).hexdigest()
        if self._service.get("cache", name) is not None:
            return tokens, 0
        self._service.put("cache", {"id": name})
        return 0, tokens


def check(params: Any, *, batch: bool) -> Model:
    """Refuse what the service refuses; raises `Refusal`."""
    if not isinstance(params, dict):
        raise Refusal(400, "params: Input should be an object")
    for name in params:
        if name not in _FIELDS:
            raise Refusal(400, f"{name}: Extra inputs are not permitted")
    model = MODELS.get(params.get("model", ""))
    if model is None:
        raise Refusal(404, f"model: {params.get('model')}")
    most = params.get("max_tokens")
    if not isinstance(most, int) or most < 1:
        raise Refusal(400, "max_tokens: Input should be greater than or equal to 1")
    if "temperature" in params and "-4-" not in model.name:
        raise Refusal(400, "temperature: is not supported by this model")
    if not 0 <= params.get("temperature", 1) <= 1:
        raise Refusal(400, "temperature: Input should be less than or equal to 1")
    if not isinstance(params.get("messages"), list) or not params["messages"]:
        raise Refusal(400, "messages: at least one message is required")
    for part in _parts(params):
        _check_part(part)
    told = (params.get("output_config") or {}).get("format")
    if told is not None:
        if told.get("type") != "json_schema" or not isinstance(told.get("schema"), dict):
            raise Refusal(400, "output_config.format: Input should be a json_schema")
        _check_schema(told["schema"], _HEAD)
    return model


def _parts(params: Json) -> Iterator[Json]:
    for message in params["messages"]:
        content = message["content"]
        yield from [{"type": "text", "text": content}] if isinstance(content, str) else content


def _check_part(part: Json) -> None:
    if part.get("type") == "text":
        if not part.get("text"):
            raise Refusal(400, "messages: text content blocks must be non-empty")
        return
    source = part.get("source") or {}
    if part.get("type") != "image" or source.get("type") != "base64":
        raise Refusal(400, f"messages.0.content: Input tag '{part.get('type')}' is not known here")
    if source.get("media_type") not in ("image/jpeg", "image/png", "image/gif", "image/webp"):
        raise Refusal(400, "messages.0.content.0.image.source.base64.media_type: Input should be 'image/jpeg', ...")
    if len(source.get("data", "")) > _MOST_IMAGE:
        raise Refusal(400, "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum")


def _check_schema(schema: Any, at: str) -> None:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise Refusal(400, f"{at}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name, inner in (schema.get("properties") or {}).items():
        _check_schema(inner, f"{at}.properties.{name}")
    _check_schema(schema.get("items"), f"{at}.items")


def _asked(params: Json) -> Json:
    told = (params.get("output_config") or {}).get("format")
    return {"response_mime_type": "application/json", "response_json_schema": told["schema"]} if told else {}


def _damage(made: Json, kind: str) -> None:
    match kind:
        case "no_usage":
            del made["usage"]
        case "no_content":
            made["content"] = []
        case "extra_fields":
            made["container"] = made["usage"]["server_tool_use"] = {"a": [None]}
        case "split_text":
            text = made["content"][0]["text"]
            made["content"] = [{"type": "text", "text": half} for half in (text[:20], text[20:])]


def dumped(value: Json) -> str:
    """Return JSON as the service writes it."""
    return json.dumps(value, separators=(",", ":"))
