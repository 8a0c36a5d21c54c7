"""Every fault of the emulator strikes where it is aimed, shows what it should, and leaves true books."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes.gemini import Emulator, Fault
from tests.fakes.gemini import kinds as known
from tests.fakes.gemini import material as m


@pytest.fixture(scope="module")
def hasty(quick_service: Emulator) -> genai.Client:
    """Give a client that waits for one second."""
    return m.sdk(quick_service.url, timeout=1000)


@pytest.fixture(scope="module")
def source(quick_client: genai.Client, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give an uploaded batch file of three lines."""
    return m.upload(quick_client, m.batch_lines(3), tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def job(quick_client: genai.Client, source: str) -> types.BatchJob:
    """Give a finished job of three rows."""
    return m.finished(
        quick_client, quick_client.batches.create(model=m.MODEL, src=source, config={"display_name": "done"})
    )


def created(quick_emulator: Emulator) -> int:
    """Return how many jobs there are."""
    return len(quick_emulator.jobs())


@pytest.mark.parametrize(
    ("fault", "error", "code", "words", "jobs"),
    [
        ({"kind": "400"}, errors.ClientError, 400, "Request contains an invalid argument.", 0),
        ({"kind": "unknown_name"}, errors.ClientError, 400, "Cannot find field.", 0),
        ({"kind": "429"}, errors.ClientError, 429, "Resource has been exhausted (e.g. check quota).", 0),
        ({"kind": "429", "when": "after"}, errors.ClientError, 429, "Resource has been exhausted", 1),
        ({"kind": "quota", "retry_seconds": 9}, errors.ClientError, 429, "Please retry in 9s.", 0),
        ({"kind": "500"}, errors.ServerError, 500, "An internal error has occurred", 0),
        ({"kind": "503"}, errors.ServerError, 503, "overloaded", 0),
        ({"kind": "503", "when": "after"}, errors.ServerError, 503, "overloaded", 1),
        ({"kind": "504"}, errors.ServerError, 504, "Deadline expired", 0),
        ({"kind": "html"}, errors.ServerError, 502, "Server Error", 0),
        ({"kind": "status", "status": 201, "body": "{}"}, errors.APIError, 201, "", 1),
        ({"kind": "drop"}, httpx2.RemoteProtocolError, None, "", 1),
        ({"kind": "drop", "when": "before"}, httpx2.RemoteProtocolError, None, "", 0),
        ({"kind": "hang"}, httpx2.ReadTimeout, None, "", 1),
        ({"kind": "truncate"}, httpx2.RemoteProtocolError, None, "", 1),
        ({"kind": "garbage"}, json.JSONDecodeError, None, "", 1),
    ],
)
def test_creating_goes_wrong(
    quick_emulator: Emulator,
    hasty: genai.Client,
    source: str,
    fault: dict[str, Any],
    error: type[Exception],
    code: int | None,
    words: str,
    jobs: int,
) -> None:
    """A refusal makes no job; an answer that is lost or spoiled on its way leaves one behind. The next call is fine."""
    before = created(quick_emulator)
    quick_emulator.fault("create", nth=1, **fault)
    with pytest.raises(error) as caught:
        hasty.batches.create(model=m.MODEL, src=source)
    assert words in str(caught.value)
    assert getattr(caught.value, "code", None) == code
    assert created(quick_emulator) - before == jobs
    hasty.batches.create(model=m.MODEL, src=source)
    assert created(quick_emulator) - before == jobs + 1


def test_the_service_keeps_the_deadline_of_the_client(quick_emulator: Emulator, source: str) -> None:
    """A call that outlasts its X-Server-Timeout is answered with 504 at that moment, though it was done."""
    before = created(quick_emulator)
    quick_emulator.fault("create", "slow", seconds=9)
    options = types.HttpOptions(base_url=quick_emulator.url, headers={"X-Server-Timeout": "0.2"}, timeout=None)
    client = genai.Client(api_key="test-key", http_options=options)
    with pytest.raises(errors.ServerError, match="Deadline expired"):
        client.batches.create(model=m.MODEL, src=source)
    assert created(quick_emulator) == before + 1


def test_an_empty_answer_to_create_hides_a_job(
    quick_emulator: Emulator, quick_client: genai.Client, source: str
) -> None:
    """200 without a body: the SDK gives a job without state, and the service has a real one."""
    before = created(quick_emulator)
    quick_emulator.fault("create", "empty", nth=1)
    assert quick_client.batches.create(model=m.MODEL, src=source).state is None
    assert created(quick_emulator) == before + 1


@pytest.mark.parametrize(
    ("fault", "state", "done", "dest"),
    [
        ({"kind": "unknown_state"}, "BATCH_STATE_REHEATING", False, False),
        ({"kind": "missing_state"}, None, False, False),
        ({"kind": "no_output"}, "JOB_STATE_SUCCEEDED", True, False),
        ({"kind": "response_only"}, "JOB_STATE_SUCCEEDED", True, False),
        ({"kind": "flap"}, "JOB_STATE_PENDING", False, False),
        ({"kind": "state", "state": "BATCH_STATE_EXPIRED", "done": True}, "JOB_STATE_EXPIRED", True, False),
        ({"kind": "slow", "seconds": 0.1}, "JOB_STATE_SUCCEEDED", True, True),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is not a valid:UserWarning")
def test_looking_at_a_job_goes_wrong(
    quick_emulator: Emulator,
    quick_client: genai.Client,
    job: types.BatchJob,
    fault: dict[str, Any],
    state: str | None,
    done: bool,
    dest: bool,
) -> None:
    """The answer shows another state than the job has; the next look shows the truth again."""
    quick_emulator.fault("get", nth=1, **fault)
    seen = quick_client.batches.get(name=str(job.name))
    assert (seen.state.value if seen.state is not None else None) == state
    assert bool(seen.done) is done
    assert bool(seen.dest and seen.dest.file_name) is dest
    assert quick_client.batches.get(name=str(job.name)).state == types.JobState.JOB_STATE_SUCCEEDED


def test_a_burst_ends(quick_emulator: Emulator, quick_client: genai.Client, job: types.BatchJob) -> None:
    """`times` makes a burst, from the nth call on."""
    quick_emulator.fault("get", "503", nth=2, times=3)
    codes = []
    for _ in range(6):
        try:
            quick_client.batches.get(name=str(job.name))
            codes.append(200)
        except errors.ServerError as error:
            codes.append(error.code)
    assert codes == [200, 503, 503, 503, 200, 200]


@pytest.mark.parametrize(
    ("fault", "state", "rows"),
    [
        ({"kind": "fail", "code": 9, "message": "no"}, "JOB_STATE_FAILED", 0),
        ({"kind": "stuck_pending"}, "JOB_STATE_PENDING", 0),
        ({"kind": "stuck_running"}, "JOB_STATE_RUNNING", 0),
        ({"kind": "slow"}, "JOB_STATE_RUNNING", 0),
    ],
)
def test_the_fate_of_a_job(
    quick_emulator: Emulator, quick_client: genai.Client, source: str, fault: dict[str, Any], state: str, rows: int
) -> None:
    """A job can be doomed at its creation, by its display name; others are not."""
    quick_emulator.fault("job", match="doomed*", **fault)
    served = quick_emulator.books()["served"]["batch"]
    doomed, spared = (
        quick_client.batches.create(model=m.MODEL, src=source, config={"display_name": name})
        for name in ("doomed-1", "fine")
    )
    m.finished(quick_client, spared)
    quick_emulator.settle()
    seen = quick_client.batches.get(name=str(doomed.name))
    assert seen.state is not None
    assert seen.state.value == state
    assert quick_emulator.books()["served"]["batch"] - served == 3 + rows
    if seen.done:
        with urllib.request.urlopen(
            urllib.request.Request(f"{quick_emulator.url}/v1beta/{doomed.name}", headers={"x-goog-api-key": "test-key"})
        ) as answer:
            assert json.load(answer)["error"] == {"code": 9, "message": "no"}
    else:
        quick_client.batches.cancel(name=str(doomed.name))


def test_a_new_job_is_not_listed_at_once(quick_emulator: Emulator, quick_client: genai.Client, source: str) -> None:
    """Lists lag: for some virtual seconds a new job is missing from them, though it can be got by name."""
    quick_emulator.fault("list", "lag", seconds=30)
    made = quick_client.batches.create(model=m.MODEL, src=source)
    assert made.name not in [job.name for job in quick_client.batches.list()]
    assert quick_client.batches.get(name=str(made.name)).name == made.name
    quick_emulator.advance(31)
    assert made.name in [job.name for job in quick_client.batches.list()]


def test_pages_that_break_pagers(quick_emulator: Emulator, quick_client: genai.Client, job: types.BatchJob) -> None:
    """A token without a page behind it, a first page without items, and items on two pages."""
    whole = [item.name for item in quick_client.batches.list()]
    number = quick_emulator.fault("list", "dangling_token")
    with pytest.raises(IndexError):
        list(quick_client.batches.list())
    quick_emulator.clear_faults(number)
    number = quick_emulator.fault("list", "empty_page")
    pager = quick_client.batches.list()
    assert pager.page == []
    assert [item.name for item in pager.next_page()] == whole
    quick_emulator.clear_faults(number)
    quick_emulator.fault("list", "duplicates")
    names = [item.name for item in quick_client.batches.list(config={"page_size": 2})]
    assert set(names) == set(whole)
    assert len(names) > len(whole)


@pytest.mark.parametrize(
    ("route", "fault", "error"),
    [
        ("upload_chunk", {"kind": "503", "nth": 1}, None),
        ("upload_chunk", {"kind": "no_status", "nth": 1}, None),
        ("upload_chunk", {"kind": "stay_active"}, ValueError),
        ("upload_chunk", {"kind": "no_file"}, KeyError),
        ("upload_chunk", {"kind": "drop"}, httpx2.RemoteProtocolError),
        ("upload_start", {"kind": "no_url"}, KeyError),
        ("upload_start", {"kind": "429"}, errors.ClientError),
        ("upload", {"kind": "404"}, errors.ClientError),
    ],
)
def test_uploading_goes_wrong(
    quick_emulator: Emulator,
    quick_client: genai.Client,
    tmp_path: Path,
    route: str,
    fault: dict[str, Any],
    error: type[Exception] | None,
) -> None:
    """What the SDK sends again arrives once; the rest it tells as it does."""
    quick_emulator.fault(route, **fault)
    before = len(quick_emulator.files())
    if error is None:
        name = m.upload(quick_client, m.batch_lines(1), tmp_path)
        assert [file["name"] for file in quick_emulator.files()][before:] == [name]
        assert quick_emulator.files()[-1]["size"] == len(m.batch_lines(1)[0])
    else:
        with pytest.raises(error):
            m.upload(quick_client, m.batch_lines(1), tmp_path)


def test_a_file_can_lie_about_its_size_or_be_refused_late(
    quick_emulator: Emulator, quick_client: genai.Client, tmp_path: Path
) -> None:
    """A wrong sizeBytes; PROCESSING and then FAILED, and such a file makes no job."""
    (tmp_path / "a.jsonl").write_bytes(m.batch_lines(1)[0])
    config = {"mime_type": "application/jsonl"}
    quick_emulator.fault("upload_chunk", "wrong_size", size=7, nth=1)
    assert quick_client.files.upload(file=str(tmp_path / "a.jsonl"), config=config).size_bytes == 7
    quick_emulator.clear_faults()
    quick_emulator.fault("upload_chunk", "processing_failed", seconds=5)
    file = quick_client.files.upload(file=str(tmp_path / "a.jsonl"), config=config)
    assert file.state == types.FileState.PROCESSING
    quick_emulator.advance(6)
    assert quick_client.files.get(name=str(file.name)).state == types.FileState.FAILED
    with pytest.raises(errors.ClientError, match="not in an ACTIVE state"):
        quick_client.batches.create(model=m.MODEL, src=str(file.name))


def fetch(quick_emulator: Emulator, job: types.BatchJob) -> bytes:
    """Download a result without the SDK, with a second of patience."""
    assert job.dest is not None
    address = f"{quick_emulator.url}/v1beta/{job.dest.file_name}:download?alt=media"
    return (
        httpx2.get(address, headers={"x-goog-api-key": "test-key"}, timeout=1.0, follow_redirects=True)
        .raise_for_status()
        .content
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "503"}, httpx2.HTTPStatusError),
        ({"kind": "404"}, httpx2.HTTPStatusError),
        ({"kind": "403"}, httpx2.HTTPStatusError),
        ({"kind": "truncate", "part": 0.3}, httpx2.RemoteProtocolError),
        ({"kind": "stall"}, httpx2.ReadTimeout),
    ],
)
def test_downloading_breaks(
    quick_emulator: Emulator, job: types.BatchJob, fault: dict[str, Any], error: type[Exception]
) -> None:
    """A refused, torn or stalled download is an error at the client, once."""
    quick_emulator.fault("download", nth=1, **fault)
    with pytest.raises(error):
        fetch(quick_emulator, job)
    assert len(fetch(quick_emulator, job).splitlines()) == 3


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ({"kind": "empty"}, lambda got, good: got == b""),
        (
            {"kind": "torn_last_line"},
            lambda got, good: good.startswith(got) and got.count(b"\n") == 2 and got[-1:] != b"\n",
        ),
        ({"kind": "bit_flip"}, lambda got, good: sum(a != b for a, b in zip(got, good, strict=True)) == 1),
        ({"kind": "invalid_utf8"}, lambda got, good: b"\xff\xfe" in got and len(got) == len(good)),
        ({"kind": "redirect"}, lambda got, good: got == good),
        ({"kind": "garbage"}, lambda got, good: b"upstream" in got),
    ],
)
def test_downloads_that_look_fine(
    quick_emulator: Emulator, job: types.BatchJob, fault: dict[str, Any], holds: Callable[[bytes, bytes], bool]
) -> None:
    """A clean 200 with the wrong bytes: only who checks them notices."""
    good = fetch(quick_emulator, job)
    quick_emulator.fault("download", nth=1, **fault)
    assert holds(fetch(quick_emulator, job), good)


