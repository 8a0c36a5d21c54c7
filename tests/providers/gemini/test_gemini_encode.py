"""The Gemini batch line, on its way out: what is sent of a question, and how."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.errors import BadSetting
from indexer.domain.keys import canonical_json
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request, Settings
from indexer.providers.gemini.adapter import Gemini, SchemaField
from indexer.providers.google.wire import encode_line, encode_request

ASKED = Settings()
QUESTION = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA, ASKED)


def line_of(
    *,
    model: str = "gemini-3.5-flash-lite",
    schema: str = DEFAULT_SCHEMA,
    field: SchemaField = SchemaField.OPENAPI,
    prompt: str = "Describe.",
    **settings: Any,
) -> Any:
    """Return an encoded line, parsed."""
    question = Question("gemini", model, DEFAULT_TEMPLATE, schema, dataclasses.replace(ASKED, **settings))
    return json.loads(encode_line(Request("k1", question, b"\xff\xd8\xff", prompt), field))


def config_of(**settings: Any) -> Any:
    """Return the generation_config of an encoded line."""
    return line_of(**settings)["request"]["generation_config"]


@given(key=st.text(min_size=1, max_size=64), image=st.binary(max_size=3000), prompt=st.text(max_size=300))
def test_what_is_encoded_parses_to_what_was_asked(key: str, image: bytes, prompt: str) -> None:
    """One line of JSON, the prompt first, the very bytes of the picture last."""
    line = encode_line(Request(key, QUESTION, image, prompt), SchemaField.OPENAPI)
    assert b"\n" not in line
    assert line.isascii()
    found = json.loads(line)
    assert found["key"] == key
    parts = found["request"]["contents"][0]["parts"]
    assert [part["text"] for part in parts[:-1]] == ([prompt] if prompt.strip() else [])
    assert parts[-1]["inline_data"]["mime_type"] == "image/jpeg"
    assert base64.b64decode(parts[-1]["inline_data"]["data"], validate=True) == image


def test_half_a_surrogate_in_a_prompt_is_replaced() -> None:
    """File names of any bytes reach prompts; the service refuses the file for such an escape."""
    parts = line_of(prompt="caf\udce9")["request"]["contents"][0]["parts"]
    assert parts[0]["text"] == "caf\ufffd"


def test_the_default_line_holds_the_documented_settings() -> None:
    """Generation settings stand inside generation_config, under the names of the batch guide."""
    assert config_of() == {
        "temperature": 0.2,
        "max_output_tokens": 512,
        "response_mime_type": "application/json",
        "response_schema": {
            "type": "OBJECT",
            "properties": {
                "description": {"type": "STRING", "description": "Two to four factual sentences."},
                "visible_text": {"type": "STRING", "description": "Text that can be read in the picture, or empty."},
                "tags": {
                    "type": "ARRAY",
                    "items": {"type": "STRING"},
                    "description": "8 to 20 short lower-case tags.",
                },
            },
            "property_ordering": ["description", "visible_text", "tags"],
            "required": ["description", "visible_text", "tags"],
        },
        "media_resolution": "MEDIA_RESOLUTION_MEDIUM",
        "thinking_config": {"thinking_level": "MINIMAL"},
    }


def test_an_attempt_may_ask_for_more_output() -> None:
    """A truncated answer is asked again with a higher limit, and nothing else changes."""
    request = Request("k1", QUESTION, b"", "Describe.")
    wider = dataclasses.replace(request, max_output_tokens=2048)
    plain, raised = (json.loads(encode_request(each, SchemaField.OPENAPI)) for each in (request, wider))
    assert raised["generation_config"].pop("max_output_tokens") == 2048
    assert plain["generation_config"].pop("max_output_tokens") == 512
    assert plain == raised


@pytest.mark.parametrize(
    ("model", "thinking", "expected"),
    [
        ("gemini-3.5-flash-lite", "minimal", {"thinking_level": "MINIMAL"}),
        ("models/gemini-3.5-flash-lite", "high", {"thinking_level": "HIGH"}),
        ("gemini-3.8-flash", "minimal", {"thinking_level": "LOW"}),
        ("gemini-3.1-pro-preview", "minimal", {"thinking_level": "LOW"}),
        ("gemini-3.8-flash", "medium", {"thinking_level": "MEDIUM"}),
        ("gemini-4-flash", "low", {"thinking_level": "LOW"}),
        ("gemini-2.5-flash", "minimal", {"thinking_budget": 0}),
        ("gemini-2.5-flash-lite", "low", {"thinking_budget": 1024}),
        ("gemini-2.5-pro", "minimal", {"thinking_budget": 128}),
        ("gemini-2.0-flash", "minimal", None),
        ("gemma-3-27b-it", "minimal", None),
        ("gemini-3.5-flash-lite", "default", None),
    ],
)
def test_each_model_is_told_to_think_in_its_own_words(model: str, thinking: str, expected: Any) -> None:
    """Gemini 2.5 counts tokens, later ones have levels, 3.8 Flash lacks the least one, Pro cannot stop."""
    assert config_of(model=model, thinking=thinking).get("thinking_config") == expected


@pytest.mark.parametrize("resolution", ["low", "medium", "high"])
def test_media_resolution_is_sent_as_its_constant(resolution: str) -> None:
    """It is what a picture's tokens are counted by."""
    assert config_of(media_resolution=resolution)["media_resolution"] == f"MEDIA_RESOLUTION_{resolution.upper()}"


