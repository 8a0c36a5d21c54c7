"""The canary: a small batch goes ahead of a large one, and the rest follows only when its answers can be used.

That holds once for each (provider, model, schema): what has come back well from batch here needs no canary again. A
canary that nobody answers within the hour holds nothing up for good: one normal shard at a time goes after it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from indexer.domain.answer import Reason
from indexer.domain.keys import canonical_json
from indexer.domain.question import Question
from indexer.ledger.spend import approvals
from indexer.ledger.store import Ledger, Transaction
from indexer.ledger.work import items, questions, shards
from indexer.ledger.work.shards import Shard
from indexer.pipeline.session import Session

CANARY_LINES = 50
CANARY_FROM = 500
"""With more requests than this planned, a canary goes ahead."""
PATIENCE = 3600.0
LEAST_ROWS = 10
"""Fewer answers than this condemn nothing."""
MOST_UNUSABLE = 0.2
"""The share of answers that may be malformed, truncated or blocked."""
MOST_FAILED = 0.5
"""The share of requests that may fail for whatever reason."""
_UNUSABLE = (Reason.MALFORMED, Reason.TRUNCATED, Reason.BLOCKED)


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """What the first answers were like; `why` is a line for a person, "" when they were good.

    `options` are the provider's settings by then, as JSON; `at` is in seconds since the epoch.
    """

    why: str
    options: str
    at: float


@dataclass(frozen=True, slots=True)
class Leave:
    """How many lines the next shard may have, and whether it is a canary; `stopped` says why none may go at all."""

    lines: int | None
    canary: bool = False
    stopped: str = ""


_ALL = Leave(None)
_NONE_NOW = Leave(0)


def leave(session: Session, number: int) -> Leave:
    """Say what may be packed now of a question."""
    question = questions.question_of(session.ledger, number)
    verdict = _verdict(session.ledger, question)
    if verdict and not verdict.why:
        return _ALL
    if verdict and not _released(session, question, verdict):
        return Leave(0, stopped=verdict.why)
    out = [shard for shard in shards.open_shards(session.ledger) if _akin(session.ledger, shard, question)]
    canaries = sum(shard.canary for shard in out)
    if not canaries and items.unsent(session.ledger, number) + sum(shard.requests for shard in out) <= CANARY_FROM:
        return _ALL
    if not out:
        return Leave(CANARY_LINES, canary=True)
    waited = session.clock.time() - min(shard.submitted_at or shard.packed_at for shard in out)
    return _ALL if waited >= PATIENCE and len(out) == canaries else _NONE_NOW


def stopped(session: Session, number: int | None) -> str:
    """Say why a question may not be asked by batch, "" when it may."""
    if number is None:
        return ""
    question = questions.question_of(session.ledger, number)
    verdict = _verdict(session.ledger, question)
    return verdict.why if verdict and not _released(session, question, verdict) else ""


def judge(session: Session, transaction: Transaction, shard: Shard, question: Question) -> None:
    """Keep what the answers of a collected shard say of those to come."""
    known = _verdict(session.ledger, question)
    if known and not known.why:
        return
    counts = shards.outcomes(session.ledger, shard.id)
    total, answered = sum(counts.values()), counts.get("", 0)
    unusable = sum(counts.get(str(reason), 0) for reason in _UNUSABLE)
    bad = unusable > MOST_UNUSABLE * total or total - answered > MOST_FAILED * total
    if (bad and total < LEAST_ROWS) or not total:
        return
    verdict = CanaryResult(
        _words(session, question, counts) if bad else "", _options(session, question), session.clock.time()
    )
    transaction.set_setting(_name(question), json.dumps(asdict(verdict)))


def _options(session: Session, question: Question) -> str:
    return canonical_json(dict(session.options(question.provider)))


def _words(session: Session, question: Question, counts: dict[str, int]) -> str:
    total = sum(counts.values())
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()) if reason)
    words = f"stopped: too many of the first {total} batch answers cannot be used: {told}"
    if counts.get(Reason.MALFORMED, 0) > MOST_UNUSABLE * total:
        words += session.spec(question.provider).schema_advice
    return words + "; see index failures; approve again (--yes) to try a few others"


def _verdict(ledger: Ledger, question: Question) -> CanaryResult | None:
    told = ledger.setting(_name(question))
    kept = json.loads(told) if told else None
    return CanaryResult(kept["why"], kept.get("options", ""), kept["at"]) if kept else None


def _name(question: Question) -> str:
    return f"canary {question.provider} {question.model} {question.schema_version}"


def _released(session: Session, question: Question, verdict: CanaryResult) -> bool:
    """A verdict holds until somebody says yes again, or has the schema sent another way."""
    changed = _options(session, question) != verdict.options
    return changed or approvals.approved_at(session.ledger) > verdict.at


def _akin(ledger: Ledger, shard: Shard, question: Question) -> bool:
    return _name(questions.question_of(ledger, shard.question)) == _name(question)
