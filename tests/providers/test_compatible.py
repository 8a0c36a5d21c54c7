"""A server of one's own: what it can do is found out, and a context that is too small is said in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.domain.answer import Answer as Described
from indexer.domain.errors import Refused
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question, Request
from indexer.library.api import Library, Seams
from indexer.providers.compatible import SPEC
from indexer.providers.seam import Provider
from indexer.providers.spec import Opening
from tests.fakes.chats import FakeOwnServer
from tests.fakes.faults import Fault
from tests.fakes.gemini.captions import Caption
from tests.fakes.service import SAMPLES, FakeService, Json
from tests.fakes.services import Answer
from tests.fakes.wire import Call, Reply
from tests.support import services
from tests.support.services import SHOPS, environ, library, photos

TOLD: dict[str, tuple[str, Any]] = {
    "vllm": ("/v1/models", lambda size: {"data": [{"id": "qwen-vision", "max_model_len": size}]}),
    "llamacpp": ("/props", lambda size: {"default_generation_settings": {"n_ctx": size}, "total_slots": 1}),
    "ollama": ("/api/ps", lambda size: {"models": [{"name": "qwen-vision", "context_length": size}]}),
    "lmstudio": ("/api/v0/models", lambda size: {"data": [{"id": "qwen-vision", "loaded_context_length": size}]}),
}


class LargePictures(services.FakeOwnServer):
    """A model for which every picture is two thousand tokens."""

    def picture_tokens(self, width: int, height: int) -> int:
        """What a picture counts for."""
        return 2_000


@pytest.mark.parametrize("kind", list(TOLD))
@pytest.mark.parametrize(("size", "calls"), [(512, 0), (900, 1), (8192, 2)])
def test_a_context_that_is_too_small_is_told(kind: str, size: int, calls: int, tmp_path: Path) -> None:
    """Too small for prompt and answer: nothing is asked; for the picture as well: the first answer tells; else fine."""
    shop, (path, told) = SHOPS["compatible"], TOLD[kind]
    with LargePictures() as service:
        service.fail_once(f"GET {path}", Answer(body=told(size)), times=99)
        with library(tmp_path / "library", {**environ(shop, service), "CAPTIONARY_CONCURRENCY": "1"}) as opened:
            pictures = photos(tmp_path / "photos", 2)
            if size > 1000:
                opened.index([pictures], provider="compatible", pilot=0, approve=True)
            else:
                with pytest.raises(Refused, match=f"context of {size} tokens") as fault:
                    opened.index([pictures], provider="compatible", pilot=0, approve=True)
                assert "OLLAMA_CONTEXT_LENGTH" in fault.value.hint
            report = opened.status()
        asked = service.calls["POST /v1/chat/completions"] - 1  # the probe
        assert (asked, report.files.failed) == (calls, 0)
        assert report.files.described == (2 if size > 1000 else 0)


class Watched(FakeOwnServer):
    """A server that keeps no schema, remembers how it was asked, and how many calls it had at once."""

    def __init__(self, state: Path, **settings: Any) -> None:
        super().__init__(state, **settings)
        self.asked: list[str] = []
        self.flying = self.most = 0

    def words(self, form: Json, prompt: str, caption: Caption) -> str:
        """Write down the form; whoever heeds none may talk at length."""
        self.asked.append(form.get("type", "prompt"))
        said = super().words(form, prompt, caption)
        return said if "{" in said else said * self.settings.get("talks", 1)

    def answer(self, call: Call) -> tuple[Reply, list[Fault]]:
        """Take a moment, and count who waits."""
        if call.path != "/chat/completions":
            return super().answer(call)
        with self.lock:
            self.flying += 1
            self.most = max(self.most, self.flying)
        time.sleep(self.settings.get("seconds", 0.0))
        said = super().answer(call)
        with self.lock:
            self.flying -= 1
        return said


def own(service: FakeService) -> Provider:
    """The provider that finds the server by its setting."""
    return SPEC.open(Opening({}, {"url": service.url}))


@pytest.mark.parametrize(
    ("schemas", "objects", "talks", "way"),
    [
        ("kept", "kept", 1, "json_schema"),
        ("ignored", "kept", 1, "json_object"),
        ("ignored", "kept", 99, "json_object"),
        ("refused", "kept", 1, "json_object"),
        ("ignored", "ignored", 1, "prompt"),
        ("ignored", "ignored", 99, "prompt"),
        ("refused", "refused", 1, "prompt"),
    ],
)
def test_the_way_that_works_is_found_by_one_question_each(
    schemas: str, objects: str, talks: int, way: str, tmp_path: Path
) -> None:
    """A server that answers 200 with prose though asked by a schema, at length or not, is seen through."""
    asked = Question("compatible", "qwen-vision", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    picture = next(SAMPLES.glob("*.jpg")).read_bytes()
    with Watched(tmp_path / "service", schemas=schemas, objects=objects, talks=talks) as service:
        provider = own(service)
        for number in range(2):
            row = provider.ask(Request(f"k{number}", asked, picture, "Describe it."))
            assert isinstance(row.outcome, Described), row.outcome
        provider.close()
    assert service.asked[-2:] == [way, way]
    assert len(service.asked) <= 3 + 2


@pytest.mark.parametrize(("slots", "told", "most"), [(7, "", 7), (None, "", 4), (7, "3", 3)])
def test_as_many_calls_are_out_as_the_server_takes(slots: int | None, told: str, most: int, tmp_path: Path) -> None:
    """What llama-server tells counts, as long as nobody has set a number; where nothing is told it is four.

    How long they took is what the next plan expects.
    """
    (tmp_path / "photos").mkdir()
    for number in range(24):
        Image.new("RGB", (80, 60), (number * 10, 90, 200)).save(tmp_path / "photos" / f"{number}.png")
    with Watched(tmp_path / "service", seconds=0.05, **({"slots": slots} if slots else {})) as service:
        environ = {"CAPTIONARY_COMPATIBLE_URL": service.url, **({"CAPTIONARY_CONCURRENCY": told} if told else {})}
        with Library.open(tmp_path / "library", seams=Seams(environ=environ)) as opened:
            opened.index([tmp_path / "photos"], provider="compatible", pilot=0, workers=0, one_per_burst=False)
            assert opened.status().files.described == 24
            Image.new("RGB", (80, 60), (5, 5, 5)).save(tmp_path / "photos" / "new.png")
            plan = opened.plan([tmp_path / "photos"], provider="compatible", workers=0, one_per_burst=False)
            assert plan.wait is not None
            assert (plan.wait.source, plan.wait.low_s > 0.01) == ("from earlier calls here", True)
    assert service.most == most


def test_two_services_of_one_wire_never_see_each_others_keys(tmp_path: Path) -> None:
    """One's own server describes what OpenAI's batch is out about: each key went to its own host, and nowhere else."""
    shops = [SHOPS["openai"], SHOPS["compatible"]]
    with SHOPS["openai"].service() as openai, services.FakeOwnServer() as ours:
        openai.key, ours.key = "sk-of-openai-0123456789", "key-of-the-house-0123456789"
        told = environ(shops[0], openai) | environ(shops[1], ours)
        with library(tmp_path / "library", told) as opened:
            pictures = photos(tmp_path / "photos", 2)
            opened.index([pictures], provider="openai", pilot=0, approve=True, wait=False)
            assert len(openai.jobs) == 1
            opened.index([pictures], provider="compatible", pilot=0, approve=True, wait=False)
            report = opened.collect(wait=True)
            assert (report.files.described, report.files.failed, report.jobs) == (2, 0, [])
        assert (openai.served.total(), ours.served.total() >= 2) == (2, True)
        for service, other in ((openai, ours), (ours, openai)):
            assert {call.headers["authorization"] for call in service.log} == {f"Bearer {service.key}"}
            assert not any(other.key.encode() in call.body for call in service.log)
