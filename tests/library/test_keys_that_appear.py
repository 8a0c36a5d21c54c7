"""From keyless to key and back: what is planned, what is told, and what needs no key."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, FIRST_TEMPLATE
from indexer.domain.question import Question
from indexer.ledger.store import Ledger
from indexer.ledger.views import counts, prompts
from indexer.ledger.work import questions
from indexer.pipeline.resolve import Surroundings, in_force, make_ask
from indexer.providers import spec
from indexer.providers.local import SPEC
from indexer.providers.local.adapter import Local
from indexer.storage.settings import Config
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index, search


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "cat_face", "coffee_cup"):
        shutil.copy(SAMPLES / f"{name}.jpg", folder)
    return folder


def test_a_key_that_has_appeared_is_used(tmp_path: Path, emulator: Emulator, photos: Path) -> None:
    """The same command first without a key, then with one: the photos are planned, told, and described."""
    place = ("--library", tmp_path / "library")
    env = {"GEMINI_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    first = index(*place, photos)
    assert (first.code, "3 new, 3 indexed" in first.out) == (0, True)
    planned = index(*place, photos, "--dry-run", env=env)
    assert "GEMINI_API_KEY is set: gemini can now describe the photos" in planned.err
    assert "3 photos: 3 to describe, 0 already described" in planned.err
    told = index(*place, photos, "--yes", "--mode", "interactive", env=env)
    assert (told.code, "3 described" in told.out) == (0, True)
    again = index(*place, photos, env=env)
    assert "GEMINI_API_KEY" not in again.err
    assert "nothing changed in 3 photos, 3 described, $0.00" in again.out
    local = index(*place, photos, "--provider", "local", env=env)
    assert (local.code, local.err) == (0, "")


def test_without_its_key_a_described_library_does_what_needs_no_request(
    tmp_path: Path, emulator: Emulator, photos: Path
) -> None:
    """Moves are followed and searches work; only a new photo needs the key, and is searchable by its facts."""
    place = ("--library", tmp_path / "library")
    env = {"GEMINI_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    assert index(*place, photos, "--yes", "--mode", "interactive", env=env).code == 0
    (photos / "cat_face.jpg").rename(photos / "moved.jpg")
    moved = index(*place, photos)
    assert moved.code == 0, moved.err
    assert "1 moved, 3 described, $0.00" in moved.out
    assert search(*place, "--in", photos / "moved.jpg").code == 0
    shutil.copy(SAMPLES / "dogs_window.jpg", photos)
    new = index(*place, photos)
    assert (new.code, "GEMINI_API_KEY" in new.err) == (1, True)
    assert search(*place, "dogs_window").out == f"{photos / 'dogs_window.jpg'}\n"
    assert (
        index(*place, "status", "--json").json["files"] | {"seen": 4, "pending": 1}
        == (index(*place, "status", "--json").json["files"])
    )


def test_a_provider_that_was_never_asked_needs_its_key_at_once(tmp_path: Path, photos: Path) -> None:
    """Nothing is read before the missing key is told."""
    done = index("--library", tmp_path / "library", photos, "--provider", "gemini")
    assert (done.code, "GEMINI_API_KEY" in done.err) == (1, True)


def test_what_an_extra_adds_is_used_once_it_is_installed(tmp_path: Path) -> None:
    """The keyless provider costs nothing, so the plain command goes on with the best that it can be."""
    ledger = Ledger.open(tmp_path)
    run = counts.begin_run(ledger, "run")
    with ledger.transaction("asked") as transaction:
        number = questions.question_id(transaction, Question("local", "pixels-1", "Say it.", "{}"))
        counts.record_asked(transaction, run, number, Mode.INTERACTIVE)
    around = Surroundings(lambda _: replace(SPEC, default_model="pixels-2"), lambda _: Local(), {}, lambda _: None)
    asked = make_ask(ledger, [tmp_path], {}, Config(), around).question
    ledger.close()
    assert (asked.model, asked.template) == ("pixels-2", "Say it.")


@pytest.mark.parametrize(
    ("asked", "prompt"),
    [
        ([], DEFAULT_TEMPLATE),
        ([("local", FIRST_TEMPLATE)], DEFAULT_TEMPLATE),
        ([("gemini", FIRST_TEMPLATE)], FIRST_TEMPLATE),
        ([("local", FIRST_TEMPLATE), ("gemini", FIRST_TEMPLATE)], FIRST_TEMPLATE),
        ([("gemini", FIRST_TEMPLATE), ("openai", "Say it.")], "Say it."),
        ([("gemini", "Say it."), ("nobody-here", FIRST_TEMPLATE)], FIRST_TEMPLATE),
    ],
)
@pytest.mark.parametrize("chosen", [True, False])
def test_a_model_is_asked_as_the_library_has_asked_before(
    tmp_path: Path, asked: list[tuple[str, str]], prompt: str, *, chosen: bool
) -> None:
    """By the newest default where none was asked yet; a run that ended before it could choose has asked as well."""
    ledger = Ledger.open(tmp_path)
    for provider, template in asked:
        question, run = Question(provider, "m", template, DEFAULT_SCHEMA), counts.begin_run(ledger, "run")
        with ledger.transaction("asked") as transaction:
            counts.record_asked(transaction, run, questions.question_id(transaction, question), Mode.INTERACTIVE)
            if chosen:
                prompts.choose_question(transaction, question)
    assert in_force(ledger, spec) == (prompt, DEFAULT_SCHEMA)
    ledger.close()
