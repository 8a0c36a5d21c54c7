"""Prompt templates and answer schemas as versions: named, kept, and one of each in force."""

from __future__ import annotations

import json
from dataclasses import dataclass

from indexer.domain.answer_fields import Field, fields_of
from indexer.domain.prompts import DEFAULT_TEMPLATE, usual_name
from indexer.domain.question import Question, prompt_version
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.questions import CHOSEN_LAST, CHOSEN_PROMPT, CHOSEN_SCHEMA


@dataclass(frozen=True, slots=True)
class Version:
    """One text that was asked with; `kind` is prompt or schema, `chosen` whether its answers win."""

    version: str
    kind: str
    name: str
    body: str
    added_at: float
    answers: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """What one photo was called under two prompts, by the latest answer to each, whatever the model."""

    path: bytes
    left: str
    right: str
    left_tags: tuple[str, ...]
    right_tags: tuple[str, ...]


def versions(ledger: Ledger) -> list[Version]:
    """Return every template and schema that was asked with, the oldest first, and the default prompt if it is none.

    A text that nobody has named and that is an edition of the default prompt is called so.
    """
    chosen = {ledger.setting(CHOSEN_PROMPT), ledger.setting(CHOSEN_SCHEMA)}
    rows = ledger.connection.execute(
        """
        SELECT t.version, t.kind, t.name, t.body, t.added_at,
               (SELECT count(*) FROM answers a JOIN questions q ON q.id = a.question
                WHERE CASE t.kind WHEN 'prompt' THEN q.prompt_version ELSE q.schema_version END = t.version)
        FROM texts t ORDER BY t.kind, t.added_at, t.version
        """
    )
    found = [
        Version(version, kind, name or usual_name(body), body, added_at, answers, version in chosen)
        for version, kind, name, body, added_at, answers in rows
    ]
    if any(one.body == DEFAULT_TEMPLATE for one in found):
        return found
    return [*found, Version(prompt_version(DEFAULT_TEMPLATE), "prompt", "default", DEFAULT_TEMPLATE, 0.0, 0, False)]


def own_fields(ledger: Ledger) -> list[Field]:
    """Return the fields of people's own schemas, of all that were ever asked with."""
    rows = ledger.connection.execute("SELECT body FROM texts WHERE kind = 'schema' ORDER BY added_at, version")
    return fields_of(row[0] for row in rows)


def find(ledger: Ledger, wanted: str) -> list[Version]:
    """Return the texts of this version, or else of this name, the newest first."""
    known = versions(ledger)
    exact = [one for one in known if one.version == wanted]
    return exact or sorted((one for one in known if one.name == wanted), key=lambda one: -one.added_at)


def name(transaction: Transaction, version: str, called: str) -> None:
    """Keep what people call a text; an empty name changes nothing."""
    if called:
        transaction.execute("UPDATE texts SET name = ? WHERE version = ?", (called, version))


def chosen(ledger: Ledger) -> tuple[str | None, str | None]:
    """Return the template and the schema in force; None where none was chosen yet."""
    found = []
    for setting in (CHOSEN_PROMPT, CHOSEN_SCHEMA):
        row = ledger.connection.execute("SELECT body FROM texts WHERE version = ?", (ledger.setting(setting),))
        found.append(next((body for (body,) in row), None))
    return found[0], found[1]


def keep(transaction: Transaction, one: Version) -> None:
    """Keep a text that may not have been asked with yet."""
    transaction.execute(
        "INSERT OR IGNORE INTO texts (version, kind, body, added_at) VALUES (?, ?, ?, ?)",
        (one.version, one.kind, one.body, transaction.now()),
    )


def choose(transaction: Transaction, prompt_version: str = "", schema_version: str = "") -> bool:
    """Let the answers to these versions win, and mark the rows that this may change; False when nothing changes.

    An empty version leaves its kind as it is.
    """
    wished = {CHOSEN_PROMPT: prompt_version, CHOSEN_SCHEMA: schema_version}
    wished[CHOSEN_LAST] = "prompt" if prompt_version else "schema"
    changed = {
        setting: value for setting, value in wished.items() if value and transaction.ledger.setting(setting) != value
    }
    for setting, value in changed.items():
        transaction.set_setting(setting, value)
    if changed:
        transaction.execute(
            "INSERT OR IGNORE INTO dirty SELECT path FROM files WHERE state <> 'gone' AND photo IN"
            " (SELECT holder FROM photo_answers GROUP BY holder, standing HAVING count(*) > 1)"
        )
    return bool(changed)


def choose_question(transaction: Transaction, question: Question) -> bool:
    """Let the versions of `question` win."""
    return choose(transaction, question.prompt_version, question.schema_version)


def pairs(ledger: Ledger, left: str, right: str, scope: Scope) -> list[Pair]:
    """Return the photos of `scope` that have answers under both prompt versions, side by side, by path."""
    condition, values = scope.where()
    rows = ledger.connection.execute(
        f"""
        SELECT min(f.path), l.description, r.description, l.tags, r.tags FROM files f
        JOIN (SELECT a.photo, a.description, a.tags, max(a.answered_at) FROM answers a
              JOIN questions q ON q.id = a.question WHERE q.prompt_version = ? GROUP BY a.photo) l ON l.photo = f.photo
        JOIN (SELECT a.photo, a.description, a.tags, max(a.answered_at) FROM answers a
              JOIN questions q ON q.id = a.question WHERE q.prompt_version = ? GROUP BY a.photo) r ON r.photo = f.photo
        WHERE f.state <> 'gone' AND {condition} GROUP BY f.photo ORDER BY 1
        """,
        (left, right, *values),
    )
    return [Pair(row[0], row[1], row[2], tuple(json.loads(row[3])), tuple(json.loads(row[4]))) for row in rows]
