"""`index forget`: take paths out of the library."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import MissingPath, UsageError
from indexer.storage.paths import to_text


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