def test_the_default_media_resolution_is_left_to_the_service() -> None:
    """ "default" sends nothing."""
    assert "media_resolution" not in config_of(media_resolution="default")


@pytest.mark.parametrize(
    "settings", [{"media_resolution": "ultra"}, {"thinking": "hard"}, {"schema": "[]"}, {"schema": "{"}]
)
def test_a_setting_the_service_does_not_have_is_refused_before_anything_is_sent(settings: dict[str, str]) -> None:
    """The hint lists what there is."""
    with pytest.raises(BadSetting) as caught:
        config_of(**settings)
    assert caught.value.hint


def test_the_schema_may_go_as_json_schema_by_a_setting() -> None:
    """Reports disagree on which of the two a batch heeds, and both at once are refused."""
    config = config_of(field=SchemaField.JSON)
    assert config["response_json_schema"] == json.loads(DEFAULT_SCHEMA)
    assert "response_schema" not in config


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "INTEGER", "minimum": 1}),
        ({"type": ["string", "null"]}, {"type": "STRING", "nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, {"any_of": [{"type": "STRING"}, {"type": "NUMBER"}]}),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 3},
            {"type": "ARRAY", "max_items": 3, "items": {"type": "STRING"}},
        ),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "STRING", "enum": ["a", "b"]}),
        ({"const": "x", "type": "string"}, {"type": "STRING", "enum": ["x"]}),
        ({"$ref": "#/$defs/tag"}, {"type": "STRING"}),
        ({"type": "string", "additionalProperties": False, "$comment": "x"}, {"type": "STRING"}),
    ],
)
def test_json_schema_becomes_the_subset_that_the_service_reads(given_schema: Any, expected: Any) -> None:
    """Types in capitals, null as `nullable`, references written out, unknown words left out."""
    schema = canonical_json({"type": "object", "properties": {"x": given_schema}, "$defs": {"tag": {"type": "string"}}})
    assert config_of(schema=schema)["response_schema"]["properties"]["x"] == expected


def test_a_recursive_schema_is_refused_in_words() -> None:
    """The subset has no references, so recursion cannot be written out."""
    schema = canonical_json({"$ref": "#/$defs/x", "$defs": {"x": {"type": "array", "items": {"$ref": "#/$defs/x"}}}})
    with pytest.raises(BadSetting, match="recursive"):
        config_of(schema=schema)


def test_the_provider_says_what_it_is() -> None:
    """The seam's facts: batch first, costs money, key in the environment."""
    provider = Gemini("key")
    assert (provider.spec.name, provider.spec.modes[0], provider.spec.free) == ("gemini", Mode.BATCH, False)
    assert provider.spec.default_model == "gemini-3.5-flash-lite"
    assert "GEMINI_API_KEY" in provider.spec.key_variables
    request = Request("k1", QUESTION, b"\xff\xd8\xff", fill(DEFAULT_TEMPLATE, "English"))
    assert json.loads(provider.batches.encode(request))["request"] == json.loads(
        encode_request(request, SchemaField.OPENAPI)
    )
    assert provider.batches.decode(b'{"response": {}, "key": "k1"}').key == "k1"


@pytest.mark.parametrize(
    ("model", "tier", "tokens"),
    [
        ("gemini-3.5-flash-lite", 1, 9_000_000),
        ("gemini-3.5-flash-lite", 2, 450_000_000),
        ("gemini-3.5-flash", 1, 2_700_000),
        ("models/gemini-2.5-pro", 1, 4_500_000),
        ("gemini-9-flash", 1, 2_700_000),
        ("something-else", 3, 900_000_000),
    ],
)
def test_limits_leave_ten_percent_to_spare(model: str, tier: int, tokens: int) -> None:
    """The queue is counted in tokens, by model and tier."""
    limits = Gemini("key", tier=tier).batches.limits(model)
    assert limits.max_queued_tokens == tokens
    assert limits.max_bytes == 1_800_000_000
