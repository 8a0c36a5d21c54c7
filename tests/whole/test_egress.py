"""Nothing leaves the machine that must not: every system call of every command is watched.

Without a key no address is connected to, no name is looked up, and no file is written outside the library, its cache
and the folder for temporary files; with a key only the service's own address is met. A search index that is held open
does the same. CAPTIONARY_TEST_EGRESS=1 holds it for ten seconds and makes the text model anew, too.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, environment

BIN = Path(sys.executable).parent
FULL = bool(os.environ.get("CAPTIONARY_TEST_EGRESS"))
TRACED = (
    "trace=socket,connect,sendto,sendmsg,bind,openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat"
)
HOLD = """
import sys, time
from search import Index
with Index.open(sys.argv[1]) as index:
    index.search("two dogs at a window")
    time.sleep(float(sys.argv[2]))
    index.search("a cup")
"""
_SOCKET = re.compile(r"(?:socket|connect|sendto|sendmsg|bind)\(.*?(AF_INET6?|AF_NETLINK|AF_PACKET)")
_WRITES = re.compile(r"(?:creat|mkdir|mkdirat|rename\w*|link|linkat)\(|O_WRONLY|O_RDWR|O_CREAT")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')

pytestmark = pytest.mark.skipif(
    not shutil.which("strace") or subprocess.run(["strace", "true"], capture_output=True, check=False).returncode != 0,
    reason="system calls can be watched where strace is installed and allowed",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with photos."""
    folder = tmp_path_factory.mktemp("egress")
    (folder / "photos").mkdir()
    for path in sorted(SAMPLES.glob("*.jpg"))[:4]:
        shutil.copy(path, folder / "photos")
    (folder / "home").mkdir()
    return folder


def watched(place: Path, name: str, *command: str | Path, **env: str) -> list[str]:
    """Run a command under strace and return its calls that succeeded."""
    log = place / f"{name}.strace"
    told = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", **env}
    if FULL:
        told["XDG_CACHE_HOME"] = str(place / "cache")
    else:
        told.setdefault("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    (place / "tmp").mkdir(exist_ok=True)
    bare = {key: value for key, value in environment(**told).items() if key != "HF_HUB_OFFLINE"}
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", TRACED, "-e", "signal=none", "-o", str(log)]
    done = subprocess.run([*strace, *command], env=bare, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if " = -1 " not in line or "EINPROGRESS" in line]


def strangers(place: Path, calls: list[str]) -> Iterator[str]:
    """Yield the files that were made or written outside the library, the cache and the folder for temporary files."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    allowed = (f"{place}/library", f"{place}/tmp", f"{place}/out", f"{place}/.captionary-", "/dev/", "/proc/")
    allowed += (f"{place}/cache/captionary", f"{place}/cache", f"{cache}/captionary", ".", "/tmp/bash_jobs")
    for call in calls:
        if _WRITES.search(call):
            yield from (
                name for name in _NAME.findall(call)[-1:] if name.startswith("/") and not name.startswith(allowed)
            )


def commands(place: Path) -> dict[str, list[str | Path]]:
    """Every way to use the product without a key, in order."""
    library = ["--library", place / "library"]
    hold = [sys.executable, "-c", HOLD, place / "library", "10" if FULL else "1"]
    return {
        "index": [BIN / "index", *library, place / "photos", "--provider", "local", "--workers", "1"],
        "again": [BIN / "index", *library, place / "photos"],
        "search": [BIN / "search", *library, "--min-score", "0", "two", "dogs"],
        "hold": list(hold),
        "export": [BIN / "index", *library, "export", "--format", "jsonl", "--to", place / "out.jsonl"],
        "status": [BIN / "index", *library, "status"],
        "doctor": [BIN / "index", *library, "doctor"],
    }


def test_without_a_key_nothing_leaves_the_machine(place: Path) -> None:
    """No socket of the Internet, not even one that is never connected, and no file elsewhere."""
    for name, command in commands(place).items():
        calls = watched(place, name, *command)
        assert [call for call in calls if _SOCKET.search(call)] == [], name
        assert list(strangers(place, calls)) == [], name
    assert sorted(path.name for path in (place / "home").rglob("*")) == []


def test_with_a_key_only_the_service_is_met(place: Path, emulator: Emulator) -> None:
    """Every connection goes to the address that was named; no other name is looked up."""
    key = {"GOOGLE_API_KEY": "a-key-of-the-egress-test", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    where = ["--library", place / "library-with-key", place / "photos"]
    asked = ["--provider", "gemini", "--yes", "--workers", "1"]
    calls = watched(place, "key", BIN / "index", *where, *asked, CAPTIONARY_POLL_SECONDS="0.2", **key)
    met = {call for call in calls if "connect(" in call and "AF_INET" in call}
    port = f"sin_port=htons({urlsplit(emulator.url).port})"
    assert met
    assert not [call for call in met if port not in call or "127.0.0.1" not in call]
    assert not [call for call in calls if "sendto(" in call and "htons(53)" in call]
