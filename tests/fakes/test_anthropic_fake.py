"""The fake of Anthropic, driven by Anthropic's own SDK: what that can read and the service would take."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic
from PIL import Image

from tests.fakes.anthropic import FakeAnthropic

SCHEMA = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "tags"],
    "additionalProperties": False,
}


def params(**more: Any) -> Any:
    """Return whole and allowed parameters of a message."""
    stream = io.BytesIO()
    Image.new("RGB", (280, 140), (90, 20, 60)).save(stream, "JPEG")
    data = base64.b64encode(stream.getvalue()).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}}
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": [image, {"type": "text", "text": "Describe this photo."}]}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
        **more,
    }


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeAnthropic]:
    """The service; its batches take an hour of its time."""
    with FakeAnthropic(tmp_path / "service", pending=60.0, running=3600.0) as running:
        yield running


@pytest.fixture
def sdk(fake: FakeAnthropic) -> Iterator[Anthropic]:
    """The SDK, which repeats nothing."""
    with Anthropic(base_url=fake.url, api_key="test-key", max_retries=0) as client:
        yield client


def test_a_message_is_answered_and_counted(fake: FakeAnthropic, sdk: Anthropic) -> None:
    """By patches of 28 pixels and four characters a token; the books have the dollars."""
    said = sdk.messages.create(**params())
    assert said.content[0].type == "text"
    assert said.content[0].text.startswith("{")
    assert said.usage.input_tokens == 10 * 5 + 5 + 7
    books = fake.books()
    assert books["usd"] == pytest.approx((said.usage.input_tokens * 0.1 + said.usage.output_tokens * 0.5) / 1e6)


def test_a_long_prompt_is_written_to_the_cache_and_read_from_it(fake: FakeAnthropic, sdk: Anthropic) -> None:
    """Written for an hour at twice the price, read at a tenth; a short one is not cached at all."""
    long = [{"type": "text", "text": "x" * 4 * 3000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    first, second = (sdk.messages.create(**params(system=long)).usage for _ in range(2))
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (3000, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, 3000)
    short = [{**long[0], "text": "x" * 400}]
    assert sdk.messages.create(**params(system=short)).usage.cache_creation_input_tokens == 0


def test_a_batch_runs_through_its_life(fake: FakeAnthropic, sdk: Anthropic) -> None:
    """Counts stand still until its end; results come in any order from an address of their own; only then it goes."""
    requests: Any = [{"custom_id": f"k{number}", "params": params()} for number in range(3)]
    requests.append({"custom_id": "bad", "params": params(output_config={"format": {"type": "json"}})})
    made = sdk.messages.batches.create(requests=requests)
    assert (made.processing_status, made.request_counts.processing, made.results_url) == ("in_progress", 4, None)
    fake.advance(1800)
    assert sdk.messages.batches.retrieve(made.id).request_counts.succeeded == 0
    with pytest.raises(anthropic.BadRequestError):
        sdk.messages.batches.delete(made.id)
    fake.advance(3600)
    ended = sdk.messages.batches.retrieve(made.id)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == ("ended", 3, 1)
    results = {row.custom_id: row.result for row in sdk.messages.batches.results(made.id)}
    assert sorted(results) == ["bad", "k0", "k1", "k2"]
    assert results["bad"].type == "errored"
    assert results["k0"].type == "succeeded"
    assert results["k0"].message.usage.service_tier == "batch"
    assert [batch.id for batch in sdk.messages.batches.list(limit=1)] == [made.id]
    assert sdk.messages.batches.delete(made.id).id == made.id
    assert fake.books()["served"] == {"batch": 3}


def test_a_cancelled_batch_keeps_what_was_done(fake: FakeAnthropic, sdk: Anthropic) -> None:
    """The rest is canceled, and free."""
    requests: Any = [{"custom_id": f"k{number}", "params": params()} for number in range(4)]
    made = sdk.messages.batches.create(requests=requests)
    fake.advance(60 + 1800)
    assert sdk.messages.batches.cancel(made.id).processing_status == "canceling"
    fake.advance(1)
    kinds = sorted(row.result.type for row in sdk.messages.batches.results(made.id))
    assert kinds == ["canceled", "canceled", "succeeded", "succeeded"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"frequency_penalty": 1}, "Extra inputs are not permitted"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"temperature": 1.5}, "temperature"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
    ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "additionalProperties"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_what_the_service_refuses_is_refused(sdk: Anthropic, change: dict[str, Any], words: str) -> None:
    """With its words."""
    extra = {"extra_body": change} if change.keys() & {"frequency_penalty", "temperature"} else change
    with pytest.raises(anthropic.BadRequestError, match=words):
        sdk.messages.create(**{**params(), **extra})


@pytest.mark.parametrize("keys", [["a", "a"], ["with space"], ["x" * 65], []])
def test_keys_have_a_grammar_and_come_once(sdk: Anthropic, keys: list[str]) -> None:
    """A batch with one bad key, or with none, is refused as a whole."""
    requests: Any = [{"custom_id": key, "params": params()} for key in keys]
    with pytest.raises(anthropic.BadRequestError):
        sdk.messages.batches.create(requests=requests)


def test_keys_and_names_are_checked(fake: FakeAnthropic, sdk: Anthropic) -> None:
    """A bad key is 401, an unknown batch and an unknown model 404."""
    with pytest.raises(anthropic.AuthenticationError):
        Anthropic(base_url=fake.url, api_key="bad-key", max_retries=0).messages.create(**params())
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.batches.retrieve("msgbatch_none")
    with pytest.raises(anthropic.NotFoundError):
        sdk.messages.create(**params(model="claude-none"))
