"""Services that answer one chat at a time: DeepSeek, OpenRouter, and a server of one's own, each as strict as it is."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime
from typing import Any

from tests.fakes.faults import Fault
from tests.fakes.gemini.answers import answer_text
from tests.fakes.gemini.captions import Caption
from tests.fakes.openai.chat import ANSWER_FAULTS, damage, shown
from tests.fakes.service import FakeService, Json, Refusal, Route, Served
from tests.fakes.wire import Call, Reply

_FIELDS = frozenset({"model", "messages", "max_tokens", "temperature", "response_format"})


class FakeChats(FakeService):
    """`/models` and `/chat/completions`; `more` are further fields of a body, `models` what is on offer."""

    more: frozenset[str] = frozenset()
    models: tuple[Json, ...] = ()

    def kinds(self) -> dict[str, frozenset[str]]:
        """Name the faults of answers."""
        return {"ask": ANSWER_FAULTS}

    def routes(self) -> tuple[Route, ...]:
        """Every call, by the names that rules and books use."""
        return (
            Route("ask", "POST", "/chat/completions", self._ask),
            Route("model_list", "GET", "/models", self._models),
        )

    def usd(self) -> tuple[float, float]:
        """Dollars per million tokens now, in and out."""
        return 0.0, 0.0

    def words(self, form: Json, prompt: str, caption: Caption) -> str:
        """What the model answers, by the `response_format`."""
        if form.get("type") == "json_schema":
            raise Refusal(400, "This response_format type is unavailable now", "invalid_request_error")
        asked = {"response_mime_type": "application/json"} if form.get("type") == "json_object" else {}
        return answer_text(asked, caption)

    def _models(self, call: Call) -> Reply:
        return Reply(200, {"object": "list", "data": list(self.models)})

    def _ask(self, call: Call) -> Reply:
        body = call.json()
        if not isinstance(body, dict):
            raise Refusal(400, "the body is not JSON", "invalid_request_error")
        odd = sorted(body.keys() - _FIELDS - self.more)
        if odd:
            raise Refusal(400, f"Unknown parameter: '{odd[0]}'.", "invalid_request_error")
        if body.get("model") not in [each["id"] for each in self.models]:
            raise Refusal(404, f"The model `{body.get('model')}` does not exist.", "model_not_found")
        fault = next((each for each in call.faults if each.kind in ANSWER_FAULTS), None)
        return Reply(200, self._complete(body, fault))

    def _complete(self, body: Json, fault: Fault | None) -> Json:
        kind = fault.kind if fault else ""
        *texts, part = body["messages"][0]["content"]
        prompt = "".join(each["text"] for each in texts)
        head, _, data = part["image_url"]["url"].partition(";base64,")
        picture, caption = self.look(base64.b64decode(data, validate=True), head.removeprefix("data:"))
        entered = math.ceil(len(prompt) / 4) + self.picture_tokens(picture.width, picture.height)
        self.admit_tokens(entered + int(body["max_tokens"]))
        text, finish, refusal = shown(self.words(body.get("response_format") or {}, prompt, caption), kind)
        left = math.ceil(len(text or refusal or "") / 4)
        if left > body["max_tokens"]:
            text, finish, left = (text or "")[: body["max_tokens"] * 4], "length", body["max_tokens"]
        into, out = self.usd()
        blocked = bool(refusal) or finish == "content_filter"
        served = Served("interactive", body["model"], "blocked" if blocked else "ok", entered, left)
        served.usd, served.pictures = (entered * into + left * out) / 1e6, [picture.sha256]
        if picture.width > 32:  # smaller ones are no photos, but questions whether pictures are taken at all
            self.book(served)
        message = {"role": "assistant", "content": text, "refusal": refusal}
        made: Json = {
            "id": self.new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(self.clock.now()),
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": entered, "completion_tokens": left, **self.told(served)},
        }
        damage(made, kind)
        return made

    def told(self, served: Served) -> Json:
        """What else the usage tells."""
        return {}

    def admit_tokens(self, count: int) -> None:
        """Refuse what is too long."""

    def picture_tokens(self, width: int, height: int) -> int:
        """Count a picture."""
        return min(1024, math.ceil(width * height / 1700) + 187)


class FakeDeepSeek(FakeChats):
    """No schemas, thinking that can be switched off, and hours in which everything costs twice as much."""

    more = frozenset({"thinking"})
    models = ({"id": "deepseek-flash"},)

    def usd(self) -> tuple[float, float]:
        """The price of the hour; holidays are not known here."""
        at = datetime.fromtimestamp(self.clock.now(), UTC)
        dear = at.weekday() < 5 and (1 <= at.hour < 4 or 6 <= at.hour < 10)
        return (0.30, 1.20) if dear else (0.15, 0.60)


class FakeOpenRouter(FakeChats):
    """Schemas, preferences that must be known ones, and a price in every answer."""

    prefix = "/api/v1"
    more = frozenset({"provider", "usage"})
    models = (
        {
            "id": "cheap/vision",
            "architecture": {"input_modalities": ["text", "image"]},
            "pricing": {"prompt": "0.0000001", "completion": "0.0000005"},
            "supported_parameters": ["structured_outputs", "max_tokens"],
        },
    )

    def usd(self) -> tuple[float, float]:
        """The price of its only model."""
        return 0.1, 0.5

    def refusal(self, fault: Refusal) -> Reply:
        """The status stands in the body too."""
        return Reply(fault.status, {"error": {"code": fault.status, "message": fault.message}})

    def words(self, form: Json, prompt: str, caption: Caption) -> str:
        """By the schema."""
        if form.get("type") != "json_schema":
            return super().words(form, prompt, caption)
        schema = form["json_schema"]["schema"]
        return answer_text({"response_mime_type": "application/json", "response_json_schema": schema}, caption)

    def told(self, served: Served) -> Json:
        """The dollars."""
        return {"cost": served.usd}


class FakeOwnServer(FakeOpenRouter):
    """A server of one's own, which costs nothing.

    Settings: `schemas` and `objects` say what becomes of a `response_format` of a schema and of JSON ("kept",
    "ignored", "refused"); `context` is its size in tokens, which is not told; `slots` are told as llama-server does.
    """

    prefix = "/v1"
    more = frozenset()
    models = ({"id": "qwen-vision"},)

    def routes(self) -> tuple[Route, ...]:
        """Properties as well."""
        return (*super().routes(), Route("props", "GET", "/props", self._props))

    def _props(self, call: Call) -> Reply:
        if "slots" not in self.settings:
            raise Refusal(404, "File Not Found", "not_found_error")
        return Reply(200, {"total_slots": self.settings["slots"], "modalities": {"vision": True}})

    def usd(self) -> tuple[float, float]:
        """Nothing."""
        return 0.0, 0.0

    def words(self, form: Json, prompt: str, caption: Caption) -> str:
        """By the schema, as JSON, or as the prompt asks: where nothing is kept to, a model that reads helps."""
        names = {"json_schema": "schemas", "json_object": "objects"}
        manner = self.settings.get(names.get(form.get("type", ""), ""), "kept")
        if manner == "refused":
            raise Refusal(400, f"response_format {form['type']} is not supported", "invalid_request_error")
        if manner == "ignored":
            return answer_text({}, caption)
        if not form and "JSON Schema" in prompt:
            return (
                f"Sure! Here it is:\n```json\n{answer_text({'response_mime_type': 'application/json'}, caption)}\n```"
            )
        return super().words(form, prompt, caption)

    def told(self, served: Served) -> Json:
        """No price."""
        return {}

    def admit_tokens(self, count: int) -> None:
        """In the words of llama-server."""
        size: Any = self.settings.get("context", count)
        if count > size:
            words = (
                f"the request ({count} tokens) exceeds the available context size ({size} tokens), try increasing it"
            )
            raise Refusal(400, words, "exceed_context_size_error")
