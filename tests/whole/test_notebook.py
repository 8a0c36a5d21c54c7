"""The tour runs from top to bottom, and is kept without what it printed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TOUR = Path(__file__).parents[2] / "notebooks" / "tour.ipynb"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A kernel that is this very Python, whatever kernels the machine has."""
    home = tmp_path / "kernels" / "tour"
    home.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (home / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "tour", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in [name for name in os.environ if name.startswith(("GEMINI_", "GOOGLE_", "CAPTIONARY_"))]:
        monkeypatch.delenv(name)
    return "tour"


@pytest.mark.filterwarnings("default")
def test_the_tour_runs(kernel: str) -> None:
    """Every cell runs; the tour counts eleven photos and finds the cup, the dogs and the astronaut first."""
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=240, kernel_name=kernel, resources={"metadata": {"path": TOUR.parent}}).execute()
    shown = "".join(  # a stream may come in several pieces, cut anywhere
        output.get("text") or output.get("data", {}).get("text/plain", "") + "\n"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "described=11" in shown
    lines = shown.splitlines()
    for query, name in (("red espresso", "coffee_cup"), ("two dogs", "dogs_window"), ("orange space", "astronaut")):
        place = next(number for number, line in enumerate(lines) if query in line)
        assert name in lines[place + 1]


def test_the_tour_is_kept_clean() -> None:
    """No outputs and no run counts in the repository."""
    cells = [cell for cell in nbformat.read(TOUR, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
