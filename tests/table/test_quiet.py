"""What must not happen: sockets without a key, and heavy imports where users wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import SAMPLES, environment, index

INDEX = "indexer.commands.index"
HEAVY = ("torch", "lancedb", "lance", "sentence_transformers", "google.genai", "onnxruntime", "transformers")

_NO_SOCKET = """
import sys
def refuse(event, arguments):
    own_pipe = event == "socket.__new__" and arguments[1] == 1  # AF_UNIX: an event loop wakes itself through one
    if event.startswith("socket.") and not own_pipe:
        sys.stderr.write(f"SOCKET {event} {arguments}\\n")
        raise RuntimeError("a keyless run opened a socket")
sys.addaudithook(refuse)
from indexer.commands.index import main
main(sys.argv[1:])
"""

_WHAT_WAS_LOADED = """
import atexit, sys
from {room} import main
atexit.register(lambda: sys.stderr.write("LOADED " + " ".join(sys.modules)))
main(sys.argv[1:])
"""


def python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_keyless_run_opens_no_socket(tmp_path: Path) -> None:
    """Python's own audit events see every socket that any module opens."""
    done = python(_NO_SOCKET, "--library", tmp_path / "library", "--provider", "local", SAMPLES)
    assert done.returncode == 0, done.stderr
    assert "SOCKET" not in done.stderr
    assert "11 new, 11 indexed" in done.stdout


def test_a_keyless_run_connects_to_nothing_below_python_either(tmp_path: Path) -> None:
    """The kernel sees no socket of the Internet families, whoever opens it; needs strace."""
    log = tmp_path / "calls"
    trace = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", str(log)]
    program = str(Path(sys.executable).with_name("index"))
    try:
        done = subprocess.run(
            [*trace, program, "--library", tmp_path / "library", "--provider", "local", SAMPLES],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    if "ptrace" in done.stderr.lower() and not log.read_text():
        pytest.skip("this machine does not let strace look")
    assert done.returncode == 0, done.stderr
    assert "AF_INET" not in log.read_text()


@pytest.mark.parametrize(
    ("room", "arguments"),
    [
        (INDEX, ["--help"]),
        (INDEX, ["run", "--help"]),
        ("search.cli", ["--help"]),
        (INDEX, ["status"]),
    ],
)
def test_help_and_status_load_nothing_heavy(tmp_path: Path, room: str, arguments: list[str]) -> None:
    """`--help` and `status` import neither torch, LanceDB, an encoder nor an SDK."""
    library = tmp_path / "library"
    if "status" in arguments:
        (tmp_path / "photos").mkdir()
        assert index("--library", library, tmp_path / "photos").code == 0
        arguments = ["--library", str(library), *arguments]
    done = python(_WHAT_WAS_LOADED.format(room=room), *arguments)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stderr.split("LOADED ", 1)[1].split())
    assert "click" in loaded
    assert not loaded & set(HEAVY)


def test_importing_the_packages_is_light() -> None:
    """`import indexer, search` and naming their classes load nothing heavy."""
    done = python("import sys, indexer, search; indexer.Library; search.Index; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)


def test_an_unchanged_run_and_a_search_never_load_the_client_of_the_table(tmp_path: Path) -> None:
    """LanceDB's client costs seconds to import: only a run that writes rows and a program that asks for it pay."""
    library = ("--library", str(tmp_path / "library"))
    assert index(*library, SAMPLES, "--provider", "local").code == 0
    for room, arguments in ((INDEX, [*library, SAMPLES, "--provider", "local"]), ("search.cli", [*library, "a dog"])):
        done = python(_WHAT_WAS_LOADED.format(room=room), *arguments)
        assert done.returncode == 0, done.stderr
        assert "lancedb" not in done.stderr.split("LOADED ", 1)[1].split(), room
