"""However a command ends, it says so in a line and a hint, with its own exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from tests.support.commands import SAMPLES, environment, index


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the sample pictures."""
    folder = tmp_path_factory.mktemp("ending") / "library"
    assert index("--library", folder, SAMPLES).code == 0
    return folder


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("index", "click.core"),
        ("index", "numpy.version"),
        ("index", "onnxruntime.capi._ld_preload"),
        ("search", "click.core"),
        ("search", "onnxruntime.capi._ld_preload"),
        ("search", "pyarrow.util"),
    ],
)
def test_an_interrupt_while_something_is_imported_is_an_interrupt(tmp_path: Path, command: str, module: str) -> None:
    """Ctrl-C right after `module` was loaded: exit 130 and no traceback, whatever the import makes of it."""
    library = tmp_path / "library"
    if command == "search":
        assert index("--library", library, SAMPLES).code == 0
    words = [SAMPLES] if command == "index" else ["dogs"]
    code = f"from indexer.console.start import {command}; {command}()"
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-c", code, "--library", library, *words],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        patience = Timer(60, process.kill)
        patience.start()
        next(line for line in process.stderr if line.split()[-1] == module)
        process.send_signal(signal.SIGINT)
        told = [line for line in process.stderr if not line.startswith("import time:")]
        patience.cancel()
    assert process.returncode == 130, told
    assert "Traceback" not in "".join(told), "".join(told)[-3000:]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["index", "status"], 1),
        (["index", "status", "--json"], 1),
        (["index", "failures", "--json"], 1),
        (["index", "--help"], 1),
        (["search", "dogs"], 2),
        (["search", "dogs", "--json"], 2),
    ],
)
def test_a_full_disk_behind_stdout_is_one_line(library: Path, command: list[str], code: int) -> None:
    """What cannot be written is told with the exit code of an error."""
    program = Path(sys.executable).with_name(command[0])
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [program, *command[1:]],
            env=environment(CAPTIONARY_LIBRARY=str(library)),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert done.stderr.splitlines()[-2:] == [
        f"{command[0]}: the output: No space left on device",
        "hint: free some space on that disk",
    ]


@pytest.mark.parametrize("command", ["index status", "index report --json", "search dogs", "search dogs --json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(library: Path, command: str, closed: str) -> None:
    """Nobody reads or listens; the command does its work, and the library is not what is printed to."""
    before = {path: path.read_bytes() for path in library.rglob("*") if path.is_file()}
    program = Path(sys.executable).with_name(command.split()[0])
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {program} {command.partition(' ')[2]} {closed}"],
        env=environment(CAPTIONARY_LIBRARY=str(library)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert all(path.read_bytes() == data for path, data in before.items())


def test_an_interrupt_while_a_finished_command_ends_changes_nothing(library: Path) -> None:
    """Python itself would die of it, without a word, when all was done and said."""
    late = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"{late}; from indexer.console.start import index; index()",
            "--library",
            library,
            "status",
        ],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_run_without_new_photos_loads_nothing_that_opens_them(library: Path) -> None:
    """Neither decoders nor the table, and not even what waits for workers; and rubbish is collected again."""
    heavy = {"PIL", "lxml", "numpy", "lancedb", "multiprocessing", "importlib.metadata", "indexer.media.metadata"}
    told = f"atexit.register(lambda: print(gc.isenabled(), {heavy} & set(sys.modules), file=sys.stderr))"
    code = f"import atexit, gc, sys; {told}; from indexer.console.start import index; index()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "--quiet", "--library", library, SAMPLES],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (0, "True set()")


def test_a_closed_stdin_answers_no_question(library: Path) -> None:
    """Who cannot be asked has not said yes: exit 2 with what to do, and nothing is forgotten."""
    program = Path(sys.executable).with_name("index")
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {program} forget / <&-"],
        env=environment(CAPTIONARY_LIBRARY=str(library)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "--confirm" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.parametrize("command", [["index", "report", "--csv"], ["search", "dogs"]])
def test_a_closed_pipe_ends_a_command_quietly(library: Path, command: list[str]) -> None:
    """Whoever read the pipe has seen enough."""
    program = Path(sys.executable).with_name(command[0])
    with subprocess.Popen(
        [program, *command[1:]],
        env=environment(CAPTIONARY_LIBRARY=str(library)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (0, "")
