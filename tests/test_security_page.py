"""SECURITY.md promises only what a test holds: each test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "SECURITY.md").read_text("utf-8"))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_sentence_names_a_test_that_is_there(file: str, name: str) -> None:
    """By its file and its name."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_point_names_one() -> None:
    """No point of a list stands without a test."""
    points = [line for line in (ROOT / "SECURITY.md").read_text("utf-8").splitlines() if line.startswith("- ")]
    assert len(points) > 15
    assert [point for point in points if "::test_" not in point] == []
