"""The batch lane: pack shards, create their jobs exactly once, and follow each to its closed end.

Every shard is moved one committed step at a time, from whatever state the last process left it in. The one dangerous
moment is between a create and its answer: a shard found there is looked for by its own name before anything is
created again, and any answer but a clean success counts as unknown.
"""

from __future__ import annotations

from pathlib import Path

from indexer.batchfile import compress
from indexer.errors import KeyRefused, NoCredit, NotFound, ProviderError, RateLimited, Refused, Unreachable
from indexer.ledger import shards, works
from indexer.ledger.shards import Shard
from indexer.pipeline.collect import collect_results, fail_shard
from indexer.pipeline.session import Session
from indexer.providers.base import Provider
from indexer.records import Job, JobState, job_name

_FILE_LIFE = 47 * 3600.0  # an uploaded file lives 48 hours
_QUEUE_WAIT = 60.0
_QUEUE_WAIT_MOST = 900.0


def shard_file(session: Session, shard: str) -> Path:
    """Where a packed shard lies until it is collected."""
    return session.batches / f"{shard}.jsonl"


def results_file(session: Session, shard: str) -> Path:
    """Where a shard's result lines lie until they are collected and gzipped."""
    return session.batches / f"{shard}.results.jsonl"


def sweep(session: Session) -> None:
    """Delete what a killed process left in `batches/`: files of no open shard, and unfinished ones."""
    known = {shard.id for shard in shards.open_shards(session.ledger)}
    for path in session.batches.glob("*.jsonl"):
        if path.name.split(".")[0] not in known and not session.tuning.keep_batches:
            path.unlink()
    for path in session.batches.glob(".*.part"):
        path.unlink()


class BatchLane:
    """Moves shards. Built for one pass over the ledger; `advance` may be called again and again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ledger = session.ledger

    def advance(self, shard: Shard) -> None:
        """Take `shard` as far as it goes without waiting; what the service refuses for good is raised."""
        provider = self._session.provider(works.question_of(self._ledger, shard.question).provider)
        while True:
            before = shard.state
            self._step(shard, provider)
            shard = shards.shard(self._ledger, shard.id)
            if shard.state in (before, "closed"):
                return

    def _step(self, shard: Shard, provider: Provider) -> None:
        match shard.state:
            case "packed":
                shards.intend(self._ledger, shard.id)
            case "intended":
                self._upload_and_create(shard, provider)
            case "creating":
                self._settle(shard, provider)
            case "submitted":
                self._poll(shard, provider)
            case "ended":
                self._fetch(shard, provider)
            case "fetched":
                collect_results(self._session, shard, provider, results_file(self._session, shard.id))
            case "collected":
                self._close(shard, provider)

    def _name(self, shard: Shard) -> str:
        return job_name(self._ledger.library_id, shard.id, shard.attempt)

    def _upload_and_create(self, shard: Shard, provider: Provider) -> None:
        if shard.not_before > self._session.clock.time():
            return
        path = shard_file(self._session, shard.id)
        if not path.exists():
            fail_shard(self._session, shard, None)
            return
        input_file = provider.upload(path, f"{self._name(shard)}.jsonl")
        shards.record_upload(self._ledger, shard.id, input_file)
        self._create(shards.shard(self._ledger, shard.id), provider)

    def _create(self, shard: Shard, provider: Provider) -> None:
        question = works.question_of(self._ledger, shard.question)
        try:
            job = provider.create(question, shard.input_file, self._name(shard))
        except ProviderError as fault:
            self._after_refused_create(shard, provider, fault)
        else:
            shards.record_job(self._ledger, shard.id, job)

    def _after_refused_create(self, shard: Shard, provider: Provider, fault: ProviderError) -> None:
        """Look before believing: a job may exist whatever the answer was."""
        if isinstance(fault, Unreachable) or self._adopt(shard, provider):
            return
        now = self._session.clock.time()
        if isinstance(fault, RateLimited):
            shards.record_refusal(self._ledger, shard.id, str(fault), now + _backoff(shard, now, fault.retry_after))
            return
        shards.record_refusal(self._ledger, shard.id, str(fault), 0.0)
        raise fault

    def _settle(self, shard: Shard, provider: Provider) -> None:
        if self._adopt(shard, provider):
            return
        now = self._session.clock.time()
        age = now - (shard.created_at or 0.0)
        if age < self._session.tuning.lookup_seconds:
            return
        if now - shard.packed_at > _FILE_LIFE or not shard.input_file:
            shards.record_refusal(self._ledger, shard.id, "", 0.0)
            return
        shards.record_creating(self._ledger, shard.id)
        self._create(shards.shard(self._ledger, shard.id), provider)

    def _adopt(self, shard: Shard, provider: Provider) -> bool:
        """Take over the oldest job of this shard's name and cancel further ones; False when there is none."""
        jobs = [job for job in provider.find(self._name(shard)) if job.state is not JobState.CANCELLED]
        if not jobs:
            return False
        oldest, *extras = jobs
        shards.record_job(self._ledger, shard.id, oldest)
        for extra in extras:
            if not extra.state.ended:
                provider.cancel(extra.name)
        return True

    def _poll(self, shard: Shard, provider: Provider) -> None:
        try:
            job = provider.poll(shard.job)
        except NotFound as fault:
            if self._session.clock.time() - (shard.submitted_at or 0.0) < self._session.tuning.lookup_seconds:
                return
            job = Job(shard.job, JobState.EXPIRED, error=str(fault))
        if job.state.ended or job.state is not shard.job_state:
            shards.record_poll(self._ledger, shard.id, job)

    def _fetch(self, shard: Shard, provider: Provider) -> None:
        if not shard.output_file:
            fail_shard(self._session, shard, provider)
            return
        job = Job(shard.job, shard.job_state, output_file=shard.output_file, requests=shard.requests)
        provider.fetch(job, results_file(self._session, shard.id))
        shards.record_fetched(self._ledger, shard.id)

    def _close(self, shard: Shard, provider: Provider) -> None:
        results = results_file(self._session, shard.id)
        if results.exists():
            compress(results)
        if not self._session.tuning.keep_batches:
            shard_file(self._session, shard.id).unlink(missing_ok=True)
            if shard.input_file:
                _discard(provider, shard.input_file)
        shards.close(self._ledger, shard.id)


def _discard(provider: Provider, input_file: str) -> None:
    """Delete an uploaded file; one that stays is no harm, the service deletes it after two days."""
    try:
        provider.discard(input_file)
    except (Unreachable, RateLimited, Refused, KeyRefused, NoCredit):
        return


def _backoff(shard: Shard, now: float, retry_after: float | None) -> float:
    if retry_after:
        return min(retry_after, _QUEUE_WAIT_MOST)
    waited = now - shard.packed_at
    return max(_QUEUE_WAIT, min(waited, _QUEUE_WAIT_MOST))
