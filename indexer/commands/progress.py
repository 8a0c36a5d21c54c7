"""Commands that look at a library and advance what is unfinished."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, bounded, everywhere, spending
from indexer.commands.wording import failure_lines, left_lines, report_lines

_GLANCE = 2.0  # seconds between two looks of status --watch


@click.command()
@click.option("--watch", is_flag=True, help="Stay and show every change until all work is back.")
@everywhere
@click.pass_context
def status(context: click.Context, /, watch: bool, **options: Any) -> int:
    """Show photos, jobs with their age and expected end, and money.

    \b
    Examples:
      index status
      index status --watch
      index status --json | jq .files
    """
    call = Call(context, options)
    library = call.library()
    if watch:
        shown: list[str] = []
        while (report := library.status()).jobs or report.requests.pending:
            lines = list(report_lines(report))
            if lines != shown:
                call.screen.watch(lines)
            shown = lines
            time.sleep(_GLANCE)
        call.screen.close()
    call.show(library.status())
    return 0


@click.command()
@click.option("--wait", is_flag=True, help="Wait until everything is back.")
@click.option("--from", "source", type=click.Path(path_type=bytes), metavar="FILE", help="Answers of vllm run-batch.")
@bounded
@everywhere
@spending
@click.pass_context
def collect(context: click.Context, /, wait: bool, source: bytes | None, **options: Any) -> int:
    """Fetch finished answers and send what was approved.

    Goes on with a run that was left with --no-wait or interrupted. It never
    asks, and never spends more than you approved.

    \b
    Examples:
      index collect
      index collect --wait
      index collect --from answers.jsonl
    """
    call = Call(context, options)
    return call.show(call.library().collect(wait=wait, approve=call.yes, source=source, **options), ran=True)


@click.command()
@click.option("--only", metavar="REASON", help="Only photos that failed for this reason.")
@bounded
@everywhere
@spending
@click.pass_context
def retry(context: click.Context, /, only: str | None, **options: Any) -> int:
    """Ask again for photos that failed.

    Each photo is asked at most three times, with more room where an answer was
    cut off. Blocked photos are asked again only with --only blocked. A tenth of
    the price that you approved covers it; for more you are asked.

    \b
    Examples:
      index retry
      index retry --only truncated
    """
    from indexer.library.api import MOST_ATTEMPTS

    call = Call(context, options)
    library = call.library()
    code = call.show(library.retry(only=only, approve=True if call.yes else call.approve, **options), ran=True)
    call.screen.lines(left_lines(library.failures(), MOST_ATTEMPTS))
    return code


@click.command()
@everywhere
@click.pass_context
def failures(context: click.Context, /, **options: Any) -> int:
    """List the photos that failed, why, and what to do.

    \b
    Examples:
      index failures
      index failures --json | jq -r '.[].path'
    """
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().failures()
    if call.as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=True))
    else:
        click.echo("\n".join(map(for_terminal, failure_lines(found))))
    return 0


@click.command()
@click.option("--from-table", is_flag=True, help="Fill a lost ledger again with what the table holds.")
@everywhere
@click.pass_context
def rebuild(context: click.Context, /, from_table: bool, **options: Any) -> int:
    """Make the search table again, without sending anything.

    \b
    Examples:
      index rebuild
      index rebuild --from-table    when ledger.sqlite3 is lost
    """
    call = Call(context, options)
    count = call.library().rebuild(from_table=from_table)
    call.screen.close()
    click.echo(json.dumps({"rows": count}) if call.as_json else f"photos that can be searched: {count:,}")
    return 0
