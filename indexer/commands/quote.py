"""`index quote PATH...`: what every route would cost, and when it would be ready."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, Dollars, Duration, everywhere
from indexer.console.words import count_photos, span
from indexer.domain.errors import UsageError
from indexer.domain.money import dollar_range

if TYPE_CHECKING:
    from indexer.library.routes import Offer

_DAY = 86_400.0


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=bytes))
@click.option("--deadline", type=Duration(), metavar="TIME", help="Only routes that are likely ready by then: 6h, 2d.")
@click.option("--budget", type=Dollars(), metavar="USD", help="Only routes that cannot cost more in all.")
@click.option("--max-per-1000", type=Dollars(), metavar="USD", help="Only routes below this for 1,000 photos.")
@click.option("--photos", type=click.IntRange(1), metavar="N", help="As if N photos were new, instead of PATHS.")
@click.option("--all", "all_routes", is_flag=True, help="Show routes whose key is not set, too.")
@everywhere
@click.pass_context
def quote(context: click.Context, /, paths: tuple[bytes, ...], all_routes: bool, **options: Any) -> int:
    """Show what each provider would cost and when it would be ready.

    Looks at the photos in PATHS that have no description yet. Nothing is sent.
    A wave is how much an account may have queued at once.

    \b
    Examples:
      index quote ~/Photos
      index quote ~/Photos --deadline 6h --budget 5
      index quote ~/Photos --all --json
      index quote --photos 10000000
    """
    bounds = {name: options.pop(name) for name in ("deadline", "budget", "max_per_1000", "photos")}
    call = Call(context, options)
    if bool(paths) == bool(bounds["photos"]):
        raise UsageError("give either PATHS or --photos N", hint="for example: index quote ~/Photos")
    call.check(paths)
    found = call.library(create=True).quote(list(paths), all_routes=all_routes, **bounds)
    call.screen.close()
    for warning in found.warnings:
        call.screen.note(warning)
    if call.as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=True))
        return 0
    for line in _lines(found):
        click.echo(line)
    return 0


def _time(seconds: float) -> str:
    return f"{seconds / _DAY:,.0f} days" if seconds >= 2 * _DAY else span(seconds)


def _lines(found: Offer) -> list[str]:
    lines = [f"{count_photos(found.photos)}, {found.new:,} without a description"]
    for route in found.routes:
        if not route.usable:
            lines.append(f"  {route}: {route.why_not}")
            continue
        mark = "*" if route.chosen else " "
        cost = dollar_range(route.usd.low, route.usd.high)
        ready = f"ready in {_time(route.ready_s.p50)} to {_time(route.ready_s.p90)} ({route.ready_s.source})"
        waves = f", in {route.waves:,} waves" if route.waves > 1 else ""
        lines += [f"{mark} {route}", f"    {cost}, {ready}{waves}"]
    return lines if found.routes else [*lines, "no key is set: --all shows every route"]
