"""What `--help`, the manual pages and the README say of the commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from indexer.commands.index import cli
from indexer.commands.manual import commands, man_pages, table, with_table
from search.cli import cli as search

ROOT = Path(__file__).parents[2]
PROGRAMS = (("index", cli), ("search", search))
COMMANDS = [pair for program in PROGRAMS for pair in commands(*program)]
INSIDER = re.compile(r"\b(lane|lanes|works|purse|ask of|mend|tuple|kwarg|stdin is|emulator|adapter|shard)\b")


def helped(name: str, command: click.Command) -> str:
    """What `--help` prints on a terminal of 80 columns."""
    with click.Context(command, info_name=name, terminal_width=80, help_option_names=["-h", "--help"]) as context:
        return command.get_help(context)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_help_fits_and_shows_an_example(name: str, command: click.Command) -> None:
    """At most 80 columns, an example that begins with the command's own words, no insider's word."""
    text = helped(name, command)
    assert max(map(len, text.splitlines())) <= 80
    examples = text.partition("Example")[2]
    program = name.replace("index run", "index")
    assert re.search(rf"^ +(.*[|(] ?)?{program}\b", examples, re.MULTILINE), text
    assert not INSIDER.search(text)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_is_explained(name: str, command: click.Command) -> None:
    """No option stands without a sentence."""
    for param in command.params:
        assert not isinstance(param, click.Option) or param.help, f"{name} {param.name}"


def test_the_table_of_the_readme_is_the_one_of_the_commands() -> None:
    """Whoever changes a command runs `make docs`."""
    text = (ROOT / "README.md").read_text("utf-8")
    assert with_table(text, table(*PROGRAMS)) == text


def test_the_manual_pages_are_those_of_the_commands() -> None:
    """Nothing missing, nothing left over, nothing old."""
    found = {page.name: page.read_text() for page in (ROOT / "docs" / "man").iterdir()}
    assert found == dict(man_pages(*PROGRAMS))


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
@pytest.mark.parametrize("page", ["index.1", "index-run.1", "search.1"])
def test_man_reads_the_pages(page: str) -> None:
    """Without a warning, with the examples as they stand in the help."""
    done = subprocess.run(
        ["man", "--warnings", "-l", ROOT / "docs" / "man" / page],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Examples:" in done.stdout
