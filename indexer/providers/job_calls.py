"""The steps of a batch that services with jobs over HTTP share; what each says of a job is read in its own folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from indexer.domain.errors import NotFound, Refused, Unreachable, Unsendable
from indexer.domain.job import Job
from indexer.providers.http import Http
from indexer.providers.seam import BatchFile, LineFault


def refuse_faults(shard: BatchFile, faults: Iterable[LineFault]) -> None:
    """Raise `Unsendable` for the first thing in the batch file that the service would refuse."""
    for fault in faults:
        provider = shard.question.provider
        raise Unsendable(
            f"line {fault.line} of {shard.path} would be refused: {fault.field} {fault.problem}".replace("  ", " "),
            hint=f"{fault.fix}; see them all with: index check --provider {provider} {shard.path}",
        )


def created(job: Job | None) -> Job:
    """Return the job that a service made; raises `Unreachable` where its answer names none."""
    if job is None:
        raise Unreachable("could not create the batch job: the answer names none", hint="run again: it is looked for")
    return job


def polled(job: Job | None, name: str) -> Job:
    """Return the job of that name as the service tells it; raises `Unreachable` where its answer is not a job."""
    if job is None:
        raise Unreachable(f"could not look at {name}: the answer is not a job", hint="try again later")
    return job


def cancel(http: Http, path: str, poll: Callable[[], Job], body: object = None) -> bool:
    """Ask the service to stop a job; one that has ended already, as `poll` tells, is fine."""
    try:
        http.patiently(lambda: http.post("cancel the batch job", path, body))
    except NotFound:
        raise
    except Refused:
        if not poll().state.ended:
            raise
    return True


def delete_file(http: Http, path: str) -> None:
    """Delete an uploaded file; one that is gone already is fine."""
    try:
        http.patiently(lambda: http.send("delete the batch file", "DELETE", path))
    except NotFound:
        return
