"""The verbs of a Gemini batch, through the real SDK, against a service that misbehaves as reports say."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from indexer.domain.answer import Answer, Failure, Handling
from indexer.domain.errors import KeyRefused, NoCredit, NotFound, ProviderError, RateLimited, Refused, Unreachable
from indexer.domain.job import JobState
from indexer.providers.gemini.adapter import Gemini
from tests.fakes.gemini import Emulator
from tests.support.gemini_rig import KEY, NAME, Open, create, find, finished, rows, send, upload, write_batch
from tests.support.gemini_rig import gemini as gemini
from tests.support.gemini_rig import open_provider as open_provider


def paths(emulator: Emulator, route: str) -> list[str]:
    """Return the paths of the calls that the service saw on a route."""
    return [call["path"] for call in emulator.requests(route)]


def test_a_batch_goes_from_upload_to_discard(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """Every photo is served once, every row comes back, the upload is gone in the end."""
    job = send(gemini, tmp_path, 5)
    assert job.state is JobState.QUEUED
    emulator.advance(3600)
    ended = gemini.batches.poll(job.name)
    assert (ended.state, ended.requests, ended.succeeded, ended.failed) == (JobState.FINISHED, 5, 5, 0)
    assert (ended.display_name, ended.input_file) == (NAME, job.input_file)
    assert ended.created_at is not None
    assert ended.ended_at is not None
    assert ended.ended_at > ended.created_at
    gemini.batches.fetch(ended, tmp_path / "results.jsonl")
    read = rows(gemini, tmp_path / "results.jsonl")
    assert {row.key for row in read} == {f"k{index}" for index in range(5)}
    assert all(isinstance(row.outcome, Answer) and row.usage is not None for row in read)
    gemini.batches.discard(job.input_file)
    assert not [file for file in emulator.files() if file["name"] == job.input_file]
    assert emulator.books()["served"]["batch"] == 5
    assert emulator.books()["jobs_created"] == 1


def test_every_call_names_the_version_and_carries_a_time_limit(
    gemini: Gemini, emulator: Emulator, tmp_path: Path
) -> None:
    """v1beta is pinned: only there are batches documented. Downloads alone are not limited as a whole."""
    job = finished(gemini, emulator, tmp_path)
    find(gemini, NAME)
    gemini.batches.fetch(job, tmp_path / "results.jsonl")
    gemini.batches.cancel(job.name)
    gemini.batches.discard(job.input_file)
    calls = emulator.requests()
    assert {call["route"] for call in calls} >= {"upload_start", "upload_chunk", "create", "get", "list", "download"}
    assert all("/v1beta/" in call["path"] for call in calls)
    unlimited = {call["route"] for call in calls if "x-server-timeout" not in map(str.lower, call["headers"])}
    assert unlimited == {"download"}


def test_a_file_name_of_any_alphabet_is_uploaded(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The SDK would put the name into a header, where only ASCII may stand."""
    path = write_batch(gemini, tmp_path / "Größe-写真.jsonl", 1)
    handle = upload(gemini, path, NAME)
    (file,) = emulator.files()
    assert file["name"] == handle
    assert file["size"] == path.stat().st_size


@pytest.mark.parametrize(
    ("route", "kind"),
    [
        ("upload_start", "503"),
        ("upload_start", "429"),
        ("upload_start", "drop"),
        ("upload_start", "no_url"),
        ("upload_chunk", "drop"),
        ("upload_chunk", "no_file"),
        ("upload_chunk", "stay_active"),
        ("upload_chunk", "wrong_size"),
        ("upload_chunk", "processing"),
        ("upload_chunk", "processing_failed"),
        ("upload_chunk", "garbage"),
    ],
)
def test_an_upload_that_stumbles_is_made_again(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, route: str, kind: str
) -> None:
    """Uploading twice costs nothing, so a fault of the moment does not reach the caller.

    A file that is still being taken in is waited for, and a chunk without a clear answer is sent again by the SDK.
    """
    emulator.fault(route, kind, nth=1)
    handle = upload(gemini, write_batch(gemini, tmp_path / "shard.jsonl", 2), NAME)
    held = {file["name"]: file for file in emulator.files()}[handle]
    assert held["size"] == (tmp_path / "shard.jsonl").stat().st_size
    assert len(paths(emulator, "upload_start")) == (1 if kind in ("processing", "garbage") else 2)
    assert create(gemini, handle, NAME).name.startswith("batches/")


