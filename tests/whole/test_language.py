"""In another language than English, an English description is asked for as well: the encoder knows English only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, ENGLISH_FIELD, in_language
from indexer.domain.question import Question, Settings
from indexer.ledger.store import Ledger
from indexer.pipeline.resolve import Surroundings, make_ask
from indexer.providers.local.adapter import Local
from indexer.storage.settings import Config

ENGLISH = Question("gemini", "m", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)


def spoken(question: Question, language: str) -> Question:
    """The question in another language."""
    return in_language(replace(question, settings=Settings(language=language)))


def test_another_language_asks_for_english_as_well() -> None:
    """Prompt and schema name the field, and the schema requires it."""
    german = spoken(ENGLISH, "German")
    schema = json.loads(german.schema)
    assert ENGLISH_FIELD in german.template
    assert german.template.startswith(DEFAULT_TEMPLATE)
    assert ENGLISH_FIELD in schema["properties"]
    assert ENGLISH_FIELD in schema["required"]
    assert set(schema["required"]) == {*json.loads(DEFAULT_SCHEMA)["required"], ENGLISH_FIELD}


@pytest.mark.parametrize("language", ["English", "english", " en "])
def test_english_is_asked_as_ever_and_again_after_another(language: str) -> None:
    """Going back to English finds the answers that were bought before."""
    assert spoken(ENGLISH, language).template == DEFAULT_TEMPLATE
    back = spoken(spoken(ENGLISH, "German"), language)
    assert (back.template, back.schema) == (DEFAULT_TEMPLATE, DEFAULT_SCHEMA)


def test_what_a_person_wrote_stays() -> None:
    """An own prompt and an own schema are asked as they are."""
    own = replace(ENGLISH, template="Say it.", schema='{"type":"object"}')
    assert replace(spoken(own, "German"), settings=own.settings) == own


def test_the_option_leads_to_the_question(tmp_path: Path) -> None:
    """`--language` is all that a user says."""
    ledger = Ledger.open(tmp_path)
    around = Surroundings(lambda _: Local().spec, lambda _: Local(), {}, lambda _: None)
    asked = make_ask(ledger, [tmp_path], {"provider": "local", "language": "German"}, Config(), around)
    ledger.close()
    assert asked.question == spoken(asked.question, "German")
    assert ENGLISH_FIELD in asked.question.schema
