"""What a person wants left out: `--exclude` globs and `.captionignore` files, in gitignore grammar.

As in git, the last pattern that matches decides, a deeper file beats a higher one, the command line beats
both, and what lies in an ignored folder cannot be brought back. Names that are not UTF-8 match by surrogate
escapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.errors import BadSetting
from indexer.names import IGNORE_FILE

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True, slots=True)
class Level:
    """The patterns of one ignore file; they speak of paths below `base`, which ends in a slash."""

    base: bytes
    spec: GitIgnoreSpec

    def verdict(self, path: bytes, mark: str) -> bool | None:
        """Return True for ignore, False for keep, None for no opinion; `mark` is "/" for a folder."""
        return self.spec.check_file(path[len(self.base) :].decode("utf-8", "surrogateescape") + mark).include


@dataclass(frozen=True, slots=True)
class Rules:
    """All patterns that speak of one folder's entries, the strongest level first; falsy without any.

    The first `excludes` levels are those of the command line.
    """

    levels: tuple[Level, ...] = ()
    excludes: int = 0

    def __bool__(self) -> bool:
        return bool(self.levels)

    def ignores(self, path: bytes, *, folder: bool) -> bool:
        """Say whether `path` is to be left out."""
        mark = "/" if folder else ""
        for level in self.levels:
            verdict = level.verdict(path, mark)
            if verdict is not None:
                return verdict
        return False

    def with_file(self, level: Level) -> Rules:
        """Return the rules below a folder whose ignore file is `level`."""
        above = self.levels[: self.excludes]
        return replace(self, levels=(*above, level, *self.levels[self.excludes :]))


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """A `.captionignore` as it was read: its patterns, and the lines that are none."""

    level: Level
    faults: tuple[str, ...]


def compile_excludes(globs: Sequence[str]) -> GitIgnoreSpec | None:
    """Compile the `--exclude` globs, None without any; raises `BadSetting` for one that is no glob."""
    if not globs:
        return None
    spec, faults = _compile(globs)
    if faults:
        hint = "use gitignore grammar, such as '*.png' or 'raw/'"
        raise BadSetting(f"--exclude {faults[0]!r} is not a glob", hint=hint)
    return spec


def excluding(spec: GitIgnoreSpec | None, base: bytes) -> Rules:
    """Return the rules that hold at the root `base` before any ignore file."""
    return Rules((Level(base, spec),), 1) if spec else Rules()


def read_ignore_file(base: bytes) -> IgnoreFile | None:
    """Read the ignore file in the folder `base` (ends in a slash), None without one; raises `OSError`."""
    path = Path((base + IGNORE_FILE).decode("utf-8", "surrogateescape"))
    if not path.is_file():  # also a pipe, which would never end
        return None
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    spec, faults = _compile([line.removesuffix("\r") for line in text.split("\n")])
    return IgnoreFile(Level(base, spec), tuple(faults))


def _compile(lines: Sequence[str]) -> tuple[GitIgnoreSpec, list[str]]:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines), []
    except (ValueError, re.error):
        faults = [line for line in lines if not _is_pattern(line)]
        return GitIgnoreSpec.from_lines([line for line in lines if line not in faults]), faults


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True
