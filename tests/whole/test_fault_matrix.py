"""Whatever a service does, the books balance; `make faults` plays every case, the ordinary run a spread of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.whole.fault_matrix import CASES, Case, play

ALL = bool(os.environ.get("CAPTIONARY_TEST_ALL_FAULTS"))
SPREAD = {"gemini": 4, "openai": 4, "deepseek": 20, "openrouter": 20, "compatible": 20}
OTHERS = 12  # what all services share is proven by the first two
PLAYED = [
    (provider, case)
    for provider, cases in CASES.items()
    for case in cases[:: 1 if ALL else SPREAD.get(provider, OTHERS)]
]


@pytest.mark.parametrize(("provider", "case"), PLAYED, ids=[f"{name} {case.name}" for name, case in PLAYED])
@pytest.mark.filterwarnings("ignore:.*is not a valid")
def test_the_books_balance_whatever_the_service_does(provider: str, case: Case, tmp_path: Path) -> None:
    """Every photo ends described or failed for its reason, and nothing is served in vain but what the fault forces."""
    assert play(provider, case, tmp_path).faults == ""
