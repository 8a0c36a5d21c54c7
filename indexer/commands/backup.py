"""`index backup`: keep a copy of what was paid for."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere


@click.command()
@click.argument("to", type=click.Path(path_type=bytes))
@everywhere
@click.pass_context
def backup(context: click.Context, /, to: bytes, **options: Any) -> int:
    """Copy what was paid for to the new file TO.

    The copy is the ledger as it is at one moment; a run that is at work need not
    stop. TO is never replaced. When TO is a folder, the copy is TO/ledger.sqlite3.

    TO may be an address in object storage, such as s3://BUCKET/KEY.

    To restore: put the copy as ledger.sqlite3 into an empty folder, then make
    the table again, without one request: index --library FOLDER rebuild

    \b
    Examples:
      index backup /mnt/backup/photos-2026-11.sqlite3
      mkdir restored && index backup restored && index --library restored rebuild
    """
    from indexer.console.words import size
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    done = call.library().backup(to)
    call.screen.close()
    if call.as_json:
        click.echo(json.dumps(asdict(done), ensure_ascii=True))
    elif not call.screen.quiet:
        click.echo(for_terminal(f"backed up to {done.to} ({size(done.bytes)})"))
    return 0
