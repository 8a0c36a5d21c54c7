"""The emulator behaves as the service does: the real SDK drives it, its books add up, its clock can be moved."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types

from tests.fakes.gemini import Emulator, EmulatorProcess
from tests.fakes.gemini import material as m
from tests.fakes.gemini.captions import SAMPLES, word
from tests.fakes.gemini.settings import SAMPLES as SAMPLE_FOLDER

HOUR = 3600.0
LONG_ID = "files/batch-" + "a" * 36


def raw(url: str, method: str = "GET", body: bytes | None = None) -> dict[str, object]:
    """Make one call without the SDK and return the JSON of a good answer."""
    headers = {"x-goog-api-key": "test-key", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
        return dict(json.load(answer))


@pytest.mark.parametrize("version", ["v1beta", "v1"])
def test_a_batch_goes_all_the_way_through_the_sdk(emulator: Emulator, tmp_path: Path, version: str) -> None:
    """Upload, create, poll, download and parse: every key comes back once, with JSON in the asked schema."""
    client = m.sdk(emulator.url, version=version)
    job = m.submit(client, m.batch_lines(5), tmp_path)
    assert job.state == types.JobState.JOB_STATE_PENDING
    lines = m.results(client, job)
    assert set(lines) == {f"k{number}" for number in range(5)}
    for line in lines.values():
        assert list(line) == ["response", "key"]
        answer = json.loads(m.text(line))
        assert set(answer) == {"description", "visible_text", "tags"}
        assert line["response"]["usageMetadata"]["promptTokenCount"] == 560 + 5
    assert all(f"/{version}/" in entry["path"] for entry in emulator.requests())


def test_the_sample_pictures_are_recognised(emulator: Emulator, tmp_path: Path) -> None:
    """Each sample gets its hand-written caption, and a smaller copy in another format gets the same."""
    client = m.sdk(emulator.url)
    files = sorted(SAMPLE_FOLDER.glob("*.jpg"))
    assert {path.stem for path in files} == set(SAMPLES)
    lines = m.results(client, m.submit(client, [m.batch_line(f.stem, f.read_bytes()) for f in files], tmp_path))
    for key, line in lines.items():
        assert json.loads(m.text(line))["description"].startswith(SAMPLES[key].description)
    assert len(emulator.books()["signatures"]) == len(files)


def test_batch_and_ordinary_calls_say_the_same(emulator: Emulator, tmp_path: Path) -> None:
    """One captioner serves both lanes, and the same picture with the same seed is described in the same words."""
    client = m.sdk(emulator.url)
    data = m.photo(7)
    line = m.results(client, m.submit(client, [m.batch_line("k", data)], tmp_path))["k"]
    part = types.Part.from_bytes(data=data, mime_type="image/jpeg")
    config = types.GenerateContentConfig(**m.CONFIG)
    answer = client.models.generate_content(model=m.MODEL, contents=[part, "Describe this photo."], config=config)
    assert answer.text == m.text(line)
    sha = next(iter(emulator.books()["images"]))
    assert word(sha) in m.text(line)
    assert emulator.books()["images"][sha] == {"batch": 1, "interactive": 1}


def test_counting_tokens_agrees_with_the_bill(emulator: Emulator) -> None:
    """countTokens, usageMetadata and the books name the same number."""
    client = m.sdk(emulator.url)
    contents: list[types.PartUnion] = [types.Part.from_bytes(data=m.photo(1), mime_type="image/jpeg"), "Describe it."]
    counted = client.models.count_tokens(model=m.MODEL, contents=contents).total_tokens
    usage = client.models.generate_content(model=m.MODEL, contents=contents).usage_metadata
    assert usage is not None
    assert counted == usage.prompt_token_count == emulator.books()["input_tokens"] == 1120 + 3


@pytest.mark.parametrize(
    ("model", "resolution", "size", "tokens"),
    [
        ("gemini-3.5-flash-lite", None, (48, 32), 1120),
        ("gemini-3.5-flash-lite", "MEDIA_RESOLUTION_LOW", (48, 32), 280),
        ("gemini-3.5-flash-lite", "MEDIA_RESOLUTION_MEDIUM", (48, 32), 560),
        ("gemini-2.5-flash", "MEDIA_RESOLUTION_LOW", (48, 32), 64),
        ("gemini-2.5-flash", None, (384, 384), 258),
        ("gemini-2.5-flash", None, (800, 400), 516),
    ],
)
def test_image_tokens_follow_the_published_rules(
    emulator: Emulator, model: str, resolution: str | None, size: tuple[int, int], tokens: int
) -> None:
    """The generation of the model and the media resolution decide; generation 2 also looks at the size."""
    client = m.sdk(emulator.url)
    part = types.Part.from_bytes(data=m.photo(1, size), mime_type="image/jpeg")
    config = types.GenerateContentConfig(media_resolution=resolution)
    usage = client.models.generate_content(model=model, contents=[part, "four"], config=config).usage_metadata
    assert usage is not None
    assert usage.prompt_token_count == tokens + 1


def test_any_schema_is_honoured(emulator: Emulator) -> None:
    """Properties that the emulator does not know get values of their type, within their bounds."""
    schema = {
        "type": "object",
        "$defs": {"thing": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}}},
        "properties": {
            "description": {"type": "string"},
            "count": {"type": "integer", "minimum": 3, "maximum": 4},
            "mood": {"type": "string", "enum": ["calm", "wild"]},
            "indoor": {"type": ["boolean", "null"]},
            "things": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/thing"}},
        },
    }
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    part = types.Part.from_bytes(data=m.photo(3), mime_type="image/jpeg")
    client = m.sdk(emulator.url)
    answer = json.loads(client.models.generate_content(model=m.MODEL, contents=[part], config=config).text or "")
    assert list(answer) == list(schema["properties"])
    assert answer["count"] in (3, 4)
    assert answer["mood"] in ("calm", "wild")
    assert answer["indoor"] is True
    assert len(answer["things"]) == 2
    assert len(answer["things"][0]["name"]) <= 5


def test_inline_batches_keep_their_order_and_metadata(emulator: Emulator) -> None:
    """Inline answers stand in the order of the requests and echo their metadata."""
    client = m.sdk(emulator.url)
    requests = [
        types.InlinedRequest(
            contents=[
                types.Content(role="user", parts=[types.Part.from_bytes(data=m.photo(n), mime_type="image/jpeg")])
            ],
            metadata={"key": f"k{n}"},
        )
        for n in range(4)
    ]
    job = m.finished(client, client.batches.create(model=m.MODEL, src=requests))
    assert job.dest is not None
    answers = job.dest.inlined_responses or []
    assert [(answer.metadata or {})["key"] for answer in answers] == ["k0", "k1", "k2", "k3"]
    assert all(answer.response and answer.response.text for answer in answers)


def test_two_identical_creates_make_two_jobs(emulator: Emulator, tmp_path: Path) -> None:
    """Create is not idempotent, and both jobs are served and billed."""
    client = m.sdk(emulator.url)
    source = m.upload(client, m.batch_lines(2), tmp_path)
    jobs = [client.batches.create(model=m.MODEL, src=source, config={"display_name": "same"}) for _ in range(2)]
    for job in jobs:
        m.finished(client, job)
    assert emulator.books()["jobs_created"] == 2
    assert emulator.books()["served"]["batch"] == 4


def test_lists_come_in_pages(emulator: Emulator, tmp_path: Path) -> None:
    """Jobs and files are listed newest first, page by page, each once."""
    client = m.sdk(emulator.url)
    made = [str(m.submit(client, m.batch_lines(1), tmp_path, f"job-{n}").name) for n in range(5)]
    assert [job.name for job in client.batches.list(config={"page_size": 2})] == made[::-1]
    assert len(list(client.files.list(config={"page_size": 2}))) >= 5
    client.batches.delete(name=made[0])
    assert made[0] not in [job.name for job in client.batches.list()]
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name=made[0])
    assert caught.value.code == 404


def test_result_files_have_ids_too_long_for_get_and_delete(emulator: Emulator, tmp_path: Path) -> None:
    """The 42-character id can be downloaded only; other calls get the real 400."""
    client = m.sdk(emulator.url)
    job = m.finished(client, m.submit(client, m.batch_lines(1), tmp_path))
    assert job.dest is not None
    name = str(job.dest.file_name)
    assert len(name) == len(LONG_ID)
    for call in (client.files.get, client.files.delete):
        with pytest.raises(errors.ClientError, match="cannot be more than 40 characters") as caught:
            call(name=name)
        assert caught.value.code == 400
    assert m.output(client, job)


def test_files_live_and_go(emulator: Emulator, tmp_path: Path) -> None:
    """An uploaded file can be read about, deleted once, and not downloaded."""
    client = m.sdk(emulator.url)
    name = m.upload(client, m.batch_lines(1), tmp_path, "näme")
    file = client.files.get(name=name)
    assert (file.display_name, file.state, file.size_bytes) == (
        "näme",
        types.FileState.ACTIVE,
        len(m.batch_lines(1)[0]),
    )
    with pytest.raises(errors.ClientError):
        client.files.download(file=name)
    client.files.delete(name=name)
    with pytest.raises(errors.ClientError, match="You do not have permission to access the File"):
        client.files.get(name=name)


def test_an_upload_of_several_chunks_arrives_whole(emulator: Emulator, tmp_path: Path) -> None:
    """Chunks of 8 MiB are put together; the stored bytes are the sent ones."""
    data = bytes(range(256)) * (1 << 16) + b"end"
    (tmp_path / "big.bin").write_bytes(data)
    client = m.sdk(emulator.url)
    file = client.files.upload(file=str(tmp_path / "big.bin"), config={"mime_type": "application/jsonl"})
    assert file.size_bytes == len(data)
    assert Path(emulator.files()[0]["path"]).read_bytes() == data
    assert emulator.books()["requests"]["upload_chunk"] == 3


def test_cancel_before_the_start_leaves_nothing(emulator: Emulator, tmp_path: Path) -> None:
    """A job that has not started is cancelled, without output, and costs nothing."""
    emulator.change(pending_seconds=HOUR)
    client = m.sdk(emulator.url)
    job = m.submit(client, m.batch_lines(2), tmp_path)
    client.batches.cancel(name=str(job.name))
    job = client.batches.get(name=str(job.name))
    assert job.state == types.JobState.JOB_STATE_CANCELLED
    assert raw(f"{emulator.url}/v1beta/{job.name}")["error"] == {"code": 13, "message": "Batch was cancelled."}
    assert emulator.books()["rows"] == {}


def test_cancel_while_running_keeps_what_is_finished(emulator: Emulator, tmp_path: Path) -> None:
    """Half way through, a cancelled job ends as SUCCEEDED: finished rows stand, the others carry code 1."""
    emulator.clock(hold=True)
    emulator.change(pending_seconds=0, running_seconds=10 * HOUR)
    client = m.sdk(emulator.url)
    job = m.submit(client, m.batch_lines(10), tmp_path)
    emulator.advance(5 * HOUR + 1)
    client.batches.cancel(name=str(job.name))
    lines = m.results(client, job)
    assert sorted(key for key, line in lines.items() if "response" in line) == [f"k{n}" for n in range(5)]
    assert [line["error"] for line in lines.values() if "error" in line] == [{"code": 1}] * 5
    assert emulator.books()["served"]["batch"] == 5


def test_the_books_add_up(emulator: Emulator, tmp_path: Path) -> None:
    """Rows, pictures, keys, tokens and dollars of the books are those of the answers; batch costs half."""
    client = m.sdk(emulator.url)
    lines = m.results(client, m.submit(client, [*m.batch_lines(3), m.batch_line("again", m.photo(0))], tmp_path))
    part = types.Part.from_bytes(data=m.photo(0), mime_type="image/jpeg")
    usage = client.models.generate_content(model=m.MODEL, contents=[part, "Describe"]).usage_metadata
    assert usage is not None
    batch = [line["response"]["usageMetadata"] for line in lines.values()]
    tokens_in = sum(row["promptTokenCount"] for row in batch)
    tokens_out = sum(row["candidatesTokenCount"] for row in batch)
    books = emulator.books()
    assert books["rows"] == {"batch": {"ok": 4}, "interactive": {"ok": 1}}
    assert sorted(tuple(lanes.items()) for lanes in books["images"].values()) == [
        (("batch", 1),),
        (("batch", 1),),
        (("batch", 2), ("interactive", 1)),
    ]
    assert books["input_tokens"] == tokens_in + (usage.prompt_token_count or 0)
    assert books["output_tokens"] == tokens_out + (usage.candidates_token_count or 0)
    ordinary = (usage.prompt_token_count or 0) * 0.30 + (usage.candidates_token_count or 0) * 2.50
    assert books["usd"] == pytest.approx((tokens_in * 0.15 + tokens_out * 1.25 + ordinary) / 1e6)
    assert sum(key["rows"] for key in books["keys"].values()) == 5
    assert len(emulator.served("batch")) == 4


def test_the_process_outlives_its_clients_and_itself(emulator_process: EmulatorProcess, tmp_path: Path) -> None:
    """A job made before a hard kill of the service is finished by its successor on the same port."""
    client = m.sdk(emulator_process.url)
    emulator_process.change(pending_seconds=HOUR)
    job = m.submit(client, m.batch_lines(2), tmp_path)
    emulator_process.stop()
    emulator_process.start()
    emulator_process.advance(2 * HOUR)
    assert len(m.results(m.sdk(emulator_process.url), job)) == 2
    assert emulator_process.books()["served"]["batch"] == 2


def test_a_half_served_job_starts_over_in_the_books_too(emulator_process: EmulatorProcess, tmp_path: Path) -> None:
    """The service dies in the middle of a job: its rows are booked once in the end."""
    client = m.sdk(emulator_process.url)
    emulator_process.clock(hold=True)
    emulator_process.change(pending_seconds=0, running_seconds=HOUR)
    job = m.submit(client, m.batch_lines(4), tmp_path)
    emulator_process.advance(HOUR / 2 + 1)
    assert emulator_process.books()["served"]["batch"] == 2
    emulator_process.stop()
    emulator_process.start()
    emulator_process.advance(HOUR)
    assert len(m.results(m.sdk(emulator_process.url), job)) == 4
    assert emulator_process.books()["rows"] == {"batch": {"ok": 4}}


@pytest.mark.parametrize(("when", "jobs"), [("before", 0), ("after", 1)])
def test_a_client_is_killed_at_the_aimed_call(emulator: Emulator, tmp_path: Path, when: str, jobs: int) -> None:
    """The process at the other end dies before its create is processed, or after it and before the answer."""
    source = m.upload(m.sdk(emulator.url), m.batch_lines(1), tmp_path)
    emulator.fault("create", "kill", nth=1, when=when)
    path = f"{emulator.url}/v1beta/models/{m.MODEL}:batchGenerateContent"
    body = json.dumps({"batch": {"inputConfig": {"fileName": source}}})
    call = (
        f"urllib.request.urlopen(urllib.request.Request({path!r}, {body.encode()!r}, {{'x-goog-api-key': 'test-key'}}))"
    )
    ended = subprocess.run([sys.executable, "-c", f"import urllib.request; {call}"], check=False, timeout=20)
    assert ended.returncode == -signal.SIGKILL
    assert emulator.books()["jobs_created"] == jobs
    assert emulator.requests("create")[0]["status"] == 0


def test_model_resources_and_unknown_paths(emulator: Emulator) -> None:
    """Known models are described; unknown models and paths get a JSON 404 that says so."""
    client = m.sdk(emulator.url)
    assert client.models.get(model=m.MODEL).input_token_limit == 1_048_576
    with pytest.raises(errors.ClientError, match="is not found for API version v1beta"):
        client.models.generate_content(model="gemini-0-nano", contents="x")
    with pytest.raises(urllib.error.HTTPError) as missing:
        raw(f"{emulator.url}/v1beta/nothing")
    with missing.value:
        assert json.load(missing.value)["error"]["status"] == "NOT_FOUND"


def test_the_envelope_is_that_of_an_operation(emulator: Emulator, tmp_path: Path) -> None:
    """`done` is absent before the end, counts are strings without zeros, ids have 36 characters."""
    emulator.clock(hold=True)
    client: genai.Client = m.sdk(emulator.url)
    job = m.submit(client, m.batch_lines(2), tmp_path, "named")
    before = raw(f"{emulator.url}/v1beta/{job.name}")
    assert "done" not in before
    emulator.advance(10)
    after = raw(f"{emulator.url}/v1beta/{job.name}")
    metadata = after["metadata"]
    assert isinstance(metadata, dict)
    assert after["done"] is True
    assert metadata["batchStats"] == {"requestCount": "2", "successfulRequestCount": "2"}
    assert metadata["output"] == {"responsesFile": "files/batch-" + str(job.name).removeprefix("batches/")}
    assert metadata["displayName"] == "named"
    assert len(str(after["name"])) == len("batches/") + 36
    assert {**metadata["output"], "@type": metadata["@type"] + "Output"} == after["response"]
