"""The recipes of docs/recipes.md run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from search import Index
from tests.support.commands import SAMPLES, environment, index

RECIPES = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)^```", RECIPES, re.DOTALL | re.MULTILINE))
SHOWN = {
    "pandas": ("megapixels", ".jpg"),
    "DuckDB": ("tag", "n"),
    "Hugging Face datasets": ("Image(", "("),
    "A web service with FastAPI": ("200", "coffee_cup.jpg"),
    "asyncio": ("coffee_cup.jpg", "dogs_window.jpg"),
    "Progress, notes and logging": ("11",),
}
NEEDS = {
    "pandas": "pandas",
    "DuckDB": "duckdb",
    "Hugging Face datasets": "datasets",
    "A web service with FastAPI": "fastapi",
}
_CALL = """
from fastapi.testclient import TestClient

answer = TestClient(app).get("/search", params={"q": "a red espresso cup"})
print(answer.status_code, answer.json()[0]["path"])
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A keyless library of the sample pictures."""
    folder = tmp_path_factory.mktemp("recipes") / "library"
    assert index("--library", folder, "--provider", "local", SAMPLES).code == 0
    return folder


@pytest.mark.parametrize("name", SHOWN)
def test_a_recipe_runs_as_it_stands(library: Path, name: str) -> None:
    """Pasted into a file it prints what it promises."""
    if find_spec(NEEDS.get(name, "indexer")) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    code = BLOCKS[name] + (_CALL if "FastAPI" in name else "")
    env = environment(CAPTIONARY_LIBRARY=str(library), HF_DATASETS_OFFLINE="1")
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in SHOWN[name]:
        assert word in done.stdout


def test_every_recipe_is_run() -> None:
    """None is left out above."""
    assert set(BLOCKS) == set(SHOWN)


def test_the_columns_are_those_of_the_table(library: Path) -> None:
    """What the page lists is there; what it leaves out is named as ours."""
    listed = set(re.findall(r"`(\w+)`", re.findall(r"^\| column.*?\n\n", RECIPES, re.DOTALL | re.MULTILINE)[0]))
    there = set(Index.open(library).to_arrow().column_names)
    assert listed <= there
    assert {"terms", "digest"} == there - listed
