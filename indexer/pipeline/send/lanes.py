"""The accounts of a service as lanes of one budget: which of them the next batch goes to, and which cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from indexer.domain.errors import KeyMissing, KeyRefused, NoCredit, ProviderError
from indexer.domain.question import Question
from indexer.ledger.work import questions, shards
from indexer.ledger.work.shards import Shard, ShardState
from indexer.pipeline.session import Session


class Lanes:
    """The accounts of one run. One whose key or credit is dead is left alone while another one lives."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger
        self._dead: dict[tuple[str, str], ProviderError] = {}

    def provider_of(self, shard: Shard) -> str:
        """Return the provider of a batch."""
        return questions.question_of(self._ledger, shard.question).provider

    def is_dead(self, shard: Shard) -> bool:
        """Say whether the account of a batch cannot go on in this run."""
        return (self.provider_of(shard), shard.account) in self._dead

    def takes(self, shard: Shard) -> bool:
        """Say whether new batches may go to the account of this one."""
        return shard.account in self._live(self.provider_of(shard))

    def next_account(self, question: Question) -> str | None:
        """Return the account whose queue holds the least; None while each has said that its queue is full."""
        now = self._session.clock.time()
        waiting = [shard for shard in shards.open_shards(self._ledger) if shard.not_before > now]
        full = {shard.account for shard in waiting if self.provider_of(shard) == question.provider}
        free = [account for account in self._live(question.provider) if account not in full]
        return min(free, key=lambda account: self.queued(question, account), default=None)

    def queued(self, question: Question, account: str) -> int:
        """Return the tokens that batches of the model hold in the queue of an account, or are about to."""
        return shards.queued_tokens(self._ledger, question.provider, question.model, account)

    @contextmanager
    def held(self, provider: str, account: str) -> Iterator[None]:
        """Hold the error of a dead account as long as another one lives."""
        try:
            yield
        except (KeyMissing, KeyRefused, NoCredit) as fault:
            if not set(self._live(provider)) - {account}:
                raise
            if (provider, account) not in self._dead:
                self._session.watcher.note(f"{fault}; its other accounts go on")
            self._dead[provider, account] = fault

    def raise_stuck(self) -> None:
        """Raise why a batch is stuck at a dead account, where one is."""
        for shard in shards.open_shards(self._ledger):
            if self.is_dead(shard) and shard.state is not ShardState.COLLECTED:
                raise self._dead[self.provider_of(shard), shard.account]

    def _live(self, provider: str) -> list[str]:
        return [account for account in self._session.accounts(provider) if (provider, account) not in self._dead]
