"""A model that the service does not have: said at once with the nearest names, and nothing piles up there."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.domain.errors import BadSetting, NotFound, Refused, UnknownModel
from tests.fakes.gemini import Emulator
from tests.fakes.services import Answer
from tests.support.services import SHOPS, environ, library, photos
from tests.support.virtual import opened, samples

WRONG = {"provider": "gemini", "model": "gemini-3.5-flash-lit", "price": "0.1,0.4", "pilot": 0, "workers": 0}


@pytest.mark.parametrize("mode", ["batch", "interactive"])
def test_gemini_is_asked_once_for_its_models(emulator: Emulator, mode: str, tmp_path: Path) -> None:
    """The hint has the nearest name, no file stays at the service, and the right model then describes everything."""
    pictures = samples(tmp_path / "photos", 3)
    with opened(tmp_path / "library", emulator) as ours:
        with pytest.raises(UnknownModel, match="has no model") as fault:
            ours.index([pictures], approve=True, mode=mode, **WRONG)
        assert "did you mean: gemini-3.5-flash-lite" in fault.value.hint
        requests = emulator.books()["requests"]
        assert requests.get("create", 0) <= 1
        assert requests.get("generate", 0) <= 3
        assert requests.get("upload_start", 0) <= 1
        assert requests.get("file_delete", 0) == requests.get("upload_start", 0)
        assert ours.status().jobs == []
        done = ours.index(
            [pictures], approve=True, mode=mode, provider="gemini", pilot=0, workers=0, model="gemini-3.5-flash-lite"
        )
        assert (done.files.described, done.exit_code) == (3, 0)


@pytest.mark.parametrize("name", ["openai", "anthropic", "mistral", "deepseek", "openrouter", "compatible"])
def test_every_service_is_asked_for_its_models(name: str, tmp_path: Path) -> None:
    """What its list does not hold is not asked again, by call; exit 1 and the names that it has."""
    shop = SHOPS[name]
    with shop.service() as service, library(tmp_path / "library", environ(shop, service)) as ours:
        service.fail_once("/models", Answer(body={"data": [{"id": "some-vision-1"}]}), times=9)
        for path in ("/chat/completions", "/messages"):
            service.fail_once(path, Answer(404, {"error": {"message": "no such model"}}), times=99)
        options = {"provider": name, "mode": "interactive", "pilot": 0, "price": "0.1,0.4", "model": "some-vision-2"}
        with pytest.raises(UnknownModel) as fault:
            ours.index([photos(tmp_path / "photos")], approve=True, **options)
        assert (fault.value.exit_code, "some-vision-1" in fault.value.hint) == (1, True)
        assert not service.served


_NO_MODEL = {"message": "The model `gpt-6-lun` does not exist", "code": "model_not_found"}
ROWS = {
    "openai": {"response": {"status_code": 404, "body": {"error": _NO_MODEL}}, "error": None},
    "mistral": {"response": {"status_code": 400, "body": {"message": "Invalid model: x", "type": "invalid_model"}}},
    "anthropic": {"type": "errored", "error": {"error": {"type": "not_found_error", "message": "model: x"}}},
}


@pytest.mark.parametrize("name", list(ROWS))
def test_a_batch_whose_every_row_blames_the_model_is_not_sent_again(name: str, tmp_path: Path) -> None:
    """Exit 1 and the names that the service has; one job, nothing booked, no photo blamed, nothing left to send."""
    shop = SHOPS[name]
    with shop.service() as service, library(tmp_path / "library", environ(shop, service)) as ours:
        service.fail_once("/models", Answer(body={"data": [{"id": "some-vision-1"}]}), times=9)
        faults = service.rows if name == "anthropic" else service.lines_fault
        faults.update(dict.fromkeys(range(3), ROWS[name]))
        pictures = photos(tmp_path / "photos", 3)
        asked = {"provider": name, "mode": "batch", "pilot": 0, "price": "0.1,0.4", "model": "some-vision-2"}
        with pytest.raises(UnknownModel) as fault:
            ours.index([pictures], approve=True, **asked)
        assert (fault.value.exit_code, "some-vision-1" in fault.value.hint) == (1, True)
        ours.collect(wait=True)
        report = ours.status()
        assert (len(service.jobs), report.cost.spent_usd, report.files.failed) == (1, 0, 0)
        assert report.jobs == []


def test_a_file_that_is_never_found_is_not_uploaded_for_ever(emulator: Emulator, tmp_path: Path) -> None:
    """Not found although the model is there: three uploads at most, then the service's words and exit 1."""
    emulator.fault("create", "404", times=50)
    with opened(tmp_path / "library", emulator) as ours:
        pictures = samples(tmp_path / "photos", 2)
        asked = {"provider": "gemini", "pilot": 0, "workers": 0}
        with pytest.raises((NotFound, Refused)):
            ours.index([pictures], approve=True, **asked)
        for _ in range(3):
            try:
                ours.collect(wait=True)
            except Refused:
                continue
        assert emulator.books()["requests"]["upload_start"] <= 3
        assert emulator.books()["requests"]["create"] <= 5


@pytest.mark.parametrize("model", ["gemini\n3", "gemini\x1b[2J", "a b", " ", "../files", "x" * 300, "gem?key=1"])
def test_a_name_that_no_model_has_is_refused_before_anything_is_sent(
    emulator: Emulator, model: str, tmp_path: Path
) -> None:
    """Control characters, spaces, what would change an address: exit 2."""
    with opened(tmp_path / "library", emulator) as ours, pytest.raises(BadSetting):
        ours.index([samples(tmp_path / "photos", 1)], provider="gemini", model=model, price="1,1")
    assert emulator.books()["requests"] == {}
