"""Where the console scripts begin: the least that can be imported before Ctrl-C is answered."""

from __future__ import annotations

try:
    import gc
    import os
    import signal
    import sys
    from importlib import import_module
except KeyboardInterrupt:
    raise SystemExit(130) from None

_STDIN, _STDOUT, _STDERR = 0, 1, 2


def index() -> None:
    """The `index` command.

    No rubbish is collected while its modules are imported, for there is none, but from when a library is opened.
    """
    gc.disable()
    _start("indexer.commands.index")


def search() -> None:
    """The `search` command.

    It lives for a moment and leaves nothing behind its output, so no rubbish is collected while its libraries are
    imported, and they are not taken apart at the end: together a fifth of its time. Arrow would import pandas where
    that is installed, which no search needs and which takes as long as all the rest.
    """
    gc.disable()
    sys.meta_path.insert(0, _WithoutPandas())
    try:
        _start("search.cli")
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(end.code)


class _WithoutPandas:
    """Says that pandas is not installed."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Let all other modules be found."""
        if name == "pandas":
            raise ModuleNotFoundError("a search needs no pandas", name=name)


def _have_streams() -> None:
    """Put nothing behind streams that were closed, lest the next file that is opened be what is printed to."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(opened)
    sys.stdin = sys.stdin or open(_STDIN, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = sys.stdout or open(_STDOUT, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(_STDERR, "w", closefd=False)  # noqa: SIM115


def _start(module: str) -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))  # until the command itself is there to answer
    _have_streams()
    try:
        import_module(module).main()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said: Ctrl-C may not make it another end
