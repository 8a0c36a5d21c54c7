"""What every provider promises, as tests: subclass `ProviderContract`, or `BatchContract`, and give a fixture `rig`.

A rig holds the real provider before a fake of its service. The tests know nothing of either but the seam.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.domain.answer import Answer, Failure, Row
from indexer.domain.errors import CaptionaryError, KeyMissing, KeyRefused, NoCredit, NotFound, RateLimited, Unreachable
from indexer.domain.job import Job, JobState
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.providers.seam import BatchFile, BatchService, Provider
from indexer.providers.spec import Opening

LABEL = "captionary-0a1b2c3d-4e5f6a7b-1"
HEAVY = ("google", "httpx", "httpx2", "pydantic", "numpy", "torch", "openai", "anthropic", "mistralai", "PIL")
FAULTS: dict[str, type[CaptionaryError]] = {
    "key refused": KeyRefused,
    "no credit": NoCredit,
    "rate limited": RateLimited,
    "away": Unreachable,
}
quickly = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Rig:
    """A provider before a fake of its service.

    `module` is where its `SPEC` stands; `key` is in its requests, "" where it has none. `meet` makes every request from
    now on meet a fault of `FAULTS`; None where it cannot meet any. `finish` lets jobs run to their end, `lose_create`
    lets the next create make its job and lose the answer, `creates` counts the creates that arrived. `lost` is the name
    of a job that the service does not know, `gone` the handle of a file that it does not have.
    """

    provider: Provider
    module: str
    key: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    meet: Callable[[str], None] | None = None
    finish: Callable[[], None] = _nothing
    lose_create: Callable[[], None] = _nothing
    creates: Callable[[], int] = lambda: 0
    now: Callable[[], float] = lambda: 0.0
    lost: str = ""
    gone: str = ""

    @property
    def question(self) -> Question:
        """The default question."""
        spec = self.provider.spec
        return Question(spec.name, self.provider.model(), DEFAULT_TEMPLATE, DEFAULT_SCHEMA)

    @property
    def batches(self) -> BatchService:
        """Its batch half."""
        assert self.provider.batches is not None
        return self.provider.batches

    def request(self, number: int, **changes: Any) -> Request:
        """Return a request about a picture of its own colour, under a key as the pipeline makes them."""
        stream = io.BytesIO()
        Image.new("RGB", (64, 48), (number * 37 % 256, number * 59 % 256, 90)).save(stream, "JPEG")
        key = f"{number:020x}-0a1b2c-1"
        return replace(Request(key, self.question, stream.getvalue(), fill(DEFAULT_TEMPLATE, "English")), **changes)

    def shard(self, folder: Path, count: int = 3) -> BatchFile:
        """Write a batch file, not uploaded yet."""
        path = folder / "4e5f6a7b.jsonl"
        lines = (self.batches.encode(self.request(number, mode=Mode.BATCH)) for number in range(count))
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return BatchFile(path, LABEL, self.question, count)

    def upload(self, shard: BatchFile) -> BatchFile:
        """Upload a batch file, and return it as the pipeline has it then."""
        handle = self.batches.upload(shard)
        return replace(shard, handle=handle, handles=(handle,) if handle else (), earliest_create=self.now())

    def ended(self, job: Job) -> Job:
        """Let a job run to its end, and look at it."""
        self.finish()
        ended = self.batches.poll(job.name)
        assert ended.state.ended
        return ended

    def answers(self, job: Job, folder: Path) -> list[Row]:
        """Fetch the results of a job and read them."""
        target = folder / "results.jsonl"
        self.batches.fetch(job, target)
        return [self.batches.decode(line) for line in target.read_bytes().split(b"\n") if line]


def assert_kind(rig: Rig, kind: str, act: Callable[[], object], error: type[CaptionaryError] | None = None) -> None:
    """Whatever the act meets is told as its kind of error, with a hint, on one line, without the key."""
    assert rig.meet is not None
    rig.meet(kind)
    with pytest.raises(error or FAULTS[kind]) as caught:
        act()
    said = [str(caught.value), repr(caught.value), caught.value.hint, repr(vars(caught.value)), repr(rig.provider)]
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert not rig.key or not [text for text in said if rig.key in text]


class ProviderContract:
    """What any provider promises; a subclass has a fixture `rig`."""

    def test_its_spec_is_light(self, rig: Rig) -> None:
        """Knowing of it loads no SDK, no HTTP client and no pictures."""
        code = f"import sys\nfrom {rig.module} import SPEC\nprint(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert {name.split(".")[0] for name in done.stdout.split()} & set(HEAVY) == set()

    def test_its_spec_is_sound(self, rig: Rig) -> None:
        """What the rest of Captionary relies on holds of it."""
        spec = rig.provider.spec
        assert spec.name.isidentifier()
        assert spec.name == spec.name.lower()
        assert len(set(spec.modes)) == len(spec.modes) > 0
        assert (Mode.BATCH in spec.modes) == (rig.provider.batches is not None)
        assert spec.trains in ("no", "yes", "unknown")
        assert spec.free or not spec.offline
        assert spec.automatic is None or spec.key_variables
        if spec.options is not None:
            assert is_dataclass(spec.options)
            assert spec.options() == spec.options(**{each.name: each.default for each in fields(spec.options)})

    def test_its_tokens_are_counted(self, rig: Rig) -> None:
        """A larger picture is never less, and the most is never less than what is likely."""
        spec, question = rig.provider.spec, rig.question
        small, large = (spec.tokens(question, question.template, side, side) for side in (256, 768))
        assert 0 <= small.input <= large.input
        assert large.output_low <= large.output_high
        assert spec.free or (large.input > 0 and large.output_most >= large.output_high)

    def test_it_opens_again_and_not_without_its_key(self, rig: Rig) -> None:
        """From the environment alone; without the key, the error names the variable."""
        spec = rig.provider.spec
        if rig.environ:
            spec.open(Opening(rig.environ)).close()
        if spec.key_variables and not spec.free:
            bare = {name: value for name, value in rig.environ.items() if name not in spec.key_variables}
            with pytest.raises(KeyMissing) as caught:
                spec.open(Opening(bare))
            assert spec.key_variables[-1] in f"{caught.value} {caught.value.hint}"

    def test_nothing_is_known_against_the_default_question(self, rig: Rig) -> None:
        """What everybody asks is fine; the model that is asked has a name."""
        assert rig.question.model
        assert rig.provider.check(rig.question) == ""

    def test_any_question_is_checked_without_a_fault(self, rig: Rig) -> None:
        """Whatever its prompt: the answer is a line, never an exception."""

        @quickly
        @given(st.text(max_size=200))
        def checked(template: str) -> None:
            assert isinstance(rig.provider.check(replace(rig.question, template=template)), str)

        checked()

    def test_every_mode_of_calls_answers(self, rig: Rig) -> None:
        """Under the key of the request, with words in it, by any mode that is not batch."""
        for number, mode in enumerate(mode for mode in rig.provider.spec.modes if mode is not Mode.BATCH):
            asked = rig.request(number, mode=mode)
            row = rig.provider.ask(asked)
            assert row.key == asked.key
            assert isinstance(row.outcome, Answer)
            assert row.outcome.description
            assert rig.provider.spec.free or row.usage is not None

    def test_it_works_on_after_it_was_closed(self, rig: Rig) -> None:
        """Closing is for a pause, too."""
        rig.provider.close()
        assert isinstance(rig.provider.ask(rig.request(0)).outcome, Answer)

    @pytest.mark.parametrize("kind", list(FAULTS))
    def test_a_call_that_meets_a_fault_says_which(self, rig: Rig, kind: str) -> None:
        """The pipeline tells a dead key from an empty account, a pause and an unknown outcome by the error's type."""
        if rig.meet is None:
            pytest.skip("nothing is sent")
        assert_kind(rig, kind, lambda: rig.provider.ask(rig.request(0)))


