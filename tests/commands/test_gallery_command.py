"""`index gallery` as a process: the address that it prints, how it ends, and what stands in its way."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from indexer import Library
from tests.support.commands import index


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library without a photo."""
    folder = tmp_path_factory.mktemp("gallery")
    (folder / "empty").mkdir()
    with Library.open(folder / "library") as library:
        library.index([folder / "empty"], provider="local")
    return folder / "library"


@pytest.mark.parametrize("as_json", [False, True])
def test_it_prints_its_address_serves_and_ends_by_ctrl_c(library: Path, as_json: bool) -> None:
    """stdout holds the address alone, on this machine, with a token; Ctrl-C ends it without a traceback."""
    command = [sys.executable, "-m", "indexer", "gallery", "--library", str(library), "--port", "0", "--no-open"]
    command += ["--json"] if as_json else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline().strip()
        address = json.loads(line)["address"] if as_json else line
        assert address.startswith("http://127.0.0.1:")
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            answer = client.get(address)
        assert answer.status_code == 200
        assert "nothing is indexed" in answer.text
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_a_port_in_use_is_said(library: Path) -> None:
    """One line says which port, another what to do."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        done = index("--library", library, "gallery", "--port", str(busy.getsockname()[1]), "--no-open")
    assert done.code == 1
    assert "cannot be used" in done.err
    assert "--port 0" in done.err


def test_a_library_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Looking makes nothing."""
    done = index("--library", tmp_path / "nothing", "gallery", "--port", "0", "--no-open")
    assert done.code == 1
    assert not (tmp_path / "nothing").exists()
