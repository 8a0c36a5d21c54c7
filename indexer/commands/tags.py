"""Commands about tags: list, rename, merge, ban, undo; all of them without a request."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import UsageError


@click.group()
def tags() -> None:
    """List tags, rename, merge and ban them, and undo that. Sends nothing.

    Rules hold for tags that were generated, also for those still to come, and are followed in the order in which you
    made them; what a model answered is kept as it came. Keywords that a person wrote into a file are never changed and
    never hidden. Capitals do not matter.
    """


@tags.command("list")
@everywhere
@click.option("--in", "within", type=click.Path(path_type=bytes), help="Only photos below this path.")
@click.pass_context
def list_tags(context: click.Context, /, within: bytes | None, **options: Any) -> int:
    """List every tag and how many photos have it, the most frequent first."""
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().tags(None if within is None else [within])
    if call.as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=True))
        return 0
    for one in found:
        yours = f"  ({one.keywords:,} by keywords in files)" if one.keywords else ""
        click.echo(for_terminal(f"{one.photos:9,}  {one.tag}{yours}"))
    return 0


@tags.command()
@click.argument("old")
@click.argument("new")
@everywhere
@click.pass_context
def rename(context: click.Context, /, old: str, new: str, **options: Any) -> int:
    """Show the generated tag OLD as NEW; where NEW is there already, the two become one."""
    call = Call(context, options)
    return _tell(call, call.library().rename_tag(old, new))


@tags.command()
@click.argument("names", nargs=-1, required=True, metavar="TAG... INTO")
@everywhere
@click.pass_context
def merge(context: click.Context, /, names: tuple[str, ...], **options: Any) -> int:
    """Show each generated TAG as INTO, the last one named."""
    if len(names) < 2:
        raise UsageError("what shall be merged into what?", hint="index tags merge TAG... INTO")
    call = Call(context, options)
    return _tell(call, call.library().merge_tags(names[:-1], names[-1]))


@tags.command()
@click.argument("names", nargs=-1, required=True, metavar="TAG...")
@everywhere
@click.pass_context
def ban(context: click.Context, /, names: tuple[str, ...], **options: Any) -> int:
    """Hide generated TAGs, now and in answers to come; a keyword in a file stays."""
    call = Call(context, options)
    return _tell(call, call.library().ban_tags(names))


@tags.command()
@everywhere
@click.pass_context
def undo(context: click.Context, /, **options: Any) -> int:
    """Take back the last rename, merge or ban; again takes back the one before."""
    call = Call(context, options)
    return _tell(call, call.library().undo_tags())


def _tell(call: Call, done: Any) -> int:
    from indexer.library.tag_rules import looks
    from indexer.storage.paths import for_terminal

    call.screen.close()
    if call.as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=True))
        return 0
    words = f"{'took back: ' if done.undone else ''}{done.act} {', '.join(done.tags)}"
    words += f" -> {done.target}" if done.target else ""
    click.echo(for_terminal(f"{words}; {looks(done.photos)}"))
    if done.keywords:
        call.screen.note(f"still shown where files have it as a keyword: {', '.join(done.keywords)}")
    return 0
