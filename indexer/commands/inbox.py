"""`index inbox`: uploads to be looked at, and their verdicts."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.invocation import Call, Dollars, Duration, everywhere, spending
from indexer.domain.presets import PRESETS

if TYPE_CHECKING:
    from indexer.library.inbox import Inbox

_GLANCE = 2.0  # seconds between two looks of verdicts --follow


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--checks",
            type=click.Path(path_type=Path),
            default=Path("checks.toml"),
            metavar="FILE",
            help="What to look for: a file or a preset. [checks.toml]",
        ),
        click.option("--provider", default="auto", metavar="NAME", help="Who looks: a provider, best or auto."),
        click.option("--within", default="24h", metavar="TIME", help="How long a verdict may take. [24h]"),
        click.option("--budget-per-day", type=Dollars(), metavar="USD", help="Hard cap for a day (UTC)."),
    ):
        command = option(command)
    return everywhere(command)


@click.group()
def inbox() -> None:
    """Look at uploads within a time and decide by your rules.

    checks.toml says what to look for. Uploads are kept in the library; verdicts
    come in order, each with a cursor.

    \b
    Examples:
      index inbox add post-123 photo.jpg
      index inbox advance --within 24h
      index inbox verdicts --after 17
    """


def _open(context: click.Context, options: dict[str, Any]) -> tuple[Call, Inbox]:
    told = {name: options.pop(name) for name in ("checks", "provider", "within", "budget_per_day")}
    call = Call(context, options)
    library = call.library(create=True)
    checks = told.pop("checks")
    return call, library.inbox(checks, **told)


@inbox.command()
@click.argument("upload", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path))
@_options
@click.pass_context
def add(context: click.Context, /, upload: str, file: Path, **options: Any) -> int:
    """Take in FILE under the name ID; it is safe when this returns.

    \b
    Example:
      index inbox add post-123 photo.jpg
    """
    _, held = _open(context, options)
    held.add(upload, file)
    return 0


@inbox.command()
@_options
@click.pass_context
def advance(context: click.Context, /, **options: Any) -> int:
    """Send what is due, fetch what is back, decide; returns at once.

    \b
    Example:
      index inbox advance --provider gemini --budget-per-day 5
    """
    call, held = _open(context, options)
    made = held.advance()
    call.screen.close()
    call.screen.note(f"{made:,} new verdicts")
    return 0


@inbox.command()
@click.option("--after", default="", metavar="CURSOR", help="Only verdicts after this one.")
@click.option("--follow", is_flag=True, help="Stay and print verdicts as they come.")
@_options
@click.pass_context
def verdicts(context: click.Context, /, after: str, follow: bool, **options: Any) -> int:
    """Print verdicts as JSON, one a line, in order.

    \b
    Example:
      index inbox verdicts --after 17 | jq .decision
    """
    _, held = _open(context, options)
    while True:
        for verdict in held.verdicts(after):
            after = verdict.cursor
            click.echo(json.dumps(verdict.to_dict(), ensure_ascii=True))
        if not follow:
            return 0
        time.sleep(_GLANCE)


@inbox.command()
@click.argument("upload", metavar="ID")
@click.argument("decision", type=click.Choice(["approve", "reject"]))
@click.option("--note", default="", metavar="TEXT", help="Why.")
@_options
@click.pass_context
def decide(context: click.Context, /, upload: str, decision: str, note: str, **options: Any) -> int:
    """Decide about the upload ID yourself; no rule overrules it.

    \b
    Example:
      index inbox decide post-123 approve --note "looked at it"
    """
    _, held = _open(context, options)
    held.decide(upload, decision, note)
    return 0


@inbox.command()
@click.argument("upload", metavar="ID")
@_options
@click.pass_context
def forget(context: click.Context, /, upload: str, **options: Any) -> int:
    """Take all of the upload ID out: bytes, answers, verdicts.

    Files at the service that held it are deleted there, too, where it can do so.
    An upload that is being looked at goes for good when that has ended: exit
    code 3, and advance does the rest.

    \b
    Example:
      index inbox forget post-123
    """
    call, held = _open(context, options)
    if held.forget(upload):
        return 0
    call.screen.note("it is being looked at; index inbox advance removes the rest when that is done")
    return 3


@inbox.command("ask-again")
@spending
@_options
@click.pass_context
def ask_again(context: click.Context, /, **options: Any) -> int:
    """Ask about decided uploads again, after a change of the questions.

    Other rules need no request: advance decides by them. Other questions do;
    without this, they are asked of new uploads only.

    \b
    Example:
      index inbox ask-again --yes
    """
    call, held = _open(context, options)
    count = held.ask_again(approve=call.approve)
    call.screen.close()
    call.screen.note(f"{count:,} uploads wait for a new verdict; index inbox advance asks about them")
    return 0


@inbox.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8643, show_default=True, help="0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="Where to listen.")
@click.option(
    "--every", type=Duration(), default="30s", show_default=True, metavar="TIME", help="How often to advance."
)
@_options
@click.pass_context
def serve(context: click.Context, /, port: int, host: str, every: float, **options: Any) -> int:
    """Serve the inbox over HTTP, for programs in other languages.

    POST /uploads/ID takes in a picture, GET /verdicts?after=CURSOR tells
    verdicts; both need the bearer token in CAPTIONARY_INBOX_TOKEN. Advances by
    itself, and posts verdicts to the webhook of the checks file, signed with
    CAPTIONARY_INBOX_SECRET. Listens on this machine only, unless --host says
    otherwise. Ctrl-C ends it.

    \b
    Example:
      index inbox serve --provider best --port 8643
    """
    from indexer.library.inbox_web import app
    from indexer.library.inbox_worker import InboxWorker
    from indexer.library.webhook import Webhook
    from search.gallery.server import listen
    from search.gallery.server import serve as answer

    call, held = _open(context, options)
    made = app(held, os.environ.get("CAPTIONARY_INBOX_TOKEN", ""))
    secret = os.environ.get("CAPTIONARY_INBOX_SECRET", "")
    webhook = Webhook(held, secret) if held.webhook else None
    listener = listen(port, host)
    address = f"http://{host}:{listener.getsockname()[1]}"

    def ready() -> None:
        click.echo(json.dumps({"address": address}) if call.as_json else address)
        sys.stdout.flush()

    with InboxWorker(held, every, call.screen.note, webhook):
        answer(made, listener, ready)
    return 0


@inbox.command()
@click.argument("name", type=click.Choice(list(PRESETS)))
def preset(name: str) -> int:
    """Print a checks file to start from.

    \b
    Example:
      index inbox preset marketplace > checks.toml
    """
    click.echo(PRESETS[name], nl=False)
    return 0
