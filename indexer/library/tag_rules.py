"""Changing which tags are shown: make a rule, take one back, follow the settings; all without a request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.domain.errors import UsageError
from indexer.domain.nearest import did_you_mean
from indexer.domain.tags import Act, Policy, Tagging, make_rule
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger
from indexer.ledger.views import tags
from indexer.ledger.views.tags import TagCount


@dataclass(frozen=True, slots=True)
class Retagged:
    """A rule that was made or `undone`: how many photos it changed, and which of its tags files keep as keywords."""

    act: str
    tags: tuple[str, ...]
    target: str
    photos: int
    keywords: tuple[str, ...] = ()
    undone: bool = False


def decide(ledger: Ledger, act: Act, named: Sequence[str], target: str = "") -> Retagged:
    """Make a rule about the tags `named` and mark its rows; raises `UsageError` where it would mean nothing."""
    rule = make_rule(act, named, target)
    before = tags.tagging(ledger)
    known = {one.tag: one for one in tags.counts(ledger, Scope(), before)}
    if act is not Act.BAN:
        for tag in rule.tags:
            _require(tag, known)
        _allow(rule.target, before)
    with ledger.transaction("tag rule") as transaction:
        tags.add(transaction, rule)
        photos = tags.mark(transaction, before, tags.tagging(ledger))
    kept = tuple(tag for tag in rule.tags if tag in known and known[tag].keywords)
    return Retagged(str(act), rule.tags, rule.target, photos, kept)


def undo(ledger: Ledger) -> Retagged:
    """Take back the last rule and mark the rows that this changes; raises `UsageError` where there is none."""
    before, made = tags.tagging(ledger), tags.rules(ledger)
    if not made:
        raise UsageError("there is no rule about tags to take back", hint="rules are made with rename, merge and ban")
    with ledger.transaction("undo tag rule") as transaction:
        tags.undo(transaction)
        photos = tags.mark(transaction, before, tags.tagging(ledger))
    last = made[-1]
    return Retagged(str(last.act), last.tags, last.target, photos, undone=True)


def follow(ledger: Ledger, policy: Policy) -> int:
    """Compose rows by these settings from now on; returns how many photos look different by them."""
    if tags.has_policy(ledger, policy):
        return 0
    before = tags.tagging(ledger)
    with ledger.transaction("tag policy") as transaction:
        tags.set_policy(transaction, policy)
        return tags.mark(transaction, before, tags.tagging(ledger))


def _require(tag: str, known: dict[str, TagCount]) -> None:
    if tag not in known:
        raise UsageError(f"no photo has the tag {tag!r}", hint=did_you_mean(tag, known) or "see: index tags list")
    if not known[tag].generated:
        raise UsageError(
            f"the tag {tag!r} is a keyword in your files or a correction of yours, which is never changed here",
            hint="change it in the file, then index that again; or correct the photo in index gallery",
        )


def _allow(target: str, shown: Tagging) -> None:
    if shown.permitted(target) is None:
        raise UsageError(
            f"the settings would hide the tag {target!r}",
            hint="add it to the vocabulary, or take it out of banned_tags, in captionary.toml",
        )
