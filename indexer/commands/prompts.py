"""`index prompts` and `index diff`: prompts as versions, and what two of them brought."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.storage.paths import shown, to_text


@click.group()
def prompts() -> None:
    """List, show and choose prompts and answer schemas.

    \b
    Examples:
      index prompts list
      index prompts use receipts
    """


@prompts.command("list")
@everywhere
@click.pass_context
def list_prompts(context: click.Context, /, **options: Any) -> int:
    """List prompts and schemas, oldest first; * marks those in use.

    \b
    Example:
      index prompts list
    """
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().prompts()
    if call.as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=True))
        return 0
    for one in found:
        first = one.body.strip().splitlines()[0][:60] if one.kind == "prompt" else ""
        mark = "*" if one.chosen else " "
        click.echo(for_terminal(f"{mark} {one.version} {one.kind:6} {one.answers:7,} answers  {one.name:16} {first}"))
    return 0


@prompts.command("show")
@click.argument("version")
@everywhere
@click.pass_context
def show_prompt(context: click.Context, /, version: str, **options: Any) -> int:
    """Print the text of a prompt or schema, by version or name.

    \b
    Example:
      index prompts show receipts
    """
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    one = call.library().prompt(version)
    click.echo(json.dumps(asdict(one)) if call.as_json else "\n".join(map(for_terminal, one.body.splitlines())))
    return 0


@prompts.command("use")
@click.argument("version")
@everywhere
@click.pass_context
def use_prompt(context: click.Context, /, version: str, **options: Any) -> int:
    """Use a prompt or schema, by version or name.

    Its answers are shown from now on, and the next run asks with it. Sends
    nothing.

    \b
    Example:
      index prompts use receipts
    """
    call = Call(context, options)
    one = call.library().use(version)
    call.screen.close()
    click.echo(json.dumps(asdict(one)) if call.as_json else f"{one.kind} {one.version} is in use")
    return 0


@click.command()
@click.argument("left")
@click.argument("right")
@click.option("--in", "within", type=click.Path(path_type=bytes), metavar="PATH", help="Only photos below this path.")
@everywhere
@click.pass_context
def diff(context: click.Context, /, left: str, right: str, within: bytes | None, **options: Any) -> int:
    """Compare what two prompts brought, side by side.

    LEFT and RIGHT are versions or names, as index prompts list shows them.

    \b
    Example:
      index diff default receipts --in ~/Scans
    """
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().diff(left, right, None if within is None else [within])
    if call.as_json:
        click.echo(json.dumps([{**asdict(pair), "path": to_text(pair.path)} for pair in found], ensure_ascii=True))
        return 0
    width = max(20, (shutil.get_terminal_size().columns - 3) // 2)
    for pair in found:
        click.echo(shown(pair.path))
        sides = [
            textwrap.wrap(for_terminal(f"{words} [{', '.join(tags)}]"), width)
            for words, tags in ((pair.left, pair.left_tags), (pair.right, pair.right_tags))
        ]
        for ours, theirs in zip_longest(*sides, fillvalue=""):
            click.echo(f"{ours:{width}} | {theirs}".rstrip())
    return 0
