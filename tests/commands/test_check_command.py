"""`index check`: what is wrong with a batch file, in words, before it is paid for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.domain.errors import Refused
from tests.support.commands import environment, index
from tests.support.gemini_rig import NAME, Open, open_provider, request, upload

__all__ = ["open_provider"]

GOOD = json.dumps({"key": "a", "request": {"contents": [{"role": "user", "parts": [{"text": "What is this?"}]}]}})


def test_a_clean_file_is_clean(tmp_path: Path) -> None:
    """Exit 0, no line on stdout."""
    file = tmp_path / "good.jsonl"
    file.write_text(GOOD + "\n")
    done = index("check", file)
    assert (done.code, done.out) == (0, "")
    assert index("check", file, "--json").json == []


@pytest.mark.parametrize(
    ("text", "line", "field", "says"),
    [
        (GOOD + "\n" + GOOD + "\n", 2, "key", "that of line 1"),
        (GOOD + "\n\n", 2, "", "blank"),
        ("\ufeff" + GOOD + "\n", 1, "", "byte order mark"),
        (GOOD.replace('"key"', '"custom_id"'), 1, "key", "missing"),
        (GOOD.replace("contents", "kontents"), 1, "request.kontents", ""),
        (GOOD.replace("What is this?", ""), 1, "request.contents[0].parts[0].text", "empty"),
        ("\x1b[31m" + GOOD, 1, "", "not JSON"),
    ],
)
def test_a_fault_is_told_with_its_line_field_and_fix(
    tmp_path: Path, text: str, line: int, field: str, says: str
) -> None:
    """Exit 1; on the terminal as in JSON, without control characters of the file."""
    file = tmp_path / "bad.jsonl"
    file.write_text(text, "utf-8")
    done = index("check", file, "--json")
    assert done.code == 1
    fault = done.json[0]
    assert (fault["line"], fault["field"]) == (line, field)
    assert says in fault["problem"]
    assert fault["fix"]
    told = index("check", file).out
    assert told.startswith(f"line {line}: ")
    assert "\x1b" not in told


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_what_cannot_be_read_is_a_usage_error(tmp_path: Path, make: object) -> None:
    """Exit 2 and one line, for a missing file and for a folder."""
    assert callable(make)
    make(tmp_path / "nothing.jsonl")
    done = index("check", tmp_path / "nothing.jsonl")
    assert done.code == 2
    assert len(done.err.splitlines()) == 2


def test_checking_loads_no_sdk(tmp_path: Path) -> None:
    """It opens no socket and imports neither the SDK nor a table nor a model."""
    file = tmp_path / "good.jsonl"
    file.write_text(GOOD)
    program = """
import sys
from indexer.commands.index import main
try:
    main(["check", sys.argv[1]])
except SystemExit as ended:
    code = ended.code
sys.exit(code or any(name in sys.modules for name in ("google.genai", "lancedb", "torch", "httpx2", "lance")))
"""
    assert subprocess.run([sys.executable, "-c", program, file], env=environment(), check=False).returncode == 0


def test_a_shard_is_checked_before_it_is_uploaded(tmp_path: Path, open_provider: Open) -> None:
    """A line that the service would refuse is named before one byte leaves the machine."""
    provider = open_provider("test-key")
    path = tmp_path / "shard.jsonl"
    line = provider.batches.encode(request(1))
    path.write_bytes(line + b"\n" + line + b"\n")
    with pytest.raises(Refused, match="line 2") as told:
        upload(provider, path, NAME)
    assert "index check" in told.value.hint
