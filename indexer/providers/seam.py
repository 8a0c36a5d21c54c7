"""The seam between Captionary and whoever describes pictures.

A provider is a leaf: it imports this seam and its own SDK, never another provider and never anything above. The seam
speaks `Request` and `Answer`; what a service calls its fields and states ends inside the provider's own folder.

A batch goes `upload -> create -> poll -> fetch -> discard`. `create` is the paid step: a provider sends it exactly
once and never retries it by itself. Whatever is not a clean success is raised, and the caller looks with `find`
before it creates again. `Unreachable` means that the outcome is unknown; `RateLimited`, `KeyRefused`, `NoCredit` and
`Refused` carry the service's own words, and even then the caller looks first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from indexer.domain.answer import Row
from indexer.domain.job import Job, Limits
from indexer.domain.question import Mode, Question, Request


@dataclass(frozen=True, slots=True)
class Account:
    """What a provider cannot ask its service: the usage tier, 1 to 3, and a wished way to send answer schemas."""

    tier: int = 1
    schema_field: str = ""


class Provider(Protocol):
    """One service. Instances are cheap to make, safe to use from several threads, and open no socket until asked."""

    name: str
    modes: tuple[Mode, ...]
    """The lanes it has, the default one first."""
    default_model: str
    free: bool
    """True when nothing it does costs money or leaves the machine."""
    key_variable: str
    """The environment variable that holds its key, "" when it needs none."""

    def limits(self, model: str) -> Limits:
        """Return what binds one batch file for `model`."""
        ...

    def refusal(self, question: Question) -> str:
        """Return why every request of this question would be refused, "" when nothing is known against it."""
        ...

    def encode(self, request: Request) -> bytes:
        """Return the request as one line of this provider's batch format: UTF-8 JSON, no newline."""
        ...

    def decode(self, line: bytes) -> Row:
        """Read one result line; never raises, whatever the bytes: what cannot be read is a `Failure`."""
        ...

    def ask(self, request: Request) -> Row:
        """Ask one ordinary call now; raises `ProviderError`s, a refusal of this one photo is a `Failure`."""
        ...

    def upload(self, path: Path, display_name: str) -> str:
        """Send a batch file and return the service's handle of it ("" where files travel with `create`)."""
        ...

    def create(self, question: Question, input_file: str, display_name: str) -> Job:
        """Create the job, once."""
        ...

    def find(self, display_name: str) -> list[Job]:
        """Return the jobs of exactly this display name, oldest first, however the service pages them."""
        ...

    def poll(self, name: str) -> Job:
        """Return the job as it stands."""
        ...

    def fetch(self, job: Job, target: Path) -> None:
        """Stream the job's result lines to `target`, verified whole; on any fault nothing is left behind."""
        ...

    def cancel(self, name: str) -> None:
        """Ask the service to stop the job; what is finished stays to be fetched."""
        ...

    def discard(self, input_file: str) -> None:
        """Delete an uploaded batch file at the service; a file that is already gone is fine."""
        ...
