"""What becomes of generated tags before they are shown: people's rules, the vocabulary, bans, and how many may stand.

The rules are replayed in the order in which they were made; then a vocabulary maps aliases and lets nothing else
through, banned tags go, and the first `most` stay. Keywords that a person wrote into a file never come here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from indexer.domain.characters import normal
from indexer.domain.errors import UsageError
from indexer.domain.keys import canonical_json

MOST_TAGS = 20
"""How many generated tags a photo shows when no setting says otherwise."""


class Act(StrEnum):
    """What a rule does."""

    RENAME = "rename"
    MERGE = "merge"
    BAN = "ban"


@dataclass(frozen=True, slots=True)
class Rule:
    """One decision about tags: each of `tags` becomes `target`, or is hidden where `target` is empty."""

    act: Act
    tags: tuple[str, ...]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of tags: `vocabulary` maps each of its tags and aliases to a tag, None lets any tag through."""

    vocabulary: Mapping[str, str] | None = None
    banned: tuple[str, ...] = ()
    most: int = MOST_TAGS

    def to_json(self) -> str:
        """The policy as canonical JSON: equal policies have equal texts."""
        return canonical_json({"vocabulary": self.vocabulary, "banned": sorted(self.banned), "most": self.most})

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """Read a policy back; an empty text is the absence of any policy."""
        if not text:
            return cls(most=sys.maxsize)
        told = json.loads(text)
        return cls(told["vocabulary"], tuple(told["banned"]), told["most"])


class Tagging:
    """Turns the tags of an answer into those that are shown."""

    def __init__(self, rules: Sequence[Rule], policy: Policy) -> None:
        self._rules = rules
        self._policy = policy
        self._banned = frozenset(policy.banned)
        self._known: dict[str, str | None] = {}

    def one(self, tag: str) -> str | None:
        """Return what `tag` is shown as, None where it is hidden."""
        if tag not in self._known:
            self._known[tag] = self.permitted(self._ruled(distinct([tag])))
        return self._known[tag]

    def of(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Return what is shown of `tags`, in their order, each once and no more than may stand."""
        shown = (self.one(tag) for tag in tags)
        return tuple(dict.fromkeys(tag for tag in shown if tag))[: self._policy.most]

    def permitted(self, tag: str | None) -> str | None:
        """Return what the settings alone make of a tag in its plain spelling, None where they hide it."""
        meant = None if tag is None else self._meant(tag)
        return None if meant in self._banned else meant

    def _ruled(self, spelled: Sequence[str]) -> str | None:
        tag = spelled[0] if spelled else ""
        for rule in self._rules:
            if tag in rule.tags or self._meant(tag) in rule.tags:
                tag = rule.target
        return tag or None

    def _meant(self, tag: str) -> str | None:
        # Who bans "cat" sees only that, and means the aliases of it as well.
        return tag if self._policy.vocabulary is None else self._policy.vocabulary.get(tag)


def distinct(*groups: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of `groups` in their plain spelling, each once, in order.

    That is in lower case, with single spaces, and with an accent in one character with its letter (NFC).
    """
    return tuple(dict.fromkeys(plain for group in groups for tag in group if (plain := _plain(tag))))


@lru_cache(maxsize=65536)
def _plain(tag: str) -> str:
    """The plain spelling of a tag, kept because few tags make up most answers."""
    return normal("NFC", " ".join(tag.split()).lower())


def make_rule(act: Act, tags: Iterable[str], target: str = "") -> Rule:
    """Return the rule that a person wishes, in plain spelling; raises `UsageError` where it says nothing."""
    if isinstance(tags, str):
        raise UsageError("tags are given as a list", hint=f"write [{tags!r}]")
    end = "" if act is Act.BAN else _required([target])[0]
    begin = tuple(tag for tag in _required(tags) if tag != end)
    if not begin:
        raise UsageError(f"{end!r} is called that already", hint="name another tag")
    return Rule(act, begin, end)


def _required(tags: Iterable[str]) -> tuple[str, ...]:
    named = distinct(tags)
    if not named:
        raise UsageError("a tag without a name", hint="see: index tags list")
    if any("\ud800" <= letter <= "\udfff" for tag in named for letter in tag):
        raise UsageError(f"{', '.join(named)!r} is not UTF-8", hint="see: index tags list")
    return named
