"""The fake of OpenAI, driven by OpenAI's own SDK: what that can read and the service would take, in virtual time."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from PIL import Image

from tests.fakes.openai import FakeOpenAI

SCHEMA = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "tags"],
    "additionalProperties": False,
}


def picture(width: int = 640, height: int = 480) -> str:
    """Return a plain picture as a data address."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, height % 256, 90)).save(stream, "JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def body(prompt: str = "Describe this photo.", url: str = "", **more: Any) -> dict[str, Any]:
    """Return a whole and allowed body."""
    content = [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": url or picture()}}]
    told = {"name": "photo", "strict": True, "schema": SCHEMA}
    return {
        "model": "gpt-6-luna",
        "messages": [{"role": "user", "content": content}],
        "reasoning_effort": "none",
        "max_completion_tokens": 400,
        "response_format": {"type": "json_schema", "json_schema": told},
        **more,
    }


def lines(*bodies: dict[str, Any]) -> bytes:
    """Return a batch file."""
    rows = (
        {"custom_id": f"k{n}", "method": "POST", "url": "/v1/chat/completions", "body": each}
        for n, each in enumerate(bodies)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeOpenAI]:
    """The service; its jobs take an hour of its time."""
    with FakeOpenAI(tmp_path / "service", pending=60.0, running=3600.0) as running:
        yield running


@pytest.fixture
def sdk(fake: FakeOpenAI) -> Iterator[OpenAI]:
    """The SDK, which repeats nothing."""
    with OpenAI(base_url=fake.url, api_key="test-key", max_retries=0) as client:
        yield client


def submit(sdk: OpenAI, content: bytes, **more: Any) -> Any:
    """Upload a batch file and create its job."""
    file = sdk.files.create(purpose="batch", file=("in.jsonl", content))
    told: dict[str, Any] = {"completion_window": "24h", "endpoint": "/v1/chat/completions", **more}
    return sdk.batches.create(input_file_id=file.id, **told)


def rows(sdk: OpenAI, name: str | None) -> dict[str, Any]:
    """Return the lines of a result file by their names."""
    assert name is not None
    found = [json.loads(line) for line in sdk.files.content(name).text.splitlines()]
    return {row["custom_id"]: row for row in found}


def test_a_batch_from_file_to_file(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """Validated, worked, finished: good lines in one file, bad ones in the other, and only good ones billed."""
    job = submit(sdk, lines(body(), body(nonsense=1), body()), metadata={"shard": "7"})
    assert (job.status, job.metadata, job.request_counts.total) == ("validating", {"shard": "7"}, 0)
    fake.advance(60 + 1800)
    half = sdk.batches.retrieve(job.id)
    assert (half.status, half.model, half.request_counts.total) == ("in_progress", "gpt-6-luna", 3)
    fake.advance(1801)
    done = sdk.batches.retrieve(job.id)
    assert done.status == "completed"
    assert (done.request_counts.completed, done.request_counts.failed) == (2, 1)
    good, bad = rows(sdk, done.output_file_id), rows(sdk, done.error_file_id)
    assert set(good) == {"k0", "k2"}
    assert json.loads(good["k0"]["response"]["body"]["choices"][0]["message"]["content"])["tags"]
    assert bad["k1"]["error"] is None
    assert bad["k1"]["response"]["status_code"] == 400
    assert bad["k1"]["response"]["body"]["error"]["code"] == "unknown_parameter"
    books = fake.books()
    assert books["served"] == {"batch": 2}
    assert done.usage is not None
    assert books["input_tokens"] == done.usage.input_tokens
    assert books["usd"] == pytest.approx((books["input_tokens"] * 0.05 + books["output_tokens"] * 0.25) / 1e6)


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [
        (1024, 768, "high", 922),
        (768, 768, "high", 692),
        (768, 512, "high", 461),
        (4000, 3000, "auto", 14_100),
        (4000, 3000, "high", 3_000),
        (33, 33, "high", 5),
    ],
)
def test_a_picture_counts_by_patches(
    fake: FakeOpenAI, sdk: OpenAI, width: int, height: int, detail: str, tokens: int
) -> None:
    """1.2 tokens for 32 by 32 pixels, at most 2,500 patches with detail "high"."""
    told = body("")
    told["messages"][0]["content"][1]["image_url"] = {"url": picture(width, height), "detail": detail}
    done = sdk.chat.completions.create(**told)
    assert done.usage is not None
    assert done.usage.prompt_tokens - 7 == tokens


def test_tiers_cost_what_they_are_and_say_so(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """Flex is half; a call may be served at another tier than was asked."""
    full = sdk.chat.completions.create(**body())
    dollars = fake.books()["usd"]
    flex = sdk.chat.completions.create(**body(service_tier="flex"))
    assert (full.service_tier, flex.service_tier) == ("default", "flex")
    assert fake.books()["usd"] == pytest.approx(1.5 * dollars)
    fake.fault("ask", "downgrade")
    assert sdk.chat.completions.create(**body(service_tier="flex")).service_tier == "default"
    assert fake.books()["served"] == {"interactive": 2, "flex": 1}


def test_a_long_prefix_is_cached(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """From 1,024 tokens on: written once, read for a tenth from then on."""
    prompt = "Describe this photo with care. " * 200
    first, second = (sdk.chat.completions.create(**body(prompt)).usage for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.prompt_tokens_details.cached_tokens == 0
    assert second.prompt_tokens_details.cached_tokens == len(prompt) // 4 // 128 * 128
    assert fake.books()["cached_tokens"] == second.prompt_tokens_details.cached_tokens


def _schema(**change: Any) -> dict[str, Any]:
    told = {"name": "photo", "strict": True, "schema": {**SCHEMA, **change}}
    return {"response_format": {"type": "json_schema", "json_schema": told}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"nonsense": 1}, "unknown_parameter"),
        ({"model": "gpt-9"}, "model_not_found"),
        ({"max_tokens": 3}, "unsupported_parameter"),
        ({"reasoning_effort": "minimal"}, "unsupported_value"),
        ({"reasoning_effort": "low", "temperature": 0.2}, "unsupported_value"),
        ({"model": "gpt-5-nano", "reasoning_effort": "none"}, "unsupported_value"),
        ({"service_tier": "slow"}, "invalid_value"),
        (_schema(additionalProperties=True), "invalid_json_schema"),
        (_schema(required=["tags"]), "invalid_json_schema"),
        (_schema(properties={"description": {"type": "string", "minLength": 3}}), "invalid_json_schema"),
        (_schema(properties={"description": {"type": "string"}, "tags": {"type": "array"}}), "invalid_json_schema"),
        ({"messages": []}, "missing_required_parameter"),
        ({"messages": [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}]}, "invalid_value"),
        (body(url="data:image/jpeg;base64,####"), "invalid_base64"),
        (body(url="data:image/jpeg;base64,QUJD"), "invalid_image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_service_would_refuse_is_refused(sdk: OpenAI, change: dict[str, Any], code: str) -> None:
    """Unknown fields at any depth, loose schemas, parameters of other models, and what is no picture."""
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(**body(), extra_body=change)
    assert caught.value.body["code"] == code


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (lines(body()) + b"{broken\n", "invalid_json_line", 2),
        (lines(body()) * 2, "duplicate_custom_id", 2),
        (lines(body(), body(model="gpt-5.6-luna")), "mismatched_model", 2),
        (lines(body()).replace(b"/v1/chat", b"/v1/chit"), "invalid_url", 1),
        (lines(body(model="gpt-6.1-sol")), "model_not_found", 1),
        (lines(body()).replace(b'"custom_id"', b'"id"'), "missing_required_parameter", 1),
    ],
)
def test_a_bad_line_fails_the_whole_job(fake: FakeOpenAI, sdk: OpenAI, content: bytes, code: str, line: int) -> None:
    """Only after the 200: with the number of the line."""
    job = submit(sdk, content)
    fake.advance(60)
    ended = sdk.batches.retrieve(job.id)
    assert ended.status == "failed"
    assert ended.errors is not None
    assert ended.errors.data is not None
    assert (ended.errors.data[0].code, ended.errors.data[0].line) == (code, line)
    assert fake.books()["served"] == {}


@pytest.mark.parametrize(("name", "content"), [("in.json", b"{}\n"), ("in.jsonl", b"nonsense\n")])
def test_a_file_that_is_no_batch_file_is_refused_at_once(sdk: OpenAI, name: str, content: bytes) -> None:
    """By its name and its first line."""
    with pytest.raises(openai.BadRequestError, match=r"Must be \.jsonl"):
        sdk.files.create(purpose="batch", file=(name, content))


def test_a_full_queue_fails_the_job_after_a_200(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """Until the jobs before it have ended."""
    fake.settings["enqueued_tokens"] = 600
    first, second = submit(sdk, lines(body())), submit(sdk, lines(body()))
    fake.advance(60)
    assert sdk.batches.retrieve(first.id).status == "in_progress"
    full = sdk.batches.retrieve(second.id)
    assert full.errors is not None
    assert full.errors.data is not None
    assert full.errors.data[0].code == "token_limit_exceeded"
    fake.advance(3600)
    third = submit(sdk, lines(body()))
    fake.advance(60)
    assert sdk.batches.retrieve(third.id).status == "in_progress"


def test_an_expired_batch_has_what_was_done(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """The rest stands in the error file, neither answered nor billed."""
    fake.fault("job", "expire")
    job = submit(sdk, lines(*[body() for _ in range(4)]))
    fake.advance(25 * 3600)
    ended = sdk.batches.retrieve(job.id)
    assert ended.status == "expired"
    assert len(rows(sdk, ended.output_file_id)) == 2
    late = rows(sdk, ended.error_file_id)
    assert {row["error"]["code"] for row in late.values()} == {"batch_expired"}
    assert {row["response"] for row in late.values()} == {None}
    assert fake.books()["served"] == {"batch": 2}


def test_a_cancelled_batch_has_what_was_done(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """Or all of it, when the cancel came too late."""
    job = submit(sdk, lines(body(), body()))
    fake.advance(60 + 1800)
    assert sdk.batches.cancel(job.id).status == "cancelling"
    ended = sdk.batches.retrieve(job.id)
    assert (ended.status, len(rows(sdk, ended.output_file_id))) == ("cancelled", 1)
    with pytest.raises(openai.ConflictError):
        sdk.batches.cancel(job.id)
    fake.fault("job", "cancel_race")
    raced = submit(sdk, lines(body(), body()))
    fake.advance(60)
    sdk.batches.cancel(raced.id)
    fake.advance(3600)
    assert sdk.batches.retrieve(raced.id).status == "completed"


def test_all_lines_failed_is_completed_without_an_output_file(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """And a status of 0 in the error file is not counted as failed."""
    fake.fault("row", "status", code=0)
    job = submit(sdk, lines(body(), body()))
    fake.advance(3700)
    ended = sdk.batches.retrieve(job.id)
    assert (ended.status, ended.output_file_id, ended.request_counts.failed) == ("completed", None, 0)
    assert {row["response"]["status_code"] for row in rows(sdk, ended.error_file_id).values()} == {0}
    assert fake.books()["usd"] == 0


def test_jobs_are_listed_newest_first_in_pages(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """The SDK walks them to the end."""
    made = [submit(sdk, lines(body())).id for _ in range(5)]
    assert [job.id for job in sdk.batches.list(limit=2)] == made[::-1]


def test_files_are_deleted_and_expire(fake: FakeOpenAI, sdk: OpenAI) -> None:
    """Results after thirty days, inputs as asked."""
    job = submit(sdk, lines(body()))
    fake.advance(3700)
    ended = sdk.batches.retrieve(job.id)
    assert sdk.files.delete(job.input_file_id).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.files.retrieve(job.input_file_id)
    fake.advance(31 * 86_400)
    with pytest.raises(openai.NotFoundError):
        sdk.files.content(ended.output_file_id)


def test_the_state_outlives_the_process(tmp_path: Path) -> None:
    """Another fake in the same directory goes on where this one ended, at the same time."""
    with FakeOpenAI(tmp_path / "service", pending=60.0) as fake:
        with OpenAI(base_url=fake.url, api_key="test-key", max_retries=0) as sdk:
            job = submit(sdk, lines(body()))
        now = fake.advance(100_000)
    with FakeOpenAI(tmp_path / "service") as again:
        with OpenAI(base_url=again.url, api_key="test-key", max_retries=0) as sdk:
            assert sdk.batches.retrieve(job.id).status == "completed"
        assert again.books()["served"] == {"batch": 1}
        assert again.health()["now"] >= now


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("503", openai.InternalServerError),
        ("429", openai.RateLimitError),
        ("drop", openai.APIConnectionError),
        ("truncate", openai.APIConnectionError),
    ],
)
def test_faults_strike_before_or_after_the_work(
    fake: FakeOpenAI, sdk: OpenAI, kind: str, error: type[Exception]
) -> None:
    """A lost answer leaves its work behind, a refusal does not, unless told so."""
    fake.fault("create", kind, nth=1)
    with pytest.raises(error):
        submit(sdk, lines(body()))
    assert len(fake.all("job")) == (0 if kind.isdigit() else 1)
    fake.fault("create", kind, nth=1, when="after")
    with pytest.raises(error):
        submit(sdk, lines(body()))
    assert len(fake.all("job")) == (1 if kind.isdigit() else 2)


@pytest.mark.parametrize(("key", "code"), [("bad-key", "invalid_api_key"), ("no-credit", "insufficient_quota")])
def test_keys_are_looked_at(fake: FakeOpenAI, key: str, code: str) -> None:
    """One is refused, one has nothing left."""
    client = OpenAI(base_url=fake.url, api_key=key, max_retries=0)
    with client as sdk, pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(**body())
    assert caught.value.body["code"] == code


def test_a_fault_that_could_never_strike_is_refused(fake: FakeOpenAI) -> None:
    """A matrix with a typing error would prove nothing."""
    with pytest.raises(ValueError, match="no such fault"):
        fake.fault("row", "503")
