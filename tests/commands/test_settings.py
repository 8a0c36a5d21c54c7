"""`index config` and `index completion`, the latter in real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment, index
from tests.support.terminal import Terminal

BIN = Path(sys.executable).parent


def test_the_place_is_told_before_there_is_a_library(tmp_path: Path) -> None:
    """So that settings can be written before the first run; nothing is made."""
    place = tmp_path / "library"
    assert index("--library", place, "config", "path").out == f"{place}\n"
    told = index("config", "path", "--json", env={"CAPTIONARY_LIBRARY": str(place)}).json
    assert told == {"library": str(place), "settings": str(place / "captionary.toml")}
    assert not place.exists()


def test_every_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    """A variable wins over the file, the file over the default."""
    file = tmp_path / "captionary.toml"
    file.write_text("budget = 3\nconcurrency = 7\n[gemini]\ntier = 2\n")
    env = {"CAPTIONARY_BUDGET": "5", "CAPTIONARY_GEMINI_SCHEMA_FIELD": "response_schema"}
    done = index("--library", tmp_path, "config", "show", "--json", env=env)
    found = {one["name"]: (one["value"], one["source"]) for one in done.json}
    assert found["budget"] == (5.0, "CAPTIONARY_BUDGET")
    assert found["concurrency"] == (7, str(file))
    assert found["gemini.tier"] == (2, str(file))
    assert found["gemini.schema_field"] == ("response_schema", "CAPTIONARY_GEMINI_SCHEMA_FIELD")
    assert found["most_tags"][1] == "default"
    assert "budget " in index("--library", tmp_path, "config", "show", env=env).out


def test_further_accounts_are_told_by_their_variables(tmp_path: Path) -> None:
    """And no key is."""
    (tmp_path / "captionary.toml").write_text('[accounts]\nopenai = ["LAB_OPENAI_API_KEY"]\n')
    done = index("--library", tmp_path, "config", "show", "--json", env={"LAB_OPENAI_API_KEY": "key-of-the-lab"})
    found = {one["name"]: (one["value"], one["source"]) for one in done.json}
    assert found["accounts.openai"] == (["LAB_OPENAI_API_KEY"], str(tmp_path / "captionary.toml"))
    assert "key-of-the-lab" not in done.out


def test_a_misspelt_setting_is_met_with_the_nearest(tmp_path: Path) -> None:
    """Exit 2, the name as it stands, and the one that was meant."""
    (tmp_path / "captionary.toml").write_text("budgt = 3\n")
    done = index("--library", tmp_path, "config", "show")
    assert (done.code, "'budgt'" in done.err, "did you mean: budget" in done.err) == (2, True, True)
    done = index("--library", tmp_path / "none", "config", "show", env={"CAPTIONARY_BUDGT": "3"})
    assert (done.code, "CAPTIONARY_BUDGET" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["colect"], "did you mean: index collect"),
        (["run", "--dryrun", "/"], "did you mean: --dry-run"),
        (["export", "--format", "jsnl", "--to", "x"], "did you mean: jsonl"),
        (["run", "--mode", "bach", "/"], "did you mean: batch"),
        (["tags", "renam", "a", "b"], "did you mean: rename"),
        (["retry", "--only", "truncatd"], "did you mean: truncated"),
        (["completion", "bsh"], "did you mean: bash"),
    ],
)
def test_a_misspelt_word_is_met_with_the_nearest(tmp_path: Path, arguments: list[str], meant: str) -> None:
    """Commands, options and their values."""
    place = tmp_path / "library"
    if arguments[0] == "retry":
        index("--library", place, "rebuild")
        (place / "x").parent.mkdir(exist_ok=True)
        index("--library", place, "--provider", "local", tmp_path)
    done = index("--library", place, *arguments)
    assert (done.code, meant in done.err.splitlines()[-1]) == (2, True), done.err


def on_path() -> dict[str, str]:
    """An environment in which a shell finds our commands."""
    return environment(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}", TERM="dumb")


COMPLETED = [("index sta", "status"), ("index export --for", "--format"), ("search --colla", "--collapse")]


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_bash_completes(typed: str, completed: str) -> None:
    """The function that `complete` was given answers with the word."""
    program, *words = typed.split()
    code = f"""eval "$(index completion bash)"
    compopt() {{ :; }}; COMP_WORDS=({typed}) COMP_CWORD={len(words)}
    _{program}_completion {program}; echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", code], env=on_path(), capture_output=True, text=True, check=False)
    assert completed in done.stdout.split(), done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_fish_completes(typed: str, completed: str) -> None:
    """As fish itself lists what it would offer."""
    code = f"index completion fish | source; complete -C '{typed}'"
    done = subprocess.run(["fish", "-c", code], env=on_path(), capture_output=True, text=True, check=False)
    assert completed in done.stdout.split(), done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_zsh_completes(tmp_path: Path, typed: str, completed: str) -> None:
    """With the Tab key, in a shell on a terminal."""
    start = "autoload -Uz compinit; compinit -u -D; eval \"$(index completion zsh)\"; echo lo''aded"
    with Terminal(["zsh", "-f"], env=on_path(), cwd=tmp_path) as shell:
        shell.type(f"{start}\n")
        shell.until("\nloaded")
        shell.type(f"{typed}\t")
        whole = typed[: -len(typed.split()[-1])] + completed
        shell.until(lambda text: whole in text)
