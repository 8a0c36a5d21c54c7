"""`index run PATH...`, which is what `index PATH...` means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import click

from indexer.commands.invocation import Call, Dollars, WorkersType, bounded, everywhere, spending
from indexer.commands.wording import plan_lines
from indexer.domain.errors import ApprovalRequired, LibraryMissing, MissingPath, UsageError
from indexer.domain.nearest import did_you_mean
from indexer.storage.paths import files_from, for_terminal, is_address, resolve_root, to_text


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=bytes))
@click.option(
    "--provider",
    metavar="NAME",
    help="local (no key, no network), a name that index doctor lists, best (the cheapest route), or auto.",
)
@click.option(
    "--mode",
    type=click.Choice(["batch", "interactive", "flex", "off-peak"]),
    help="batch: half price, within a day; interactive: at once.",
)
@click.option("--model", metavar="NAME", help="A model of the provider.")
@click.option("--prompt", type=click.Path(path_type=Path), metavar="FILE", help="A prompt of your own.")
@click.option("--schema", type=click.Path(path_type=Path), metavar="FILE", help="A JSON Schema for the answers.")
@click.option("--language", metavar="LANG", help="The language of the descriptions. [English]")
@click.option(
    "--pilot",
    type=click.IntRange(0),
    metavar="N",
    help="Describe N photos first, show them, and ask again.",
)
@click.option("--no-pilot", is_flag=True, help="Describe none first. [20 from 50 photos on]")
@bounded
@click.option("--max-per-1000", type=Dollars(), metavar="USD", help="With best: no dearer route than this for 1,000.")
@click.option("--hedge", is_flag=True, help="With best: ask another provider as well about photos that would be late.")
@click.option("--price", metavar="IN,OUT", help="US dollars per million tokens, for a model without a known price.")
@click.option(
    "--gate", multiple=True, metavar="NAME=VALUE", help="What the first photos must show: valid, refused, length, cost."
)
@click.option("--refresh", type=click.Choice(["given"]), help="Ask again where facts in the prompt have changed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its price; send nothing.")
@click.option("--no-wait", is_flag=True, help="Return once the batch is sent; index collect goes on.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave files out, as in .gitignore (repeatable).")
@click.option("--files-from", type=click.File("rb"), metavar="FILE", help="Read more PATHS from FILE; - is stdin.")
@click.option("-0", "nul", is_flag=True, help="PATHS in --files-from end with a NUL byte.")
@click.option("--follow", is_flag=True, help="Follow symbolic links.")
@click.option("--hidden", is_flag=True, help="Include hidden files.")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Leave out pictures with more pixels.")
@click.option("--min-side", type=click.IntRange(0), metavar="N", help="Leave out pictures smaller than N pixels. [64]")
@click.option(
    "--one-per-burst/--no-one-per-burst",
    default=None,
    help="Describe one photo of each burst for all of it.",
)
@click.option(
    "--workers",
    type=WorkersType(),
    metavar="N|ray|ray://HOST:PORT",
    help="Processes that read pictures, or a Ray cluster. [one per core]",
)
@click.option("--confirm-deleted", is_flag=True, help="Missing files are deleted, not on an unplugged drive.")
@click.option("--reread", is_flag=True, help="Read also the files that look unchanged.")
@spending
@everywhere
@click.pass_context
def run(context: click.Context, /, paths: tuple[bytes, ...], **options: Any) -> int:
    """Make the pictures in PATHS searchable.

    Reads the pictures, shows the plan and its price, asks you, has them
    described, and waits. Run it again to resume or to add new pictures: what
    has been described is never paid for again. index PATH is short for this.

    \b
    Examples:
      index ~/Photos
      index ~/Photos --dry-run
      index ~/Photos --budget 5 --yes
      find . -name '*.jpg' -print0 | index --files-from - -0
    """
    call = Call(context, options)
    listed = _listed(options.pop("files_from"), options.pop("nul"))
    if not paths and listed is None:
        raise UsageError("no PATH given", hint="name a folder or a picture: index ~/Photos")
    for path in paths:
        _did_you_mean(path, _commands(context))
    vanished = [path for path in listed or () if not is_address(path) and not os.path.lexists(resolve_root(path))]
    lost = frozenset(vanished)
    roots = [*paths, *(path for path in listed or () if path not in lost)]
    call.check(roots or vanished)
    dry_run = options.pop("dry_run")
    wished = _wishes(options)
    library = call.library(create=True)
    if vanished:
        _tell_vanished(call, vanished)
        with suppress(LibraryMissing):
            roots += [path for path in vanished if library.file(to_text(resolve_root(path)))]
    if dry_run:
        report, plan = library.preview(roots, **wished)
        call.screen.lines(plan_lines(plan))
        call.show(report)
        return 0
    try:
        return call.show(library.index(roots, approve=call.approve, **wished), ran=True)
    except ApprovalRequired as stop:
        if call.as_json:
            call.show(library.status(roots, estimate=stop.plan.cost))
        if not call.declined:
            raise
        call.screen.note("stopped: nothing was sent, nothing was spent")
        return stop.exit_code


def _listed(listed: BinaryIO | None, nul: bool) -> list[bytes] | None:
    """Return the paths of --files-from, None where it is not given."""
    if nul and listed is None:
        raise UsageError("-0 works only together with --files-from", hint="for example: --files-from - -0")
    return None if listed is None else list(files_from(listed, nul=nul))


def _tell_vanished(call: Call, vanished: list[bytes]) -> None:
    first = ", ".join(for_terminal(to_text(path)) for path in vanished[:3])
    more = f" and {len(vanished) - 3:,} more" if len(vanished) > 3 else ""
    call.screen.note(f"in the list, but not there: {first}{more}; the others go on")


def _commands(context: click.Context) -> Iterable[str]:
    above = context.find_root().command
    return above.commands if isinstance(above, click.Group) else ()


def _did_you_mean(path: bytes, commands: Iterable[str]) -> None:
    word = os.fsdecode(path)
    if os.path.lexists(path) or "/" in word or "." in word:
        return
    if near := did_you_mean(word, commands).replace(": ", ": index "):
        raise MissingPath(f"there is no command, file or folder {word!r}", hint=near)


def _wishes(options: dict[str, Any]) -> dict[str, Any]:
    """Turn flags into the keywords of `Library.index`; what was not said is left out."""
    if options.pop("no_pilot"):
        if options["pilot"]:
            raise UsageError("--pilot and --no-pilot exclude each other", hint="give only one of them")
        options["pilot"] = 0
    options["wait"] = not options.pop("no_wait")
    options["hedge"] = options["hedge"] or None
    return {name: value for name, value in options.items() if value is not None}
