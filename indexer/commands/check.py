"""`index check FILE`: every line and field of a batch file that a provider would refuse."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere

_MOST_FAULTS = 1000


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--provider", default="", metavar="NAME", help="Whose batch API the file is for [default: gemini].")
@everywhere
@click.pass_context
def check(context: click.Context, /, file: Path, provider: str, **options: Any) -> int:
    """Find the lines of a batch file that a provider would refuse.

    FILE is any JSONL file for its batch API. Each problem comes with its line,
    its field and the fix; nothing is sent. Exit codes: 0 no problem, 1 some, 2
    FILE cannot be read.

    \b
    Example:
      index check requests.jsonl
    """
    from indexer.library.api import check_batch_file
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    faults = check_batch_file(file, _MOST_FAULTS, provider)
    if call.as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], ensure_ascii=True))
    else:
        for fault in faults:
            where = f"line {fault.line}" if fault.line else "the file"
            what = ": ".join(part for part in (where, fault.field, fault.problem) if part)
            click.echo(for_terminal(f"{what} — {fault.fix}"))
    if len(faults) == _MOST_FAULTS:
        call.screen.note(f"stopped after {_MOST_FAULTS:,} problems; there may be more")
    elif not faults:
        call.screen.note("no problems found")
    return int(bool(faults))
