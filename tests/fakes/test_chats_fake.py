"""The fakes of services that take OpenAI's chat, driven by OpenAI's own SDK, which each of them names in its manual."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

from tests.fakes.chats import FakeChats, FakeDeepSeek, FakeOpenRouter, FakeOwnServer

_SCHEMA = {"type": "object", "properties": {"description": {"type": "string"}}, "required": ["description"]}
_BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "photo", "strict": True, "schema": _SCHEMA}}


def _content(prompt: str) -> list[dict[str, Any]]:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), (40, 90, 120)).save(stream, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
    return [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url}}]


@pytest.mark.parametrize(
    ("kind", "form", "extra", "dollars"),
    [
        (FakeDeepSeek, {"type": "json_object"}, {"thinking": {"type": "disabled"}}, True),
        (FakeOpenRouter, _BY_SCHEMA, {"usage": {"include": True}}, True),
        (FakeOwnServer, _BY_SCHEMA, {}, False),
    ],
)
def test_the_sdk_reads_them_and_strangers_are_refused(
    kind: type[FakeChats], form: dict[str, Any], extra: dict[str, Any], dollars: bool, tmp_path: Path
) -> None:
    """A model of the list answers in JSON, and is booked; an unknown field, model or key is not served."""
    with kind(tmp_path) as fake, openai.OpenAI(base_url=fake.url, api_key="key", max_retries=0) as client:
        (model,) = [each.id for each in client.models.list()]
        ask: Any = client.chat.completions.create
        told = {"messages": [{"role": "user", "content": _content("Describe it.")}], "max_tokens": 300}
        made = ask(model=model, response_format=form, extra_body=extra, **told)
        assert json.loads(made.choices[0].message.content)["description"]
        books = fake.books()
        assert (books["served"], books["input_tokens"]) == ({"interactive": 1}, made.usage.prompt_tokens)
        assert (books["usd"] > 0) == dollars
        for more in ({"model": "nobody"}, {"model": model, "extra_body": {"strange": 1}}):
            with pytest.raises(openai.APIStatusError):
                ask(**told, **more)
        assert fake.books()["served"] == {"interactive": 1}
