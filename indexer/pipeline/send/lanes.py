"""The accounts of a service as lanes of one budget: which of them the next batch goes to."""

from __future__ import annotations

from indexer.domain.question import Question
from indexer.ledger.work import questions, shards
from indexer.pipeline.session import Session


def next_account(session: Session, question: Question) -> str | None:
    """Return the account whose queue holds the least; None while each has said that its queue is full."""
    full = _full(session, question.provider)
    free = [account for account in session.accounts(question.provider) if account not in full]
    return min(free, key=lambda account: queued(session, question, account), default=None)


def queued(session: Session, question: Question, account: str) -> int:
    """Return the tokens that batches of the model hold in the queue of an account, or are about to."""
    return shards.queued_tokens(session.ledger, question.provider, question.model, account)


def _full(session: Session, provider: str) -> set[str]:
    ledger, now = session.ledger, session.clock.time()
    waiting = [shard for shard in shards.open_shards(ledger) if shard.not_before > now]
    return {shard.account for shard in waiting if questions.question_of(ledger, shard.question).provider == provider}
