"""What both commands share: how a library is named, and how a command ends, whatever happened on the way."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click

from indexer.domain.errors import CaptionaryError, UsageError, first_line

_INTERRUPTED = 130
_USAGE = 2
_MOMENT = 0.01  # seconds


class Folder(click.Path):
    """A directory that need not exist; an empty word, as an unset variable gives it, is none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a `Path`."""
        if not os.fspath(value):
            self.fail("it names no folder", param, ctx)
        return super().convert(value, param, ctx)


LIBRARY = click.option("--library", type=Folder(), help="The library (else CAPTIONARY_LIBRARY).")


class _Interrupt:
    """Ctrl-C, remembered: a library that is being imported may turn it into an exception of its own.

    Where an exception cannot go anywhere (a callback of the garbage collector), it is raised again a moment later.
    """

    def __init__(self) -> None:
        self.pressed = False

    def listen(self) -> None:
        """Answer Ctrl-C from now on."""
        signal.signal(signal.SIGINT, self)
        signal.signal(signal.SIGALRM, self)
        sys.unraisablehook = self._lost
        sys.excepthook = self._printed

    def _printed(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        """A library in C prints what it cannot pass on."""
        if not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, fault, trace)

    def _lost(self, fault: sys.UnraisableHookArgs) -> None:
        if isinstance(fault.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            sys.__unraisablehook__(fault)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.pressed = True
        raise KeyboardInterrupt


class Ending:
    """Runs a command line and ends the process; `failure` is the exit code of what went wrong but says none."""

    def __init__(self, program: str, *, failure: int, interrupted: str) -> None:
        self._program = program
        self._failure = failure
        self._interrupted = interrupted

    def run(self, command: click.Command, arguments: Sequence[str] | None) -> None:
        """Run `command` (default: on the arguments of this process) and leave with its exit code."""
        interrupt = _Interrupt()
        interrupt.listen()
        try:
            code = self._end(command, list(sys.argv[1:] if arguments is None else arguments))
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it has seen enough
            code = 0
            _silence()
        except OSError as fault:
            where = os.fsdecode(fault.filename) if fault.filename else "the output"
            full = fault.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "make room on that disk" if full else "check that it is there and may be used"
            code = self._complain(f"{where}: {first_line(fault)}", hint, self._failure)
            _silence()
        except (KeyboardInterrupt, click.Abort):
            interrupt.pressed = True
        except Exception:
            if not interrupt.pressed:
                raise
        if interrupt.pressed:
            self._complain("interrupted", self._interrupted, _INTERRUPTED)
            sys.stderr.flush()
            os._exit(_INTERRUPTED)  # a thread may wait for ever for what the interrupted one was importing
        sys.exit(code)

    def _end(self, command: click.Command, arguments: list[str]) -> int:
        try:
            with command.make_context(self._program, arguments) as context:
                return int(command.invoke(context) or 0)
        except click.exceptions.Exit as done:  # --help and --version
            return done.exit_code
        except click.exceptions.NoArgsIsHelpError as fault:
            sys.stderr.write(fault.format_message() + "\n")
            return _USAGE
        except click.ClickException as fault:
            return self._complain(fault.format_message(), f"see: {self._program} --help", _USAGE)
        except UsageError as fault:
            return self._complain(str(fault), fault.hint, _USAGE)
        except CaptionaryError as fault:
            return self._complain(str(fault), fault.hint, max(self._failure, fault.exit_code))

    def _complain(self, message: str, hint: str, code: int) -> int:
        from indexer.storage.paths import for_terminal

        line = f"{self._program}: {message}" + (f" — {hint}" if hint else "")
        click.echo(for_terminal(" ".join(line.split())), err=True)
        return code


def _silence() -> None:
    """Give the interpreter's last flush a place to go, lest it complain as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
