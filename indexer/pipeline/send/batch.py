"""Batches: create the jobs of packed shards exactly once, and follow each to its closed end.

Every shard is moved one committed step at a time, from whatever state the last process left it in. The one dangerous
moment is between a create and its answer: a shard found there is looked for by its own name and input file before
anything is created again, and any answer but a clean success counts as unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from indexer.domain.errors import (
    KeyMissing,
    KeyRefused,
    NoCredit,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    UnknownModel,
    Unreachable,
    Unsendable,
)
from indexer.domain.job import Job, JobState
from indexer.domain.keys import job_name
from indexer.ledger.spend import approvals
from indexer.ledger.work import modes, questions, shards
from indexer.ledger.work.shards import UNSENT, Refusal, Shard, ShardState
from indexer.pipeline.send.collect import collect_results, end_without_results, looks_damaged, refusal_of_all
from indexer.pipeline.send.framing import compress
from indexer.pipeline.send.lanes import Lanes
from indexer.pipeline.send.outcomes import LOST_JOB, LOST_RESULTS, NOT_SENT, REFUSED, ending_of
from indexer.pipeline.send.settling import Step, Unsettled
from indexer.pipeline.send.unknown_model import explained, forget_work
from indexer.pipeline.session import Session
from indexer.providers.seam import BatchFile, BatchService, Match
from indexer.providers.spec import Spec

log = logging.getLogger("captionary.batch")
_RESULTS_PATIENCE = 3600.0
_MOST_UPLOADS = 3  # a file that is gone each time is not what the service misses
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
        if path.name.split(".")[0] not in known and not session.config.keep_batches:
            path.unlink()
    for path in session.batches.glob(".*.part"):
        path.unlink()


class BatchSender:
    """Moves shards. Built for one pass over the ledger.

    `moved` tells that anything changed in it, `freed` that the service's queue got shorter.
    """

    def __init__(self, session: Session, lanes: Lanes) -> None:
        self._session = session
        self._lanes = lanes
        self._ledger = session.ledger
        self.moved = False
        self.freed = False

    def advance(self, shard: Shard) -> None:
        """Take `shard` as far as it goes without waiting; what lasts is raised."""
        if self._goes_back(shard):
            shard = end_without_results(self._session, shard, NOT_SENT)
            self.moved = True
        if shard.state is ShardState.COLLECTED and not shard.uploads:  # nothing of it is at the service
            self._finish(shard)
            self.moved = True
            return
        if self._lanes.is_dead(shard):
            return
        service = self._session.batch_service(self._lanes.provider_of(shard), shard.account)
        while True:
            moved = self._step(shard, service)
            if moved.state is shard.state:
                return
            self.moved = True
            shard = moved

    def _goes_back(self, shard: Shard) -> bool:
        """Whether no job of it can exist, and none shall: its photos wait again."""
        if shard.creates or shard.state not in (*UNSENT, ShardState.CREATING):
            return False
        unwanted = not shard.uploads and not modes.wants_batch(self._ledger, shard.id)
        return unwanted or not self._lanes.takes(shard)

    def _step(self, shard: Shard, service: BatchService) -> Shard:
        match shard.state:
            case ShardState.PACKED:
                return shards.intend(self._ledger, shard)
            case ShardState.INTENDED:
                return self._upload(shard, service)
            case ShardState.CREATING:
                return self._settle(shard, service)
            case ShardState.SUBMITTED:
                return self._poll(shard, service)
            case ShardState.ENDED:
                return self._fetch(shard, service)
            case ShardState.FETCHED:
                return self._collect(shard, service)
            case ShardState.COLLECTED:
                return self._close(shard, service)
            case ShardState.CLOSED:
                return shard

    def _file(self, shard: Shard) -> BatchFile:
        ends, now = approvals.deadline(self._ledger), self._session.clock.time()
        return BatchFile(
            path=shard_file(self._session, shard.id),
            label=job_name(self._ledger.library_id, shard.id, shard.attempt),
            question=questions.question_of(self._ledger, shard.question),
            requests=shard.requests,
            earliest_create=(shard.uploaded_at or shard.packed_at) if shard.creates else None,
            handle=shard.input_file,
            handles=shard.uploads,
            deadline=None if ends is None else max(0.0, ends - now),
            owns=partial(shards.has_line, self._ledger, shard.id),
        )

    def _upload(self, shard: Shard, service: BatchService) -> Shard:
        if not self._is_whole(shard) or not modes.wants_batch(self._ledger, shard.id):
            return end_without_results(self._session, shard, NOT_SENT)
        try:
            held = service.upload(self._file(shard))
        except Unsendable as fault:
            self._session.watcher.note(str(fault))
            return end_without_results(self._session, shard, REFUSED.because(str(fault)))
        return shards.record_upload(self._ledger, shard, held)

    def _settle(self, shard: Shard, service: BatchService) -> Shard:
        """Look for the job of a create whose outcome is not known; only when there is none, create."""
        stands = self._unsettled(shard)
        if stands.looks_first:
            found = self._look(shard, service)
            if found is not None:
                return found
        match stands.next_step():
            case Step.WAIT:
                return shard
            case Step.DROP:
                return end_without_results(self._session, shard, NOT_SENT)
            case Step.REFUSE:
                return end_without_results(self._session, shard, REFUSED.because(shard.error))
            case Step.HALVE:
                return self._halve(shard)
            case Step.UPLOAD:
                return shards.intend(self._ledger, shard)
            case Step.CREATE:
                return self._create(shard, service)

    def _unsettled(self, shard: Shard) -> Unsettled:
        now = self._session.clock.time()
        return Unsettled(
            shard=shard,
            looking=now < (shard.unsure_since or 0.0) + self._session.config.lookup_seconds,
            wanted=modes.wants_batch(self._ledger, shard.id),
            full=now < shard.not_before,
            alone=not any(
                other.state is ShardState.SUBMITTED and other.account == shard.account
                for other in shards.open_shards(self._ledger)
            ),
            held=bool(shard.input_file) or self._is_whole(shard),
            expired=now - (shard.uploaded_at or 0.0) > self._spec(shard).file_seconds,
        )

    def _is_whole(self, shard: Shard) -> bool:
        path = shard_file(self._session, shard.id)
        return path.exists() and path.stat().st_size == shard.bytes

    def _halve(self, shard: Shard) -> Shard:
        question = questions.question_of(self._ledger, shard.question)
        self._session.watcher.note(
            f"the service's queue is full for {shard.requests} photos at once: going on in smaller batches"
        )
        modes.remember_room(self._ledger, question, shard.account, shard.requests // 2)
        return end_without_results(self._session, shard, NOT_SENT)

    def _create(self, shard: Shard, service: BatchService) -> Shard:
        asked = shards.record_creating(self._ledger, shard)
        try:
            job = service.create(self._file(shard))
        except NotFound as fault:
            return self._explain(shard, fault, service)
        except ProviderError as fault:
            return self._record_refusal(shard, fault)
        return shards.record_job(self._ledger, asked, job, sure=not shard.creates)

    def _explain(self, shard: Shard, fault: NotFound, service: BatchService) -> Shard:
        """Not found is the file, or the model; of a model that is not there, nothing stays here or at the service."""
        question = questions.question_of(self._ledger, shard.question)
        meaning = explained(self._session, question, fault)
        if meaning is fault:
            return self._record_refusal(shard, fault)
        self._forget(shard, service)
        raise meaning

    def _blame_model(self, shard: Shard, service: BatchService, words: str) -> None:
        """Raise `UnknownModel` where a job served nobody because the service has no such model; `words` are its own."""
        if "model" not in words.lower():
            return
        meaning = explained(self._session, questions.question_of(self._ledger, shard.question), NotFound(words))
        if isinstance(meaning, UnknownModel):
            self._forget(shard, service)
            raise meaning

    def _forget(self, shard: Shard, service: BatchService) -> None:
        self._close(end_without_results(self._session, shard, NOT_SENT), service)
        forget_work(self._session, shard.question)

    def _record_refusal(self, shard: Shard, fault: ProviderError) -> Shard:
        """Believe no answer but a clean one; what a person must fix is raised all the same."""
        refusal = _refusal(fault, shard)
        now = self._session.clock.time()
        wait = _queue_wait(shard, now, fault) if refusal is Refusal.QUEUE else 0.0
        refused = shards.record_refusal(self._ledger, shard, refusal, str(fault), now + wait if wait else 0.0)
        if refusal in (Refusal.ACCOUNT, Refusal.REFUSED, Refusal.REFUSED_TWICE):
            raise fault
        return refused

    def _look(self, shard: Shard, service: BatchService) -> Shard | None:
        """Take over the oldest job of this shard and cancel further ones; None when there is none.

        A job of which nobody can say yet whether it is ours holds everything up until its results tell. What is the
        job of another shard of this library is not this one's.
        """
        found = service.find(self._file(shard))
        matches = [match for match in found if not shards.is_job_of_another(self._ledger, shard.id, match.job.name)]
        jobs = _certain(matches)
        if not jobs:
            return shard if matches else None
        oldest = min(jobs, key=lambda job: job.state is JobState.CANCELLED)
        adopted = shards.record_job(self._ledger, shard, oldest, sure=False)
        _cancel_others(service, jobs, oldest.name)
        return adopted

    def _ours(self, shard: Shard, service: BatchService) -> list[Job]:
        return _certain(service.find(self._file(shard)))

    def _spec(self, shard: Shard) -> Spec:
        return self._session.spec(questions.question_of(self._ledger, shard.question).provider)

    def _poll(self, shard: Shard, service: BatchService) -> Shard:
        if shard.cancelled_at is None and not modes.wants_batch(self._ledger, shard.id):
            shard = self._cancel(shard, service)
        try:
            job = service.poll(shard.job)
        except NotFound:
            return self._wait_for_job(shard, service)
        if job.queue_full:
            now = self._session.clock.time()
            wait = _queue_wait(shard, now, RateLimited(job.error))
            return shards.record_queue_full(self._ledger, shard, job.error, now + wait)
        polled = shard
        if job.state.ended or job.state is not shard.job_state or shard.lost_at is not None:
            polled = shards.record_poll(self._ledger, shard, job)
        self.freed |= job.state.ended
        if shard.refusal:  # a create had no clean answer, so a second job may turn up yet
            _cancel_others(service, self._ours(shard, service), shard.job)
        return polled

    def _cancel(self, shard: Shard, service: BatchService) -> Shard:
        """Ask the service to stop a job; one that it cannot stop runs to its end, and what it answers is kept."""
        try:
            stopped = service.cancel(shard.job)
        except NotFound:
            return shard  # polling tells whether that is so
        return shards.record_cancelled(self._ledger, shard) if stopped else shard

    def _wait_for_job(self, shard: Shard, service: BatchService) -> Shard:
        """A job that is not found may be too new, or the look-up may lag; only one that stays away is given up."""
        if shard.lost_at is None:
            return shards.record_lost(self._ledger, shard)
        if not self._stayed_away(shard, self._session.config.lookup_seconds):
            return shard
        if any(job.name == shard.job for job in self._ours(shard, service)):
            return shard
        return end_without_results(self._session, shard, LOST_JOB)

    def _fetch(self, shard: Shard, service: BatchService) -> Shard:
        if not shard.results:
            self._blame_model(shard, service, shard.error)
            outlived = (shard.ended_at or 0.0) - (shard.uploaded_at or 0.0) > self._spec(shard).file_seconds
            return end_without_results(self._session, shard, ending_of(shard, outlived=outlived))
        try:
            service.fetch(_job(shard), results_file(self._session, shard.id))
        except NotFound:
            return self._wait_for_results(shard)
        return shards.record_fetched(self._ledger, shard)

    def _wait_for_results(self, shard: Shard) -> Shard:
        """Results that are not found may lag too; those of a job that outlived them are gone sooner."""
        if shard.lost_at is None:
            return shards.record_lost(self._ledger, shard)
        old = self._session.clock.time() - (shard.ended_at or 0.0) > self._spec(shard).result_seconds
        if not self._stayed_away(shard, self._session.config.lookup_seconds if old else _RESULTS_PATIENCE):
            return shard
        return end_without_results(self._session, shard, LOST_RESULTS)

    def _stayed_away(self, shard: Shard, patience: float) -> bool:
        return self._session.clock.time() - (shard.lost_at or 0.0) >= patience

    def _collect(self, shard: Shard, service: BatchService) -> Shard:
        """Judge the result lines; where one is damaged, only after the results were fetched a second time, for free."""
        results = [results_file(self._session, shard.id)]
        self._blame_model(shard, service, refusal_of_all(service, results[0]))
        again = self._session.batches / f"{shard.id}.again.jsonl"
        if looks_damaged(self._session, shard, service, results[0]):
            try:
                service.fetch(_job(shard), again)
                results.append(again)
            except NotFound:
                log.info("the results of %s are gone: they are read as they came", shard.job)
        collected = collect_results(self._session, shard, service, results)
        again.unlink(missing_ok=True)
        return collected

    def _close(self, shard: Shard, service: BatchService) -> Shard:
        if not self._session.config.keep_batches:
            for input_file in shard.uploads:
                _discard(service, input_file)
        return self._finish(shard)

    def _finish(self, shard: Shard) -> Shard:
        results = results_file(self._session, shard.id)
        if results.exists():
            compress(results)
        if not self._session.config.keep_batches:
            shard_file(self._session, shard.id).unlink(missing_ok=True)
        return shards.close(self._ledger, shard)


def _job(shard: Shard) -> Job:
    return Job(shard.job, shard.job_state, results=shard.results, requests=shard.requests)


def _certain(matches: Iterable[Match]) -> list[Job]:
    return [match.job for match in matches if match.certain]


def _cancel_others(service: BatchService, jobs: list[Job], kept: str) -> None:
    for job in jobs:
        if job.name != kept and not job.state.ended:
            service.cancel(job.name)


def _discard(service: BatchService, input_file: str) -> None:
    """Delete an uploaded file; one that stays is no harm."""
    try:
        service.discard(input_file)
    except (Unreachable, RateLimited, Refused, KeyRefused, NoCredit):
        return


def _refusal(fault: ProviderError, shard: Shard) -> Refusal:
    if isinstance(fault, RateLimited):
        return Refusal.QUEUE
    if isinstance(fault, NotFound) and (len(shard.uploads) or shard.creates) < _MOST_UPLOADS:
        return Refusal.FILE
    if isinstance(fault, Refused):
        return Refusal.REFUSED_TWICE if shard.refusal == Refusal.REFUSED else Refusal.REFUSED
    if isinstance(fault, KeyMissing | KeyRefused | NoCredit):
        return Refusal.ACCOUNT
    return Refusal.UNKNOWN


def _queue_wait(shard: Shard, now: float, fault: ProviderError) -> float:
    """Seconds until the queue is asked again: as the service says, else longer the longer it has been full."""
    asked = fault.retry_after if isinstance(fault, RateLimited) else None
    return min(asked or max(_QUEUE_WAIT, now - shard.packed_at), _QUEUE_WAIT_MOST)