@pytest.mark.parametrize(
    ("fault", "code", "paid"),
    [
        ({"kind": "error", "code": 14}, 503, 0),
        ({"kind": "quota", "retry_seconds": 2}, 429, 0),
        ({"kind": "drop"}, None, 1),
        ({"kind": "block"}, 200, 1),
    ],
)
def test_ordinary_calls_go_wrong_as_rows_do(
    quick_emulator: Emulator, quick_client: genai.Client, fault: dict[str, Any], code: int | None, paid: int
) -> None:
    """generateContent shows the same shapes, and errors as their HTTP status; a lost answer is paid."""
    part = types.Part.from_bytes(data=m.photo(1), mime_type="image/jpeg")
    before = quick_emulator.books()["served"]["interactive"]
    quick_emulator.fault("generate", nth=1, **fault)
    if code == 200:
        assert quick_client.models.generate_content(model=m.MODEL, contents=[part]).text is None
    else:
        with pytest.raises((errors.APIError, httpx2.RemoteProtocolError)) as caught:
            quick_client.models.generate_content(model=m.MODEL, contents=[part])
        assert getattr(caught.value, "code", None) == code
    assert quick_emulator.books()["served"]["interactive"] - before == paid


def test_the_nth_call_of_all_is_hit(quick_emulator: Emulator, quick_client: genai.Client, job: types.BatchJob) -> None:
    """Route "*" counts every public call and no call of the control API."""
    quick_emulator.fault("*", "503", nth=3)
    quick_emulator.books()
    quick_client.batches.get(name=str(job.name))
    quick_client.files.list()
    with pytest.raises(errors.ServerError):
        quick_client.models.get(model=m.MODEL)
    assert quick_client.models.get(model=m.MODEL).name == f"models/{m.MODEL}"


