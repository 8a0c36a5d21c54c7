"""The inbox: uploads are safe when taken in, looked at once, and decided by rules that may change."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.domain.checks import read_checks
from indexer.domain.errors import KeyMissing, UsageError
from indexer.library.api import Library, Seams
from tests.support.commands import index
from tests.support.services import SHOPS, Saturday, environ
from tests.support.uploads import CHECKS, CODED, Judge, picture


@pytest.fixture
def service() -> Iterator[Judge]:
    """The service that looks."""
    with Judge() as running:
        yield running


@pytest.fixture
def library(service: Judge, tmp_path: Path) -> Iterator[Library]:
    """A library that asks it."""
    told = environ(SHOPS["openai"], service)
    with Library.open(tmp_path / "library", seams=Seams(environ=told, clock=Saturday())) as opened:
        yield opened


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    """The checks file."""
    path = tmp_path / "checks.toml"
    path.write_text(CHECKS)
    return path


def settled(inbox: Any) -> list[Any]:
    """Advance until nothing is new, and return all verdicts."""
    for _ in range(20):
        inbox.advance()
        if len({verdict.id for verdict in inbox.verdicts()}) >= inbox_size(inbox):
            break
    return list(inbox.verdicts())


def inbox_size(inbox: Any) -> int:
    """How many uploads there are."""
    with inbox._ledger() as ledger:
        return int(ledger.connection.execute("SELECT count(*) FROM uploads").fetchone()[0])


def test_every_upload_gets_the_right_verdict_once(service: Judge, library: Library, checks: Path) -> None:
    """Decision, reasons that name the rule, in order, resumable by cursor; nobody is asked twice."""
    inbox = library.inbox(checks, provider="openai")
    for name, (raw, _) in CODED.items():
        inbox.add(name, raw)
        inbox.add(name, raw)
    found = settled(inbox)
    assert {verdict.id: verdict.decision for verdict in found} == {name: said for name, (_, said) in CODED.items()}
    assert next(v for v in found if v.id == "red").reasons == ("sexual:high (rule sexual:high)",)
    assert next(v for v in found if v.id == "blue").checks == {"shows_product": False}
    assert set(service.served.values()) == {1}
    assert [int(verdict.cursor) for verdict in found] == sorted(int(verdict.cursor) for verdict in found)
    assert [v.cursor for v in inbox.verdicts(found[1].cursor)] == [v.cursor for v in found[2:]]
    inbox.advance()
    assert list(inbox.verdicts()) == found


def test_other_rules_decide_anew_without_a_request(service: Judge, library: Library, checks: Path) -> None:
    """New verdicts stand behind the old ones; only what changed is told."""
    inbox = library.inbox(checks, provider="openai")
    for name, (raw, _) in CODED.items():
        inbox.add(name, raw)
    before = settled(inbox)
    served = service.served.total()
    checks.write_text(CHECKS.replace('human = ["minors:low"]', "reject_ = []").replace("reject_ = []", "human = []"))
    again = library.inbox(checks, provider="openai")
    assert again.advance() == 1
    (new,) = again.verdicts(before[-1].cursor)
    assert (new.id, new.decision) == ("green", "approve")
    assert service.served.total() == served


def test_the_same_name_with_other_bytes_is_refused(library: Library, checks: Path) -> None:
    """An upload never changes under its name."""
    inbox = library.inbox(checks, provider="openai")
    inbox.add("one", CODED["fine"][0])
    with pytest.raises(UsageError, match="other bytes"):
        inbox.add("one", CODED["red"][0])


def test_what_cannot_be_looked_at_is_for_a_person(library: Library, checks: Path) -> None:
    """Nothing is approved without an answer."""
    inbox = library.inbox(checks, provider="openai")
    inbox.add("text", b"this is not a picture")
    inbox.add("torn", CODED["fine"][0][:60])
    found = {verdict.id: verdict.decision for verdict in settled(inbox)}
    assert found == {"text": "human", "torn": "human"}


def test_a_bomb_is_refused_at_the_door(library: Library, checks: Path) -> None:
    """Its header says enough."""
    stream = io.BytesIO()
    Image.new("1", (40_000, 40_000)).save(stream, "PNG")
    with pytest.raises(UsageError, match="too many"):
        library.inbox(checks, provider="openai").add("bomb", stream.getvalue())


def test_what_is_late_is_for_a_person(checks: Path, tmp_path: Path) -> None:
    """When the time is over without an answer, somebody has to look; nothing was approved."""
    with Library.open(tmp_path / "keyless", seams=Seams(environ={}, clock=Saturday())) as opened:
        inbox = opened.inbox(checks, provider="openai", within=0.01)
        inbox.add("one", CODED["fine"][0])
        with pytest.raises(KeyMissing):
            inbox.advance()
        (verdict,) = inbox.verdicts()
    assert (verdict.decision, verdict.reasons) == ("human", ("no answer in time",))


def test_a_person_has_the_last_word(library: Library, checks: Path) -> None:
    """No rule overrules a decision that somebody made."""
    inbox = library.inbox(checks, provider="openai")
    inbox.add("red", CODED["red"][0])
    settled(inbox)
    inbox.decide("red", "approve", "it is a tomato")
    inbox.advance()
    last = list(inbox.verdicts())[-1]
    assert (last.decision, last.reasons) == ("approve", ("decided by a person: it is a tomato",))


def test_many_add_at_once(library: Library, checks: Path) -> None:
    """Several threads take in uploads while somebody advances."""
    inbox = library.inbox(checks, provider="openai")

    def adder(start: int) -> None:
        for number in range(start, start + 10):
            inbox.add(f"u{number}", picture(10, 10, number % 100))

    threads = [threading.Thread(target=adder, args=(start,)) for start in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    inbox.advance()
    for thread in threads:
        thread.join()
    found = settled(inbox)
    assert len({verdict.id for verdict in found}) == 40
    assert {verdict.decision for verdict in found} == {"approve"}


@pytest.mark.parametrize("size", [1_000, 600_000])
def test_an_upload_is_on_disk_when_add_returns(tmp_path: Path, size: int) -> None:
    """The system is told to sync the ledger's log, and a file of its own where there is one, after the last write."""
    watching = [
        "strace",
        "-f",
        "-qq",
        "-y",
        "-e",
        "trace=pwrite64,write,fsync,fdatasync",
        "-e",
        "signal=none",
        "-s",
        "9",
    ]
    if not shutil.which("strace") or subprocess.run(["strace", "true"], capture_output=True, check=False).returncode:
        pytest.skip("system calls can be watched where strace is installed and allowed")
    code = f"""
import sys
from indexer import Library
inbox = Library.open(sys.argv[1]).inbox("marketplace", provider="local")
for number in range(2):
    inbox.add(f"post {{number}}", bytes({size} + number))
    print("added", flush=True)
"""
    log = tmp_path / "log"
    command = [*watching, "-o", str(log), sys.executable, "-c", code, str(tmp_path / "library")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    first, second, _ = re.split(r".*added.*\n", log.read_text())
    for calls in (first, second):
        written = set(re.findall(r"write(?:64)?\(\d+<([^>]*/library/[^>]*)>", calls))
        assert any(path.endswith("-wal") for path in written)
        assert any(len(Path(path).name) == 64 for path in written) == (size > 500_000)
        for path in (path for path in written if not path.endswith("-shm")):
            calls_of = re.findall(rf"(\w+)\(\d+<{re.escape(path)}>", calls)
            assert calls_of[-1] in ("fsync", "fdatasync"), path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[moderation]\nreject = ["rude:high"]', "rude:high"),
        ('[[check]]\nname = "A B"\nask = "?"', "name"),
        ('[[check]]\nname = "a"', "asks nothing"),
        ("[other]", "other"),
        ("[[check", "not TOML"),
        ('[[check]]\nname = "a"\nask = "?"\nreject_if = 3', "true or false"),
    ],
)
def test_checks_that_cannot_be_meant_say_why(text: str, words: str) -> None:
    """The part that is wrong is named, with the fix."""
    with pytest.raises(UsageError, match=words) as caught:
        read_checks(text)
    assert caught.value.hint


def test_the_command_line_does_the_same(service: Judge, checks: Path, tmp_path: Path) -> None:
    """add, advance, verdicts, decide."""
    told = environ(SHOPS["openai"], service)
    (tmp_path / "red.png").write_bytes(CODED["red"][0])
    common = ("--library", tmp_path / "library", "--checks", checks, "--provider", "openai")
    assert index("inbox", "add", "post-1", tmp_path / "red.png", *common, env=told).code == 0
    for _ in range(3):
        done = index("inbox", "advance", *common, env=told)
        assert done.code == 0, done.err
    done = index("inbox", "verdicts", *common, env=told)
    (verdict,) = map(json.loads, done.out.splitlines())
    assert (verdict["id"], verdict["decision"]) == ("post-1", "reject")
    assert index("inbox", "decide", "post-1", "approve", *common, env=told).code == 0
