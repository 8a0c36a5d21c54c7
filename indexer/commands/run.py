"""`index run PATH...`, which is what `index PATH...` means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from indexer.commands.invocation import Call, bounded, everywhere, spending
from indexer.commands.wording import plan_lines
from indexer.domain.errors import ApprovalRequired, MissingPath


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=bytes))
@everywhere
@spending
@click.option(
    "--provider",
    metavar="NAME",
    help="local (no key, no network), gemini, or auto: as last time; the first time gemini if a key is set.",
)
@click.option(
    "--mode",
    type=click.Choice(["batch", "interactive"]),
    help="The batch API (half price, within a day) or ordinary calls (at once).",
)
@click.option("--model", metavar="NAME", help="A model of the provider.")
@click.option("--prompt", type=click.Path(path_type=Path), help="A file with a prompt of your own.")
@click.option("--schema", type=click.Path(path_type=Path), help="A file with a JSON Schema for the answers.")
@click.option("--language", metavar="LANG", help="The language of the descriptions. [English]")
@click.option(
    "--pilot", type=click.IntRange(0), metavar="N", help="Send N photos ahead by ordinary calls and ask again."
)
@click.option("--no-pilot", is_flag=True, help="Send none ahead (by itself 20, from 50 on).")
@bounded
@click.option("--price", metavar="IN,OUT", help="US dollars per million tokens, for a model without a known price.")
@click.option(
    "--gate", multiple=True, metavar="NAME=VALUE", help="What a pilot must show: valid, refused, length, cost."
)
@click.option("--refresh", type=click.Choice(["given"]), help="Ask again where facts given to the prompt have changed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its price; send nothing.")
@click.option("--no-wait", is_flag=True, help="Return after the first submission; `index collect` goes on.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave files out, as in .gitignore (repeatable).")
@click.option("--files-from", type=click.File("rb"), help="Read more PATHS from a file, - is stdin.")
@click.option("-0", "nul", is_flag=True, help="PATHS in --files-from end with NUL.")
@click.option("--follow", is_flag=True, help="Follow symbolic links.")
@click.option("--hidden", is_flag=True, help="Look at hidden files too.")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Leave out pictures with more pixels.")
@click.option(
    "--one-per-burst/--no-one-per-burst",
    default=None,
    help="Describe one photo of each burst for all of them; --no- describes the others too.",
)
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that read pictures. [one a core]")
@click.option(
    "--confirm-deleted", is_flag=True, help="Many files are gone because you deleted them; no drive is unplugged."
)
@click.pass_context
def run(context: click.Context, /, paths: tuple[bytes, ...], **options: Any) -> int:
    """Make the pictures in PATHS searchable: the same as index PATHS.

    Reads the pictures, shows the plan and its price, asks you, has them described, and waits. Run it again to resume
    or to add new pictures: what has been described is never paid for again.

    \b
    index ~/Photos
    index ~/Photos --dry-run
    index ~/Photos --budget 5 --yes
    find . -name '*.jpg' -print0 | index --files-from - -0
    """
    call = Call(context, options)
    roots = _roots(paths, options.pop("files_from"), options.pop("nul"))
    for path in roots:
        _did_you_mean(path, _commands(context))
    call.check(roots)
    dry_run = options.pop("dry_run")
    wished = _wishes(options)
    library = call.library(create=True)
    if dry_run:
        report, plan = library.preview(roots, **wished)
        call.screen.lines(plan_lines(plan))
        call.show(report)
        return 0
    try:
        return call.show(library.index(roots, approve=call.approve, **wished))
    except ApprovalRequired as stop:
        if call.as_json:
            call.show(library.status(roots, estimate=stop.plan.cost))
        raise


def _roots(paths: tuple[bytes, ...], listed: Any, nul: bool) -> list[bytes]:
    from indexer.storage.paths import files_from

    if nul and listed is None:
        raise click.UsageError("-0 says how the PATHS in --files-from end, which is missing")
    roots = list(paths)
    if listed is not None:
        roots += files_from(listed, nul=nul)
    if not roots and listed is None:
        raise click.UsageError("name a folder or a picture: index ~/Photos")
    return roots


def _commands(context: click.Context) -> Iterable[str]:
    above = context.find_root().command
    return above.commands if isinstance(above, click.Group) else ()


def _did_you_mean(path: bytes, commands: Iterable[str]) -> None:
    word = os.fsdecode(path)
    if os.path.lexists(path) or "/" in word or "." in word:
        return
    from difflib import get_close_matches

    near = get_close_matches(word, list(commands), n=1)
    if near:
        raise MissingPath(f"there is no file or folder {word!r}", hint=f"did you mean: index {near[0]}")


def _wishes(options: dict[str, Any]) -> dict[str, Any]:
    """Turn flags into the keywords of `Library.index`; what was not said is left out."""
    if options.pop("no_pilot"):
        if options["pilot"]:
            raise click.UsageError("--pilot and --no-pilot exclude each other")
        options["pilot"] = 0
    options["wait"] = not options.pop("no_wait")
    return {name: value for name, value in options.items() if value is not None}
