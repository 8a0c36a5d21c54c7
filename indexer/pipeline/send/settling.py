"""What to do about a shard whose job may exist or may not: the one place in which a photo could be paid for twice.

The rule is pure. Whoever follows it looks for the job at the service first wherever `looks_first` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from indexer.ledger.work.shards import Refusal, Shard

_REFUSALS = 3  # so often a queue was full for a batch that was alone in it: it is smaller than the batch


class Step(Enum):
    """The next step of a shard for which no job was found.

    `DROP`: its photos wait again, unsent. `REFUSE`: they fail. `HALVE`: they wait again, for smaller batches.
    """

    WAIT = auto()
    DROP = auto()
    REFUSE = auto()
    HALVE = auto()
    UPLOAD = auto()
    CREATE = auto()


@dataclass(frozen=True, slots=True)
class Unsettled:
    """How a shard in `creating` stands.

    `looking`: a job that the last create made may not be listed yet. `wanted`: its photos are still to go by batch.
    `full`: the queue is not to be asked yet. `alone`: no other job of ours is in the queue. `held`: its lines are
    here or at the service. `expired`: the service deletes what was uploaded then.
    """

    shard: Shard
    looking: bool
    wanted: bool
    full: bool
    alone: bool
    held: bool
    expired: bool

    @property
    def looks_first(self) -> bool:
        """Whether the service is asked for the job of an earlier create before anything else."""
        return bool(self.shard.creates) and (self.looking or not self.wanted or not self.full)

    def next_step(self) -> Step:
        """Return what is to be done when no job was found; nothing is created while one may turn up yet."""
        shard = self.shard
        if (shard.creates and self.looking) or (self.wanted and self.full):
            return Step.WAIT
        if not self.wanted:
            return Step.DROP
        if shard.refusal == Refusal.REFUSED_TWICE:
            return Step.REFUSE
        if self._never_fits():
            return Step.HALVE
        if not self.held:
            return Step.DROP
        return Step.UPLOAD if shard.refusal == Refusal.FILE or self.expired else Step.CREATE

    def _never_fits(self) -> bool:
        shard = self.shard
        return shard.refusal == Refusal.QUEUE and shard.creates >= _REFUSALS and shard.requests > 1 and self.alone
