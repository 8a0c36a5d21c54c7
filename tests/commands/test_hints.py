"""Hints name only what exists: commands, options, extras, packages, variables, settings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from indexer import providers
from indexer.commands.index import cli as index
from indexer.providers.options import defaults
from indexer.storage.settings import Config
from search.cli import cli as search

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PROGRAMS: dict[str, click.Command] = {"index": index, "search": search}
_COMMAND = re.compile(r"(?<![\w./-])(index|search) (?=[^ ])([^;\"`\n(]*)")
_WORD = re.compile(r"^[a-z][a-z-]*$")
_PROSE = frozenset("it the a photos with again first of is one them on in for this that makes".split())  # noqa: SIM905
"""What may follow the verbs "index" and "search"; any other small word is the name of a command."""
_FOREIGN = frozenset(("--head", "--max-model-len", "--member", "--role", "--upgrade"))
"""Options of other programs: ray, vllm, gcloud, pip."""
_LITERAL = "X"


class Said(NamedTuple):
    """A text of the source for a person, its placeholders filled with an X."""

    where: str
    text: str


def _texts() -> Iterator[Said]:
    for package in ("indexer", "search"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.name == "schema.py":
                continue  # SQL has an INDEX of its own
            tree = ast.parse(file.read_text("utf-8"))
            skipped = {id(text) for node in ast.walk(tree) for text in _not_said(node)}
            for node in ast.walk(tree):
                if id(node) not in skipped and (text := _text(node)):
                    yield Said(f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text)


def _not_said(node: ast.AST) -> Iterator[ast.AST]:
    """Docstrings of what is no command, and the parts of a text that is taken as a whole."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield from node.values


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _LITERAL for part in node.values)
    return ""


SAID = list(_texts())


def _options(command: click.Command) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}


def _faults(program: str, rest: str) -> Iterator[str]:
    """What is wrong with a command as a hint spells it."""
    command, words = PROGRAMS[program], rest.split()
    known = _options(command)
    while isinstance(command, click.Group) and words and _WORD.match(words[0]):
        found = command.commands.get(words[0])
        if found is None:
            if words[0] not in _PROSE:
                yield f"{program} has no command {words[0]}"
            return
        command, words = found, words[1:]
        known |= _options(command)
    if isinstance(command, click.Group) and command is PROGRAMS[program] and "run" in command.commands:
        known |= _options(command.commands["run"])
    for word in words:
        option = re.match(r"--[a-z][a-z0-9-]*", word)
        if option and option[0] not in known:
            yield f"{program} {command.name} has no option {option[0]}"


def _everything(command: click.Command) -> Iterator[str]:
    yield from _options(command)
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _everything(each)


def test_every_command_that_is_named_exists() -> None:
    """With each of its options."""
    named = [(said, found) for said in SAID for found in _COMMAND.finditer(said.text)]
    assert len(named) > 50
    faults = [f"{said.where}: {fault}" for said, found in named for fault in _faults(found[1], found[2])]
    assert faults == []


def test_every_option_that_is_named_exists() -> None:
    """In some command; so does one that stands alone in a sentence."""
    known = _FOREIGN | {option for program in PROGRAMS.values() for option in _everything(program)}
    named = {
        (option, said.where) for said in SAID for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+\b", said.text)
    }
    assert len(named) > 100
    assert sorted(each for each in named if each[0] not in known) == []


def test_every_extra_and_package_that_is_named_exists() -> None:
    """Extras are of this project, installed from its folder: nobody but us has its name on the index of packages."""
    extras = PROJECT["optional-dependencies"]
    told = [(said.where, name) for said in SAID for name in re.findall(r"\[([a-z]+)\](?=')", said.text)]
    assert len(told) >= 4
    assert [each for each in told if each[1] not in extras] == []
    asked = [(said.where, what) for said in SAID for what in re.findall(r"pip install (?:-+\w+ )*(\S+)", said.text)]
    ours = {*(re.split(r"[<>=\[]", name)[0] for name in PROJECT["dependencies"]), "constraints.txt", _LITERAL}
    assert asked
    assert [(where, what) for where, what in asked if not what.startswith("'.[") and what not in ours] == []


def test_every_variable_that_is_named_is_read() -> None:
    """Each CAPTIONARY_ variable is a setting, or is read somewhere."""
    settings = {f"CAPTIONARY_{field.name.upper()}" for field in fields(Config)}
    settings |= {f"CAPTIONARY_{spec.name}_{option}".upper() for spec in providers.specs() for option in defaults(spec)}
    read = {said.text for said in SAID}
    named = {(name, said.where) for said in SAID for name in re.findall(r"\bCAPTIONARY_[A-Z_]*[A-Z]\b", said.text)}
    assert sorted((name, where) for name, where in named if name not in settings and name not in read) == []


def test_every_table_of_settings_that_is_named_exists() -> None:
    """`[gemini]` in a hint is a table of a provider, or one of our own."""
    tables = {*providers.names(), *(field.name for field in fields(Config)), "table", "inbox"}
    named = {
        (name, said.where) for said in SAID for name in re.findall(r"(?:under|in|with|fix) \[([a-z]+)\]", said.text)
    }
    assert named
    assert sorted(each for each in named if each[0] not in tables) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("index colect --wait", "index has no command colect"),
        ("index collect --for-ever", "index collect has no option --for-ever"),
        ("index tags lst", "index has no command lst"),
        ("search --colour", "search cli has no option --colour"),
        ("index ~/Photos --provider best --deadline 6h", ""),
        ("index tags merge dog dogs", ""),
        ("index it first", ""),
    ],
)
def test_a_name_of_nothing_is_seen(text: str, fault: str) -> None:
    """The tests above can fail."""
    found = _COMMAND.fullmatch(text)
    assert found
    assert "; ".join(_faults(found[1], found[2])) == fault
