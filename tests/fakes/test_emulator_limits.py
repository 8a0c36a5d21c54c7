"""The emulator's keys, projects, limits and time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.genai import errors, types

from tests.fakes.gemini import Emulator
from tests.fakes.gemini import material as m

HOUR = 3600.0


@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        ("bad-key", 400, "API key not valid. Please pass a valid API key."),
        ("leaked-key", 403, "reported as leaked"),
        ("no-credit", 429, "prepayment credits are depleted"),
        ("free-tier", 429, "batch_enqueued_tokens_free_tier, limit: 0"),
    ],
)
def test_keys_that_cannot_make_batches(emulator: Emulator, tmp_path: Path, key: str, code: int, words: str) -> None:
    """Each kind of useless key is refused in the service's own words."""
    good = m.sdk(emulator.url)
    source = m.upload(good, m.batch_lines(1), tmp_path)
    client = m.sdk(emulator.url, key)
    with pytest.raises(errors.ClientError, match=words.replace(".", r"\.")) as caught:
        client.batches.create(model=m.MODEL, src=source)
    assert caught.value.code == code
    assert emulator.books()["jobs_created"] == 0


def test_a_free_key_may_ask_one_by_one_within_its_allowance(emulator: Emulator) -> None:
    """Single calls of a free key work until its minute is used up; the 429 says how long to wait."""
    emulator.change(free_requests=2)
    client = m.sdk(emulator.url, "free-tier")
    for _ in range(2):
        client.models.generate_content(model=m.MODEL, contents="hello")
    with pytest.raises(errors.ClientError, match="Please retry in") as caught:
        client.models.generate_content(model=m.MODEL, contents="hello")
    assert "RetryInfo" in json.dumps(caught.value.details)
    emulator.advance(61)
    client.models.generate_content(model=m.MODEL, contents="hello")


def test_projects_do_not_see_each_other(tmp_path: Path) -> None:
    """Two keys of one project share files and jobs; a key of another project gets 403."""
    with Emulator(tmp_path / "state", projects={"key-a": "p", "key-b": "p"}) as emulator:
        mine, ours, other = (m.sdk(emulator.url, key) for key in ("key-a", "key-b", "key-c"))
        job = m.submit(mine, m.batch_lines(1), tmp_path)
        m.finished(ours, job)
        assert m.output(ours, ours.batches.get(name=str(job.name)))
        assert list(other.batches.list()) == []
        for call in (
            lambda: other.batches.get(name=str(job.name)),
            lambda: other.files.get(name=emulator.files()[0]["name"]),
        ):
            with pytest.raises(errors.ClientError) as caught:
                call()
            assert caught.value.code == 403


