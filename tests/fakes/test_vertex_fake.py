"""The fakes of Vertex and of Cloud Storage, driven by Google's own SDKs, which sign in as they always do."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.cloud import storage  # type: ignore[attr-defined]
from google.genai import errors, types
from google.oauth2 import service_account
from PIL import Image

from tests.fakes.vertex import BUCKET, PROJECT, FakeVertex

MODEL = "gemini-3.1-flash-lite"


def jpeg() -> bytes:
    """Return a little picture."""
    stream = io.BytesIO()
    Image.new("RGB", (280, 140), (90, 20, 60)).save(stream, "JPEG")
    return stream.getvalue()


def row(key: str) -> dict[str, Any]:
    """Return a row of a batch."""
    data = base64.b64encode(jpeg()).decode()
    parts = [{"text": "Describe this photo."}, {"inlineData": {"mimeType": "image/jpeg", "data": data}}]
    return {"request": {"labels": {"captionary": key}, "contents": [{"role": "user", "parts": parts}]}}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeVertex]:
    """The services; jobs take an hour of their time, predictions come in two files."""
    with FakeVertex(tmp_path / "service", pending=60.0, running=3600.0, output_shards=2) as running:
        yield running


@pytest.fixture
def credentials(fake: FakeVertex) -> Any:
    """The service account."""
    scope = "https://www.googleapis.com/auth/cloud-platform"
    return service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
        str(fake.credentials), scopes=[scope]
    )


@pytest.fixture
def sdk(fake: FakeVertex, credentials: Any) -> genai.Client:
    """The SDK of Vertex."""
    options = types.HttpOptions(base_url=fake.url, api_version="v1")
    return genai.Client(
        vertexai=True, project=PROJECT, location="global", credentials=credentials, http_options=options
    )


@pytest.fixture
def bucket(fake: FakeVertex, credentials: Any) -> Any:
    """The bucket, through the SDK of Cloud Storage."""
    client = storage.Client(project=PROJECT, credentials=credentials, client_options={"api_endpoint": fake.url})
    return client.bucket(BUCKET)


def put(bucket: Any, name: str, content: bytes) -> str:
    """Send an object in pieces."""
    blob = bucket.blob(name, chunk_size=256 << 10)
    blob.upload_from_file(io.BytesIO(content), content_type="application/jsonl")
    return f"gs://{BUCKET}/{name}"


def test_an_object_comes_back_as_it_went(bucket: Any) -> None:
    """Sent in several pieces, checked by its digest, listed, read and deleted."""
    content = b"0123456789abcdef" * 50_000
    put(bucket, "a/b c.jsonl", content)
    assert bucket.blob("a/b c.jsonl").download_as_bytes() == content
    assert [blob.name for blob in bucket.list_blobs(prefix="a/")] == ["a/b c.jsonl"]
    assert bucket.test_iam_permissions(["storage.objects.create"]) == ["storage.objects.create"]
    bucket.blob("a/b c.jsonl").delete()
    assert list(bucket.list_blobs()) == []


def test_an_upload_heals_a_piece_that_failed(fake: FakeVertex, bucket: Any) -> None:
    """The SDK asks how far it came, and goes on there."""
    fake.fault("upload_piece", "503", nth=2)
    put(bucket, "in.jsonl", b"x" * (1 << 20))
    assert bucket.blob("in.jsonl").download_as_bytes() == b"x" * (1 << 20)


def test_a_call_is_answered(fake: FakeVertex, sdk: genai.Client) -> None:
    """With its tokens."""
    contents: Any = [types.Part.from_bytes(data=jpeg(), mime_type="image/jpeg"), "Describe this photo."]
    said = sdk.models.generate_content(model=MODEL, contents=contents)
    assert said.text
    assert fake.books()["served"] == {"interactive": 1}


def test_a_job_runs_through_its_life(fake: FakeVertex, sdk: genai.Client, bucket: Any) -> None:
    """Rows from a bucket, predictions beside them in several files, each with the request that it answers."""
    source = put(bucket, "in.jsonl", b"".join(json.dumps(row(f"k{n}")).encode() + b"\n" for n in range(3)))
    config = types.CreateBatchJobConfig(display_name="shard-7", dest=f"gs://{BUCKET}/out/")
    made = sdk.batches.create(model=MODEL, src=source, config=config)
    assert made.name
    assert made.state is types.JobState.JOB_STATE_PENDING
    fake.advance(7200)
    done = sdk.batches.get(name=made.name)
    assert done.state is types.JobState.JOB_STATE_SUCCEEDED
    assert done.completion_stats
    assert done.completion_stats.successful_count == 3
    blobs = list(bucket.list_blobs(prefix="out/prediction-model-"))
    assert len(blobs) == 2
    rows = [json.loads(line) for blob in blobs for line in blob.download_as_bytes().splitlines()]
    assert {each["request"]["labels"]["captionary"] for each in rows} == {"k0", "k1", "k2"}
    assert [job.name for job in sdk.batches.list()] == [made.name]


def test_what_is_wrong_is_refused(fake: FakeVertex, sdk: genai.Client, bucket: Any) -> None:
    """An unknown model, a token that was taken back; a file that is missing shows later."""
    with pytest.raises(errors.ClientError, match="not found"):
        sdk.models.generate_content(model="gemini-none", contents="hello")
    made = sdk.batches.create(
        model=MODEL, src=f"gs://{BUCKET}/none.jsonl", config={"dest": f"gs://{BUCKET}/out/", "display_name": "x"}
    )
    fake.advance(7200)
    assert sdk.batches.get(name=str(made.name)).state is types.JobState.JOB_STATE_FAILED
    fake.tokens.revoke()
    with pytest.raises(errors.ClientError, match="credentials"):
        sdk.models.generate_content(model=MODEL, contents="hello")
