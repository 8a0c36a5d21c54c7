"""Requests in a file for a model that runs without us, and the answers that it wrote to another file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from indexer.domain.answer import Failure, Row
from indexer.domain.keys import line_key
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.ledger.scope import Scope
from indexer.ledger.spend import approvals
from indexer.ledger.work import answers, items, prompt_facts, questions
from indexer.ledger.work.answers import Booking
from indexer.ledger.work.items import Work
from indexer.pipeline.send.framing import read_lines
from indexer.pipeline.send.renditions import request, with_renditions
from indexer.pipeline.session import Session
from indexer.storage.atomic import whole_file

PROVIDER = "vllm"
_GROUP = 200


@dataclass(slots=True)
class TakenIn:
    """What a file of answers brought: photos described, answers that cannot be used, lines of no photo that waits."""

    described: int = 0
    unusable: int = 0
    strangers: int = 0


def write_requests(session: Session, question: Question, scope: Scope, to: Path) -> int:
    """Write a request for every photo of `scope` that `question` was not asked about, and return how many."""
    from indexer.providers.compatible.offline import encode

    ledger, written = session.ledger, 0
    with ledger.transaction("question of a file") as transaction:
        number = questions.question_id(transaction, question)
    with whole_file(to) as stream:
        works = (
            Work(question.work_key(photo), photo, 0, prompt_facts.given_now(ledger, question, photo))
            for photo in list(items.unasked(ledger, number, scope))
        )
        for work, image in with_renditions(session, works):
            if isinstance(image, Failure):
                continue
            key = line_key(work.key, ledger.library_id, 1)
            stream.write(encode(request(question, work, key, image, Mode.INTERACTIVE)) + b"\n")
            written += 1
    return written


def take_in(session: Session, provider: str, results: Path) -> TakenIn:
    """Keep the answers in `results` to requests that `write_requests` wrote; taking them in twice changes nothing."""
    from indexer.providers.compatible.offline import decode

    told = TakenIn()
    waiting = _waiting(session, provider)
    rows = (decode(line) for line in read_lines(results))
    while group := list(islice(rows, _GROUP)):
        _keep(session, provider, waiting, group, told)
    return told


def _waiting(session: Session, provider: str) -> dict[str, tuple[Question, str]]:
    """The photos that wait for an answer to a question of this provider, by the key of their work."""
    ledger = session.ledger
    return {
        question.work_key(photo): (question, photo)
        for number in questions.of_provider(ledger, provider)
        for question in [questions.question_of(ledger, number)]
        for photo in items.unasked(ledger, number, Scope())
    }


def _keep(
    session: Session, provider: str, waiting: dict[str, tuple[Question, str]], rows: list[Row], told: TakenIn
) -> None:
    ledger, rank, photos = session.ledger, session.spec(provider).rank, []
    with ledger.transaction("answers from a file") as transaction:
        campaign = approvals.begin_campaign(transaction)
        for row, work in _ours(rows, ledger.library_id):
            if work not in waiting:
                told.strangers += 1
            elif isinstance(row.outcome, Failure):
                told.unusable += 1
            else:
                question, photo = waiting.pop(work)
                items.want(transaction, question, [photo], campaign, Mode.INTERACTIVE)
                key = line_key(work, ledger.library_id, 1)
                items.begin_call(transaction, Work(work, photo, 0), key, 0.0, Mode.INTERACTIVE)
                answers.record_answer(transaction, Booking(key, work, 0.0, row.usage), row.outcome, rank)
                photos.append(photo)
    told.described += len(photos)
    session.spool.drop(photos)


def _ours(rows: list[Row], library: str) -> Iterator[tuple[Row, str]]:
    """Each row with the key of its work, "" where another library wrote the request."""
    for row in rows:
        work, _, rest = (row.key or "").partition("-")
        yield row, work if rest.startswith(library[:6]) else ""
