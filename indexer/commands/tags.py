"""Commands about tags: list, rename, merge, ban, undo; all of them without a request."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import UsageError

if TYPE_CHECKING:
    from indexer.library.tag_rules import Retagged


@click.group()
def tags() -> None:
    """List, rename, merge and ban tags, and undo that.

    The rules hold for generated tags, also for those still to come, in the
    order in which you made them. Keywords in your files are never changed or
    hidden. Upper and lower case make no difference. Sends nothing.

    \b
    Examples:
      index tags list
      index tags rename dogs dog
      index tags undo
    """


@tags.command("list")
@click.option("--in", "within", type=click.Path(path_type=bytes), metavar="PATH", help="Only photos below this path.")
@everywhere
@click.pass_context
def list_tags(context: click.Context, /, within: bytes | None, **options: Any) -> int:
    """List every tag with its number of photos, most frequent first.

    \b
    Example:
      index tags list --in ~/Photos/2019
    """
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
    """Show the tag OLD as NEW; if NEW exists, both become one.

    \b
    Example:
      index tags rename dogs dog
    """
    call = Call(context, options)
    return _tell(call, call.library().rename_tag(old, new))


@tags.command()
@click.argument("names", nargs=-1, required=True, metavar="TAG... INTO")
@everywhere
@click.pass_context
def merge(context: click.Context, /, names: tuple[str, ...], **options: Any) -> int:
    """Show each TAG as INTO, the last one named.

    \b
    Example:
      index tags merge puppy hound dog
    """
    if len(names) < 2:
        raise UsageError("a merge needs at least two tags", hint="index tags merge TAG... INTO")
    call = Call(context, options)
    return _tell(call, call.library().merge_tags(names[:-1], names[-1]))


@tags.command()
@click.argument("names", nargs=-1, required=True, metavar="TAG...")
@everywhere
@click.pass_context
def ban(context: click.Context, /, names: tuple[str, ...], **options: Any) -> int:
    """Hide generated tags, now and in answers to come.

    \b
    Example:
      index tags ban photo
    """
    call = Call(context, options)
    return _tell(call, call.library().ban_tags(names))


@tags.command()
@everywhere
@click.pass_context
def undo(context: click.Context, /, **options: Any) -> int:
    """Undo the last rename, merge or ban; again, the one before.

    \b
    Example:
      index tags undo
    """
    call = Call(context, options)
    return _tell(call, call.library().undo_tags())


def _tell(call: Call, done: Retagged) -> int:
    from indexer.commands.wording import tag_lines
    from indexer.storage.paths import for_terminal

    call.screen.close()
    if call.as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=True))
        return 0
    click.echo("\n".join(map(for_terminal, tag_lines(done))))
    if done.keywords:
        call.screen.note(f"still shown where files have it as a keyword: {', '.join(done.keywords)}")
    return 0
