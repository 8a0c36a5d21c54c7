"""`index compare PATH...`: a few photos asked of several routes, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, everywhere, spending
from indexer.console.words import count_photos

if TYPE_CHECKING:
    from indexer.library.api import Comparison

_WORDS = 160


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=bytes))
@click.option("--sample", type=click.IntRange(1, 100), default=8, metavar="N", help="How many photos to ask about. [8]")
@click.option("--routes", default="", metavar="A,B", help="PROVIDER, PROVIDER:MODEL or PROVIDER:MODEL:MODE, by commas.")
@click.option("--prompt", type=click.Path(path_type=Path), metavar="FILE", help="A prompt of your own.")
@click.option("--schema", type=click.Path(path_type=Path), metavar="FILE", help="A JSON Schema for the answers.")
@spending
@everywhere
@click.pass_context
def compare(context: click.Context, /, paths: tuple[bytes, ...], sample: int, routes: str, **options: Any) -> int:
    """Ask a few photos of several providers and show the answers side by side.

    Single calls, with their measured price. The answers are kept: what was
    asked here is not bought again by the route that you choose. Without
    --routes the cheapest ones of three providers are compared.

    \b
    Examples:
      index compare ~/Photos --routes gemini,openai
      index compare ~/Photos --sample 12 --routes openai,openai:gpt-6-sol
    """
    from indexer.storage.paths import for_terminal

    told = {name: options.pop(name) for name in ("prompt", "schema")}
    told = {name: value for name, value in told.items() if value is not None}
    call = Call(context, options)
    call.check(paths)
    library = call.library(create=True)
    found = library.compare(list(paths), routes=routes.split(","), sample=sample, approve=call.approve, **told)
    call.screen.close()
    if call.as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=True))
    else:
        for line in _lines(found):
            click.echo(for_terminal(line))
    for route in found.routes:
        if route.fault:
            call.screen.note(f"{route.provider} {route.model}: {route.fault}")
    if not any(route.answered for route in found.routes):
        return 1 if found.rows else 0
    return 4 if any(route.failed or route.fault for route in found.routes) else 0


def _lines(found: Comparison) -> Iterator[str]:
    for path, told in found.rows:
        yield path
        for route, one in zip(found.routes, told, strict=True):
            words = (one.failure or f"{one.description} [{', '.join(one.tags)}]") if one else "not asked"
            price = f"${one.usd:.5f}" if one else "-"
            yield f"  {route.provider[:12]:12} {price:9} {words[:_WORDS]}"
    yield f"{count_photos(len(found.rows))}:"
    for route in found.routes:
        price = f"${route.per_1000_usd:.2f} for 1,000 photos as measured" if route.per_1000_usd else "no price measured"
        yield f"  {route.provider} {route.model} ({route.mode}): {route.answered:,} answered, {price}"
    yield f"side by side with the pictures: {found.sheet}"
