"""`index gallery`: the library in a browser."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from indexer.commands.invocation import Call, everywhere


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8642, show_default=True, help="0: any free one.")
@click.option("--no-open", is_flag=True, help="Print the address, open no browser.")
@everywhere
@click.pass_context
def gallery(context: click.Context, /, port: int, no_open: bool, **options: Any) -> int:
    """Look at the library in a browser: search, photos, tags, failures, jobs.

    Serves this machine only; the address holds a token without which nothing
    is answered. Never writes to photos and never spends. Ctrl-C ends it.

    \b
    Examples:
      index gallery
      index gallery --port 0 --no-open
    """
    call = Call(context, options)
    library = call.library()
    from search.gallery import address, app
    from search.gallery.server import listen, serve

    listener = listen(port)
    made, found = app(library), listener.getsockname()[1]

    def ready() -> None:
        place = address(made, found)
        click.echo(json.dumps({"address": place}) if call.as_json else place)
        sys.stdout.flush()
        if not no_open and _has_screen():
            import webbrowser

            webbrowser.open(address(made, found, once=True))

    serve(made, listener, ready)
    return 0


def _has_screen() -> bool:
    """Whether a browser with windows can be shown; one for terminals would take this one."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
