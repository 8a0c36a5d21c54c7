"""Tags under control: the rules that people made, the settings that rows were composed by, and who has which tag.

Answers stay as they came. Rules and settings are kept here and applied whenever a row is composed, so that a change
only marks the rows that look different afterwards, and undoing is a mark on a rule.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from indexer.domain.keys import canonical_json
from indexer.domain.tags import Act, Policy, Rule, Tagging, distinct
from indexer.ledger.photos import dirty_rows
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.answers import BEST_FIRST
from indexer.ledger.work.corrections import corrected_tags

_POLICY = "tag policy"
_BEST = f"""
    SELECT photo, tags FROM (
        SELECT a.holder AS photo, a.tags, row_number() OVER (PARTITION BY a.holder ORDER BY {BEST_FIRST}) AS place
        FROM photo_answers a JOIN questions q ON q.id = a.question) WHERE place = 1
"""


@dataclass(frozen=True, slots=True)
class TagCount:
    """How many photos show a tag: in all, by what was generated, and by a person (keywords in files, corrections)."""

    tag: str
    photos: int
    generated: int
    keywords: int


@dataclass(frozen=True, slots=True)
class _Tagged:
    """A photo that has a row: the tags of its best answer as they came, and the keywords of its files."""

    photo: str
    raw: tuple[str, ...]
    keywords: tuple[str, ...]


def rules(ledger: Ledger) -> list[Rule]:
    """Return the rules in force, in the order in which they were made."""
    found = ledger.connection.execute(
        "SELECT kind, tags, target FROM tag_rules WHERE undone_at IS NULL ORDER BY id"
    ).fetchall()
    return [Rule(Act(kind), tuple(json.loads(tags)), target) for kind, tags, target in found]


def add(transaction: Transaction, rule: Rule) -> None:
    """Make a rule."""
    transaction.execute(
        "INSERT INTO tag_rules (kind, tags, target, made_at) VALUES (?, ?, ?, ?)",
        (str(rule.act), canonical_json(list(rule.tags)), rule.target, transaction.now()),
    )


def undo(transaction: Transaction) -> None:
    """Take back the last rule in force."""
    transaction.execute(
        "UPDATE tag_rules SET undone_at = ? WHERE id = (SELECT max(id) FROM tag_rules WHERE undone_at IS NULL)",
        (transaction.now(),),
    )


def policy(ledger: Ledger) -> Policy:
    """Return the settings by which rows are composed."""
    return Policy.from_json(ledger.setting(_POLICY))


def has_policy(ledger: Ledger, wished: Policy) -> bool:
    """Say whether rows are composed by these settings."""
    return ledger.setting(_POLICY) == wished.to_json()


def set_policy(transaction: Transaction, wished: Policy) -> None:
    """Compose rows by these settings from now on."""
    transaction.set_setting(_POLICY, wished.to_json())


def tagging(ledger: Ledger) -> Tagging:
    """Return what makes shown tags of raw ones, by the rules and settings in force."""
    return Tagging(rules(ledger), policy(ledger))


def mark(transaction: Transaction, before: Tagging, after: Tagging) -> int:
    """Mark the rows whose tags differ; returns of how many photos."""
    changed = 0
    for one in _tagged(transaction.ledger, Scope()):
        if before.of(one.raw) != after.of(one.raw):
            dirty_rows.mark_photo(transaction, one.photo)
            changed += 1
    return changed


def counts(ledger: Ledger, scope: Scope, shown: Tagging) -> list[TagCount]:
    """Count the photos of `scope` by tag, the most frequent tag first; copies of a photo count once."""
    photos: Counter[str] = Counter()
    generated: Counter[str] = Counter()
    keywords: Counter[str] = Counter()
    for one in _tagged(ledger, scope):
        ours = shown.of(one.raw)
        generated.update(ours)
        keywords.update(one.keywords)
        photos.update({*ours, *one.keywords})
    ordered = sorted(photos.items(), key=lambda pair: (-pair[1], pair[0]))
    return [TagCount(tag, count, generated[tag], keywords[tag]) for tag, count in ordered]


def _tagged(ledger: Ledger, scope: Scope) -> Iterator[_Tagged]:
    """Yield the photos of `scope` that have a row."""
    condition, values = scope.where()
    theirs = corrected_tags(ledger)
    found = ledger.connection.execute(
        f"""
        SELECT f.photo, json_extract(f.facts, '$.keywords'), b.tags
        FROM files f LEFT JOIN ({_BEST}) b ON b.photo = f.photo
        WHERE f.picture = 1 AND f.state <> 'gone' AND f.photo IS NOT NULL AND {condition} ORDER BY f.photo
        """,
        values,
    )
    for photo, copies in groupby(found, key=lambda row: str(row[0])):
        known = list(copies)
        keywords = distinct(*(json.loads(words or "[]") for _, words, _ in known))
        if photo in theirs:  # a person's words, as keywords are
            yield _Tagged(photo, (), distinct(theirs[photo], keywords))
        else:
            yield _Tagged(photo, tuple(json.loads(known[0][2] or "[]")), keywords)
