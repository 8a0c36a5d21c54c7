"""Each provider before a fake of its service: what whole-run tests need to know of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from indexer.ledger.store import no_step
from indexer.library.api import Library, Seams
from tests.fakes.gemini import Emulator
from tests.fakes.openai import FakeOpenAI

KEY = "test-key-in-virtual-time"


class Fake(Protocol):
    """A service on this machine, as tests see it from outside."""

    @property
    def url(self) -> str:
        """The base address for clients."""
        ...

    def health(self) -> dict[str, Any]:
        """Return `now`, the service's time."""
        ...

    def advance(self, seconds: float) -> float:
        """Let its time jump ahead."""
        ...

    def books(self) -> dict[str, Any]:
        """Return what was `served`, per mode and per picture (`images`), what it cost (`usd`), and the `requests`."""
        ...

    def fault(self, route: str, kind: str, **rule: Any) -> Any:
        """Put a fault in force."""
        ...

    def clear_faults(self) -> None:
        """Take all faults out of force."""
        ...


@dataclass(frozen=True, slots=True)
class Rig:
    """A provider and its fake: `service` starts one on a directory, `key` and `url` are the variables that lead to it.

    `modes` maps the modes of single calls to their names in the fake's books.
    """

    provider: str
    service: Callable[..., Any]
    key: str
    url: str
    modes: tuple[str, ...] = ("interactive",)
    options: Mapping[str, Any] = field(default_factory=dict)

    def environ(self, service: Fake, **more: str) -> dict[str, str]:
        """Return the variables by which a library finds the service."""
        return {self.key: KEY, self.url: service.url, **more}


RIGS = {
    rig.provider: rig
    for rig in (
        Rig("gemini", Emulator, "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
        Rig("openai", FakeOpenAI, "OPENAI_API_KEY", "OPENAI_BASE_URL", ("interactive", "flex")),
    )
}


class ServiceTime:
    """The service's virtual time, for the client as well."""

    def __init__(self, service: Fake) -> None:
        self._service = service

    def time(self) -> float:
        """Seconds since the epoch."""
        return float(self._service.health()["now"])

    def sleep(self, seconds: float) -> None:
        """Let the service's time jump."""
        self._service.advance(seconds)


@contextmanager
def opened(
    folder: Path,
    rig: Rig,
    service: Fake,
    *,
    environ: Mapping[str, str] | None = None,
    step: Callable[[str], None] = no_step,
) -> Iterator[Library]:
    """Open a library that finds the service by its environment, as a user's would; its waits are virtual."""
    told = rig.environ(service, **(environ or {}))
    with Library.open(folder, seams=Seams(environ=told, clock=ServiceTime(service), step=step)) as library:
        yield library
