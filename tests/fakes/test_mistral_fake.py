"""The fake of Mistral, driven by Mistral's own SDK: what that can read and the service would take."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError
from PIL import Image

from tests.fakes.mistral import FakeMistral

MODEL = "mistral-small-2603"
ENDPOINT: Any = "/v1/chat/completions"
SCHEMA = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["description", "tags"],
    "additionalProperties": False,
}


def body(**more: Any) -> Any:
    """Return a whole and allowed body, without its model."""
    stream = io.BytesIO()
    Image.new("RGB", (280, 140), (90, 20, 60)).save(stream, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
    parts = [{"type": "text", "text": "Describe this photo."}, {"type": "image_url", "image_url": {"url": url}}]
    told = {"name": "photo", "strict": True, "schema": SCHEMA}
    return {
        "messages": [{"role": "user", "content": parts}],
        "max_tokens": 300,
        "response_format": {"type": "json_schema", "json_schema": told},
        **more,
    }


def lines(count: int) -> bytes:
    """Return a batch file."""
    return b"".join(json.dumps({"custom_id": f"k{n}", "body": body()}).encode() + b"\n" for n in range(count))


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeMistral]:
    """The service; its jobs take an hour of its time."""
    with FakeMistral(tmp_path / "service", pending=60.0, running=3600.0) as running:
        yield running


@pytest.fixture
def sdk(fake: FakeMistral) -> Iterator[Mistral]:
    """The SDK."""
    with Mistral(api_key="test-key", server_url=fake.url) as client:
        yield client


def upload(sdk: Mistral, content: bytes) -> str:
    """Upload a batch file."""
    return str(sdk.files.upload(file={"file_name": "in.jsonl", "content": content}, purpose="batch").id)


def test_a_completion_is_answered_and_counted(fake: FakeMistral, sdk: Mistral) -> None:
    """The books have the dollars."""
    said = sdk.chat.complete(model=MODEL, **body())
    assert str(said.choices[0].message.content).startswith("{")
    usage = said.usage
    assert fake.books()["usd"] == pytest.approx(
        ((usage.prompt_tokens or 0) * 0.15 + (usage.completion_tokens or 0) * 0.6) / 1e6
    )


def test_a_job_runs_through_its_life(fake: FakeMistral, sdk: Mistral) -> None:
    """Queued, running, done; answers and errors lie in two files; a job is found by its metadata."""
    handle = upload(sdk, lines(3))
    made = sdk.batch.jobs.create(
        endpoint=ENDPOINT, input_files=[handle], model=MODEL, metadata={"shard": "7"}, timeout_hours=24
    )
    assert (made.status, made.total_requests) == ("QUEUED", 3)
    fake.fault("row", "status", nth=2)
    fake.advance(90)
    assert sdk.batch.jobs.get(job_id=made.id).status == "RUNNING"
    fake.advance(3600)
    done = sdk.batch.jobs.get(job_id=made.id)
    assert (done.status, done.succeeded_requests, done.failed_requests) == ("SUCCESS", 2, 1)
    rows = sdk.files.download(file_id=str(done.output_file)).read().splitlines()
    assert {json.loads(row)["response"]["status_code"] for row in rows} == {200}
    (bad,) = sdk.files.download(file_id=str(done.error_file)).read().splitlines()
    assert isinstance(json.loads(bad)["response"]["body"], str)  # an error is a JSON text
    assert [job.id for job in sdk.batch.jobs.list(metadata={"shard": "7"}).data or []] == [made.id]
    assert not sdk.batch.jobs.list(metadata={"shard": "8"}).data
    assert sdk.files.delete(file_id=handle).deleted


def test_inline_requests_bring_inline_outputs(fake: FakeMistral, sdk: Mistral) -> None:
    """No file comes or goes."""
    requests: Any = [{"custom_id": "a", "body": body()}]
    made = sdk.batch.jobs.create(endpoint=ENDPOINT, requests=requests, model=MODEL, timeout_hours=2)
    fake.advance(7200)
    done = sdk.batch.jobs.get(job_id=made.id, inline=True)
    assert (done.status, done.output_file) == ("SUCCESS", None)
    assert len(done.outputs or []) == 1


def test_a_cancel_before_the_start_is_final_at_once(fake: FakeMistral, sdk: Mistral) -> None:
    """One that runs ends a little later, and keeps what was done."""
    handle = upload(sdk, lines(4))
    waiting, running = (sdk.batch.jobs.create(endpoint=ENDPOINT, input_files=[handle], model=MODEL) for _ in range(2))
    assert sdk.batch.jobs.cancel(job_id=waiting.id).status == "CANCELLED"
    fake.advance(60 + 1800)
    assert sdk.batch.jobs.cancel(job_id=running.id).status == "CANCELLATION_REQUESTED"
    fake.advance(1)
    done = sdk.batch.jobs.get(job_id=running.id)
    assert (done.status, done.succeeded_requests) == ("CANCELLED", 2)
    assert done.output_file


@pytest.mark.parametrize(
    "content", [b"", b"{", lines(1) + b"\n\n", json.dumps({"custom_id": "a", "body": {}, "url": "/"}).encode()]
)
def test_one_bad_line_refuses_the_whole_file(sdk: Mistral, content: bytes) -> None:
    """With a 422."""
    with pytest.raises(SDKError) as caught:
        upload(sdk, content)
    assert caught.value.status_code == 422


@pytest.mark.parametrize("change", [{"timeout_hours": 168}, {"model": "none"}, {"input_files": ["none"]}])
def test_a_bad_create_is_refused(sdk: Mistral, change: dict[str, Any]) -> None:
    """More than seven days, an unknown model, a file that is not there."""
    told: dict[str, Any] = {"input_files": [upload(sdk, lines(1))], "model": MODEL, **change}
    with pytest.raises(SDKError):
        sdk.batch.jobs.create(endpoint=ENDPOINT, **told)
