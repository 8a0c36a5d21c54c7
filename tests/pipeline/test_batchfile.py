"""Framing: what is written line by line comes back line by line, and a file is there whole or not at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.pipeline.send.framing import ShardWriter, compress, read_lines

LINES = st.lists(st.binary(min_size=1, max_size=60).map(lambda raw: b"{" + raw.replace(b"\n", b"") + b"}"), max_size=8)


@settings(deadline=None)  # a disk that others use may take its time
@given(LINES)
def test_every_line_comes_back_as_it_was_written(lines: list[bytes]) -> None:
    """Whatever their bytes: other line ends inside, as U+2028 and NEL, cut nothing; gzipped it is the same."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "shard.jsonl")
        with ShardWriter(path) as writer:
            for line in lines:
                writer.write(line)
        assert (writer.lines, writer.bytes) == (len(lines), path.stat().st_size)
        assert list(read_lines(path)) == lines
        assert list(read_lines(compress(path))) == lines
        assert not path.exists()


@settings(deadline=None)  # a disk that others use may take its time
@given(st.binary(max_size=200))
def test_no_line_of_any_file_is_lost(raw: bytes) -> None:
    """Only blank lines are left out, and a torn last line is a line."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room, "results.jsonl")
        path.write_bytes(raw)
        assert list(read_lines(path)) == [line.rstrip(b"\r") for line in raw.split(b"\n") if line.strip()]


def test_a_line_with_a_newline_is_refused(tmp_path: Path) -> None:
    """It would be two lines, and neither would be whole."""
    with pytest.raises(ValueError, match="newline"), ShardWriter(tmp_path / "shard.jsonl") as writer:
        writer.write(b'{"a":\n1}')
    assert list(tmp_path.iterdir()) == []


def interrupted(path: Path) -> None:
    """Write a line and break off."""
    with ShardWriter(path) as writer:
        writer.write(b"{}")
        raise KeyboardInterrupt


def test_what_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    """Neither under its name nor under another."""
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "shard.jsonl")
    assert list(tmp_path.iterdir()) == []
