"""One chat completion of Mistral: checked, answered, counted."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.gemini.answers import answer_text
from tests.fakes.openai.chat import shown
from tests.fakes.service import FakeService, Json, Refusal, Served

ANSWER_FAULTS = frozenset(
    [
        "length", "not_json", "fenced", "prose", "wrong_schema", "all_null", "empty_content", "no_usage",
        "no_choices", "extra_fields", "control", "split_text"
    ]
)  # fmt: skip
"""Faults of one answer; all of them are billed."""

MODELS = {"mistral-small-2603": (0.15, 0.60), "ministral-8b-2512": (0.15, 0.15), "ministral-3b-2512": (0.10, 0.10)}
"""Dollars per million tokens, in and out; a batch costs half."""

_FIELDS = frozenset(
    [
        "model", "messages", "max_tokens", "temperature", "top_p", "response_format", "random_seed", "stop", "stream",
        "safe_prompt", "metadata", "n", "presence_penalty", "frequency_penalty", "reasoning_effort"
    ]
)  # fmt: skip
_DATA = re.compile(r"data:(image/(?:jpeg|png|gif|webp));base64,([A-Za-z0-9+/]+={0,2})")


class Chat:
    """Answers chat completions and books them."""

    def __init__(self, service: FakeService) -> None:
        self._service = service

    def complete(self, body: Any, model: str, *, batch: bool, fault: Fault | None = None) -> tuple[Json, Served]:
        """Return the completion and what it costs; raises `Refusal`."""
        check(body)
        if model not in MODELS:
            raise Refusal(400, f"Invalid model: {model}", "1500")
        served = Served("batch" if batch else "interactive", model)
        text = self._look(body, served)
        kind = fault.kind if fault else ""
        content, finish, _ = shown(text, kind)
        left, most = math.ceil(len(content or "") / 4), int(body.get("max_tokens") or 1 << 20)
        if left > most:
            content, finish, left = (content or "")[: most * 4], "length", most
        into, out = MODELS[model]
        served.output_tokens = left
        served.usd = (served.input_tokens * into + left * out) * (0.5 if batch else 1.0) / 1e6
        message = {"role": "assistant", "content": content, "tool_calls": None, "prefix": False}
        entered = served.input_tokens
        made: Json = {
            "id": self._service.new_id(""),
            "object": "chat.completion",
            "created": int(self._service.clock.now()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": entered, "completion_tokens": left, "total_tokens": entered + left},
        }
        _damage(made, kind)
        return made, served

    def _look(self, body: Json, served: Served) -> str:
        said = "There is no picture."
        for part in parts(body):
            if part["type"] == "text":
                served.input_tokens += math.ceil(len(part["text"]) / 4)
                continue
            told = part["image_url"]
            match = _DATA.fullmatch(told if isinstance(told, str) else told["url"])
            if match is None:
                raise Refusal(400, "Image could not be loaded from base64", "3310")
            picture, caption = self._service.look(base64.b64decode(match[2]), match[1])
            served.input_tokens += math.ceil(picture.width / 28) * math.ceil(picture.height / 28)
            served.pictures.append(picture.sha256)
            said = answer_text(_asked(body), caption)
        return said


def parts(body: Json) -> Iterator[Json]:
    """Yield the parts of all messages."""
    for message in body["messages"]:
        content = message["content"]
        yield from [{"type": "text", "text": content}] if isinstance(content, str) else content


def check(body: Any) -> None:
    """Refuse what the service refuses; raises `Refusal` 422."""
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise _invalid("messages", "Field required")
    for name in body:
        if name not in _FIELDS:
            raise _invalid(name, "Extra inputs are not permitted")
    if not 0 <= body.get("temperature", 0.7) <= 1.5:
        raise _invalid("temperature", "Input should be less than or equal to 1.5")
    for part in parts(body):
        if part.get("type") not in ("text", "image_url") or sorted(part)[-1] not in ("type", "text"):
            raise _invalid("messages", f"Input tag '{part.get('type')}' found")
    told = body.get("response_format")
    if told is None:
        return
    if told.get("type") not in ("text", "json_object", "json_schema"):
        raise _invalid("response_format.type", "Input should be 'text', 'json_object' or 'json_schema'")
    if told["type"] == "json_schema":
        schema = (told.get("json_schema") or {}).get("schema")
        if not isinstance(schema, dict) or not (told.get("json_schema") or {}).get("name"):
            raise _invalid("response_format.json_schema", "Field required")
        if told["json_schema"].get("strict") and schema.get("additionalProperties") is not False:
            raise _invalid("response_format.json_schema.schema", "additionalProperties must be false")


def _invalid(at: str, words: str) -> Refusal:
    return Refusal(422, json.dumps({"detail": [{"type": "invalid", "loc": ["body", at], "msg": words}]}), "422")


def _asked(body: Json) -> Json:
    told = body.get("response_format") or {}
    if told.get("type") == "json_schema":
        return {"response_mime_type": "application/json", "response_json_schema": told["json_schema"]["schema"]}
    return {"response_mime_type": "application/json"} if told.get("type") == "json_object" else {}


def _damage(made: Json, kind: str) -> None:
    choice = made["choices"][0]
    match kind:
        case "no_usage":
            del made["usage"]
        case "no_choices":
            made["choices"] = []
        case "extra_fields":
            made["moderation"] = choice["thought"] = {"a": [None]}
        case "split_text":
            text = choice["message"]["content"]
            choice["message"]["content"] = [{"type": "text", "text": half} for half in (text[:20], text[20:])]
