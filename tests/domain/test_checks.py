"""Verdicts are a pure function of answer and rules, and nothing is approved that was not answered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from indexer.domain.checks import APPROVE, CATEGORIES, HUMAN, LEVELS, REJECT, read_checks
from indexer.domain.errors import UsageError
from indexer.domain.presets import PRESETS

RULES = read_checks('[moderation]\nreject = ["sexual:high"]\nhuman = ["sexual:low"]\n[[check]]\nname = "ok"\nask = "?"')


def answer(**told: Any) -> dict[str, Any]:
    """An answer without a fault, but for what is told."""
    fine = {f"moderation_{name}": "none" for name in CATEGORIES} | {"check_ok": True}
    return {**fine, **told}


@pytest.mark.parametrize(
    ("told", "decision"),
    [
        ({}, APPROVE),
        ({"moderation_sexual": "high"}, REJECT),
        ({"moderation_sexual": "HIGH "}, REJECT),
        ({"moderation_sexual": "low"}, HUMAN),
        ({"moderation_hate": "very"}, HUMAN),
        ({"moderation_hate": None}, HUMAN),
        ({"check_ok": "perhaps"}, HUMAN),
        ({"check_ok": "false"}, APPROVE),
    ],
)
def test_an_answer_is_decided_by_the_rules(told: dict[str, Any], decision: str) -> None:
    """Levels count upwards, rejecting wins, and what was not answered is for a person."""
    found, reasons = RULES.decide(answer(**told))
    assert found == decision
    assert bool(reasons) == (decision != APPROVE)


def test_an_answer_without_a_word_on_moderation_is_for_a_person() -> None:
    """Pixels know nothing of it: nobody is rejected for what nobody looked at."""
    decision, reasons = RULES.decide({"source": "pixels"})
    assert decision == HUMAN
    assert "sexual was not answered" in reasons


@given(
    some.dictionaries(
        some.sampled_from([f"moderation_{name}" for name in CATEGORIES]),
        some.text("nohigelw ", max_size=6) | some.none(),
    )
)
def test_no_answer_is_approved_that_lacks_a_level(told: dict[str, Any]) -> None:
    """Whatever a model writes."""
    decision, _ = RULES.decide({"check_ok": True, **told})
    whole = all((told.get(f"moderation_{name}") or "").strip().lower() in LEVELS for name in CATEGORIES)
    assert decision != APPROVE or whole


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_read(name: str) -> None:
    """Each has rules and questions."""
    checks = read_checks(PRESETS[name])
    assert checks.reject
    assert checks.checks


def test_a_fault_names_its_line() -> None:
    """The line, the part and the fix."""
    text = '# mine\n[moderation]\nreject = ["sexual:high"]\n\n[[check]]\nname = "a"\nask = "?"\n[[check]]\nname = "B"'
    with pytest.raises(UsageError, match=r"line 8: check 2") as caught:
        read_checks(text)
    assert caught.value.hint
    with pytest.raises(UsageError, match="line 2"):
        read_checks('[inbox]\nkeep = "soon"')
