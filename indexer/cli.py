"""The `index` command: parse, one library call, print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from indexer.errors import ApprovalRequired, CaptionaryError, MissingPath
from indexer.terminal import Screen, plan_lines, report_lines

_COMMANDS_HELP = "index COMMAND --help tells more of each command."


class _Group(click.Group):
    """`index PATH...` is short for `index run PATH...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _with_command(args, self.commands))


def _with_command(args: list[str], commands: Any) -> list[str]:
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


def _everywhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that stand before or after a command."""
    command = click.option("--quiet", "-q", is_flag=True, help="Only results and errors.")(command)
    command = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(command)
    return click.option(
        "--library", type=click.Path(path_type=Path), help="The library directory (else CAPTIONARY_LIBRARY)."
    )(command)


def _money(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--no-progress", is_flag=True, help="No progress bars.")(command)
    return click.option("--yes", is_flag=True, help="Approve spending without being asked.")(command)


class _Call:
    """One invocation: where the library is, how to print, how to ask."""

    def __init__(self, context: click.Context, options: dict[str, Any]) -> None:
        above = context.parent.params if context.parent else {}
        self.as_json: bool = options.pop("as_json", False) or bool(above.get("as_json"))
        quiet = options.pop("quiet", False) or bool(above.get("quiet"))
        folder = options.pop("library", None) or above.get("library") or os.environ.get("CAPTIONARY_LIBRARY")
        self.folder: Path | None = Path(folder) if folder else None
        self.yes: bool = options.pop("yes", False)
        self.screen = Screen(quiet=quiet, bars=not options.pop("no_progress", False))

    def library(self, *, create: bool = False) -> Any:
        from indexer.library import Library, Seams
        from indexer.pipeline.session import Watcher

        seams = Seams(watcher=Watcher(self.screen.progress, self.screen.note))
        return Library.open(self.folder, create=create, seams=seams)

    def check(self, roots: Sequence[bytes]) -> None:
        """Refuse a PATH that is not there before a library is made for it."""
        from indexer.ledger.store import FILE_NAME
        from indexer.library import default_folder
        from indexer.pipeline.asking import refuse_missing

        if not ((self.folder or default_folder()) / FILE_NAME).exists():
            refuse_missing(roots)

    def approve(self, plan: Any) -> bool:
        """Show the plan; ask a terminal, believe `--yes`, refuse otherwise."""
        self.screen.lines(plan_lines(plan))
        if self.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return click.confirm("Go on?", default=False, err=True)

    def show(self, report: Any) -> int:
        """Print a report and return its exit code."""
        self.screen.close()
        if self.as_json:
            print(json.dumps(report.to_dict(), ensure_ascii=True))
        elif not self.screen.quiet:
            print("\n".join(report_lines(report)))
        if report.stopped:
            self.screen.note(report.stopped)
        return int(report.exit_code)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_COMMANDS_HELP,
)
@_everywhere
@click.version_option(None, "-V", "--version", package_name="captionary", prog_name="captionary")
def cli(**_: Any) -> None:
    """Make a pile of pictures searchable: describe them through a batch API, or offline without a key.

    \b
    index ~/Photos                        crawl, show the price, ask, wait, collect
    index ~/Photos --provider local       without a key and without a network
    index ~/Photos --dry-run              the plan and its price; nothing is sent
    index status                          how the library stands
    search two dogs at a window           find them
    """


@cli.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=bytes))
@_everywhere
@_money
@click.option("--provider", metavar="NAME", help="auto, local or gemini. auto: that of the last run here.")
@click.option("--mode", type=click.Choice(["batch", "interactive"]), help="Batch API (half price) or ordinary calls.")
@click.option("--model", metavar="NAME", help="The provider's model.")
@click.option("--prompt", type=click.Path(path_type=Path), help="A file with your own prompt.")
@click.option("--schema", type=click.Path(path_type=Path), help="A file with the answer's JSON Schema.")
@click.option("--language", metavar="LANG", help="The language of the descriptions (English).")
@click.option("--pilot", type=click.IntRange(0), metavar="N", help="N photos by ordinary calls first.")
@click.option("--no-pilot", is_flag=True, help="No pilot.")
@click.option("--budget", type=click.FloatRange(0), metavar="USD", help="Never spend more than this.")
@click.option("--price", metavar="IN,OUT", help="US dollars per million tokens, for a model without a known price.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its price; send nothing.")
@click.option("--no-wait", is_flag=True, help="Return after the first submission; `index collect` goes on.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these out (gitignore grammar; repeatable).")
@click.option("--files-from", type=click.File("rb"), help="Read PATHs from a file, - for stdin.")
@click.option("-0", "nul", is_flag=True, help="--files-from is separated by NUL.")
@click.option("--follow", is_flag=True, help="Follow symbolic links.")
@click.option("--hidden", is_flag=True, help="Hidden files too.")
@click.option("--max-pixels", type=click.IntRange(1), metavar="N", help="Leave larger pictures out.")
@click.option("--workers", type=click.IntRange(0), metavar="N", help="Processes that decode (one a core).")
@click.option("--confirm-deleted", is_flag=True, help="Files that are gone were deleted, no drive is unplugged.")
@click.pass_context
def run(context: click.Context, /, paths: tuple[bytes, ...], **options: Any) -> int:
    """Crawl, plan, ask for approval, submit, wait, collect. Running it again resumes.

    \b
    index ~/Photos
    index ~/Photos --budget 5 --yes
    find . -name '*.jpg' -print0 | index --files-from - -0
    """
    call = _Call(context, options)
    roots = _roots(paths, options.pop("files_from"), options.pop("nul"))
    call.check(roots)
    dry_run = options.pop("dry_run")
    wished = _wishes(options)
    library = call.library(create=True)
    if dry_run:
        report, plan = library.preview(roots, **wished)
        call.screen.lines(plan_lines(plan))
        call.show(report)
        return 0
    try:
        return call.show(library.index(roots, approve=call.approve, **wished))
    except ApprovalRequired as stop:
        if call.as_json:
            call.show(library.status(roots, estimate=stop.plan.cost))
        raise


def _roots(paths: tuple[bytes, ...], listed: Any, nul: bool) -> list[bytes]:
    from indexer.paths import files_from

    roots = list(paths)
    if listed is not None:
        roots += files_from(listed, nul=nul)
    if not roots and listed is None:
        raise click.UsageError("name a folder or a picture: index ~/Photos")
    for path in roots:
        _did_you_mean(path)
    return roots


def _did_you_mean(path: bytes) -> None:
    word = os.fsdecode(path)
    if os.path.lexists(path) or "/" in word or "." in word:
        return
    from difflib import get_close_matches

    near = get_close_matches(word, list(cli.commands), n=1)
    if near:
        raise MissingPath(f"there is no file or folder {word!r}", hint=f"did you mean: index {near[0]}")


def _wishes(options: dict[str, Any]) -> dict[str, Any]:
    """Turn flags into the keywords of `Library.index`; what was not said is left out."""
    if options.pop("no_pilot"):
        options["pilot"] = 0
    options["wait"] = not options.pop("no_wait")
    return {name: value for name, value in options.items() if value is not None}


@cli.command()
@_everywhere
@click.pass_context
def status(context: click.Context, /, **options: Any) -> int:
    """How the library stands: photos, requests, jobs, money."""
    call = _Call(context, options)
    call.show(call.library().status())
    return 0


@cli.command()
@click.option("--wait", is_flag=True, help="Wait until nothing is out any more.")
@_everywhere
@_money
@click.pass_context
def collect(context: click.Context, /, wait: bool, **options: Any) -> int:
    """Advance what is unfinished: poll, download, submit what was approved. Never asks, never exceeds the cap."""
    call = _Call(context, options)
    return call.show(call.library().collect(wait=wait))


@cli.command()
@click.option("--only", metavar="REASON", help="Only what failed for this reason.")
@_everywhere
@_money
@click.pass_context
def retry(context: click.Context, /, only: str | None, **options: Any) -> int:
    """Ask again for photos that failed."""
    call = _Call(context, options)
    return call.show(call.library().retry(only=only, approve=call.approve))


@cli.command()
@_everywhere
@click.pass_context
def failures(context: click.Context, /, **options: Any) -> int:
    """Every photo without a description, and the one reason why."""
    from dataclasses import asdict

    from indexer.paths import for_terminal

    call = _Call(context, options)
    found = call.library().failures()
    if call.as_json:
        print(json.dumps([asdict(one) for one in found], ensure_ascii=True))
    else:
        for one in found:
            print(for_terminal(f"{one.path}: {one.reason}: {one.detail}"))
    return 0


@cli.command()
@_everywhere
@click.pass_context
def rebuild(context: click.Context, /, **options: Any) -> int:
    """Make the search table again from the ledger, without one request."""
    call = _Call(context, options)
    count = call.library().rebuild()
    call.screen.close()
    print(json.dumps({"rows": count}) if call.as_json else f"{count} rows")
    return 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and leave with its exit code; every failure is one line with what to do next."""
    sys.exit(_run(list(sys.argv[1:] if arguments is None else arguments)))


def _run(arguments: list[str]) -> int:
    try:
        return int(cli.main(arguments, prog_name="index", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as fault:
        sys.stderr.write(fault.format_message() + "\n")
        return fault.exit_code
    except click.ClickException as fault:
        return _complain(fault.format_message(), "see: index --help", fault.exit_code)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted; what is done is kept", "run the same command again to go on", 130)
    except CaptionaryError as fault:
        return _complain(str(fault), fault.hint, fault.exit_code)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - so that the interpreter's last flush has a place to go
        return 0


def _complain(message: str, hint: str, code: int) -> int:
    from indexer.paths import for_terminal

    line = f"index: {message}" + (f" — {hint}" if hint else "")
    print(for_terminal(" ".join(line.split())), file=sys.stderr)
    return code
