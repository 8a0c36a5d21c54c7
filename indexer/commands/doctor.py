"""`index doctor`: check the installation and the library."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere


@click.command()
@click.option("--deep", is_flag=True, help="Read every byte of the library, too.")
@everywhere
@click.pass_context
def doctor(context: click.Context, /, deep: bool, **options: Any) -> int:
    """Check this installation and this library.

    Exit 1 when something needs fixing; each such line says how.

    \b
    Examples:
      index doctor
      index doctor --deep
    """
    from indexer.library.doctor import examine_installation, examine_library
    from indexer.storage.paths import for_terminal

    call = Call(context, options)
    folder = call.place
    findings = list(examine_installation(os.environ))
    if folder.is_dir():
        findings += examine_library(folder, os.environ, deep=deep)
    if call.as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(for_terminal(f"{'ok ' if finding.good else 'FIX'} {finding.what}: {finding.words}"))
            if finding.fix and not finding.good:
                click.echo(for_terminal(f"    hint: {finding.fix}"))
    return 0 if all(finding.good for finding in findings) else 1