def test_a_kill_can_be_aimed_by_pid(quick_emulator: Emulator, quick_client: genai.Client, job: types.BatchJob) -> None:
    """The process of the given id dies, whoever made the call; our own is never killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        quick_emulator.fault("get", "kill", nth=1, when="after", pid=victim.pid)
        with pytest.raises(httpx2.RemoteProtocolError):
            quick_client.batches.get(name=str(job.name))
        assert victim.wait(10) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("route", "kind", "rule"),
    [
        ("create", "explode", {}),
        ("row", "503", {}),
        ("get", "lag", {}),
        ("nowhere", "503", {}),
        ("get", "503", {"when": "soon"}),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(
    quick_emulator: Emulator, route: str, kind: str, rule: dict[str, Any]
) -> None:
    """Both ways of setting a fault check it, and name what there is."""
    with pytest.raises(ValueError, match=r"no such|when is"):
        Fault(route, kind, **rule)
    body = json.dumps({"route": route, "kind": kind, **rule}).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{quick_emulator.url}/_emulator/faults", body)
    with caught.value:
        assert caught.value.code == 400


def test_every_kind_can_be_set_on_its_route(quick_emulator: Emulator) -> None:
    """The table of kinds and the rules agree."""
    for route in (*known.CALLS, *known.GROUPS, "row", "job"):
        for kind in known.kinds(route):
            assert quick_emulator.fault(route, kind, nth=10**9)
    quick_emulator.clear_faults()
    assert quick_emulator.faults() == []
