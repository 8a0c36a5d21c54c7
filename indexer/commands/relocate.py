"""`index relocate`: photos that lie at another place now; `index dismiss`: failures that are accepted."""

from __future__ import annotations

import json
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere


@click.command()
@click.argument("old", type=click.Path(path_type=bytes))
@click.argument("new", type=click.Path(path_type=bytes))
@everywhere
@click.pass_context
def relocate(context: click.Context, /, old: bytes, new: bytes, **options: Any) -> int:
    """Say that the photos of the folder OLD lie at NEW now.

    For a drive that has another name, or a folder that was moved as a whole.
    Nothing is read or described again.

    \b
    Examples:
      index relocate /media/old/Photos /media/new/Photos
    """
    call = Call(context, options)
    files = call.library().relocate(old, new)
    click.echo(json.dumps({"files": files}) if call.as_json else f"relocated {files:,} files")
    return 0


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=bytes))
@click.option("--undo", is_flag=True, help="Let these failures count again.")
@everywhere
@click.pass_context
def dismiss(context: click.Context, /, paths: tuple[bytes, ...], undo: bool, **options: Any) -> int:
    """Accept that PATHS have no description.

    They no longer count as failed, until the file changes.

    \b
    Examples:
      index dismiss ~/Photos/2009/broken.jpg
      index dismiss ~/Photos/2009 --undo
    """
    call = Call(context, options)
    done = call.library().dismiss(paths, undo=undo)
    verb = "counted again" if undo else "dismissed"
    click.echo(json.dumps({"paths": done}) if call.as_json else f"{verb}: {done:,} failed paths")
    return 0
