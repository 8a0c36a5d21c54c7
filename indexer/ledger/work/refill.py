"""A ledger that was lost, filled again from what its table still says."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from indexer.domain.answer import Answer
from indexer.domain.mode import Mode
from indexer.domain.photo import Facts
from indexer.domain.question import Question, work_key
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work.answers import stored
from indexer.ledger.work.questions import question_id, question_in_version


@dataclass(frozen=True, slots=True)
class FormerRow:
    """What one row of the table says: a path, its photo, the facts of the file, and the digest of its document."""

    path: bytes
    photo: str
    facts: Facts
    width: int
    height: int
    offline: bool
    document: str


def is_new(ledger: Ledger) -> bool:
    """Say whether this ledger holds nothing: no file, no request, and no command that ended in good order."""
    used = "SELECT EXISTS (SELECT 1 FROM files) OR EXISTS (SELECT 1 FROM attempts)"
    used += " OR EXISTS (SELECT 1 FROM runs WHERE ended_at IS NOT NULL)"
    return not ledger.connection.execute(used).fetchone()[0]


def put_file(transaction: Transaction, run: int, row: FormerRow) -> None:
    """Keep a path and its photo; its size is unknown, so that the next crawl opens the file."""
    transaction.execute(
        "INSERT OR IGNORE INTO photos (id, phash, width, height, format, note, added_at)"
        " VALUES (?, '', ?, ?, '', '', ?)",
        (row.photo, row.width, row.height, transaction.now()),
    )
    facts, folder = json.dumps(asdict(row.facts), ensure_ascii=True), os.path.dirname(row.path)  # noqa: PTH120
    state = "offline" if row.offline else "present"
    transaction.execute(
        "INSERT OR IGNORE INTO files (path, folder, size, mtime_ns, sidecar_ns, state, picture, photo, facts,"
        " changed_run, change, row_digest) VALUES (?, ?, -1, -1, -1, ?, 1, ?, ?, ?, 'new', ?)",
        (row.path, folder, state, row.photo, facts, run, row.document),
    )


def put_question(transaction: Transaction, question: Question, prompt_version: str) -> int:
    """Return the number of `question`; of a prompt by other words, only its version is known."""
    if question.prompt_version == prompt_version:
        return question_id(transaction, question)
    return question_in_version(transaction, question, prompt_version)


def put_answer(transaction: Transaction, asked: tuple[int, str], photo: str, answer: Answer, standing: int) -> bool:
    """Keep an answer to the question of number and prompt version `asked`; False where it is kept already."""
    number, version = asked
    row = transaction.execute(
        "SELECT provider, model, schema_version, settings FROM questions WHERE id = ?", (number,)
    ).fetchone()
    provider, model, schema, settings = row
    key = work_key(photo, (version, schema), provider, model, settings)
    made = transaction.execute(
        "INSERT OR IGNORE INTO works (key, photo, question, campaign, mode, state)"
        " SELECT ?, ?, ?, max(id), ?, 'answered' FROM campaigns",
        (key, photo, number, str(Mode.BATCH)),
    )
    transaction.execute(
        "INSERT OR IGNORE INTO answers (work, photo, question, provider, standing, model, description, tags,"
        " visible_text, fields, answered_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key,
            photo,
            number,
            provider,
            standing,
            *stored(answer),
            transaction.now(),
        ),
    )
    return bool(made.rowcount)
