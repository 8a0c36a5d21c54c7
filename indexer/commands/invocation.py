"""What every command shares: the options that stand anywhere, the library, how to ask and how to print."""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from indexer.commands.wording import plan_lines, progress_words, report_lines, run_lines
from indexer.console.cells import laid_out
from indexer.console.ending import LIBRARY
from indexer.console.screen import Screen
from indexer.domain.workers import WANTED, is_workers

if TYPE_CHECKING:
    from indexer.domain.plan import Plan
    from indexer.library.api import Library, Report


def everywhere(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that stand before or after a command."""
    command = click.option("--quiet", "-q", is_flag=True, help="Print only errors and JSON.")(command)
    command = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)
    return LIBRARY(command)


def spending(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of commands that may spend money and take a while."""
    command = click.option("--no-progress", is_flag=True, help="Show no progress.")(command)
    return click.option("--yes", is_flag=True, help="Approve the price without a question.")(command)


class Duration(click.ParamType[float]):
    """A duration as people write it, in seconds: 90s, 30m, 6h, 2d."""

    name = "duration"
    _units: ClassVar = {"s": 1, "m": 60, "h": 3600, "d": 86400}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        number, unit = (value[:-1], value[-1:]) if value[-1:] in self._units else (value, "s")
        try:
            seconds = float(number) * self._units[unit]
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < 1e9:
            self.fail(f"{value!r} is not a duration; use 30m, 6h or 2d", param, ctx)
        return seconds


class Dollars(click.FloatRange):
    """An amount of money; "nan" and "inf" are floats, but no amounts."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return US dollars."""
        amount = float(super().convert(value, param, ctx))
        if not math.isfinite(amount):
            self.fail(f"{value!r} is not an amount of money", param, ctx)
        return amount


class WorkersType(click.ParamType[int | str]):
    """Who opens pictures: a number of processes, or a Ray cluster."""

    name = "workers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Return the number, or the name of the cluster."""
        told = int(value) if str(value).isdigit() else value
        if not is_workers(told):
            self.fail(f"{value!r} is not {WANTED}", param, ctx)
        return told


def bounded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that bound what a command may spend and how long it may wait."""
    command = click.option(
        "--deadline",
        type=Duration(),
        metavar="TIME",
        help="After this time (30m, 6h, 2d) cancel the batch and ask one by one.",
    )(command)
    return click.option("--budget", type=Dollars(), metavar="USD", help="Hard cap of what this run may spend.")(command)


class Call:
    """One invocation: where the library is, how to print, how to ask."""

    def __init__(self, context: click.Context, options: dict[str, Any]) -> None:
        above = context.find_root().params
        self.as_json: bool = options.pop("as_json", False) or bool(above.get("as_json"))
        quiet = options.pop("quiet", False) or bool(above.get("quiet"))
        folder = options.pop("library", None) or above.get("library") or os.environ.get("CAPTIONARY_LIBRARY")
        self.folder: Path | None = Path(folder) if folder else None
        self.yes: bool = options.pop("yes", False)
        self.declined = False
        self._began = time.monotonic()
        self.screen = Screen(progress_words, quiet=quiet, bars=not options.pop("no_progress", False))
        self.screen.catch_warnings()
        context.call_on_close(self.screen.close)  # before whatever else is said

    @property
    def place(self) -> Path:
        """The folder of the library, whether one is there or not."""
        from indexer.storage.layout import default_folder

        return (self.folder or default_folder()).expanduser()

    def library(self, *, create: bool = False) -> Library:
        """Open the library, whose progress and notes this screen shows."""
        from indexer.library.api import Library

        gc.freeze()  # what was imported stays, and need not be looked through again and again
        gc.enable()
        return Library.open(self.folder, create=create, progress=self.screen.progress, note=self.screen.note)

    def check(self, roots: Sequence[bytes]) -> None:
        """Refuse a PATH that is not there, or is the library itself, before a library is made for it."""
        from indexer.library.api import refuse_roots

        refuse_roots(self.folder, roots)

    def approve(self, plan: Plan) -> bool:
        """Show the plan; ask a terminal, believe `--yes`, refuse otherwise."""
        self.screen.lines(plan_lines(plan))
        if self.yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        self.declined = not click.confirm("Go on?", default=False, err=True)
        return not self.declined

    def show(self, report: Report, *, ran: bool = False) -> int:
        """Print a report, after a command that `ran` what it did, and return its exit code."""
        self.screen.close()
        if self.as_json:
            click.echo(json.dumps(report.to_dict(), ensure_ascii=True))
        elif not self.screen.quiet:
            seconds = time.monotonic() - self._began
            for line in run_lines(report, seconds) if ran else report_lines(report):
                click.echo(laid_out(line, sys.stdout))
        if report.stopped:
            self.screen.note(report.stopped)
        return int(report.exit_code)