class BatchContract(ProviderContract):
    """What a provider with a batch half promises besides."""

    def test_a_request_is_one_line(self, rig: Rig) -> None:
        """Whatever the prompt: no newline in it, and its key as it was given."""

        @quickly
        @given(st.text(max_size=200), st.binary(min_size=1, max_size=60))
        def encoded(prompt: str, image: bytes) -> None:
            line = rig.batches.encode(rig.request(1, prompt=prompt, image=image, mode=Mode.BATCH))
            assert b"\n" not in line
            assert f'"{rig.request(1).key}"'.encode() in line

        encoded()

    def test_its_limits_hold_something(self, rig: Rig) -> None:
        """Bytes, lines and tokens are positive."""
        limits = rig.batches.limits(rig.question.model)
        assert min(limits.max_bytes, limits.max_lines, limits.max_queued_tokens) > 0

    def test_a_batch_goes_through(self, rig: Rig, tmp_path: Path) -> None:
        """Upload, create, poll, fetch, decode, discard: each request has its answer under its own key."""
        shard = rig.upload(rig.shard(tmp_path))
        job = rig.batches.create(shard)
        assert job.name
        assert not job.queue_full
        ended = rig.ended(job)
        assert (ended.name, ended.state) == (job.name, JobState.FINISHED)
        rows = rig.answers(ended, tmp_path)
        assert {row.key for row in rows} == {rig.request(number).key for number in range(3)}
        assert all(isinstance(row.outcome, Answer) and row.usage for row in rows)
        assert rig.creates() == 1
        for handle in shard.handles:
            rig.batches.discard(handle)
            rig.batches.discard(handle)

    def test_damaged_results_never_raise(self, rig: Rig, tmp_path: Path) -> None:
        """Any bytes, and any damage to a real line, are a row: an answer or a failure."""
        job = rig.ended(rig.batches.create(rig.upload(rig.shard(tmp_path, 1))))
        rig.batches.fetch(job, tmp_path / "one.jsonl")
        whole = (tmp_path / "one.jsonl").read_bytes().splitlines()[0]

        @quickly
        @given(st.binary(max_size=80), st.integers(0, len(whole)), st.binary(max_size=6))
        def read(noise: bytes, place: int, damage: bytes) -> None:
            for line in (noise, whole[:place], whole[:place] + damage + whole[place + len(damage) :]):
                row = rig.batches.decode(line)
                assert isinstance(row.outcome, Answer | Failure)
                assert row.key is None or isinstance(row.key, str)

        read()

    def test_a_lost_create_is_sent_once_and_found(self, rig: Rig, tmp_path: Path) -> None:
        """No answer means unknown; the job is found, and is certain at the latest when its results are there."""
        shard = rig.upload(rig.shard(tmp_path))
        assert rig.batches.find(shard) == []
        rig.lose_create()
        with pytest.raises(Unreachable) as caught:
            rig.batches.create(shard)
        assert caught.value.sent
        assert rig.creates() == 1
        assert len(rig.batches.find(shard)) == 1
        rig.finish()
        (match,) = rig.batches.find(shard)
        assert match.certain
        assert {row.key for row in rig.answers(rig.ended(match.job), tmp_path)} >= {rig.request(0).key}

    def test_the_job_of_another_file_is_not_ours(self, rig: Rig, tmp_path: Path) -> None:
        """When it has ended, at the latest, a job made of other requests under another name is dropped."""
        (tmp_path / "theirs").mkdir()
        theirs = rig.upload(replace(rig.shard(tmp_path / "theirs"), label="captionary-0a1b2c3d-99999999-1"))
        ours = rig.shard(tmp_path)
        ours.path.write_bytes(b"".join(rig.batches.encode(rig.request(n)) + b"\n" for n in (7, 8, 9)))
        ours = rig.upload(ours)
        rig.ended(rig.batches.create(theirs))
        assert rig.batches.find(ours) == []

    def test_cancelling_stops_a_job_or_says_that_it_cannot(self, rig: Rig, tmp_path: Path) -> None:
        """What can be cancelled ends; cancelling what has ended already is fine."""
        job = rig.batches.create(rig.upload(rig.shard(tmp_path)))
        if not rig.batches.cancel(job.name):
            assert rig.ended(job).state is JobState.FINISHED
            return
        assert rig.ended(job).state in (JobState.CANCELLED, JobState.FINISHED)
        assert rig.batches.cancel(job.name)

    def test_what_is_not_there_is_not_found(self, rig: Rig) -> None:
        """A job that nobody knows is `NotFound`; a file that is gone needs no deleting."""
        with pytest.raises(NotFound):
            rig.batches.poll(rig.lost)
        rig.batches.discard(rig.gone)

    @pytest.mark.parametrize("kind", list(FAULTS))
    @pytest.mark.parametrize("step", ["create", "poll", "find"])
    def test_a_step_that_meets_a_fault_says_which(self, rig: Rig, tmp_path: Path, step: str, kind: str) -> None:
        """And a create is sent once, whatever comes back."""
        shard = rig.upload(rig.shard(tmp_path))
        acts: dict[str, Callable[[], object]] = {
            "create": lambda: rig.batches.create(shard),
            "poll": lambda: rig.batches.poll(rig.lost),
            "find": lambda: rig.batches.find(shard),
        }
        assert_kind(rig, kind, acts[step])
        assert rig.creates() <= 1