def test_no_key_is_stored(emulator: Emulator, tmp_path: Path) -> None:
    """Neither log nor books nor state files contain the key; they name it by a fingerprint."""
    key = "secret-key-of-a-person"
    client = m.sdk(emulator.url, key)
    m.finished(client, m.submit(client, m.batch_lines(1), tmp_path))
    assert list(emulator.books()["keys"]) == [emulator.fingerprint(key)]
    kept = [path for path in (tmp_path / "emulator").rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert not [path for path in kept if key.encode() in path.read_bytes()]


def test_a_job_that_never_runs_expires_without_output(emulator: Emulator, tmp_path: Path) -> None:
    """After 48 virtual hours a stuck job is EXPIRED, has no output, and was not served."""
    emulator.fault("job", "stuck_pending")
    client = m.sdk(emulator.url)
    job = m.submit(client, m.batch_lines(1), tmp_path)
    emulator.advance(47 * HOUR)
    assert client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_PENDING
    emulator.advance(2 * HOUR)
    job = client.batches.get(name=str(job.name))
    assert job.state == types.JobState.JOB_STATE_EXPIRED
    assert job.dest is None or job.dest.file_name is None
    assert emulator.books()["served"]["batch"] == 0


def test_files_and_results_expire_after_two_days(emulator: Emulator, tmp_path: Path) -> None:
    """48 hours on, neither input nor result can be had; the job is still told of."""
    client = m.sdk(emulator.url)
    job = m.finished(client, m.submit(client, m.batch_lines(1), tmp_path))
    emulator.advance(49 * HOUR)
    assert client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_SUCCEEDED
    with pytest.raises(errors.ClientError, match="You do not have permission"):
        m.output(client, job)
    assert list(client.files.list()) == []


def test_a_picture_that_expires_in_the_queue_fails_its_row(emulator: Emulator, tmp_path: Path) -> None:
    """A row whose file is gone when it is served is an error of the row; the others are answered."""
    emulator.clock(hold=True)
    client = m.sdk(emulator.url)
    (tmp_path / "p.jpg").write_bytes(m.photo(1))
    picture = client.files.upload(file=str(tmp_path / "p.jpg"))
    emulator.advance(24 * HOUR)
    emulator.change(pending_seconds=30 * HOUR)
    by_uri = {"contents": [{"parts": [{"fileData": {"fileUri": picture.uri, "mimeType": "image/jpeg"}}]}]}
    lines = [json.dumps({"key": "gone", "request": by_uri}).encode() + b"\n", m.batch_line("here", m.photo(2))]
    job = m.submit(client, lines, tmp_path)
    emulator.advance(31 * HOUR)
    found = m.results(client, job)
    assert found["gone"]["error"]["code"] == 7
    assert "response" in found["here"]


def test_an_input_deleted_too_early_fails_the_job(emulator: Emulator, tmp_path: Path) -> None:
    """The input must stand until the job starts."""
    emulator.change(pending_seconds=HOUR)
    client = m.sdk(emulator.url)
    source = m.upload(client, m.batch_lines(1), tmp_path)
    job = client.batches.create(model=m.MODEL, src=source)
    client.files.delete(name=source)
    emulator.advance(2 * HOUR)
    assert client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_FAILED


def test_the_queue_is_limited_by_tokens_and_frees_when_a_job_ends(emulator: Emulator, tmp_path: Path) -> None:
    """Enqueued tokens of unfinished jobs count per model; the next job is welcome after the first has ended."""
    emulator.change(pending_seconds=HOUR, enqueued_tokens={m.MODEL: 1000})
    client = m.sdk(emulator.url)
    source = m.upload(client, m.batch_lines(1), tmp_path)
    client.batches.create(model=m.MODEL, src=source)
    with pytest.raises(errors.ClientError, match="Resource has been exhausted") as caught:
        client.batches.create(model=m.MODEL, src=source)
    assert caught.value.code == 429
    client.batches.create(model="gemini-3.1-flash-lite", src=source)
    emulator.advance(2 * HOUR)
    client.batches.create(model=m.MODEL, src=source)


def test_counts_and_sizes_are_limited(tmp_path: Path) -> None:
    """Jobs at once, bytes of a file, of the store and of an inline request have their limits."""
    limits = {"max_jobs": 1, "max_file_bytes": 9000, "max_storage_bytes": 15_000, "max_inline_bytes": 9000}
    with Emulator(tmp_path / "state", pending_seconds=HOUR, **limits) as emulator:
        client = m.sdk(emulator.url)
        source = m.upload(client, m.batch_lines(1), tmp_path)
        client.batches.create(model=m.MODEL, src=source)
        with pytest.raises(errors.ClientError, match="exhausted"):
            client.batches.create(model=m.MODEL, src=source)
        with pytest.raises(errors.ClientError, match="File size is too large"):
            m.upload(client, [b"x" * 9001], tmp_path)
        m.upload(client, [b"x" * 9000], tmp_path)
        with pytest.raises(errors.ClientError, match="file_storage_bytes"):
            m.upload(client, [b"x" * 9000], tmp_path)
        with pytest.raises(errors.ClientError, match="payload size exceeds the limit: 9000 bytes"):
            client.models.generate_content(model=m.MODEL, contents="x" * 9000)


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """A job, its file, the faults and the virtual time are there again, and the rows are served once."""
    with Emulator(tmp_path / "state", pending_seconds=HOUR) as emulator:
        client = m.sdk(emulator.url)
        job = m.submit(client, m.batch_lines(3), tmp_path)
        emulator.advance(100 * HOUR - 99.5 * HOUR)
        emulator.fault("delete", "503")
        then = emulator.health()["now"]
    with Emulator(tmp_path / "state") as emulator:
        assert emulator.health()["now"] >= then
        assert [rule["kind"] for rule in emulator.faults()] == ["503"]
        client = m.sdk(emulator.url)
        assert client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_PENDING
        emulator.advance(HOUR)
        assert len(m.results(client, job)) == 3
        assert emulator.books()["served"]["batch"] == 3
