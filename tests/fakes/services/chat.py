"""A chat service in OpenAI's shape, one call at a time: DeepSeek, OpenRouter, or a server of one's own."""

from __future__ import annotations

import json
import math
from typing import Any

from tests.fakes.services.base import Answer, Call, Json, Service, caption, picture_of

_FIELDS = frozenset({"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "response_format"})
_FIELDS |= {"reasoning_effort", "service_tier", "thinking", "provider", "usage"}


class FakeChat(Service):
    """`/models` and `/chat/completions`; prices are dollars per million tokens."""

    models: tuple[Json, ...] = ({"id": "fake-vision"},)
    price = (0.10, 0.50)
    schemas = True
    cost_told = False

    def answer(self, call: Call) -> Answer:
        """Answer one call."""
        path = call.path.removeprefix(self.prefix)
        if (call.method, path) == ("GET", "/models"):
            return Answer(body={"object": "list", "data": list(self.models)})
        if (call.method, path) == ("POST", "/chat/completions"):
            return self.complete(call.json())
        return Answer(404, {"error": {"message": f"no {path} here", "code": "not_found"}})

    def complete(self, body: Json, *, key: str = "") -> Answer:
        """Answer one chat completion, or say why not."""
        fault = self.refusal(body)
        if fault:
            return Answer(400, {"error": {"message": fault, "type": "invalid_request_error", "code": None}})
        content = body["messages"][0]["content"]
        text = "".join(part["text"] for part in content if part["type"] == "text")
        raw, size = picture_of(content[-1]["image_url"]["url"])
        said = self.say(raw)
        entered = math.ceil(len(text) / 4) + self.picture_tokens(*size)
        left = math.ceil(len(json.dumps(said)) / 4)
        self.served[key or said["tags"][-1]] += 1
        usage: Json = {"prompt_tokens": entered, "completion_tokens": left, "total_tokens": entered + left}
        dollars = (entered * self.rate(body)[0] + left * self.rate(body)[1]) / 1e6
        self.billed += dollars
        if self.cost_told:
            usage["cost"] = dollars
        message = {"role": "assistant", "content": json.dumps(said)}
        made: Json = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(self.now),
            "model": body.get("model", "fake-vision"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": usage,
        }
        if body.get("service_tier"):
            made["service_tier"] = body["service_tier"]
        return Answer(body=made)

    def say(self, raw: bytes) -> Json:
        """The answer to a picture."""
        return caption(raw)

    def rate(self, body: Json) -> tuple[float, float]:
        """Dollars per million tokens, in and out."""
        return self.price

    def picture_tokens(self, width: int, height: int) -> int:
        """What a picture counts for."""
        return min(1024, math.ceil(width * height / 1700) + 187)

    def refusal(self, body: Json) -> str:
        """Why this request is refused, "" when it is fine."""
        unknown = sorted(body.keys() - _FIELDS)
        if unknown:
            return f"Unknown parameter: '{unknown[0]}'."
        content = body["messages"][0]["content"]
        if content[-1]["type"] != "image_url" or not content[-1]["image_url"]["url"].startswith("data:image/"):
            return "the last part must be a picture"
        form = body.get("response_format") or {}
        if form.get("type") == "json_schema":
            return "json_schema is not supported" if not self.schemas else strictness(form["json_schema"]["schema"])
        return ""


def strictness(schema: Any, at: str = "") -> str:
    """Why a schema is not strict, "" when it is."""
    if not isinstance(schema, dict):
        return ""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            return f"Invalid schema{at}: 'additionalProperties' is required to be false"
        if set(schema.get("required") or []) != set(properties):
            return f"Invalid schema{at}: 'required' must name every property"
        return next(filter(None, (strictness(value, f"{at}.{name}") for name, value in properties.items())), "")
    return strictness(schema.get("items"), f"{at}[]")
