"""The steps of a batch before strict fakes and their faults, for every provider with a rig in `tests/support/rigs.py`.

The contract of the seam is in `contract.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from indexer.domain.answer import Answer, Failure
from indexer.domain.errors import ProviderError, Refused, Unreachable, Unsendable
from indexer.domain.job import Job
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.providers import spec
from indexer.providers.seam import BatchFile, BatchService, Provider
from indexer.providers.spec import Opening
from tests.support.rigs import RIGS, Fake, Rig, ServiceTime

BUCKET = "CAPTIONARY_VERTEX_BUCKET"
LABEL = "captionary-0a1b2c3d-4e5f6a7b-1"
Open = Callable[..., Provider]


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each provider in turn."""
    return RIGS[request.param]


@pytest.fixture
def service(tmp_path: Path, rig: Rig) -> Iterator[Fake]:
    """Its service."""
    with rig.service(tmp_path / "service") as running:
        yield running


@pytest.fixture
def opens(rig: Rig, service: Fake) -> Iterator[Open]:
    """Open the provider as a command does, by the environment, with another key where one is told."""
    made: list[Provider] = []

    def one(**variables: str) -> Provider:
        told = {**rig.variables(service), **variables}
        options = {"bucket": told[BUCKET]} if BUCKET in told else {}
        made.append(spec(rig.provider).open(Opening(told, options, sleep=ServiceTime(service).sleep)))
        return made[-1]

    yield one
    for provider in made:
        provider.close()


@pytest.fixture
def provider(opens: Open) -> Provider:
    """The provider with a good key."""
    return opens()


@pytest.fixture
def batches(provider: Provider) -> BatchService:
    """Its batch half."""
    assert provider.batches is not None
    return provider.batches


@pytest.fixture
def question(rig: Rig) -> Question:
    """The default question."""
    return Question(rig.provider, spec(rig.provider).default_model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)


def ask_of(question: Question, number: int = 0, mode: Mode = Mode.BATCH) -> Request:
    """Return the request about a little picture of its own colour."""
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), (number * 37 % 256, number * 59 % 256, 90)).save(stream, "JPEG")
    return Request(f"k{number}", question, stream.getvalue(), fill(DEFAULT_TEMPLATE, "English"), mode=mode)


def pack(batches: BatchService, question: Question, path: Path, count: int = 3) -> BatchFile:
    """Write a batch file and return it as a shard."""
    path.write_bytes(b"".join(batches.encode(ask_of(question, number)) + b"\n" for number in range(count)))
    return BatchFile(path, LABEL, question, count, earliest_create=1.0)


def send(batches: BatchService, shard: BatchFile) -> tuple[BatchFile, Job]:
    """Upload a shard and create its job."""
    handle = batches.upload(shard)
    shard = replace(shard, handle=handle, handles=(handle,) if handle else ())
    return shard, batches.create(shard)


def test_a_job_is_found_by_its_label_and_by_nothing_else(
    rig: Rig, batches: BatchService, service: Fake, question: Question, tmp_path: Path
) -> None:
    """Oldest first; a label that only begins alike is another one's."""
    if not rig.labels:
        pytest.skip("its jobs carry no label")
    shard, first = send(batches, pack(batches, question, tmp_path / "in.jsonl"))
    service.advance(5)
    second = batches.create(shard)
    send(batches, replace(shard, label=LABEL + "0", handle="", handles=()))
    found = batches.find(shard)
    assert [match.job.name for match in found] == [first.name, second.name]
    assert all(match.certain for match in found)
    assert batches.find(replace(shard, label="captionary-0a1b2c3d-99999999-1")) == []


@pytest.mark.parametrize(("kind", "arrives"), [("503", 0), ("drop", 1), ("garbage", 1), ("html", 0)])
def test_a_create_is_sent_once(
    batches: BatchService, service: Fake, question: Question, tmp_path: Path, kind: str, arrives: int
) -> None:
    """Whatever comes back: the outcome is unknown, and one look tells it."""
    shard = pack(batches, question, tmp_path / "in.jsonl")
    shard = replace(shard, handle=batches.upload(shard))
    service.fault("create", kind, nth=1)
    with pytest.raises(Unreachable) as caught:
        batches.create(shard)
    assert caught.value.sent
    assert service.books()["requests"]["create"] == 1
    assert len(batches.find(replace(shard, handles=(shard.handle,)))) == arrives


