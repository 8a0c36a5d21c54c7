"""What a person wants left out: `--exclude` globs and `.captionignore` files, in gitignore grammar.

As in git, the last pattern that matches decides, a deeper file beats a higher one, the command line beats both, and
what lies in an ignored folder cannot be brought back. Names that are not UTF-8 match by surrogate escapes.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.crawl.known_names import IGNORE_FILE
from indexer.domain.errors import BadSetting
from indexer.storage.regular import read_regular

_SLASH = ord("/")
_STAR = re.compile(r"(\[\^/\]\*)")
_NOT_PLAIN = re.compile(r"[/()|]|\[\^|(?<!\\)\.")
_LONGEST = 4096
_MOST_DEEP = 3  # each ** may take its time over all folders above
_MOST_BYTES = 1 << 20
_BELOW = "ps_d"  # the library's name for the group that matches a slash behind the match proper


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file: what it matches, and whether that is left out or kept."""

    regex: re.Pattern[str]
    ignore: bool

    def names(self, path: str) -> bool:
        """Say whether the pattern matches `path` itself; a folder's path ends in a slash.

        The library's expressions match also what lies below a match, and `a/**` the folder `a`. A walk asks about
        every folder on its way down, so here a match by a folder above would let a deeper file's `!*/` bring back
        what a higher file leaves out.
        """
        for match in self.regex.finditer(path):
            if _BELOW not in self.regex.groupindex:
                return not (match.end() == len(path) and match[0].endswith("/"))
            if match.end() == len(path):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Level:
    """The patterns of one ignore file, the last first; they speak of paths below `base`, which ends in a slash."""

    base: bytes
    patterns: tuple[Pattern, ...]

    def verdict(self, path: bytes, mark: str) -> bool | None:
        """Return True for ignore, False for keep, None for no opinion; `mark` is "/" for a folder."""
        name = path[len(self.base) :].decode("utf-8", "surrogateescape") + mark
        return next((pattern.ignore for pattern in self.patterns if pattern.names(name)), None)


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

    def ignores_deep(self, path: bytes) -> bool:
        """Say whether the file `path`, or a folder above it, is to be left out; for a path that was not walked to."""
        ends = [at for at, sign in enumerate(path) if sign == _SLASH and at] if self else []
        return any(self.ignores(path[:end], folder=True) for end in ends) or self.ignores(path, folder=False)

    def with_file(self, level: Level) -> Rules:
        """Return the rules below a folder whose ignore file is `level`."""
        above = self.levels[: self.excludes]
        return replace(self, levels=(*above, level, *self.levels[self.excludes :]))


@dataclass(frozen=True, slots=True)
class IgnoreFile:
    """A `.captionignore` as it was read: its patterns, and the lines that are none."""

    level: Level
    faults: tuple[str, ...]


def compile_excludes(globs: Sequence[str]) -> tuple[Pattern, ...]:
    """Compile the `--exclude` globs; raises `BadSetting` for one that is no glob."""
    patterns, faults = _compile(globs)
    if faults:
        hint = "use gitignore grammar, such as '*.png' or 'raw/'"
        raise BadSetting(f"--exclude {faults[0]!r} is not a glob", hint=hint)
    return patterns


def excluding(patterns: tuple[Pattern, ...], base: bytes) -> Rules:
    """Return the rules that hold at the root `base` before any ignore file."""
    return Rules((Level(base, patterns),), 1) if patterns else Rules()


def read_ignore_file(base: bytes) -> IgnoreFile | None:
    """Read the ignore file in the folder `base` (ends in a slash), None without one; raises `OSError`."""
    path = Path(os.fsdecode(base + IGNORE_FILE))
    if not path.is_file():  # also a pipe, which would never end
        return None
    return level_of(base, read_regular(path))


def level_of(base: bytes, content: bytes) -> IgnoreFile:
    """Return what the content of an ignore file in the folder `base` (ends in a slash) says."""
    if len(content) > _MOST_BYTES:  # nobody writes so many lines; what they would leave out is not looked at
        return IgnoreFile(Level(base, _compile(["*"])[0]), (f"more than {_MOST_BYTES >> 20} MB of lines",))
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    patterns, faults = _compile([line.removesuffix("\r") for line in text.split("\n")])
    return IgnoreFile(Level(base, patterns), faults)


def _compile(lines: Sequence[str]) -> tuple[tuple[Pattern, ...], tuple[str, ...]]:
    """Return the patterns of `lines`, the last first, and the lines that are none."""
    patterns: list[Pattern] = []
    faults: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Python's of "[[]", which git's grammar allows
        for line in lines:
            try:
                patterns += _parsed(line)
            except (ValueError, re.error):
                faults.append(line)
    return tuple(reversed(patterns)), tuple(faults)


def _parsed(line: str) -> list[Pattern]:
    """Return the pattern of a line; raises `ValueError` where it is none, or costs more than a foreign folder may."""
    from pathspec import GitIgnoreSpec

    if len(line) > _LONGEST or line.count("**") > _MOST_DEEP:
        raise ValueError(line)
    return [
        # A name may hold a line end, which the library's dots do not match.
        Pattern(re.compile(_linear(parsed.regex.pattern), re.DOTALL), parsed.include)
        for parsed in GitIgnoreSpec.from_lines([line]).patterns
        if parsed.regex is not None and parsed.include is not None
    ]


def _linear(regex: str) -> str:
    """Return an expression for the same paths whose stars do not multiply: foreign patterns cost linear time.

    What stands between two stars of a name may as well be found at its first place: the second star reaches all that
    follows. So its place is never reconsidered.
    """
    parts = _STAR.split(regex)
    for place in range(1, len(parts) - 2, 2):
        star, piece = parts[place : place + 2]
        if not piece:
            parts[place] = ""  # two stars side by side
        elif not _NOT_PLAIN.search(piece):
            parts[place : place + 2] = f"(?>{star}?{piece}", ")"
    return "".join(parts)
