"""One chat completion: checked, answered, counted; the same for a batch line and for a call."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.gemini.answers import answer_text
from tests.fakes.openai.models import Model
from tests.fakes.openai.shapes import check
from tests.fakes.service import FakeService, Json, Refusal, Served

ANSWER_FAULTS = frozenset(
    [
        "length",
        "refusal",
        "content_filter",
        "not_json",
        "fenced",
        "prose",
        "wrong_schema",
        "empty_content",
        "no_usage",
        "no_choices",
        "extra_fields",
        "control",
        "all_null",
        "split_text",
    ]
)
"""Faults of one answer; all of them are billed."""

_OVERHEAD = 7  # tokens of a message's envelope
_CACHEABLE = 1_024
_THOUGHTS = {"none": 0, "minimal": 0, "low": 40, "medium": 180, "high": 600, "xhigh": 1500}


class Chat:
    """Answers chat completions and books them at their tier."""

    def __init__(self, service: FakeService) -> None:
        self._service = service

    def complete(self, body: Any, tier: str, fault: Fault | None = None) -> tuple[Json, Served]:
        """Return the completion and what it costs; raises `Refusal`."""
        model = check(body, batch=tier == "batch")
        served = Served("interactive" if tier == "default" else tier, model.name)
        texts, pictures, text = self._look(body, model, served)
        kind = fault.kind if fault else ""
        content, finish, refusal = shown(text, kind)
        thoughts = _THOUGHTS[body.get("reasoning_effort", "medium")]
        most = int(body.get("max_completion_tokens", 1 << 20))
        left = math.ceil(len(content or refusal or "") / 4) + thoughts
        if left > most:
            room = max(0, most - thoughts)
            content, finish, left = (content or "")[: room * 4], "length", most
        served.input_tokens = texts + pictures + _OVERHEAD
        served.output_tokens = left
        served.outcome = "blocked" if refusal or finish == "content_filter" else "ok"
        written = self._cache(body, served)
        served.usd = model.dollars(tier, served.input_tokens, left, served.cached_tokens, written)
        message = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
        usage = {
            "prompt_tokens": served.input_tokens,
            "completion_tokens": left,
            "total_tokens": served.input_tokens + left,
            "prompt_tokens_details": {"cached_tokens": served.cached_tokens, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": thoughts},
        }
        made: Json = {
            "id": self._service.new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(self._service.clock.now()),
            "model": model.name,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": usage,
            "service_tier": "default" if tier == "batch" else tier,
            "system_fingerprint": None,
        }
        damage(made, kind)
        return made, served

    def count(self, body: Any) -> int:
        """Return the prompt tokens of a body, 0 for one that would be refused."""
        try:
            model = check(body, batch=True)
            texts, pictures, _ = self._look(body, model, Served("batch", model.name))
        except Refusal:
            return 0
        return texts + pictures + _OVERHEAD

    def _look(self, body: Json, model: Model, served: Served) -> tuple[int, int, str]:
        """Return text tokens, picture tokens and the answer; the last picture is the one that is described."""
        texts = pictures = 0
        said = "There is no picture."
        for message in body["messages"]:
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for part in parts:
                if part["type"] == "text":
                    texts += math.ceil(len(part["text"]) / 4)
                    continue
                told = part["image_url"]
                kind, _, data = told["url"].partition(";base64,")
                try:
                    raw = base64.b64decode(data, validate=True)
                except ValueError:
                    raise Refusal(400, "Invalid base64 image_url.", "invalid_base64") from None
                picture, caption = self._service.look(raw, kind.removeprefix("data:"))
                pictures += model.picture_tokens(picture.width, picture.height, told.get("detail", "auto"))
                served.pictures.append(picture.sha256)
                said = answer_text(_asked(body), caption)
        return texts, pictures, said

    def _cache(self, body: Json, served: Served) -> int:
        """Read or write what stands before the first picture; returns the tokens that were written."""
        prefix = ""
        for message in body["messages"]:
            content = message["content"]
            for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                if part["type"] != "text":
                    break
                prefix += part["text"]
        tokens = len(prefix) // 4 // 128 * 128
        if tokens < _CACHEABLE:
            return 0
        name = hashlib.sha256(f"{body['model']} {prefix}".encode()).hexdigest()
        if self._service.get("cache", name) is not None:
            served.cached_tokens = tokens
            return 0
        self._service.put("cache", {"id": name})
        return tokens if body["model"] in ("gpt-6-luna", "gpt-5.6-luna") else 0


def _asked(body: Json) -> Json:
    told = body.get("response_format") or {}
    if told.get("type") == "json_schema":
        schema = told["json_schema"].get("schema")
        return {"response_mime_type": "application/json", "response_json_schema": schema}
    return {"response_mime_type": "application/json"} if told.get("type") == "json_object" else {}


def shown(text: str, kind: str) -> tuple[str | None, str, str | None]:
    """Return content, finish reason and refusal of an answer after its fault."""
    match kind:
        case "refusal":
            return None, "stop", "I'm sorry, I can't help with identifying people."
        case "content_filter":
            return None, "content_filter", None
        case "length":
            return text[: len(text) // 2], "length", None
        case "not_json":
            return "A picture of something, I think.", "stop", None
        case "fenced":
            return f"```json\n{text}\n```", "stop", None
        case "prose":
            return f"Here is the answer:\n{text}\nI hope that helps!", "stop", None
        case "wrong_schema":
            return json.dumps({"caption": "somewhere else"}), "stop", None
        case "all_null":
            return json.dumps(dict.fromkeys(json.loads(text))), "stop", None
        case "empty_content":
            return "", "stop", None
        case "control":
            return text.replace(". ", ".\\u0000\\u001b[31m ", 1), "stop", None
    return text, "stop", None


def damage(made: Json, kind: str) -> None:
    """Put the fault of an answer into its completion."""
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
            halves = (text[:20], text[20:])
            choice["message"]["content"] = [{"type": "text", "text": half} for half in halves]
