"""What the tests of the Gemini verbs share: a provider before the emulator, pictures and batch files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from indexer.domain.answer import Row
from indexer.domain.job import Job
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.providers.gemini.adapter import Gemini, GeminiTimeouts
from indexer.providers.gemini.jobs import find as jobs_of_name
from indexer.providers.seam import BatchFile
from tests.fakes.gemini import Emulator

KEY = "test-key-4711"
NAME = "captionary-0a1b2c3d-4e5f6a7b-1"
QUESTION = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
SHORT = GeminiTimeouts(call=1.5, ask=1.5, upload=1.5, stall=0.8)

Open = Callable[[str], Gemini]


@pytest.fixture
def open_provider(emulator: Emulator) -> Iterator[Open]:
    """Open providers for keys; between their tries virtual time passes, not real time."""
    opened: list[Gemini] = []

    def sleep(seconds: float) -> None:
        emulator.advance(seconds)

    def open_one(key: str) -> Gemini:
        opened.append(Gemini(key, emulator.url, timeouts=SHORT, sleep=sleep))
        return opened[-1]

    yield open_one
    for provider in opened:
        provider.close()


@pytest.fixture
def gemini(open_provider: Open) -> Gemini:
    """A provider whose key is good and paid for."""
    return open_provider(KEY)


def batch_file(path: Path, name: str = NAME, handle: str = "", count: int = 1) -> BatchFile:
    """Return a batch file as a shard of this name that was uploaded as `handle`."""
    return BatchFile(path, name, QUESTION, count, handle=handle, handles=(handle,) if handle else ())


def upload(provider: Gemini, path: Path, name: str = NAME) -> str:
    """Upload a batch file under a name."""
    return provider.batches.upload(batch_file(path, name))


def create(provider: Gemini, handle: str, name: str = NAME) -> Job:
    """Create the job of an uploaded file."""
    return provider.batches.create(batch_file(Path("gone.jsonl"), name, handle))


def find(provider: Gemini, name: str = NAME) -> list[Job]:
    """Return the jobs of this name, whatever file they were made of."""
    return jobs_of_name(provider._service, name)


def request(index: int) -> Request:
    """Return the question about a little picture of its own colour."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 24), (index * 37 % 256, index * 59 % 256, 90)).save(stream, "JPEG")
    return Request(f"k{index}", QUESTION, stream.getvalue(), fill(DEFAULT_TEMPLATE, "English"))


def write_batch(provider: Gemini, path: Path, count: int) -> Path:
    """Write a batch file of `count` lines."""
    path.write_bytes(b"".join(provider.batches.encode(request(index)) + b"\n" for index in range(count)))
    return path


def send(provider: Gemini, folder: Path, count: int = 3, name: str = NAME) -> Job:
    """Upload a batch file and create its job."""
    handle = upload(provider, write_batch(provider, folder / "shard.jsonl", count), name)
    return create(provider, handle, name)


def finished(provider: Gemini, emulator: Emulator, folder: Path, count: int = 3) -> Job:
    """Return a job that has run to its end."""
    job = send(provider, folder, count)
    emulator.advance(3600)
    return provider.batches.poll(job.name)


def rows(provider: Gemini, path: Path) -> list[Row]:
    """Read all result lines."""
    return [provider.batches.decode(line) for line in path.read_bytes().split(b"\n") if line]
