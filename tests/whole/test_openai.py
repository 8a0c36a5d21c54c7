"""OpenAI from folder to search, before a strict fake: described once, billed to the cent, in all three modes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.errors import UsageError
from search import Index
from tests.fakes.openai import FakeOpenAI
from tests.support.rigs import KEY, RIGS, opened
from tests.support.virtual import samples

RIG = RIGS["openai"]
OPENAI: dict[str, Any] = {"provider": "openai", "workers": 0}
PHOTOS = 11


@pytest.fixture
def service(tmp_path: Path) -> Iterator[FakeOpenAI]:
    """The service; an hour of its time passes before a job ends."""
    with FakeOpenAI(tmp_path / "service", pending=60.0, running=3600.0) as running:
        yield running


@pytest.mark.parametrize("mode", ["batch", "flex", "interactive"])
def test_sample_pictures_are_described_once(tmp_path: Path, service: FakeOpenAI, mode: str) -> None:
    """Found by words; a second run, a rename and a copy ask for nothing; the plan's tokens and the bill are right."""
    photos = samples(tmp_path / "photos")
    with opened(tmp_path / "library", RIG, service) as library:
        plan = library.plan([photos], mode=mode, **OPENAI)
        assert service.books()["requests"] == {}
        report = library.index([photos], mode=mode, approve=True, **OPENAI)
        assert (report.files.described, report.files.failed, report.rows) == (PHOTOS, 0, PHOTOS)
        books = service.books()
        assert books["served"] == {mode: PHOTOS}
        assert plan.input_tokens == pytest.approx(books["input_tokens"], rel=0.02)
        assert plan.cost.low <= books["usd"] <= plan.cost.high
        assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
        (photos / "dogs_window.jpg").rename(photos / "friends.jpg")
        shutil.copy(photos / "wall_clock.jpg", photos / "time.jpg")
        again = library.index([photos], mode=mode, approve=True, **OPENAI)
        assert (again.files.described, again.requests.submitted) == (PHOTOS + 1, 0)
        assert service.books()["requests"] == books["requests"]
    hits = Index.open(tmp_path / "library").search("two dogs at a window")
    assert Path(hits[0].path).name == "friends.jpg"
    for path in (tmp_path / "library").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_at_the_deadline_flex_goes_on_at_the_standard_tier(tmp_path: Path) -> None:
    """No capacity for flex: it is waited for, longer and longer, up to the deadline and not beyond."""
    with FakeOpenAI(tmp_path / "service", no_flex=True) as service:
        began = service.health()["now"]
        with opened(tmp_path / "library", RIG, service) as library:
            options = {**OPENAI, "mode": "flex", "deadline": 7200.0}
            report = library.index([samples(tmp_path / "photos", 3)], approve=True, **options)
        books = service.books()
        assert (report.files.described, books["served"]) == (3, {"interactive": 3})
        assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
        asked = [call["at"] - began for call in service.log("ask")]
        assert 5 < len([at for at in asked if at < 7200]) < 60
        assert asked[-1] == pytest.approx(7200, abs=120)


def test_after_a_batch_nothing_of_ours_is_left_at_the_service(tmp_path: Path, service: FakeOpenAI) -> None:
    """The input is deleted; until then it would have expired by itself."""
    with opened(tmp_path / "library", RIG, service) as library:
        library.index([samples(tmp_path / "photos", 3)], approve=True, wait=False, **OPENAI)
        (file,) = service.all("file")
        assert file["expires_at"] - file["created_at"] == 14 * 86_400
        (job,) = service.all("job")
        assert job["metadata"]["captionary"].startswith("captionary-")
        library.collect(wait=True)
    assert [file["purpose"] for file in service.all("file")] == ["batch_output"]


def test_only_small_clean_pictures_leave_and_the_prompt_stands_first(tmp_path: Path, service: FakeOpenAI) -> None:
    """One model, one picture with a detail, no temperature that a thinking model refuses, and no path."""
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 2)
        library.index([photos], approve=True, wait=False, **OPENAI)
        (file,) = service.all("file")
        lines = [json.loads(line) for line in service.blob(file["id"]).read_bytes().splitlines()]
    for line in lines:
        body = line["body"]
        assert str(photos) not in json.dumps(line)
        assert (body["model"], body["reasoning_effort"]) == ("gpt-6-luna", "none")
        text, picture = body["messages"][0]["content"]
        assert (text["type"], picture["image_url"]["detail"]) == ("text", "high")
        schema = body["response_format"]["json_schema"]
        assert schema["strict"]
        assert schema["schema"]["additionalProperties"] is False


def test_flex_that_was_served_at_full_price_is_booked_at_full_price(tmp_path: Path, service: FakeOpenAI) -> None:
    """The answer says which tier it was."""
    service.fault("ask", "downgrade", every=2)
    with opened(tmp_path / "library", RIG, service) as library:
        report = library.index([samples(tmp_path / "photos", 4)], mode="flex", approve=True, **OPENAI)
    books = service.books()
    assert books["served"] == {"flex": 2, "interactive": 2}
    assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)


