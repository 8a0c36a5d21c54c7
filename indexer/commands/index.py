"""The `index` command: which commands there are, and how every one of them ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from indexer.commands.backup import backup
from indexer.commands.check import check
from indexer.commands.compare import compare
from indexer.commands.doctor import doctor
from indexer.commands.evaluate import evaluate
from indexer.commands.export import export
from indexer.commands.forget import forget
from indexer.commands.gallery import gallery
from indexer.commands.inbox import inbox
from indexer.commands.invocation import everywhere
from indexer.commands.progress import collect, failures, rebuild, retry, status
from indexer.commands.prompts import diff, prompts
from indexer.commands.quote import quote
from indexer.commands.relocate import dismiss, relocate
from indexer.commands.run import run
from indexer.commands.settings import completion, config
from indexer.commands.spend import report
from indexer.commands.tags import tags
from indexer.console.ending import Ending

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS_HELP = "index run --help shows all options of index PATH, index COMMAND --help those of a command."


class _Group(click.Group):
    """`index PATH...` is short for `index run PATH...`."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands; where none begins so, files and folders, which stand where a command would."""
        from click.shell_completion import CompletionItem

        found = super().shell_complete(ctx, incomplete)
        return found or [CompletionItem(incomplete, type="file")]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_command(args, self.commands))


def _with_command(args: list[str], commands: Mapping[str, click.Command]) -> list[str]:
    """Put `run` before the first argument that neither the group nor a command knows."""
    place = 0
    while place < len(args) and args[place] in ("--json", "--quiet", "-q", "--library"):
        place += 2 if args[place] == "--library" else 1
    while place < len(args) and args[place].startswith("--library="):
        place += 1
    first = args[place] if place < len(args) else "--help"
    if first in ("-h", "--help", "-V", "--version") or first in commands:
        return args
    return [*args[:place], "run", *args[place:]]


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=_COMMANDS_HELP,
)
@everywhere
@click.version_option(None, "-V", "--version", package_name="captionary", prog_name="captionary")
def cli(**_: Any) -> None:
    """Make a pile of pictures searchable.

    With a key a model describes them, at batch price; without one everything is
    free and stays on this machine.

    \b
    Examples:
      index ~/Photos                    describe; shows the price and asks first
      index ~/Photos --dry-run          the plan and its price; sends nothing
      index ~/Photos --provider local   free and offline, whatever is set
      index status                      photos, jobs, money
      search two dogs at a window       find them; always offline
    """


_WORK = (run, quote, compare, inbox, status, collect, retry, failures, rebuild)
_BOOKS = (gallery, forget, relocate, dismiss, report, tags, prompts, diff, export, backup)
for command in (*_WORK, *_BOOKS, config, completion, doctor, evaluate, check):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code; every failure is one line with what to do next."""
    ends = Ending(
        "index",
        failure=1,
        interrupted="everything done so far is kept; run it again to go on and to search it",
    )
    ends.run(cli, arguments)
