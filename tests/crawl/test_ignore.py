"""What a person wants left out is left out, as git would."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from indexer.crawl.ignore import level_of
from indexer.crawl.walk import WalkOptions, walk
from indexer.domain.errors import BadSetting
from tests.support.trees import base, found, ignored, plant, walked


def test_a_line_that_is_no_pattern_is_told_and_the_others_count(tmp_path: Path) -> None:
    """A slip in an ignore file neither stops the walk nor drops the lines around it."""
    plant(tmp_path, "a.jpg", "b.png")
    (tmp_path / ".captionignore").write_text("*.png\n!\n")
    (folder,) = walked(tmp_path)
    assert [base(file.path) for file in folder.files] == [b"a.jpg"]
    assert [problem.detail for problem in folder.problems] == ["a line of its ignore file is not a pattern: !"]
    assert folder.whole


@pytest.mark.parametrize("glob", ["!", "[z-a]"])
def test_an_exclude_that_is_no_glob_is_refused(tmp_path: Path, glob: str) -> None:
    """The error names the glob, before anything is walked."""
    with pytest.raises(BadSetting, match="is not a glob"):
        walk([os.fsencode(tmp_path)], WalkOptions(exclude=("*.png", glob)))


def test_exclude_beats_ignore_files(tmp_path: Path) -> None:
    """The command line has the last word, in both directions, and is anchored at the root."""
    plant(tmp_path, "raw/a.jpg", "sub/raw/b.jpg", "c.png", "d.gif")
    (tmp_path / ".captionignore").write_text("*.png\n!raw/\n")
    assert found(tmp_path, WalkOptions(exclude=("/raw", "*.gif", "!*.png"))) == ["c.png", "sub/raw/b.jpg"]


def test_ignored_files_are_counted(tmp_path: Path) -> None:
    """What a pattern leaves out is counted file by file; an ignored folder is not entered at all."""
    plant(tmp_path, "a.png", "b.png", "c.jpg", "no/d.jpg", "no/e.jpg")
    (tmp_path / ".captionignore").write_bytes(b"\xef\xbb\xbf*.png\r\nno/\r\n")
    assert found(tmp_path) == ["c.jpg"]
    assert ignored(tmp_path) == 3


_PIECE = st.sampled_from(["*", "**", "a", "b", "ab", "?", "[ab]", "[!a]", "a*", "*b", "c", "\\a", "\\#", "a b"])
_PATTERN = st.builds(
    lambda no, start, pieces, end: no + start + "/".join(pieces) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(_PIECE, min_size=1, max_size=3),
    st.sampled_from(["", "", "/", " "]),
) | st.sampled_from(["", "#", "# a", "   "])
_LINES = st.lists(_PATTERN, max_size=4)
_TREE = ["a", "ab", "b/a", "b/ab", "b/c/a", "c/a", "c/a b", "c/b/ab", "c/c/c", "#"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(top=_LINES, nested=_LINES)
def test_ignore_files_mean_what_they_mean_to_git(tmp_path: Path, top: list[str], nested: list[str]) -> None:
    """The same patterns in nested files leave out the same files as git does."""
    shutil.rmtree(tmp_path)
    (tmp_path / "c").mkdir(parents=True)
    plant(tmp_path, *_TREE)
    for name in (".captionignore", ".gitignore"):
        (tmp_path / name).write_text("\n".join(top))
        (tmp_path / "c" / name).write_text("\n".join(nested))
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    listing = ["git", "-c", "core.excludesFile=/dev/null", "ls-files", "-z", "-o", "--exclude-per-directory=.gitignore"]
    raw = subprocess.run(listing, cwd=tmp_path, check=True, capture_output=True).stdout
    expected = {
        os.fsdecode(name) for name in raw.split(b"\0") if name and not name.rpartition(b"/")[2].startswith(b".")
    }
    assert set(found(tmp_path)) == expected


@given(
    st.text(st.sampled_from("ab*?/.[]!x"), min_size=1, max_size=14),
    st.lists(st.text(st.sampled_from("abx."), min_size=1, max_size=8), min_size=1, max_size=4),
)
@settings(max_examples=400, deadline=None)
@example("[[]", ["a"])
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_patterns_in_linear_time_mean_the_same(line: str, names: list[str]) -> None:
    """Every path that a pattern named before, and no other."""
    path = "/".join(names)
    for pattern in level_of(b"/", line.encode()).level.patterns:
        (parsed,) = GitIgnoreSpec.from_lines([line]).patterns
        plain = replace(pattern, regex=re.compile(parsed.regex.pattern, re.DOTALL))
        assert pattern.names(path) == plain.names(path)
        assert pattern.names(path + "/") == plain.names(path + "/")


@pytest.mark.parametrize(
    "line",
    ["*a" * 20, "a*" * 25 + "b", "**/a" * 3 + "/b", "*a*b*c*d*z", "[a-z]*" * 12 + "1", "a**" * 3 + "b", "*" * 4000],
)
def test_a_hostile_pattern_costs_no_time(line: str) -> None:
    """Many stars before a long name: a thousand files a second at the least."""
    level, path = level_of(b"/x/", line.encode()).level, b"/x/" + b"a" * 240 + b"/" + b"aaa/" * 60 + b"a" * 240
    began = time.perf_counter()
    for _ in range(20):
        level.verdict(path, "")
    assert time.perf_counter() - began < 1.0


def test_an_endless_ignore_file_leaves_its_folder_out() -> None:
    """What a megabyte of patterns would name is not guessed at, and it is told."""
    read = level_of(b"/x/", b"*.png\n" * 300_000)
    assert read.level.verdict(b"/x/photo.jpg", "") is True
    assert read.faults
