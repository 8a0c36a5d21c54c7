"""The table's answers put back into a ledger that was lost: what was paid for is not bought again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.domain.answer import Answer
from indexer.domain.answer_fields import field_of
from indexer.domain.errors import UsageError
from indexer.domain.photo import Facts
from indexer.domain.prompts import DEFAULT_SCHEMA, EDITIONS
from indexer.domain.question import Question
from indexer.ledger.spend import approvals
from indexer.ledger.store import Transaction
from indexer.ledger.views import counts
from indexer.ledger.work import refill
from indexer.ledger.work.refill import FormerRow
from indexer.pipeline.session import Session
from indexer.providers.spec import Rank
from indexer.storage.paths import to_bytes

if TYPE_CHECKING:
    from indexer.table.photo_table import PhotoRow

_UNKNOWN = "the answers to the prompt {version} are kept, but not its words: give them again with --prompt FILE"


@dataclass(frozen=True, slots=True)
class Refilled:
    """How many paths and answers were put back."""

    paths: int
    answers: int


def put_back(session: Session, run: int, rows: Iterable[PhotoRow], usual: Callable[[Question], Question]) -> Refilled:
    """Put `rows` of the table into the ledger, in one transaction; `usual` gives a question the library's settings.

    What a row does not say is taken as by default: the schema, and the model where the answer's name begins with it.
    """
    paths = 0
    answered: Counter[int] = Counter()
    with session.ledger.transaction("refilled from the table") as transaction:
        approvals.begin_campaign(transaction)
        known: dict[tuple[str, str, str], tuple[int, Question]] = {}
        for row in rows:
            refill.put_file(transaction, run, _remembered(row))
            paths += 1
            if not (row.described and row.provider and row.prompt_version):
                continue
            named = (row.provider, row.model or "", row.prompt_version)
            if named not in known:
                known[named] = _question(session, transaction, row, usual)
            number, _ = known[named]
            asked = (number, row.prompt_version)
            answered[number] += refill.put_answer(transaction, asked, row.photo, _answer(row), _rank(session, row))
        _ask_as_before(session, transaction, run, known, answered)
    return Refilled(paths, answered.total())


def _ask_as_before(
    session: Session,
    transaction: Transaction,
    run: int,
    known: dict[tuple[str, str, str], tuple[int, Question]],
    answered: Counter[int],
) -> None:
    """The question with the most answers is the one that is asked next, as far as its words are known."""
    whole = {
        number: question for (_, _, version), (number, question) in known.items() if question.prompt_version == version
    }
    for version in {version for (_, _, version), (number, _) in known.items() if number not in whole}:
        session.watcher.note(_UNKNOWN.format(version=version))
    if whole:
        number = max(whole, key=lambda each: answered[each])
        counts.record_asked(transaction, run, number, session.spec(whole[number].provider).modes[0])


def _question(
    session: Session, transaction: Transaction, row: PhotoRow, usual: Callable[[Question], Question]
) -> tuple[int, Question]:
    provider, said = row.provider or "", row.model or ""
    try:
        default = session.spec(provider).default_model
    except UsageError:  # of a package that is not installed here
        default = ""
    model = default if default and said.startswith(default) else said
    editions = [usual(Question(provider, model, template, DEFAULT_SCHEMA)) for template in EDITIONS]
    question = next((one for one in editions if one.prompt_version == row.prompt_version), editions[-1])
    return refill.put_question(transaction, question, row.prompt_version or ""), question


def _rank(session: Session, row: PhotoRow) -> int:
    try:
        return session.spec(row.provider or "").rank
    except UsageError:
        return Rank.REMOTE_MODEL


def _remembered(row: PhotoRow) -> FormerRow:
    facts = Facts(
        taken_at=row.taken_at.isoformat(timespec="seconds") if row.taken_at else None,
        camera=row.camera,
        lens=row.lens,
        latitude=row.latitude,
        longitude=row.longitude,
        place=row.place,
        caption=row.caption or None,
        rating=row.rating,
    )
    path = row.path_bytes or to_bytes(row.path)
    return FormerRow(path, row.photo, facts, row.width or 0, row.height or 0, row.offline, row.digest)


def _answer(row: PhotoRow) -> Answer:
    named = ((field_of(column), value) for column, value in row.own.items())
    fields = {field.name: value for field, value in named if field and value is not None}
    return Answer(row.description or "", row.tags, row.visible_text, fields, row.model or "")
