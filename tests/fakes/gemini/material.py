"""What tests put into the emulator: small unique pictures, batch lines, and clients that speak the real SDK."""

from __future__ import annotations

import base64
import io
import json
import random
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from google import genai
    from google.genai import types

MODEL = "gemini-3.5-flash-lite"
SCHEMA = {
    "type": "OBJECT",
    "properties": {
        "description": {"type": "STRING"},
        "visible_text": {"type": "STRING"},
        "tags": {"type": "ARRAY", "items": {"type": "STRING"}},
    },
    "required": ["description", "visible_text", "tags"],
}
CONFIG = {
    "response_mime_type": "application/json",
    "response_schema": SCHEMA,
    "media_resolution": "MEDIA_RESOLUTION_MEDIUM",
    "max_output_tokens": 512,
}


def photo(number: int, size: tuple[int, int] = (48, 32), form: str = "JPEG") -> bytes:
    """Return the bytes of a small picture that no other number gives."""
    chance = random.Random(number)
    image = Image.frombytes("RGB", (6, 4), chance.randbytes(72)).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def request(data: bytes, prompt: str = "Describe this photo.", **config: Any) -> dict[str, Any]:
    """Return a request for one picture; `config` goes over the usual generation config."""
    blob = {"mime_type": "image/jpeg", "data": base64.b64encode(data).decode()}
    contents = [{"role": "user", "parts": [{"inline_data": blob}, {"text": prompt}]}]
    return {"contents": contents, "generation_config": {**CONFIG, **config}}


def batch_line(key: str, data: bytes, **config: Any) -> bytes:
    """Return one line of a batch file, with its end."""
    return json.dumps({"key": key, "request": request(data, **config)}).encode() + b"\n"


def batch_lines(count: int) -> list[bytes]:
    """Return lines k0, k1, ... of different pictures."""
    return [batch_line(f"k{number}", photo(number)) for number in range(count)]


def sdk(url: str, key: str = "test-key", version: str = "v1beta", timeout: int | None = 20_000) -> genai.Client:
    """Return a client of the real SDK; `timeout` is in milliseconds."""
    from google import genai
    from google.genai import types

    options = types.HttpOptions(base_url=url, api_version=version, timeout=timeout)
    return genai.Client(api_key=key, http_options=options)


def upload(client: genai.Client, lines: Iterable[bytes], folder: Path, name: str = "in") -> str:
    """Upload lines as one batch file and return its name."""
    path = folder / "batch.jsonl"
    path.write_bytes(b"".join(lines))
    config = {"mime_type": "application/jsonl", "display_name": name}
    return str(client.files.upload(file=str(path), config=config).name)  # type: ignore[arg-type]


def submit(client: genai.Client, lines: Iterable[bytes], folder: Path, name: str = "in") -> types.BatchJob:
    """Upload lines and create a job of the same display name."""
    source = upload(client, lines, folder, name)
    return client.batches.create(model=MODEL, src=source, config={"display_name": name})


def finished(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    """Poll until the job has ended."""
    end = time.monotonic() + 20
    while not job.done:
        assert time.monotonic() < end, f"the job hangs in {job.state}"
        time.sleep(0.02)
        job = client.batches.get(name=str(job.name))
    return job


def output(client: genai.Client, job: types.BatchJob) -> bytes:
    """Return the bytes of the result file."""
    assert job.dest is not None
    return client.files.download(file=str(job.dest.file_name))


def results(client: genai.Client, job: types.BatchJob) -> dict[str, dict[str, Any]]:
    """Wait for a job and return its result lines by key."""
    lines = output(client, finished(client, job)).splitlines()
    return {line.get("key", ""): line for line in map(json.loads, lines)}


def text(line: Mapping[str, Any]) -> str:
    """Return the answer's text in a result line."""
    return str(line["response"]["candidates"][0]["content"]["parts"][0]["text"])
