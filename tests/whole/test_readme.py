"""The README promises what runs: its commands, its Python, its files and figures."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest

from indexer.commands.index import cli
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE
from indexer.domain.question import Question
from indexer.providers import spec
from indexer.providers.pricing import Pricing
from indexer.storage.settings import read_config
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
NOVEMBER = date(2026, 11, 24)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's home: photos, no key, no library."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(SAMPLES, folder / "Photos")
    return folder


def run(home: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command at home, the programs on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # The encoder's cache is shared, or every test would export the model again.
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    env = environment(PATH=path, HOME=str(home), XDG_CACHE_HOME=cache)
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize("line", [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()])
def test_every_command_runs_for_a_newcomer(home: Path, line: str) -> None:
    """In the order of the page; only the search by a tag that nobody gave finds nothing."""
    done = run(home, ["bash", "-c", line])
    assert done.returncode == ("--tag" in line), done.stderr
    assert "Traceback" not in done.stderr


def test_the_way_with_a_key_runs_line_by_line(home: Path, emulator: Emulator) -> None:
    """The same photos, now with a key, before a service that behaves as Gemini: plan, then descriptions."""
    text = next(text for kind, text in BLOCKS if kind == "text" and "export GEMINI_API_KEY" in text)
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    assert lines[1:] == ["index ~/Photos --dry-run", "index ~/Photos"]
    assert run(home, ["bash", "-c", "index ~/Photos"]).returncode == 0
    keyed = f"export GEMINI_API_KEY=test GOOGLE_GEMINI_BASE_URL={emulator.url}; "
    planned = run(home, ["bash", "-c", keyed + lines[1]])
    assert (planned.returncode, "11 to describe, 0 already described" in planned.stderr) == (0, True)
    done = run(home, ["bash", "-c", f"{keyed}{lines[2]} --yes"])
    assert (done.returncode, "11 described" in done.stdout) == (0, True)


@pytest.mark.parametrize("program", [text for kind, text in BLOCKS if kind == "python"])
def test_the_python_runs_and_finds_the_cup(home: Path, program: str) -> None:
    """Pasted as it stands, it indexes eleven photos and prints the red cup first."""
    done = run(home, [sys.executable, "-c", program])
    assert done.returncode == 0, done.stderr
    count, first = done.stdout.splitlines()[:2]
    assert count == "11 photos"
    assert "coffee_cup.jpg" in first


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "toml"])
def test_the_settings_are_settings(tmp_path: Path, text: str) -> None:
    """The example of captionary.toml is accepted as it stands."""
    (tmp_path / "captionary.toml").write_text(text)
    assert read_config(tmp_path, {}).budget_total == 50.0


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`index ([a-z]+)(?=[ `])", README))))
def test_every_named_command_exists(name: str) -> None:
    """What the text calls a command is one."""
    assert name in cli.commands


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^make (\w+)", README, re.MULTILINE))))
def test_every_named_target_exists(name: str) -> None:
    """What the text makes, the Makefile knows, with a word on what it is for."""
    assert re.search(rf"^{name}:.*## \w", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("photos", [1_000, 100_000])
def test_the_price_table_is_the_one_that_plans_use(photos: int) -> None:
    """Each figure is what the program would say, rounded."""
    question = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    pricing = Pricing(spec, NOVEMBER)
    batch, calls = (pricing.quote(question, mode) for mode in (Mode.BATCH, Mode.INTERACTIVE))
    digits = 2 if photos == 1_000 else 0
    told = [batch.likely.low, batch.likely.high, calls.likely.low, calls.likely.high, batch.high_usd]
    low, high, call_low, call_high, most = (f"${value * photos:.{digits}f}" for value in told)
    assert f"| {photos:,} | {low} to {high} | {call_low} to {call_high} | {most} |" in README


@pytest.mark.parametrize("name", ["LICENSE", "CHANGELOG.md", "SECURITY.md"])
def test_the_papers_are_there(name: str) -> None:
    """Licence, changes and security travel with the code."""
    assert (ROOT / name).stat().st_size > 400


def test_the_changes_begin_with_this_version() -> None:
    """The newest entry is that of the version in pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == version
