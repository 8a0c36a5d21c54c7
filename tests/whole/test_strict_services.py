"""Anthropic and Mistral from folder to search, before strict fakes: described once, billed to the cent."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.providers.anthropic.adapter import params
from search import Index
from tests.fakes.anthropic import FakeAnthropic
from tests.support.rigs import KEY, RIGS, opened
from tests.support.virtual import samples

PHOTOS = 11
EXACT = {"anthropic": 0.02, "mistral": 0.10}
"""How far the plan's input tokens may lie from the service's count; Mistral publishes no rule."""


def wishes(provider: str, **more: Any) -> dict[str, Any]:
    """Return what a run is called with."""
    return {"provider": provider, "workers": 0, "approve": True, **more}


@pytest.mark.parametrize("mode", ["batch", "interactive"])
@pytest.mark.parametrize("provider", list(EXACT))
def test_sample_pictures_are_described_once(tmp_path: Path, provider: str, mode: str) -> None:
    """Found by words; a second run, a rename and a copy ask for nothing; the plan's tokens and the bill are right."""
    rig, photos = RIGS[provider], samples(tmp_path / "photos")
    with rig.service(tmp_path / "service", pending=60.0, running=3600.0) as service:
        with opened(tmp_path / "library", rig, service) as library:
            plan = library.plan([photos], provider=provider, workers=0, mode=mode)
            report = library.index([photos], **wishes(provider, mode=mode))
            assert (report.files.described, report.files.failed, report.rows) == (PHOTOS, 0, PHOTOS)
            books = service.books()
            assert books["served"] == {mode: PHOTOS}
            assert plan.input_tokens == pytest.approx(books["input_tokens"], rel=EXACT[provider])
            assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
            (photos / "dogs_window.jpg").rename(photos / "friends.jpg")
            shutil.copy(photos / "wall_clock.jpg", photos / "time.jpg")
            again = library.index([photos], **wishes(provider, mode=mode))
            assert (again.files.described, again.requests.submitted) == (PHOTOS + 1, 0)
            assert service.books()["requests"] == books["requests"]
        kept = [file["purpose"] for file in service.all("file")]
        assert kept == (["batch"] if (provider, mode) == ("mistral", "batch") else [])  # its answers; no input
    assert Path(Index.open(tmp_path / "library").search("two dogs at a window")[0].path).name == "friends.jpg"
    for path in (tmp_path / "library").rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("provider", ["openai", *EXACT])
def test_the_pilot_goes_by_single_calls(tmp_path: Path, provider: str) -> None:
    """Each photo is served once, by one way or the other."""
    rig = RIGS[provider]
    with rig.service(tmp_path / "service") as service, opened(tmp_path / "library", rig, service) as library:
        library.index([samples(tmp_path / "photos", 6)], **wishes(provider, pilot=2))
        assert service.books()["served"] == {"interactive": 2, "batch": 4}


def test_a_long_prompt_is_cached_and_the_discounts_stack(tmp_path: Path) -> None:
    """Written once at twice half the price, read at a tenth of half; what is booked is what the service bills."""
    rig, prompt = RIGS["anthropic"], tmp_path / "prompt.txt"
    prompt.write_text("Describe this photo for a search index, by these rules. " + "Be exact and brief. " * 700)
    with rig.service(tmp_path / "service") as service, opened(tmp_path / "library", rig, service) as library:
        report = library.index([samples(tmp_path / "photos", 5)], **wishes("anthropic", prompt=prompt))
        books = service.books()
        assert report.files.described == 5
        assert books["cached_tokens"] > 4 * 3_000
        assert report.cost.spent_usd == pytest.approx(books["usd"], rel=1e-9)
        uncached = (books["input_tokens"] * 0.05 + books["output_tokens"] * 0.25) / 1e6
        assert books["usd"] < 0.75 * uncached


def test_foreign_batches_of_the_same_size_are_never_adopted(tmp_path: Path) -> None:
    """Two others run beside the one whose create was lost: none is taken blindly, and ours is found by its keys."""
    rig = RIGS["anthropic"]
    with FakeAnthropic(tmp_path / "service", pending=60.0, running=600.0) as service:
        for name in ("one", "two"):
            with opened(tmp_path / name, rig, service) as other:
                other.index([samples(tmp_path / f"photos-{name}", 3)], **wishes("anthropic", wait=False))
        service.fault("create", "drop", nth=1)
        with opened(tmp_path / "library", rig, service) as library:
            report = library.index([samples(tmp_path / "photos", 3)], **wishes("anthropic"))
            assert report.files.described == 3
        jobs = service.all("job")
        assert len(jobs) == 3
        assert all(job["cancel_initiated_at"] is None for job in jobs)
        assert service.books()["served"] == {"batch": 9}


@pytest.mark.parametrize(("model", "sent"), [("claude-haiku-5-5", False), ("claude-haiku-4-5", True)])
def test_a_temperature_goes_to_models_that_know_one(model: str, sent: bool) -> None:
    """Later models choose it themselves."""
    asked = Question("anthropic", model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    body = params(Request("k", asked, b"\xff\xd8", fill(DEFAULT_TEMPLATE, "English"), mode=Mode.BATCH))
    assert (b'"temperature"' in body) is sent
