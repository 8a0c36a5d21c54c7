"""Commands about what is kept: the accounts, prompts as versions, and forgetting."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import textwrap
from dataclasses import asdict, fields
from itertools import zip_longest
from typing import Any

import click

from indexer.commands.call import Call, everywhere
from indexer.errors import MissingPath, UsageError
from indexer.paths import to_text


@click.command()
@everywhere
@click.option("--csv", "as_csv", is_flag=True, help="CSV with a header, for spreadsheets.")
@click.pass_context
def report(context: click.Context, /, as_csv: bool, **options: Any) -> int:
    """Show every request, token and cent, by run, batch and model.

    Says whether the three sums agree, and whether every described photo has its answer.
    """
    from indexer.ledger.accounts import Account
    from indexer.paths import for_terminal

    call = Call(context, options)
    found = call.library().accounts()
    if call.as_json:
        click.echo(json.dumps({**asdict(found), "balanced": not found.faults}, ensure_ascii=True))
        return 0
    names = [field.name for field in fields(Account)]
    if as_csv:
        table = csv.DictWriter(sys.stdout, names, lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in (*found.accounts, found.total))
        return 0
    for row in (*found.accounts, found.total):
        parts = [f"{row.answered:,} of {row.requests:,} requests answered"]
        parts += [f"{count:,} {word}" for word, count in _further(row) if count]
        parts.append(f"{row.input_tokens:,} tokens in, {row.output_tokens:,} out, ${row.spent_usd:.4f}")
        click.echo(for_terminal(f"{row.kind:6} {row.name:40} {', '.join(parts)}"))
    for fault in found.faults or ["the books balance"]:
        click.echo(fault)
    return 0


def _further(row: Any) -> list[tuple[str, int]]:
    return [("failed", row.failed), ("in doubt", row.in_doubt), ("not served", row.not_served), ("out", row.out)]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=bytes))
@click.option("--confirm", is_flag=True, help="Forget without being asked; --yes is for money only.")
@everywhere
@click.pass_context
def forget(context: click.Context, /, paths: tuple[bytes, ...], confirm: bool, **options: Any) -> int:
    """Take PATHS out of the library: rows, facts, and descriptions that no other path uses.

    Your files are not touched, and PATHS need not exist any more. What was paid stays in the books, and indexing the
    same photos again pays again. Raw results of old batches stay in the library's folder batches/.
    """
    call = Call(context, options)
    library = call.library()
    ahead = library.forget(paths, confirm=False)
    if not ahead.paths:
        named = ", ".join(to_text(path) for path in paths)
        raise MissingPath(f"the library knows nothing at {named}", hint="check the spelling")
    words = f"{ahead.paths:,} paths and {ahead.answers:,} descriptions"
    if not confirm:
        paid = f", which would be paid for again: they cost ${ahead.spent_usd:.4f}" if ahead.spent_usd else ""
        call.screen.note(f"this forgets {words}{paid}")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("nothing is forgotten without a word", hint="add --confirm")
        if not click.confirm("Go on?", default=False, err=True):
            return 0
    done = library.forget(paths, confirm=True)
    click.echo(json.dumps(asdict(done)) if call.as_json else f"forgot {words}")
    return 0


@click.group()
def prompts() -> None:
    """List, show and choose the prompts and answer schemas that were asked with."""


@prompts.command("list")
@everywhere
@click.pass_context
def list_prompts(context: click.Context, /, **options: Any) -> int:
    """List the versions, oldest first; the star marks those in force."""
    from indexer.paths import for_terminal

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
    """Print the text of a VERSION, or of a name."""
    from indexer.paths import for_terminal

    call = Call(context, options)
    one = call.library().prompt(version)
    click.echo(json.dumps(asdict(one)) if call.as_json else "\n".join(map(for_terminal, one.body.splitlines())))
    return 0


@prompts.command("use")
@click.argument("version")
@everywhere
@click.pass_context
def use_prompt(context: click.Context, /, version: str, **options: Any) -> int:
    """Put a VERSION (or a name) in force: its answers win, and the next run asks with it. Sends nothing."""
    call = Call(context, options)
    one = call.library().use(version)
    call.screen.close()
    click.echo(json.dumps(asdict(one)) if call.as_json else f"{one.kind} {one.version} is in force")
    return 0


@click.command()
@click.argument("left")
@click.argument("right")
@everywhere
@click.option("--in", "within", type=click.Path(path_type=bytes), help="Only photos below this path.")
@click.pass_context
def diff(context: click.Context, /, left: str, right: str, within: bytes | None, **options: Any) -> int:
    """Show what photos are called under two prompts, side by side.

    LEFT and RIGHT are versions or names, as index prompts list shows them.
    """
    from indexer.paths import for_terminal

    call = Call(context, options)
    found = call.library().diff(left, right, None if within is None else [within])
    if call.as_json:
        click.echo(json.dumps([{**asdict(pair), "path": to_text(pair.path)} for pair in found], ensure_ascii=True))
        return 0
    width = max(20, (shutil.get_terminal_size().columns - 3) // 2)
    for pair in found:
        click.echo(for_terminal(to_text(pair.path)))
        sides = [
            textwrap.wrap(for_terminal(f"{words} [{', '.join(tags)}]"), width)
            for words, tags in ((pair.left, pair.left_tags), (pair.right, pair.right_tags))
        ]
        for ours, theirs in zip_longest(*sides, fillvalue=""):
            click.echo(f"{ours:{width}} | {theirs}".rstrip())
    return 0
