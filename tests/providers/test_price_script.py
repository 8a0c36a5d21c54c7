"""The script that brings the price table up to date: what the public map says, and nothing it does not."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from indexer.providers.prices import TABLE, read_table

SCRIPT = Path(__file__).parents[2] / "docs" / "prices.py"
TODAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script as a module."""
    found = importlib.util.spec_from_file_location("price_script", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def table(*models: dict[str, Any]) -> dict[str, Any]:
    """Return a table of these models."""
    return {"read_on": "2026-11-22", "retirements": {}, "models": list(models)}


def test_prices_and_shutdown_days_are_taken_over(script: ModuleType) -> None:
    """A batch price of its own counts, a missing one is half; what is not in the map is kept and told."""
    luna = {"provider": "openai", "model": "luna", "standard": [1, 2, 0.1], "batch": [0.5, 1, 0.05]}
    small = {"provider": "mistral", "model": "small", "standard": [1, 2], "batch": [0.5, 1.0]}
    mine = {"provider": "openai", "model": "mine", "standard": [1, 2]}
    public = {
        "luna": {
            "input_cost_per_token": 2e-7,
            "input_cost_per_token_batches": 9e-8,
            "output_cost_per_token": 4e-7,
            "cache_read_input_token_cost": 2e-8,
            "deprecation_date": "2027-01-01",
        },
        "mistral/small": {"input_cost_per_token": 1.5e-7, "output_cost_per_token": 6e-7},
    }
    new, told = script.updated(table(luna, small, mine), public, TODAY)
    by_name = {entry["model"]: entry for entry in new["models"]}
    assert by_name["luna"]["standard"] == [0.2, 0.4, 0.02]
    assert by_name["luna"]["batch"] == [0.09, 0.2, 0.01]
    assert by_name["small"] == {**small, "standard": [0.15, 0.6], "batch": [0.075, 0.3]}
    assert by_name["mine"] == mine
    assert new["retirements"] == {"luna": "2027-01-01"}
    assert new["read_on"] == "2026-12-01"
    assert "mine: not in the map, kept" in told
    assert any(line.startswith("luna batch") for line in told)


def test_a_dated_rise_stays(script: ModuleType) -> None:
    """The map knows today only."""
    now = {"provider": "gemini", "model": "flash", "standard": [1, 2]}
    later = {"provider": "gemini", "model": "flash", "since": "2027-01-01", "standard": [2, 4]}
    public = {"gemini/flash": {"input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6}}
    new, _ = script.updated(table(now, later), public, TODAY)
    assert [entry["standard"] for entry in new["models"]] == [[3.0, 4.0], [2, 4]]
    new, _ = script.updated(table(now, later), public, date(2027, 2, 1))
    assert [entry["standard"] for entry in new["models"]] == [[1, 2], [3.0, 4.0]]


def test_what_it_writes_is_the_table_that_is_shipped(script: ModuleType) -> None:
    """One model a line, so that a change is a line in a diff."""
    text = script.TABLE.read_text("utf-8")
    assert script.written(json.loads(text)) == text
    assert read_table(text) == TABLE
