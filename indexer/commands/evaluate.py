"""`index evaluate FILE`: measure the ranking on one's own queries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

import click

from indexer.commands.invocation import Call, everywhere
from indexer.domain.errors import UsageError, first_line
from indexer.storage.paths import for_terminal
from indexer.storage.regular import open_regular

_LONGEST = 1 << 16
_LINES = "each line is: query<TAB>path"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@everywhere
@click.pass_context
def evaluate(context: click.Context, /, file: Path, **options: Any) -> int:
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
        with _opened(file) as stream:
            result = measure(Index.open(call.folder or default_folder()), _lines(stream))
    except UnicodeDecodeError as fault:
        raise UsageError(f"{for_terminal(str(file))} is not UTF-8", hint=_LINES) from fault
    if call.as_json:
        click.echo(json.dumps(asdict(result)))
        return 0
    click.echo(f"{result.queries} queries")
    for name, value in (("MRR", result.mrr), ("R@1", result.recall_1), ("R@10", result.recall_10)):
        click.echo(f"{name:5} {value.mean:.3f}  ({value.low:.3f} to {value.high:.3f})")
    return 0


def _opened(file: Path) -> TextIO:
    """Open the list of queries; what is typed or piped to us comes from stdin alone."""
    if str(file) == "-":
        return cast(TextIO, click.open_file("-", encoding="utf-8"))
    try:
        return TextIOWrapper(open_regular(file), "utf-8")
    except OSError as fault:
        raise UsageError(f"{for_terminal(str(file))} cannot be read: {first_line(fault)}", hint=_LINES) from fault


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise UsageError(f"a line has more than {_LONGEST:,} characters", hint=_LINES)
        yield line
