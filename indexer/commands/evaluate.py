"""`index evaluate FILE`: measure the ranking on one's own queries."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import UsageError


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@everywhere
@click.pass_context
def evaluate(context: click.Context, /, file: Any, **options: Any) -> int:
    """Measure the ranking on questions of your own.

    FILE has lines of query<TAB>path; - is stdin.

    Prints the mean reciprocal rank and the shares of questions whose photo came first and among the first ten, each
    with its 95 % interval.
    """
    from indexer.storage.layout import default_folder
    from search import Index
    from search.evaluate import evaluate as measure

    call = Call(context, options)
    try:
        result = measure(Index.open(call.folder or default_folder()), file)
    except UnicodeDecodeError as fault:
        raise UsageError(f"{file.name} is not UTF-8", hint="each line is: query<TAB>path") from fault
    if call.as_json:
        click.echo(json.dumps(asdict(result)))
        return 0
    click.echo(f"{result.queries} queries")
    for name, value in (("MRR", result.mrr), ("R@1", result.recall_1), ("R@10", result.recall_10)):
        click.echo(f"{name:5} {value.mean:.3f}  ({value.low:.3f} to {value.high:.3f})")
    return 0
