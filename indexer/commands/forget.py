"""`index forget`: take paths out of the library."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import MissingPath, UsageError
from indexer.domain.money import dollars
from indexer.storage.layout import BATCHES_FOLDER
from indexer.storage.paths import to_text


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=bytes))
@click.option("--confirm", is_flag=True, help="Remove without a question; --yes is for money only.")
@everywhere
@click.pass_context
def forget(context: click.Context, /, paths: tuple[bytes, ...], confirm: bool, **options: Any) -> int:
    """Remove PATHS from the library, with their descriptions.

    Your photos are not touched, and PATHS need not exist any more. What was
    paid stays in the report; indexing the same photos again pays again.

    \b
    Examples:
      index forget ~/Photos/private
      index forget ~/Photos/private --confirm
    """
    call = Call(context, options)
    library = call.library()
    ahead = library.forget(paths, confirm=False)
    if not ahead.paths:
        named = ", ".join(to_text(path) for path in paths)
        raise MissingPath(f"the library has nothing at {named}", hint="check the spelling")
    words = f"{ahead.paths:,} paths and {ahead.answers:,} descriptions"
    if not confirm:
        paid = f", which cost {dollars(ahead.spent_usd)} and would be paid for again" if ahead.spent_usd else ""
        call.screen.note(f"this removes {words}{paid}")
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError("nothing was removed: it was not confirmed", hint="add --confirm")
        if not click.confirm("Go on?", default=False, err=True):
            return 0
    done = library.forget(paths, confirm=True)
    if ahead.spent_usd:
        call.screen.note(f"not removed: raw results in {library.folder / BATCHES_FOLDER}, and what the service keeps")
    click.echo(json.dumps(asdict(done)) if call.as_json else f"removed {words}")
    return 0
