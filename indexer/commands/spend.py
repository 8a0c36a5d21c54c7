"""`index report`: every request, token and cent."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, everywhere

if TYPE_CHECKING:
    from indexer.ledger.spend.accounts import Account


@click.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header, for spreadsheets.")
@everywhere
@click.pass_context
def report(context: click.Context, /, as_csv: bool, **options: Any) -> int:
    """Show every request, token and cent by run, batch, provider and model.

    Says whether the sums agree, and whether every described photo has its
    answer.

    \b
    Examples:
      index report
      index report --csv > spending.csv
    """
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    found = call.library().accounts()
    if call.as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=True))
        for fault in found.faults:
            call.screen.note(fault)
        return 0
    if as_csv:
        table = csv.DictWriter(sys.stdout, list(asdict(found.total)), lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(row) for row in (*found.accounts, found.total))
        return 0
    for row in (*found.accounts, found.total):
        parts = [f"{row.answered:,} of {row.requests:,} requests answered"]
        parts += [f"{count:,} {word}" for word, count in _further(row) if count]
        parts.append(f"{row.input_tokens:,} tokens in, {row.output_tokens:,} out, ${row.spent_usd:.4f}")
        click.echo(for_terminal(f"{row.kind:8} {row.name:40} {', '.join(parts)}"))
    for fault in found.faults or ["the books balance"]:
        click.echo(fault)
    return 0


def _further(row: Account) -> list[tuple[str, int]]:
    return [("failed", row.failed), ("in doubt", row.in_doubt), ("not served", row.not_served), ("out", row.out)]
