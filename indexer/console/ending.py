"""What both commands share: how a library is named, and how a command ends, whatever happened on the way."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any

import click

from indexer.console.cells import laid_out
from indexer.domain.errors import CaptionaryError, UsageError, first_line
from indexer.domain.nearest import did_you_mean

_INTERRUPTED = 130
_SIGNALLED: dict[int, tuple[int, str]] = {signal.SIGTERM: (143, "terminated"), signal.SIGHUP: (_INTERRUPTED, "hung up")}
_USAGE = 2
_OURS = ("indexer", "search")
_MOMENT = 0.01  # seconds


class FolderOption(click.Path):
    """A directory that need not exist; an empty word, as an unset variable gives it, is none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a `Path`."""
        if not os.fspath(value):
            self.fail("an empty text is not a folder", param, ctx)
        return super().convert(value, param, ctx)


LIBRARY = click.option("--library", type=FolderOption(), metavar="DIR", help="The library. [CAPTIONARY_LIBRARY]")


class _Interrupt:
    """Ctrl-C, remembered: a library that is being imported may turn it into an exception of its own.

    Where an exception cannot go anywhere (a callback of the garbage collector), it is raised again a moment later.
    """

    def __init__(self) -> None:
        self.pressed = False
        self.code, self.word = _INTERRUPTED, "interrupted"

    def listen(self) -> None:
        """Answer Ctrl-C from now on, and who ends the process or closes its terminal."""
        signal.signal(signal.SIGINT, self)
        signal.signal(signal.SIGTERM, self)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(signal.SIGHUP, self)
        signal.signal(signal.SIGALRM, self)
        sys.unraisablehook = self._lost
        sys.excepthook = self._printed

    def end(self) -> None:
        """From now on Ctrl-C ends the process at once: all is done but the interpreter's own tidying."""
        signal.signal(signal.SIGINT, lambda *_: os._exit(_INTERRUPTED))

    def _printed(self, kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
        """A library in C prints what it cannot pass on."""
        if not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, fault, trace)

    def _lost(self, fault: sys.UnraisableHookArgs) -> None:
        if isinstance(fault.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            sys.__unraisablehook__(fault)

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.code, self.word = _SIGNALLED.get(number, (self.code, self.word))
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
            self._complete_words(command)
            code = self._end(command, list(sys.argv[1:] if arguments is None else arguments))
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read it has seen enough
            code = 0
            _silence()
        except OSError as fault:
            where = os.fsdecode(fault.filename) if fault.filename else "the output"
            full = fault.errno in (errno.ENOSPC, errno.EDQUOT)
            hint = "free some space on that disk" if full else "check that it exists and that you may use it"
            code = self._complain(f"{where}: {first_line(fault)}", hint, self._failure)
            _silence()
        except (KeyboardInterrupt, click.Abort):
            interrupt.pressed = True
        except SystemExit:
            raise
        except BaseException as fault:  # noqa: BLE001 - libraries in Rust raise no `Exception` when they panic
            code = 0 if interrupt.pressed else self._crash(fault)
        interrupt.end()
        if interrupt.pressed:
            with suppress(OSError):  # the terminal may be gone
                self._complain(interrupt.word, self._interrupted, interrupt.code)
            os._exit(interrupt.code)  # a thread may wait for ever for what the interrupted one was importing
        sys.exit(code)

    def _crash(self, fault: BaseException) -> int:
        """Say what nobody foresaw in a line that can be reported: what, and where in our own code."""
        frames = [frame for frame, _ in walk_tb(fault.__traceback__)]
        ours = [frame for frame in frames if frame.f_globals.get("__name__", "").startswith(_OURS)]
        where = f" ({ours[-1].f_globals['__name__']} line {ours[-1].f_lineno})" if ours else ""
        words = f"unforeseen error: {type(fault).__name__}: {first_line(fault)}{where}"
        _silence()
        return self._complain(words, "please report this line; index doctor looks for what is damaged", self._failure)

    def _complete_words(self, command: click.Command) -> None:
        """Answer a shell that completes a word, and leave; see `index completion`."""
        variable = f"_{self._program.upper()}_COMPLETE"
        if asked := os.environ.get(variable):
            from click.shell_completion import shell_complete

            sys.exit(shell_complete(command, {}, self._program, variable, asked))

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
            return self._complain(_first_lower(fault.format_message()), _click_hint(fault, self._program), _USAGE)
        except UsageError as fault:
            return self._complain(str(fault), fault.hint, _USAGE)
        except CaptionaryError as fault:
            return self._complain(str(fault), fault.hint, max(self._failure, fault.exit_code))

    def _complain(self, message: str, hint: str, code: int) -> int:
        from indexer.storage.paths import for_terminal

        with suppress(OSError):  # nobody reads it, or its disk is full: the exit code tells
            for line in (f"{self._program}: {message}", f"hint: {hint}" if hint else ""):
                if line:
                    click.echo(laid_out(for_terminal(" ".join(line.split())), sys.stderr), err=True)
            sys.stderr.flush()
        return code


def _click_hint(fault: click.ClickException, program: str) -> str:
    """What to do about a command line that cannot be read: the nearest word that is known, else the help."""
    context = fault.ctx if isinstance(fault, click.UsageError) else None
    path = context.command_path if context else program
    if isinstance(fault, click.NoSuchOption):
        known = [name for param in context.command.get_params(context) for name in param.opts] if context else []
        near = did_you_mean(fault.option_name, [name for name in known if name.startswith("--")])
    elif isinstance(fault, click.BadParameter) and isinstance(getattr(fault.param, "type", None), click.Choice):
        word = fault.message.split("'")[1] if fault.message.count("'") > 1 else ""
        near = did_you_mean(word, map(str, fault.param.type.choices))  # type: ignore[union-attr]
    elif context is not None and isinstance(context.command, click.Group) and fault.message.count("'") > 1:
        near = did_you_mean(fault.message.split("'")[1], context.command.commands)
    else:
        near = ""
    return near or f"see: {path} --help"


def _first_lower(message: str) -> str:
    """Click begins messages with a capital and ends them with a full stop; ours follow a colon."""
    text = message.strip().removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _silence() -> None:
    """Give the interpreter's last flush a place to go, lest it complain as well."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
