"""Questions: what was asked of whom, kept once and named by a number."""

from __future__ import annotations

import json
from collections.abc import Iterator

from indexer.domain.question import Question, Settings, Versions
from indexer.ledger.store import Ledger, Transaction

CHOSEN_PROMPT = "chosen prompt"  # settings of the library: which versions win among answers of one standing
CHOSEN_SCHEMA = "chosen schema"
CHOSEN_LAST = "chosen last"  # "schema" when a schema was put in force by itself, after the prompt
VERSIONS = "q.prompt_version || ' ' || q.schema_version"
"""The versions of a question `q` in SQL, as `stored` keeps them."""
_SAME = "provider = ? AND model = ? AND prompt_version = ? AND schema_version = ? AND settings = ?"


def stored(versions: Versions) -> str:
    """Return the text that keeps `versions` in one column."""
    return " ".join(versions)


def read_versions(text: str) -> Versions:
    """Return the versions that `stored` made `text` of."""
    return Versions(*text.split(" "))


def question_id(transaction: Transaction, question: Question) -> int:
    """Return the number of `question`, keeping its texts."""
    transaction.executemany(
        "INSERT INTO texts (version, kind, body, added_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (version) DO UPDATE SET body = excluded.body WHERE body = ''",
        [
            (question.prompt_version, "prompt", question.template, transaction.now()),
            (question.schema_version, "schema", question.schema, transaction.now()),
        ],
    )
    identity = _identity(question)
    transaction.execute(
        "INSERT OR IGNORE INTO questions (provider, model, prompt_version, schema_version, settings)"
        " VALUES (?, ?, ?, ?, ?)",
        identity,
    )
    return known_question(transaction.ledger, question) or 0


def question_in_version(transaction: Transaction, question: Question, prompt_version: str) -> int:
    """Return the number of `question` by a prompt of which only the version is known; its words may be told later."""
    question_id(transaction, question)
    transaction.execute(
        "INSERT OR IGNORE INTO texts (version, kind, body, added_at) VALUES (?, 'prompt', '', ?)",
        (prompt_version, transaction.now()),
    )
    provider, model, _, schema_version, settings = _identity(question)
    identity = (provider, model, prompt_version, schema_version, settings)
    transaction.execute(
        "INSERT OR IGNORE INTO questions (provider, model, prompt_version, schema_version, settings)"
        " VALUES (?, ?, ?, ?, ?)",
        identity,
    )
    return int(transaction.execute(f"SELECT id FROM questions WHERE {_SAME}", identity).fetchone()[0])


def known_question(ledger: Ledger, question: Question) -> int | None:
    """Return the number of `question`, None when it was never asked here."""
    found = ledger.connection.execute(f"SELECT id FROM questions WHERE {_SAME}", _identity(question)).fetchone()
    return int(found[0]) if found else None


def _identity(question: Question) -> tuple[str, ...]:
    return (
        question.provider,
        question.model,
        question.prompt_version,
        question.schema_version,
        question.settings_json(),
    )


def of_provider(ledger: Ledger, provider: str) -> list[int]:
    """Return the numbers of all questions to a provider, the newest first."""
    rows = ledger.connection.execute("SELECT id FROM questions WHERE provider = ? ORDER BY id DESC", (provider,))
    return [int(row[0]) for row in rows]


def latest_asked(ledger: Ledger) -> Iterator[Question]:
    """Yield the questions whose prompt is known in words, by the last run that asked them, the newest first."""
    rows = ledger.connection.execute(
        "SELECT q.id FROM questions q JOIN texts p ON p.version = q.prompt_version WHERE p.body <> ''"
        " ORDER BY (SELECT max(r.id) FROM runs r WHERE r.question = q.id) DESC, q.id DESC"
    )
    return (question_of(ledger, number) for (number,) in rows.fetchall())


def question_of(ledger: Ledger, number: int) -> Question:
    """Return the question of this number."""
    provider, model, template, schema, settings = ledger.connection.execute(
        "SELECT provider, model, p.body, s.body, settings FROM questions q"
        " JOIN texts p ON p.version = q.prompt_version JOIN texts s ON s.version = q.schema_version WHERE q.id = ?",
        (number,),
    ).fetchone()
    return Question(provider, model, template, schema, Settings(**json.loads(settings)))