def test_an_upload_that_never_succeeds_says_so(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """After four tries, with longer and longer pauses between them, it is the caller's turn."""
    emulator.fault("upload_start", "503")
    before = emulator.health()["now"]
    with pytest.raises(Unreachable, match="upload the batch file"):
        upload(gemini, write_batch(gemini, tmp_path / "shard.jsonl", 1), NAME)
    assert len(paths(emulator, "upload_start")) == 4
    assert emulator.health()["now"] - before >= 7


def test_looking_waits_as_long_as_the_service_asks(gemini: Gemini, emulator: Emulator) -> None:
    """The delay in a 429 is its own, but nobody waits an hour for one answer."""
    for asked, waited in ((41, 41), (4000, 60)):
        emulator.fault("list", "quota", times=1, retry_seconds=asked)
        before = emulator.health()["now"]
        find(gemini, NAME)
        assert waited <= emulator.health()["now"] - before < waited + 5


@pytest.mark.parametrize(
    ("kind", "error", "exists"),
    [
        ("400", Refused, False),
        ("unknown_name", Refused, False),
        ("401", KeyRefused, False),
        ("429", RateLimited, False),
        ("quota", RateLimited, False),
        ("503", Unreachable, False),
        ("500", Unreachable, False),
        ("html", Unreachable, False),
        ("garbage", Unreachable, True),
        ("empty", Unreachable, True),
        ("drop", Unreachable, True),
        ("hang", Unreachable, True),
    ],
)
def test_create_is_sent_once_whatever_comes_back(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str, error: type[ProviderError], exists: bool
) -> None:
    """It is the paid step: no retry, an error that says how sure the outcome is, and the job found if it exists."""
    handle = upload(gemini, write_batch(gemini, tmp_path / "shard.jsonl", 1), NAME)
    emulator.fault("create", kind, nth=1, seconds=3)
    with pytest.raises(error) as caught:
        create(gemini, handle, NAME)
    assert type(caught.value) is error
    assert len(paths(emulator, "create")) == 1
    found = find(gemini, NAME)
    assert [job.input_file for job in found] == ([handle] if exists else [])


def test_a_quota_says_how_long_to_wait(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The service's own delay is passed on in seconds; without one there is none."""
    handle = upload(gemini, write_batch(gemini, tmp_path / "shard.jsonl", 1), NAME)
    emulator.fault("create", "quota", nth=1, retry_seconds=41)
    emulator.fault("create", "429", nth=2)
    for expected in (41, None):
        with pytest.raises(RateLimited) as caught:
            create(gemini, handle, NAME)
        assert caught.value.retry_after == expected


def test_a_free_key_is_told_what_it_can_use_instead(open_provider: Open, tmp_path: Path) -> None:
    """Batch needs a paid tier; single calls do not, at a price that is no money."""
    free = open_provider("free-tier")
    with pytest.raises(NoCredit) as caught:
        send(free, tmp_path)
    assert "--mode interactive" in caught.value.hint
    assert "training" in caught.value.hint


def test_find_returns_all_jobs_of_that_name_oldest_first(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The service lists newest first and does not mind equal names."""
    made = []
    for name in (NAME, NAME + "0", NAME, "other", NAME, NAME, NAME):
        made.append(send(gemini, tmp_path, 1, name).name)
        emulator.advance(5)
    assert [job.name for job in find(gemini, NAME)] == [made[0], made[2], *made[4:]]
    assert find(gemini, "captionary") == []


@pytest.mark.parametrize("kind", ["empty_page", "duplicates", "dangling_token", "503", "429", "drop", "garbage"])
def test_find_bears_with_odd_pages(gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str) -> None:
    """Empty pages, jobs that come twice, tokens that lead nowhere, and faults of the moment."""
    job = send(gemini, tmp_path, 1)
    emulator.fault("list", kind, times=2)
    assert [found.name for found in find(gemini, NAME)] == [job.name]


def test_find_reads_every_page(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The wanted job may lie behind more than a page of others."""
    emulator.change(max_jobs=1000)
    handle = upload(gemini, write_batch(gemini, tmp_path / "shard.jsonl", 1), NAME)
    first = create(gemini, handle, NAME)
    for index in range(101):
        create(gemini, handle, f"other-{index}")
    assert [job.name for job in find(gemini, NAME)] == [first.name]
    assert len(paths(emulator, "list")) == 2


def test_find_ends_where_the_pages_do_not(gemini: Gemini, emulator: Emulator) -> None:
    """A token that keeps coming back is a circle."""
    emulator.fault("list", "empty_page")
    assert find(gemini, NAME) == []


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("unknown_state", JobState.RUNNING),
        ("missing_state", JobState.RUNNING),
        ("flap", JobState.QUEUED),
        ("no_output", JobState.FINISHED),
        ("response_only", JobState.FINISHED),
    ],
)
def test_poll_reads_odd_operations(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str, state: JobState
) -> None:
    """What cannot be told is running: believing a job ended would buy its photos twice."""
    job = finished(gemini, emulator, tmp_path)
    emulator.fault("get", kind)
    odd = gemini.batches.poll(job.name)
    assert odd.state is state
    if state is JobState.FINISHED:
        assert odd.results == job.results
        gemini.batches.fetch(odd, tmp_path / "results.jsonl")
        assert len(rows(gemini, tmp_path / "results.jsonl")) == 3


def test_an_unknown_state_is_warned_of(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning holds the state's name."""
    job = send(gemini, tmp_path)
    emulator.fault("get", "unknown_state")
    with caplog.at_level(logging.WARNING, "indexer.providers.gemini"):
        gemini.batches.poll(job.name)
    assert "BATCH_STATE_REHEATING" in caplog.text


@pytest.mark.parametrize("kind", ["503", "429", "garbage", "empty", "html", "drop", "hang"])
def test_poll_outlasts_a_fault_of_the_moment(gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str) -> None:
    """Looking costs nothing."""
    job = send(gemini, tmp_path)
    emulator.fault("get", kind, times=1, seconds=2.5)
    assert gemini.batches.poll(job.name).name == job.name


@pytest.mark.parametrize("name", ["batches/" + "x" * 36, "batches/../../files", "nonsense", ""])
def test_a_job_that_is_not_there_is_not_found(gemini: Gemini, name: str) -> None:
    """Shortly after its creation the caller takes this for lag."""
    with pytest.raises(NotFound):
        gemini.batches.poll(name)


def test_a_failed_job_tells_why(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """The SDK drops the reason; the raw operation has it."""
    emulator.fault("job", "fail", code=3, message="The schema is too deep.")
    job = finished(gemini, emulator, tmp_path)
    assert (job.state, job.error) == (JobState.FAILED, "The schema is too deep.")


def test_an_expired_job_is_expired(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """48 hours in the queue."""
    emulator.fault("job", "stuck_pending")
    job = send(gemini, tmp_path)
    emulator.advance(49 * 3600)
    assert gemini.batches.poll(job.name).state is JobState.EXPIRED


def test_a_job_cancelled_before_its_start_brings_nothing(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """Nothing was served, so nothing was paid; cancelling again is fine."""
    emulator.fault("job", "stuck_pending")
    job = send(gemini, tmp_path)
    gemini.batches.cancel(job.name)
    assert gemini.batches.poll(job.name).state is JobState.CANCELLED
    gemini.batches.cancel(job.name)
    assert emulator.books()["served"]["batch"] == 0


def test_a_job_cancelled_on_its_way_keeps_what_was_finished(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """It ends as succeeded; rows that were not served go back to pending."""
    emulator.change(pending_seconds=1.0, running_seconds=1000.0)
    emulator.clock(hold=True)
    job = send(gemini, tmp_path, 4)
    emulator.clock(advance=502.0)
    gemini.batches.cancel(job.name)
    emulator.settle()
    ended = gemini.batches.poll(job.name)
    assert ended.state is JobState.FINISHED
    gemini.batches.fetch(ended, tmp_path / "results.jsonl")
    outcomes = [row.outcome for row in rows(gemini, tmp_path / "results.jsonl")]
    unserved = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
    assert len(outcomes) == 4
    assert len(unserved) == 4 - emulator.books()["served"]["batch"] > 0
    assert {outcome.handling for outcome in unserved} == {Handling.AGAIN}


def test_cancelling_a_job_that_is_not_there_is_not_found(gemini: Gemini) -> None:
    """There is nothing to stop."""
    with pytest.raises(NotFound):
        gemini.batches.cancel("batches/" + "x" * 36)


@pytest.mark.parametrize(
    "kind", ["503", "429", "404", "drop", "truncate", "stall", "redirect", "torn_last_line", "html"]
)
def test_fetch_brings_the_whole_file_or_tries_again(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str
) -> None:
    """A broken download leaves no trace; the next one is whole."""
    job = finished(gemini, emulator, tmp_path)
    emulator.fault("download", kind, nth=1, seconds=2)
    gemini.batches.fetch(job, tmp_path / "results.jsonl")
    assert {row.key for row in rows(gemini, tmp_path / "results.jsonl")} == {"k0", "k1", "k2"}


@pytest.mark.parametrize("kind", ["503", "404", "truncate", "garbage"])
def test_a_fetch_that_fails_leaves_nothing_behind(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, kind: str
) -> None:
    """Neither a partial file nor a changed old one."""
    job = finished(gemini, emulator, tmp_path)
    folder = tmp_path / "results"
    folder.mkdir()
    target = folder / "results.jsonl"
    target.write_bytes(b"old")
    emulator.fault("download", kind)
    with pytest.raises((Unreachable, NotFound)):
        gemini.batches.fetch(job, target)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"old"]


def test_results_that_stay_torn_are_taken_as_they_are(
    gemini: Gemini, emulator: Emulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same three times is what the service has; the rows that it lacks are missed, the others kept."""
    job = finished(gemini, emulator, tmp_path)
    emulator.fault("download", "torn_last_line")
    with caplog.at_level(logging.WARNING, "indexer.providers.gemini"):
        gemini.batches.fetch(job, tmp_path / "results.jsonl")
    read = rows(gemini, tmp_path / "results.jsonl")
    assert sum(isinstance(row.outcome, Answer) for row in read) == 2
    assert len(paths(emulator, "download")) == 3
    assert job.name in caplog.text


def test_results_with_missing_rows_are_taken_after_a_second_look(
    gemini: Gemini, emulator: Emulator, tmp_path: Path
) -> None:
    """Fewer lines than requests is suspicious, until it stays so."""
    emulator.fault("row", "missing_row", match="k1")
    job = finished(gemini, emulator, tmp_path)
    gemini.batches.fetch(job, tmp_path / "results.jsonl")
    assert {row.key for row in rows(gemini, tmp_path / "results.jsonl")} == {"k0", "k2"}


def test_discarding_what_is_gone_is_fine(gemini: Gemini, emulator: Emulator, tmp_path: Path) -> None:
    """Files vanish by themselves after 48 hours."""
    job = send(gemini, tmp_path)
    gemini.batches.discard(job.input_file)
    gemini.batches.discard(job.input_file)
    calls = len(emulator.requests())
    gemini.batches.discard("")
    assert len(emulator.requests()) == calls


def test_jobs_of_another_key_are_not_seen(gemini: Gemini, open_provider: Open, tmp_path: Path) -> None:
    """Files and jobs belong to the project of their key."""
    send(gemini, tmp_path)
    assert find(open_provider(KEY + "-other"), NAME) == []
