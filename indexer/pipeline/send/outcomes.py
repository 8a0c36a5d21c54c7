"""How a shard may end without results, and what that means for its requests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from indexer.domain.answer import Failure, Handling, Reason
from indexer.domain.job import JobState
from indexer.ledger.work.shards import Shard


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of each request; `served` says that it may have been paid, so it stays booked at its high price."""

    failure: Failure
    served: bool = False

    def because(self, words: str) -> Outcome:
        """Return the same ending with the service's words."""
        return replace(self, failure=replace(self.failure, detail=words)) if words else self


NOT_SENT = Outcome(Failure(Reason.MISSING, "was not sent", Handling.AGAIN))
REFUSED = Outcome(Failure(Reason.REJECTED, "the service refused the batch"))
LOST_JOB = Outcome(Failure(Reason.EXPIRED, "the service does not know the job any more"), served=True)
LOST_RESULTS = Outcome(Failure(Reason.EXPIRED, "the service does not keep the results any more"), served=True)
_OUTLIVED = Outcome(Failure(Reason.EXPIRED, "the uploaded file expired before the job began", Handling.AGAIN))
_CANCELLED = Outcome(Failure(Reason.EXPIRED, "the job was cancelled", Handling.AGAIN))
_EXPIRED = Outcome(Failure(Reason.EXPIRED, "the job expired before it was served"))
_FAILED = Outcome(Failure(Reason.SERVER_ERROR, "the job failed without results"))


def ending_of(shard: Shard, *, outlived: bool) -> Outcome:
    """Return how a job without results ended; `outlived` when its input file had expired by then."""
    if shard.job_state is JobState.CANCELLED or (shard.job_state is JobState.EXPIRED and shard.cancelled_at):
        return _CANCELLED
    if shard.job_state is JobState.EXPIRED:
        return _EXPIRED
    return _OUTLIVED if outlived else _FAILED.because(shard.error)
