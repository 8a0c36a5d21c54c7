"""Nothing leaves the machine that must not: every system call of every command is watched.

Without a key no address is connected to, no name is looked up, and no file is written outside the library, its cache
and the folder for temporary files; with a key only the service's own address is met. A search index that is held open
does the same, and a gallery that serves. CAPTIONARY_TEST_EGRESS=1 watches every command, holds and serves for ten
seconds, and makes the text model anew, too.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
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
_LISTENS = re.compile(r"socket\(AF_INET|bind\(.*(?:127\.0\.0\.1|AF_NETLINK)|socket\(AF_NETLINK")
SERVERS = ("gallery", "inbox serve")
_SMALL = ("index", "search", "hold", "export", "doctor", "gallery")
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
    for name in ("home", "library-of-a-backup"):
        (folder / name).mkdir()
    return folder


def watched(place: Path, name: str, *command: str | Path, **env: str) -> list[str]:
    """Run a command under strace and return its calls that succeeded, and all that were meant for the Internet."""
    log = place / f"{name}.strace"
    told = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PYTHONDONTWRITEBYTECODE": "1", **env}
    told["CAPTIONARY_INBOX_TOKEN"] = "a token that nobody can guess"
    if FULL:
        told["XDG_CACHE_HOME"] = str(place / "cache")
    else:
        told.setdefault("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")))
    (place / "tmp").mkdir(exist_ok=True)
    bare = {key: value for key, value in environment(**told).items() if key != "HF_HUB_OFFLINE"}
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", TRACED, "-e", "signal=none", "-o", str(log)]
    if name.removesuffix(" with a key") in SERVERS:
        code, err = _served(place, [*strace, *command], bare)
    else:
        done = subprocess.run([*strace, *command], env=bare, cwd=place, capture_output=True, text=True, check=False)
        code, err = done.returncode, done.stderr
    assert code in (0, *(() if name != "left with a key" else (3,))), err
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if " = -1 " not in line or "EINPROGRESS" in line or "AF_INET" in line]


def _served(place: Path, command: list[str | Path], env: dict[str, str]) -> tuple[int, str]:
    """Start what serves, ask it for a page, press Ctrl-C; the signal is for the command, strace lets it pass."""
    with subprocess.Popen(
        command, env=env, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        try:
            with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as client:
                assert client.get(address).status_code < 500
                client.get(f"{urljoin(address, '/')}?q=dogs")
            time.sleep(10 if FULL else 0)
        finally:
            os.killpg(server.pid, signal.SIGINT)
            _, err = server.communicate(timeout=60)
    return 0 if server.returncode == 130 else server.returncode or 1, err


def strangers(place: Path, calls: list[str]) -> Iterator[str]:
    """Yield the files that were made or written outside the library, the cache and the folder for temporary files."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    allowed = (f"{place}/library", f"{place}/tmp", f"{place}/out", f"{place}/.captionary-", "/dev/", "/proc/")
    allowed += (f"{place}/cache/captionary", f"{place}/cache", f"{cache}/captionary", ".")
    for call in calls:
        if _WRITES.search(call):
            yield from (
                name for name in _NAME.findall(call)[-1:] if name.startswith("/") and not name.startswith(allowed)
            )