@pytest.mark.parametrize("kind", ["503", "429", "drop", "garbage"])
def test_what_may_be_repeated_is_repeated(
    batches: BatchService, service: Fake, question: Question, tmp_path: Path, kind: str
) -> None:
    """Looks, downloads, deletions."""
    shard, job = send(batches, pack(batches, question, tmp_path / "in.jsonl"))
    service.advance(3600)
    for route in ("get", "list", "download"):
        service.fault(route, kind, nth=1)
    done = batches.poll(job.name)
    assert len(batches.find(shard)) == 1
    batches.fetch(done, tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 3


def test_half_a_result_is_no_result(batches: BatchService, service: Fake, question: Question, tmp_path: Path) -> None:
    """On any fault nothing is left behind."""
    _, job = send(batches, pack(batches, question, tmp_path / "in.jsonl"))
    service.advance(3600)
    done = batches.poll(job.name)
    service.fault("download", "truncate")
    target = tmp_path / "results" / "out.jsonl"
    target.parent.mkdir()
    with pytest.raises(ProviderError):
        batches.fetch(done, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(("times", "lines"), [(1, 3), (2, 3), (99, 2)])
def test_results_that_end_in_mid_line_are_taken_again_and_believed_in_the_end(
    batches: BatchService, service: Fake, question: Question, tmp_path: Path, times: int, lines: int
) -> None:
    """What comes the same three times is what the service has: the others' answers do not wait for it for ever."""
    _, job = send(batches, pack(batches, question, tmp_path / "in.jsonl"))
    service.advance(3600)
    service.fault("download", "torn_last_line", times=times)
    batches.fetch(batches.poll(job.name), tmp_path / "out.jsonl")
    rows = [batches.decode(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert sum(isinstance(row.outcome, Answer) for row in rows) == lines


def test_a_picture_that_is_refused_is_a_failure_and_a_question_that_is_refused_is_raised(
    provider: Provider, question: Question
) -> None:
    """One blames a photo; the other would fail them all."""
    row = provider.ask(replace(ask_of(question, mode=Mode.INTERACTIVE), image=b"\xff\xd8\xff\xe0 no picture"))
    assert isinstance(row.outcome, Failure)
    with pytest.raises(Refused):
        provider.ask(ask_of(replace(question, model="unheard-of"), mode=Mode.INTERACTIVE))


def test_a_service_that_is_not_there_was_sent_nothing(rig: Rig, opens: Open, service: Fake, question: Question) -> None:
    """So nothing is in doubt."""
    addresses = [name for name in rig.variables(service) if name.endswith(("URL", "HOST"))]
    closed = opens(**dict.fromkeys(addresses, "http://127.0.0.1:9/v1"))
    with pytest.raises(Unreachable) as caught:
        closed.ask(ask_of(question, mode=Mode.INTERACTIVE))
    assert not caught.value.sent


def test_a_file_that_would_be_refused_is_not_sent(
    batches: BatchService, service: Fake, question: Question, tmp_path: Path
) -> None:
    """A line that was damaged on the disk is named before anything leaves the machine."""
    shard = pack(batches, question, tmp_path / "in.jsonl")
    with shard.path.open("ab") as stream:
        stream.write(b"{\n")
    with pytest.raises(Unsendable, match=r"line 4 of .*in\.jsonl would be refused"):
        send(batches, shard)
    assert sum(service.books()["requests"].values()) == 0


def test_our_own_files_pass_our_own_check(
    rig: Rig, batches: BatchService, provider: Provider, question: Question, tmp_path: Path
) -> None:
    """And one broken line is found with its number, as is a key that stands twice (Vertex asks for none)."""
    assert provider.check(question) == ""
    shard = pack(batches, question, tmp_path / "in.jsonl")
    known = spec(rig.provider)
    if not known.checks:
        pytest.skip("its files have no check")
    assert list(known.check_file(shard.path)) == []
    lines = shard.path.read_bytes().splitlines()
    shard.path.write_bytes(b"\n".join([lines[0], b"{", lines[1], lines[1], b""]))
    faults = list(known.check_file(shard.path))
    assert {fault.line for fault in faults} == ({2} if rig.provider == "vertex" else {2, 4})
    assert all(fault.problem and fault.fix for fault in faults)
