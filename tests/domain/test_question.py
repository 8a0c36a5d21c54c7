"""Work keys: what was given once never changes, whatever settings come later."""

from __future__ import annotations

from dataclasses import fields, make_dataclass, replace

import pytest

from indexer.domain.checks import Checks
from indexer.domain.keys import canonical_json
from indexer.domain.prompts import DEFAULT_TEMPLATE, EDITIONS, FIRST_TEMPLATE, edition_of, in_language
from indexer.domain.question import Question, Settings, prompt_version

PHOTO = "0" * 64
GERMAN = Settings(language="German")
DEFAULT = Question("gemini", "gemini-3.5-flash-lite", "Describe it.", "{}")


@pytest.mark.parametrize(
    ("question", "key"),
    [
        (DEFAULT, "d450c1fdf40fb690d859"),
        (replace(DEFAULT, settings=Settings(language="German")), "1bf7e4f816517ce50f31"),
        (
            replace(
                DEFAULT,
                model="gemini-2.5-flash",
                settings=Settings(
                    media_resolution="high", thinking="low", temperature=0.0, max_output_tokens=256, language="English"
                ),
            ),
            "97727570bb1a3a73091f",
        ),
        (Question("local", "pixels-1", "Describe it.", "{}"), "c6c95a8391de695340e7"),
        (Question("openai", "gpt-6-luna", "Describe it.", "{}"), "fbac54b08f0fe0b0cbe6"),
        (Question("anthropic", "claude-haiku-5-5", "Describe it.", "{}"), "aedc0c433dcc9e8f5815"),
        (Question("mistral", "mistral-small-2603", "Describe it.", "{}"), "ab2ecab115c0561ed4aa"),
        (Question("deepseek", "deepseek-flash", "Describe it.", "{}"), "2bc7dbbccfbd702f9fe3"),
        (Question("openrouter", "cheap/vision", "Describe it.", "{}"), "1ae4ac6603393af90dab"),
        (Question("compatible", "qwen-vision", "Describe it.", "{}"), "0c10cc5358a9d0d04746"),
    ],
)
def test_a_key_that_was_given_stays(question: Question, key: str) -> None:
    """The first four are those of version 0.1.0; every provider has one here."""
    assert question.work_key(PHOTO) == key


def test_the_versions_of_texts_stay() -> None:
    """They are part of every key."""
    assert (DEFAULT.prompt_version, DEFAULT.schema_version) == ("7934599c71c1", "99a607d2aaa1")


@pytest.mark.parametrize(
    ("template", "version"),
    [
        (FIRST_TEMPLATE, "56d2fe1b1436"),
        (in_language(replace(DEFAULT, template=FIRST_TEMPLATE, settings=GERMAN)).template, "4b1f23bfa064"),
        (DEFAULT_TEMPLATE, "c0c395516e54"),
        (in_language(replace(DEFAULT, template=DEFAULT_TEMPLATE, settings=GERMAN)).template, "f436adb5a5cd"),
        (Checks().template, "c3a3158a43f5"),
    ],
)
def test_a_prompt_that_was_asked_with_stays(template: str, version: str) -> None:
    """Each edition of the default prompt, in both forms, and that of the inbox: a letter more buys all again."""
    assert prompt_version(template) == version


def test_going_to_another_language_keeps_the_edition() -> None:
    """What was bought with an older edition is found again on the way back."""
    for edition in EDITIONS:
        asked = replace(DEFAULT, template=edition)
        german = in_language(replace(asked, settings=GERMAN))
        assert edition_of(german.template) == edition != german.template
        assert in_language(replace(german, settings=Settings())).template == edition


def test_a_later_setting_changes_no_key_while_it_has_its_default() -> None:
    """Only where it differs from its default does it stand in the key."""
    first = [(each.name, each.type, each.default) for each in fields(Settings)]
    later = make_dataclass("Later", [*first, ("sharpness", int, 3)], frozen=True)
    assert _names(later()) == DEFAULT.settings_json()
    assert _names(later(sharpness=4)) != DEFAULT.settings_json()


def _names(settings: object) -> str:
    """What `settings_json` says of settings of another class."""
    return Question("p", "m", "", "{}", settings).settings_json()  # type: ignore[arg-type]


def test_settings_are_named_in_one_way() -> None:
    """The text is canonical JSON of all first settings."""
    told = {each.name: each.default for each in fields(Settings)}
    assert DEFAULT.settings_json() == canonical_json(told)
