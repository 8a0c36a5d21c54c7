"""Processes that begin with what is heavy already imported: a fork server loads it once for all tests of a worker."""

from __future__ import annotations

import atexit
import io
import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as the product sets it, before the import below
for _tells in ("lancedb fork support", "lance is not fork-safe"):  # nothing of them runs when the server forks
    warnings.filterwarnings("ignore", message=_tells)

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "tests.support.warm",
        "google.genai",
        "google.auth.transport.requests",
        "httpx",
        "httpx2",
        "lancedb",
        "lance",
        "onnxruntime",
        "tokenizers",
        "indexer.library.api",
        "indexer.media.rendition",
        "indexer.commands.index",
        "indexer.providers.anthropic.adapter",
        "indexer.providers.mistral.adapter",
        "indexer.providers.openai.adapter",
        "indexer.providers.vertex.adapter",
        "search.cli",
        "tests.support.killing",
    ]
)
_READ_WHEN_PYTHON_STARTS = ("PYTHON", "LC_", "LANG")


def can_run(env: Mapping[str, str]) -> bool:
    """Whether nothing of `env` is read only when Python starts."""
    return not any(name.startswith(_READ_WHEN_PYTHON_STARTS) and env[name] != os.environ.get(name) for name in env)


def run(
    program: Path, arguments: list[str], env: Mapping[str, str], cwd: str, streams: tuple[Path, Path]
) -> int | None:
    """Run a console script in a process of its own; it writes to `streams`, and its exit code comes back."""
    process = SERVER.Process(target=_begin, args=([str(program), *arguments], dict(env), cwd, streams))
    process.start()
    process.join(240)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"{program.name} {arguments}")
    return process.exitcode


def _begin(argv: list[str], env: dict[str, str], cwd: str, streams: tuple[Path, Path]) -> None:
    from indexer.console import start

    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    sys.argv = argv
    for number, path in enumerate((Path(os.devnull), *streams)):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_TRUNC)
        os.dup2(opened, number)
        os.close(opened)
    out, err = sys.__stdout__, sys.__stderr__
    assert out is not None
    assert err is not None
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
            was.encoding,
            was.errors,
            line_buffering=was is err,
        )
        for number, was in ((1, out), (2, err))
    )
    code = 1
    try:
        getattr(start, Path(argv[0]).name)()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as Python itself ends
        sys.excepthook(*sys.exc_info())
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
