"""The first hour as a person sees it: on a terminal of 80 columns, and off a terminal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from indexer.console.cells import width
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, environment, index
from tests.support.terminal import Terminal

INDEX = Path(sys.executable).with_name("index")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with eleven photos."""
    (tmp_path / "Photos").mkdir()
    for path in SAMPLES.glob("*.jpg"):
        shutil.copy(path, tmp_path / "Photos")
    return tmp_path


def at_home(home: Path, emulator: Emulator | None = None, **extra: str) -> dict[str, str]:
    """The environment of a newcomer, with a key where there is a service."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    key = {"GEMINI_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url} if emulator else {}
    return environment(HOME=str(home), XDG_CACHE_HOME=cache, **key, **extra)


def terminal(home: Path, emulator: Emulator | None, *words: str, **extra: str) -> Terminal:
    """`index` with these words on a terminal."""
    return Terminal([INDEX, *words], env=at_home(home, emulator, **extra), cwd=home)


def whole(shown: Terminal) -> list[str]:
    """The lines that stay; none of them is cut or wider than the terminal, and no bar is left among them."""
    lines = shown.lines
    assert all(width(line) <= 80 for line in lines)
    assert not any("[#" in line or "Ctrl-C" in line for line in lines), shown.text
    return lines


def test_without_a_key_and_then_with_one(home: Path, emulator: Emulator) -> None:
    """Free first; then the plan with its budget, a calm no, a yes, and a second run that says nothing changed."""
    with terminal(home, None, "Photos") as first:
        assert first.wait() == 0
    text = " ".join(whole(first))
    assert f"{home}/.local/share/captionary" in "".join(first.lines)
    assert "no key is set (GEMINI_API_KEY" in text
    assert re.search(r"11 new, 11 indexed, \$0\.00, \d+\.\d s", text)

    with terminal(home, emulator, "Photos", "--budget", "5") as asked:
        asked.until("Go on? [y/N]")
        asked.type("n\n")
        assert asked.wait() == 5
    text = " ".join(whole(asked))
    assert "GEMINI_API_KEY is set: gemini can now describe the photos" in text
    assert "11 photos: 11 to describe, 0 already described" in text
    assert re.search(r"gemini gemini-3.5-flash-lite, batch: (under |up to )?\$0\.01 \(interactive: .*\$0\.01\)", text)
    assert re.search(r"budget for this run: \$5\.00, enough for all \(at most \$0\.01\)", text)
    assert asked.lines[-1] == "stopped: nothing was sent, nothing was spent"

    with terminal(home, emulator, "Photos") as yes:
        yes.until("Go on? [y/N]")
        yes.type("y\n")
        assert yes.wait() == 0
    assert re.search(r"nothing changed in 11 photos, 11 described, (under )?\$0\.01, \d+\.\d s", yes.lines[-1])

    with terminal(home, emulator, "Photos") as again:
        assert again.wait() == 0
    assert re.fullmatch(r"nothing changed in 11 photos, 11 described, \$0\.00, \d+\.\d s", " ".join(whole(again)))


def test_waiting_looks_alive_and_ctrl_c_is_safe(home: Path, emulator: Emulator) -> None:
    """Where it is out, since when, the range, a clock that moves, and the way out; collect goes on afterwards."""
    emulator.change(pending_seconds=1e9)
    with terminal(home, emulator, "Photos", "--yes", CAPTIONARY_POLL_SECONDS="60") as shown:
        text = " ".join(shown.until("Ctrl-C is safe").split())
        assert "11 photos at gemini" in text
        assert "ready in 5 min to 24 h (as the provider promises)" in text
        assert "Ctrl-C is safe; index collect goes on" in text
        assert all(width(line) <= 80 for line in shown.lines)
        seconds = re.search(r"waiting 0:(\d\d)", text)
        assert seconds
        shown.until(lambda screen: f"waiting 0:{int(seconds[1]) + 2:02}" in screen)
        shown.type("\x03")
        assert shown.wait() == 130
    lines = whole(shown)
    assert "index: interrupted" in lines
    assert not any(line.startswith("waiting") for line in lines)
    done = index("status", env=at_home(home, emulator))
    assert "work is unfinished; next: index collect --wait" in done.out


def test_off_a_terminal_a_line_stands_for_each_change(home: Path, emulator: Emulator) -> None:
    """No bar, no control sequence: the plan, one line when the batch is out, and the end."""
    emulator.change(pending_seconds=1.5)
    done = index(home / "Photos", "--yes", env=at_home(home, emulator, CAPTIONARY_POLL_SECONDS="0.2"))
    assert done.code == 0, done.err
    assert "\x1b" not in done.err + done.out
    assert "\r" not in done.err
    waiting = [line for line in done.err.splitlines() if line.startswith("waiting: ")]
    assert 1 <= len(waiting) <= 3
    assert "11 photos at gemini" in waiting[0]
    assert re.fullmatch(r"11 new, 11 described, (under )?\$0\.01, \d+(\.\d)? s\n", done.out)


def test_approval_that_is_missing_is_two_calm_lines(home: Path, emulator: Emulator) -> None:
    """Exit 5 off a terminal: what it would cost, and how to approve it."""
    done = index(home / "Photos", env=at_home(home, emulator))
    assert done.code == 5
    message, hint = done.err.splitlines()[-2:]
    assert re.fullmatch(r"index: not approved, so nothing was sent: about .*\$0\.01, at most \$0\.01", message)
    assert hint == "hint: approve with --yes, in Python with approve=True"


def test_status_watch_ends_when_all_is_back(home: Path, emulator: Emulator) -> None:
    """It shows what is out, then how everything stands."""
    emulator.change(pending_seconds=3.0)
    env = at_home(home, emulator)
    assert index(home / "Photos", "--yes", "--no-wait", env=env).code == 3
    with Terminal([INDEX, "status", "--watch"], env=env, cwd=home) as watch:
        watch.until("11 pending")
        index("collect", "--wait", env=env)
        assert watch.wait() == 0
    assert watch.lines[0] == "11 photos, 11 described; 11 can be searched"


def test_failures_are_summed_up_and_retry_says_what_it_leaves(home: Path, emulator: Emulator) -> None:
    """By reason with what to do, then the list; a retry leaves what a person must look at."""
    env = at_home(home, emulator)
    (home / "Photos" / "broken.jpg").write_bytes((SAMPLES / "cat_face.jpg").read_bytes()[:4000])
    done = index(home / "Photos", "--yes", env=env)
    assert (done.code, "1 failed (index failures)" in done.out) == (4, True)
    told = index("failures", env=env).out.splitlines()
    assert told[0] == "1 unreadable: repair or replace these files, then index again"
    assert told[1] == ""
    assert told[2].startswith(f"{home}/Photos/broken.jpg: unreadable: ")
    assert "left: 1 unreadable: repair or replace" in index("retry", env=env).err


def test_an_interrupt_while_it_reads_is_one_calm_end(home: Path) -> None:
    """Ctrl-C at any time: exit 130, what is done is kept, no bar is left."""
    with terminal(home, None, "Photos", "--provider", "local") as shown:
        shown.until("reading photos")
        shown.type("\x03")
        assert shown.wait() == 128 + signal.SIGINT
    assert "Traceback" not in shown.text
    assert shown.lines[-1].startswith("hint: everything done so far is kept")