def commands(place: Path) -> dict[str, list[str | Path]]:
    """Every way to use the product without a key, in order, and what serves; the whole of it where there is time."""
    library = ["--library", place / "library"]
    hold = [sys.executable, "-c", HOLD, place / "library", "10" if FULL else "1"]
    inbox = ["--checks", "avatars", "--provider", "local"]
    token = ["--port", "0"]
    told: dict[str, list[str | Path]] = {
        "index": [BIN / "index", *library, place / "photos", "--provider", "local", "--workers", "1"],
        "again": [BIN / "index", *library, place / "photos"],
        "search": [BIN / "search", *library, "--min-score", "0", "two", "dogs"],
        "hold": list(hold),
        "export": [BIN / "index", *library, "export", "--format", "jsonl", "--to", place / "out.jsonl"],
        "status": [BIN / "index", *library, "status"],
        "doctor": [BIN / "index", *library, "doctor"],
        "gallery": [BIN / "index", *library, "gallery", "--no-open", *token],
        "quote": [BIN / "index", *library, "quote", "--all", place / "photos"],
        "backup": [BIN / "index", *library, "backup", place / "library-of-a-backup" / "ledger.sqlite3"],
        "restore": [BIN / "index", "--library", place / "library-of-a-backup", "rebuild"],
        "inbox add": [BIN / "index", *library, "inbox", "add", "one", next((place / "photos").iterdir()), *inbox],
        "inbox advance": [BIN / "index", *library, "inbox", "advance", *inbox],
        "inbox verdicts": [BIN / "index", *library, "inbox", "verdicts", *inbox],
        "inbox serve": [BIN / "index", *library, "inbox", "serve", *inbox, *token],
    }
    return told if FULL else {name: told[name] for name in _SMALL}


@pytest.mark.timeout(1800 if FULL else 300)
def test_without_a_key_nothing_leaves_the_machine(place: Path) -> None:
    """No socket of the Internet, not even one that is never connected, and no file elsewhere.

    What serves listens on this machine, and connects to nothing.
    """
    for name, command in commands(place).items():
        calls = watched(place, name, *command)
        met = [call for call in calls if _SOCKET.search(call)]
        if name in SERVERS:
            assert any("bind(" in call for call in met), name
            met = [call for call in met if not _LISTENS.search(call)]
        assert met == [], name
        assert list(strangers(place, calls)) == [], name
    assert sorted(path.name for path in (place / "home").rglob("*")) == []


@pytest.mark.timeout(1800 if FULL else 300)
def test_with_a_key_only_the_service_is_met(place: Path, emulator: Emulator) -> None:
    """Every connection goes to the address that was named, of the commands that ask; the others make none."""
    key = {"GOOGLE_API_KEY": "a-key-of-the-egress-test", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    library = ["--library", place / "library-with-key"]
    asked = ["--provider", "gemini", "--yes", "--workers", "1"]
    inbox = ["--checks", "avatars", "--provider", "gemini"]
    soon = ["--within", "10m", "--budget-per-day", "5"]  # too soon for a batch, which would wait for company
    one, other, *_ = (place / "photos").iterdir()
    told: dict[str, list[str | Path]] = {
        "left": [*library, place / "photos", *asked, "--no-wait"],
        "collect": [*library, "collect", "--wait"],
        "quote": [*library, "quote", place / "photos"],
        "doctor": [*library, "doctor"],
        "gallery": [*library, "gallery", "--no-open", "--port", "0"],
        "inbox add": [*library, "inbox", "add", "one", one, *inbox],
        "inbox advance": [*library, "inbox", "advance", *inbox, *soon],
        "inbox add two": [*library, "inbox", "add", "two", other, *inbox],
        "inbox serve": [*library, "inbox", "serve", *inbox, *soon, "--port", "0"],
    }
    whole: dict[str, list[str | Path]] = {"index": [*library, place / "photos", *asked]}
    port = f"sin_port=htons({urlsplit(emulator.url).port})"
    talked = set()
    for name, words in (told if FULL else whole).items():
        calls = watched(place, f"{name} with a key", BIN / "index", *words, CAPTIONARY_POLL_SECONDS="0.2", **key)
        met = {call for call in calls if "connect(" in call and "AF_INET" in call}
        assert not [call for call in met if port not in call or "127.0.0.1" not in call], name
        assert not [call for call in calls if "sendto(" in call and "htons(53)" in call], name
        assert list(strangers(place, calls)) == [], name
        talked |= {name} if met else set()
    assert talked == ({"left", "collect", "inbox advance", "inbox serve"} if FULL else {"index"})
