"""`index evaluate FILE`: measure the ranking on one's own queries."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, TextIO

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import UsageError


@click.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@everywhere
@click.pass_context
def evaluate(context: click.Context, /, file: TextIO, **options: Any) -> int:
    """Measure how well searches find the photos you mean.

    FILE has lines of QUERY<TAB>PATH; - is stdin. Prints how often that photo
    came first (R@1) and among the first ten (R@10), and the mean of 1/place
    (MRR), each with its 95 % interval.

    \b
    Example:
      index evaluate queries.tsv
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