def test_flex_waits_out_a_lack_of_capacity(tmp_path: Path, service: FakeOpenAI) -> None:
    """A 429 of flex costs nothing, and is asked again after a while, for as long as an evening if need be."""
    service.fault("ask", "429", times=12, message="Resource unavailable", code="resource_unavailable")
    began = service.health()["now"]
    with opened(tmp_path / "library", RIG, service) as library:
        report = library.index([samples(tmp_path / "photos", 2)], mode="flex", approve=True, **OPENAI)
    assert report.files.described == 2
    assert service.books()["served"] == {"flex": 2}
    assert service.health()["now"] - began > 600


def test_a_cached_prompt_is_booked_at_its_own_price(tmp_path: Path, service: FakeOpenAI) -> None:
    """A prompt of more than 1,024 tokens is written to the cache once and read from it from then on."""
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Describe the photo for a catalogue. Say what can be seen, and nothing else. " * 80)
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 5)
        report = library.index([photos], prompt=prompt, approve=True, **OPENAI)
    books = service.books()
    assert books["cached_tokens"] > 4 * 1024
    assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
    full = (books["input_tokens"] * 0.05 + books["output_tokens"] * 0.25) / 1e6
    assert books["usd"] < 0.65 * full


def test_a_queue_that_is_full_is_waited_for_in_smaller_batches(tmp_path: Path, service: FakeOpenAI) -> None:
    """The service says so only after it has said yes; nothing is served twice."""
    service.settings["enqueued_tokens"] = 2_500
    with opened(tmp_path / "library", RIG, service) as library:
        report = library.index([samples(tmp_path / "photos")], approve=True, **OPENAI)
    assert report.files.described == PHOTOS
    assert service.books()["served"] == {"batch": PHOTOS}


@pytest.mark.parametrize("fate", ["expire", "stuck_in_progress"])
def test_what_an_expired_batch_has_served_is_kept(tmp_path: Path, service: FakeOpenAI, fate: str) -> None:
    """The other half failed for its reason, and retry asks for that half alone."""
    service.fault("job", fate, nth=1)
    with opened(tmp_path / "library", RIG, service) as library:
        report = library.index([samples(tmp_path / "photos", 6)], approve=True, **OPENAI)
        assert (report.files.described, report.files.failed) == (3, 3)
        assert {failure.reason for failure in library.failures()} == {"expired"}
        assert library.retry(approve=True).files.described == 6
    assert service.books()["served"] == {"batch": 6}


def test_at_the_deadline_the_batch_is_cancelled_and_the_rest_is_called(tmp_path: Path, service: FakeOpenAI) -> None:
    """What was done by then is kept, though the job was cancelled."""
    service.fault("job", "stuck_in_progress", nth=1)
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 6)
        report = library.index([photos], approve=True, deadline=7200.0, **OPENAI)
    assert (report.files.described, report.files.failed) == (6, 0)
    assert service.books()["served"] == {"batch": 3, "interactive": 3}


def test_with_best_the_rest_goes_by_flex_before_the_deadline(tmp_path: Path, service: FakeOpenAI) -> None:
    """Flex costs what the batch does, so it comes before single calls; what the batch has served is kept."""
    service.fault("job", "stuck_in_progress", nth=1)
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 6)
        report = library.index([photos], approve=True, deadline=24 * 3600.0, **{**OPENAI, "provider": "best"})
    assert (report.files.described, report.files.failed) == (6, 0)
    assert service.books()["served"] == {"batch": 3, "flex": 3}


@pytest.mark.parametrize(
    ("word", "schema"),
    [
        ("oneOf", {"type": "object", "properties": {"description": {"oneOf": [{"type": "string"}]}}}),
        ("items", {"type": "object", "properties": {"description": {"type": "string"}, "a": {"type": "array"}}}),
    ],
)
def test_a_schema_that_cannot_be_strict_is_refused_in_words(
    tmp_path: Path, service: FakeOpenAI, word: str, schema: dict[str, Any]
) -> None:
    """Before anything is sent."""
    told = tmp_path / "schema.json"
    told.write_text(json.dumps(schema))
    with opened(tmp_path / "library", RIG, service) as library, pytest.raises(UsageError, match=word):
        library.plan([samples(tmp_path / "photos", 1)], schema=told, **OPENAI)
    assert service.books()["requests"] == {}


def test_a_field_that_may_be_absent_may_be_null(tmp_path: Path, service: FakeOpenAI) -> None:
    """Strict schemas require every field, so one that is optional becomes nullable; what it means stays."""
    told = tmp_path / "schema.json"
    properties = {"description": {"type": "string", "minLength": 5}, "people": {"type": "integer"}}
    told.write_text(json.dumps({"type": "object", "properties": properties, "required": ["description"]}))
    with opened(tmp_path / "library", RIG, service) as library:
        photos = samples(tmp_path / "photos", 1)
        report = library.index([photos], schema=told, approve=True, wait=False, **OPENAI)
        (file,) = service.all("file")
        body = json.loads(service.blob(file["id"]).read_bytes())["body"]
        sent = body["response_format"]["json_schema"]["schema"]
        assert sent["properties"]["people"]["type"] == ["integer", "null"]
        assert sorted(sent["required"]) == ["description", "people"]
        report = library.collect(wait=True)
    assert report.files.described == 1
