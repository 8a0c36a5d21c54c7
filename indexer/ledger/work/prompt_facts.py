"""Facts that prompts were given: fixed when a work is approved, compared with the files when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from indexer.domain.mode import Mode
from indexer.domain.prompts import facts_asked, given_facts
from indexer.domain.question import Question
from indexer.ledger.photos.files import facts_from
from indexer.ledger.scope import Scope
from indexer.ledger.store import Ledger, Transaction
from indexer.storage.paths import to_text


def given_now(ledger: Ledger, question: Question, photo: str) -> str:
    """Return the JSON of the facts that the question's template would be given about `photo` today."""
    if not facts_asked(question.template):
        return "{}"
    found = ledger.connection.execute(
        "SELECT path, facts FROM files WHERE photo = ? AND state <> 'gone' ORDER BY state DESC, path LIMIT 1", (photo,)
    ).fetchone()
    return given_facts(question.template, facts_from(found[1]), to_text(found[0])) if found else "{}"


def outdated(ledger: Ledger, question: Question, number: int | None, scope: Scope) -> Iterator[tuple[str, str]]:
    """Yield (work, facts) of the answers in `scope` that were given other facts than the files say today."""
    if number is None or not facts_asked(question.template):
        return
    condition, values = scope.where()
    rows = ledger.connection.execute(
        "SELECT w.key, w.photo, w.given FROM works w WHERE w.question = ? AND w.state = 'answered' AND w.photo IN"
        f" (SELECT f.photo FROM files f WHERE f.state = 'present' AND {condition})",
        (number, *values),
    ).fetchall()
    for key, photo, given in rows:
        now = given_now(ledger, question, photo)
        if now != given:
            yield key, now


def renew(transaction: Transaction, works: Iterable[tuple[str, str]], campaign: int, mode: Mode) -> None:
    """Let answered work items wait again, with new facts; the old answer stands until the new one is there."""
    transaction.executemany(
        "UPDATE works SET state = 'wanted', renewing = 1, campaign = ?, mode = ?, given = ?"
        " WHERE key = ? AND state = 'answered'",
        ((campaign, str(mode), given, key) for key, given in works),
    )


def set_aside(transaction: Transaction, work: str) -> None:
    """Make room for the answer of a work that was asked anew; the old answer is kept."""
    transaction.execute(
        "INSERT INTO replaced_answers (work, model, description, tags, visible_text, fields, given, answered_at)"
        " SELECT work, model, description, tags, visible_text, fields, given, answered_at FROM answers WHERE work = ?",
        (work,),
    )
    transaction.execute("DELETE FROM answers WHERE work = ?", (work,))
    transaction.execute("UPDATE works SET renewing = 0 WHERE key = ?", (work,))
