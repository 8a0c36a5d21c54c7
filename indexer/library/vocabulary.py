"""The vocabulary: a text file with the tags that may be shown, and the aliases that mean them.

One tag a line; `tag: alias, alias` maps aliases to the tag, `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from indexer.domain.errors import BadSetting
from indexer.domain.tags import Policy, distinct
from indexer.storage.regular import read_regular
from indexer.storage.settings import Config

_COMMENT = re.compile(r"(^|\s)#.*")
_GRAMMAR = "a line is: tag, or tag: alias, alias"


def tag_policy(config: Config) -> Policy:
    """Return what the settings say of tags; raises `BadSetting` for a vocabulary that cannot serve."""
    words = read_vocabulary(Path(config.vocabulary)) if config.vocabulary else None
    return Policy(words, distinct(config.banned_tags), config.most_tags)


def read_vocabulary(path: Path) -> dict[str, str]:
    """Return the tag for each tag and alias in the file at `path`; raises `BadSetting` that names file and line."""
    found: dict[str, str] = {}
    tags: dict[str, int] = {}
    aliases: dict[str, int] = {}
    for number, line in _lines(path):
        tag, named = _parsed(line, path, number)
        tags.setdefault(tag, number)
        for alias in named:
            if found.setdefault(alias, tag) != tag:
                raise _bad(path, number, f"{alias!r} means {found[alias]!r} already")
            aliases.setdefault(alias, number)
    for alias in tags.keys() & aliases.keys():
        raise _bad(path, aliases[alias], f"{alias!r} is a tag of its own in line {tags[alias]}")
    if not tags:
        raise BadSetting(f"the vocabulary {path} has no tags", hint=f"{_GRAMMAR}; or remove the setting")
    return {**found, **{tag: tag for tag in tags}}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    raw = b""
    try:
        raw = read_regular(path)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise _bad(path, raw[: fault.start].count(b"\n") + 1, "is not UTF-8") from fault
    except (OSError, ValueError) as fault:
        words = (isinstance(fault, OSError) and fault.strerror) or fault
        raise BadSetting(f"the vocabulary {path} cannot be read: {words}", hint="fix the setting vocabulary") from fault
    for number, line in enumerate(text.split("\n"), start=1):
        if told := _COMMENT.sub("", line).strip():
            yield number, told


def _parsed(line: str, path: Path, number: int) -> tuple[str, tuple[str, ...]]:
    name, colon, rest = line.partition(":")
    named = rest.split(",") if colon else []
    if "," in name or ":" in rest:
        raise _bad(path, number, f"{line!r} is not one tag")
    if not all(part.strip() for part in (name, *named)):
        raise _bad(path, number, f"{line!r} lacks a word")
    (tag,) = distinct([name])
    return tag, tuple(alias for alias in distinct(named) if alias != tag)


def _bad(path: Path, number: int, words: str) -> BadSetting:
    return BadSetting(f"the vocabulary {path}, line {number}: {words}", hint=_GRAMMAR)
