"""`index config`: where the library lies and what is set; `index completion`: words completed by the shell."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere

_PROGRAMS = ("index", "search")
_SHELLS = ("bash", "zsh", "fish")


@click.group()
def config() -> None:
    """Show where the library is and what is set.

    Settings come from an option, else from a variable CAPTIONARY_NAME, else
    from captionary.toml in the library.

    \b
    Examples:
      index config path
      index config show
    """


@config.command("path")
@everywhere
@click.pass_context
def show_path(context: click.Context, /, **options: Any) -> int:
    """Print the folder of the library.

    \b
    Example:
      cd "$(index config path)"
    """
    from indexer.storage.layout import SETTINGS_FILE
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    folder = call.place
    told = {"library": os.fspath(folder), "settings": os.fspath(folder / SETTINGS_FILE)}
    click.echo(json.dumps(told) if call.as_json else for_terminal(told["library"]))
    return 0


@config.command("show")
@everywhere
@click.pass_context
def show_settings(context: click.Context, /, **options: Any) -> int:
    """Print every setting, its value and where it was set.

    \b
    Example:
      index config show
    """
    from indexer.library.configuration import settings
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = list(settings(call.place, os.environ))
    if call.as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
        return 0
    width = max(len(one.name) for one in found)
    for one in found:
        value = "not set" if one.value is None else json.dumps(one.value)
        click.echo(for_terminal(f"{one.name:{width}} = {value}  [{one.source}]"))
    return 0


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS), metavar="SHELL")
@everywhere
@click.pass_context
def completion(context: click.Context, /, shell: str, **options: Any) -> int:
    """Print what makes your shell complete words with the Tab key.

    SHELL is bash, zsh or fish.

    \b
    Examples, each for the startup file of its shell:
      eval "$(index completion bash)"             ~/.bashrc
      eval "$(index completion zsh)"              ~/.zshrc, after compinit
      index completion fish | source              ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    Call(context, options)
    kind = get_completion_class(shell)
    assert kind is not None
    for program in _PROGRAMS:
        click.echo(kind(context.command, {}, program, f"_{program.upper()}_COMPLETE").source())
    return 0
