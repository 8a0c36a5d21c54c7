"""Commands that look at a library and advance what is unfinished."""

from __future__ import annotations

import json
from typing import Any

import click

from indexer.commands.invocation import Call, bounded, everywhere, spending


@click.command()
@everywhere
@click.pass_context
def status(context: click.Context, /, **options: Any) -> int:
    """Show how the library stands: photos, jobs, money."""
    call = Call(context, options)
    call.show(call.library().status())
    return 0


@click.command()
@click.option("--wait", is_flag=True, help="Wait until everything is back.")
@bounded
@everywhere
@spending
@click.pass_context
def collect(context: click.Context, /, wait: bool, **options: Any) -> int:
    """Fetch what is finished; send what was approved.

    Goes on with a run that was left with --no-wait or interrupted. Never asks, never spends more than was approved.
    """
    call = Call(context, options)
    return call.show(call.library().collect(wait=wait, approve=call.yes, **options))


@click.command()
@click.option("--only", metavar="REASON", help="Only those that failed for this reason, as index failures names it.")
@bounded
@everywhere
@spending
@click.pass_context
def retry(context: click.Context, /, only: str | None, **options: Any) -> int:
    """Ask again for photos that failed.

    Three attempts a photo at most; with more room where an answer was cut off. Blocked photos are asked again only
    when you say --only blocked. A tenth of the price that you approved covers it; for more you are asked.
    """
    call = Call(context, options)
    approve = True if call.yes else call.approve
    return call.show(call.library().retry(only=only, approve=approve, **options))


@click.command()
@everywhere
@click.pass_context
def failures(context: click.Context, /, **options: Any) -> int:
    """List the photos that failed, each with its reason."""
    from dataclasses import asdict

    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().failures()
    if call.as_json:
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=True))
    else:
        for one in found:
            click.echo(for_terminal(f"{one.path}: {one.reason}: {one.detail}"))
    return 0


@click.command()
@everywhere
@click.pass_context
def rebuild(context: click.Context, /, **options: Any) -> int:
    """Make the search table again; sends nothing."""
    call = Call(context, options)
    count = call.library().rebuild()
    call.screen.close()
    click.echo(json.dumps({"rows": count}) if call.as_json else f"{count} rows")
    return 0
