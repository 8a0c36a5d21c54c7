"""Commands that examine: is a batch file clean, the installation whole, the ranking good."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click

from indexer.commands.call import Call, everywhere
from indexer.errors import UsageError

_MOST_FAULTS = 1000


@click.command()
@everywhere
@click.pass_context
def doctor(context: click.Context, /, **options: Any) -> int:
    """Check this installation and this library.

    Exit 1 when something must be mended; each such line says how.
    """
    from indexer.access import default_folder
    from indexer.doctor import examine_installation, examine_library
    from indexer.paths import for_terminal

    call = Call(context, options)
    folder = (call.folder or default_folder()).expanduser()
    findings = list(examine_installation(os.environ))
    if folder.is_dir():
        findings += examine_library(folder)
    if call.as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            mend = f" — {finding.mend}" if finding.mend and not finding.good else ""
            click.echo(for_terminal(f"{'ok  ' if finding.good else 'MEND'} {finding.what}: {finding.words}{mend}"))
    return 0 if all(finding.good for finding in findings) else 1


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@everywhere
@click.pass_context
def check(context: click.Context, /, file: Path, **options: Any) -> int:
    """Find what Gemini would refuse in a batch file.

    FILE is any JSONL file for its batch API, whoever wrote it. Each fault is told with its line, its field and how to
    mend it; nothing is sent. Exit 0 when there is none, 1 when there are some, 2 when FILE cannot be read.
    """
    from indexer.paths import for_terminal
    from indexer.providers.gemini.check import check_file

    call = Call(context, options)
    try:
        faults = list(islice(check_file(file), _MOST_FAULTS))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", hint="name a JSONL file") from error
    if call.as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], ensure_ascii=True))
    else:
        for fault in faults:
            where = f"line {fault.line}" if fault.line else "the file"
            what = ": ".join(part for part in (where, fault.field, fault.problem) if part)
            click.echo(for_terminal(f"{what} — {fault.mend}"))
    if len(faults) == _MOST_FAULTS:
        call.screen.note(f"these are the first {_MOST_FAULTS}; there may be more")
    elif not faults:
        call.screen.note("no faults")
    return int(bool(faults))


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
    from indexer.access import default_folder
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
