"""Each provider before a fake of its service: what whole-run tests need to know of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from indexer.ledger.store import no_step
from indexer.library.api import Library, Seams
from indexer.pipeline.session import Clock
from indexer.providers import http
from indexer.providers.gemini import adapter as gemini
from indexer.providers.openai import adapter as openai
from indexer.providers.seam import Provider
from tests.fakes.gemini import Emulator
from tests.fakes.openai import FakeOpenAI
from tests.fakes.service import FakeService

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
    """A provider and its fake.

    `service` starts one on a directory; `key` and `url` are the variables that lead to it; `impatient` opens the
    provider with time-outs of a second, for faults that hang. `failing_row` is the fault of a result line that the
    service could not serve, and `slowly` makes its jobs wait for so many seconds.
    """

    provider: str
    service: Callable[..., Any]
    key: str
    url: str
    impatient: Callable[[str, Clock], Provider]
    failing_row: tuple[str, Mapping[str, Any]]
    slowly: Callable[[Any, float], None]

    def environ(self, service: Fake, **more: str) -> dict[str, str]:
        """Return the variables by which a library finds the service."""
        return {**self.variables(service.url), **more}

    def variables(self, url: str) -> dict[str, str]:
        """Return the variables that lead to a service at `url`."""
        return {self.key: KEY, self.url: url}


def _gemini(url: str, clock: Clock) -> Provider:
    timeouts = gemini.Timeouts(call=1.5, ask=1.5, upload=1.5, stall=0.8)
    return gemini.Gemini(KEY, url, timeouts=timeouts, sleep=clock.sleep)


def _openai(url: str, clock: Clock) -> Provider:
    timeouts = http.Timeouts(connect=1.5, call=1.5, ask=1.5, upload=1.5, stall=0.8)
    service = http.Service("OpenAI", url, KEY, {"Authorization": f"Bearer {KEY}"})
    return openai.OpenAI(http.Http(service, timeouts, clock.sleep))


def _slow_gemini(service: Emulator, seconds: float) -> None:
    service.change(pending_seconds=seconds)


def _slow(service: FakeService, seconds: float) -> None:
    service.pending = seconds


RIGS = {
    rig.provider: rig
    for rig in (
        Rig(
            "gemini",
            Emulator,
            "GOOGLE_API_KEY",
            "GOOGLE_GEMINI_BASE_URL",
            _gemini,
            ("error", {"code": 13}),
            _slow_gemini,
        ),
        Rig("openai", FakeOpenAI, "OPENAI_API_KEY", "OPENAI_BASE_URL", _openai, ("status", {"code": 500}), _slow),
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
    quick: bool = False,
) -> Iterator[Library]:
    """Open a library that finds the service by its environment, as a user's would; its waits are virtual.

    `quick`: the provider gives up on whatever takes longer than a second or so.
    """
    told, clock = rig.environ(service, **(environ or {})), ServiceTime(service)
    provider = rig.impatient(service.url, clock) if quick else None
    seams = Seams(told, clock, step, (lambda _: provider) if provider else None)
    with Library.open(folder, seams=seams) as library:
        yield library
    if provider:
        provider.close()
