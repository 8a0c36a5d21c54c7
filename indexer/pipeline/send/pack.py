"""Waiting work items -> shard files, cut by what binds first: the budget, the queue, bytes or lines."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from indexer.domain.answer import Failure
from indexer.domain.keys import line_key
from indexer.domain.mode import Mode
from indexer.ledger.spend import approvals
from indexer.ledger.work import items, modes, questions, shards
from indexer.ledger.work.shards import Line, Packed
from indexer.pipeline import budget
from indexer.pipeline.send.batch import shard_file
from indexer.pipeline.send.canary import Leave
from indexer.pipeline.send.framing import ShardWriter
from indexer.pipeline.send.lanes import Lanes
from indexer.pipeline.send.renditions import request, with_renditions
from indexer.pipeline.session import Session
from indexer.storage.atomic import SPARE_BYTES, require_space

_MOST_BYTES = 128 << 20  # a shard is small enough that its first answers come early


def pack_shard(session: Session, number: int, lanes: Lanes, account: str, allowed: Leave) -> bool:
    """Pack one shard of a question's waiting works for an account; False when nothing waits or has no room there."""
    if allowed.lines == 0:
        return False
    question = questions.question_of(session.ledger, number)
    limits = session.limits(question)
    quote = session.pricing.quote(question, Mode.BATCH)
    most_tokens = max(0, limits.max_queued_tokens - lanes.queued(question, account))
    most_requests = max(0, budget.requests(session, quote.high_usd, items.unsent(session.ledger, number)))
    most = min(
        most_requests,
        most_tokens // max(quote.input_tokens, 1),
        limits.max_lines,
        session.config.shard_lines,
        modes.room(session.ledger, question, account) or limits.max_lines,
        limits.max_lines if allowed.lines is None else allowed.lines,
    )
    source = _lines(session, number, account, most)
    first = next(source, None)
    if first is None:
        return False
    expected = min(most, items.unsent(session.ledger, number)) * len(first[1])
    require_space(session.batches, min(expected, _MOST_BYTES) + SPARE_BYTES)
    lines: list[Line] = []
    shard = secrets.token_hex(4)
    left = budget.left(session)
    with ShardWriter(shard_file(session, shard)) as writer:
        entry: tuple[Line, bytes] | None = first
        while entry and (not lines or writer.bytes + len(entry[1]) < min(limits.max_bytes, _MOST_BYTES)):
            left -= entry[0].high_usd
            if lines and left < 0:
                break
            writer.write(entry[1])
            lines.append(entry[0])
            entry = next(source, None)
    campaign = approvals.current_campaign(session.ledger) or 0
    packed = Packed(shard, number, campaign, writer.bytes, len(lines) * quote.input_tokens, allowed.canary, account)
    shards.record_packed(session.ledger, packed, lines)
    return True


def _lines(session: Session, number: int, account: str, most: int) -> Iterator[tuple[Line, bytes]]:
    question = questions.question_of(session.ledger, number)
    batches = session.batch_service(question.provider, account)
    for work, image in with_renditions(session, items.wanted(session.ledger, number, Mode.BATCH, most)):
        if isinstance(image, Failure):
            items.fail_unsent(session.ledger, work.key, image)
            continue
        key = line_key(work.key, session.ledger.library_id, work.attempts + 1)
        high = session.pricing.quote(question.with_room(work.reason, work.attempts), Mode.BATCH).high_usd
        yield Line(work, key, high), batches.encode(request(question, work, key, image, Mode.BATCH))
