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
from indexer.providers.anthropic import adapter as anthropic
from indexer.providers.gemini import adapter as gemini
from indexer.providers.mistral import adapter as mistral
from indexer.providers.openai import adapter as openai
from indexer.providers.seam import Provider
from indexer.providers.vertex import adapter as vertex
from indexer.providers.vertex.credentials import Credentials
from indexer.providers.vertex.storage import Storage
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.gemini import Emulator
from tests.fakes.mistral import FakeMistral
from tests.fakes.openai import FakeOpenAI
from tests.fakes.service import FakeService
from tests.fakes.vertex import BUCKET, PROJECT, FakeVertex

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

    `service` starts one on a directory; `variables` lead a library to it; `impatient` opens the provider with
    time-outs of a second, for faults that hang. `failing_row` is the fault of a result line that the
    service could not serve, and `slowly` makes its jobs wait for so many seconds. `labels`: its jobs carry
    a name of ours.
    """

    provider: str
    service: Callable[..., Any]
    variables: Callable[[Any], Mapping[str, str]]
    impatient: Callable[[Any, Clock], Provider]
    failing_row: tuple[str, Mapping[str, Any]] = ("", {})
    slowly: Callable[[Any, float], None] = lambda service, seconds: None
    labels: bool = True

    def environ(self, service: Fake, **more: str) -> dict[str, str]:
        """Return the variables by which a library finds the service."""
        return {**self.variables(service), **more}


def _named(key: str, url: str) -> Callable[[Any], Mapping[str, str]]:
    """Most services are found by a key and an address."""
    return lambda service: {key: KEY, url: service.url}


def vertex_variables(service: FakeVertex) -> Mapping[str, str]:
    """Vertex is found by a project, a file of credentials, two addresses and a bucket."""
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "GOOGLE_APPLICATION_CREDENTIALS": str(service.credentials),
        "GOOGLE_VERTEX_BASE_URL": service.url,
        "STORAGE_EMULATOR_HOST": service.url,
        "CAPTIONARY_VERTEX_BUCKET": f"gs://{BUCKET}/photos",
    }


QUICK = http.Timeouts(connect=1.5, call=1.5, ask=1.5, upload=1.5, stall=0.8)


def _gemini(service: Emulator, clock: Clock) -> Provider:
    timeouts = gemini.GeminiTimeouts(call=1.5, ask=1.5, upload=1.5, stall=0.8)
    return gemini.Gemini(KEY, service.url, timeouts=timeouts, sleep=clock.sleep)


def _openai(service: FakeOpenAI, clock: Clock) -> Provider:
    told = http.Service("OpenAI", service.url, KEY, {"Authorization": f"Bearer {KEY}"})
    return openai.OpenAI(http.Http(told, QUICK, clock.sleep))


def _anthropic(service: FakeAnthropic, clock: Clock) -> Provider:
    told = http.Service("Anthropic", service.url, KEY, {"x-api-key": KEY, "anthropic-version": "2023-06-01"})
    return anthropic.Anthropic(http.Http(told, QUICK, clock.sleep))


def _mistral(service: FakeMistral, clock: Clock) -> Provider:
    told = http.Service("Mistral", service.url, KEY, {"Authorization": f"Bearer {KEY}"})
    return mistral.Mistral(http.Http(told, QUICK, clock.sleep))


def _vertex(service: FakeVertex, clock: Clock) -> Provider:
    sign = Credentials(vertex_variables(service)).headers
    ways = [http.Http(http.Service(name, service.url, headers=sign), QUICK, clock.sleep) for name in ("Vertex", "GCS")]
    home = f"projects/{PROJECT}/locations/global"
    return vertex.Vertex(ways[0], Storage(ways[1]), home, f"gs://{BUCKET}/photos")


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
            _named("GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
            _gemini,
            ("error", {"code": 13}),
            _slow_gemini,
        ),
        Rig(
            "openai",
            FakeOpenAI,
            _named("OPENAI_API_KEY", "OPENAI_BASE_URL"),
            _openai,
            ("status", {"code": 500}),
            _slow,
        ),
        Rig(
            "anthropic",
            FakeAnthropic,
            _named("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
            _anthropic,
            ("errored", {}),
            _slow,
            labels=False,
        ),
        Rig(
            "mistral",
            FakeMistral,
            _named("MISTRAL_API_KEY", "MISTRAL_BASE_URL"),
            _mistral,
            ("status", {"code": 500}),
            _slow,
        ),
        Rig("vertex", FakeVertex, vertex_variables, _vertex, ("error", {"code": 13}), _slow),
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
    provider = rig.impatient(service, clock) if quick else None
    seams = Seams(told, clock, step, (lambda _: provider) if provider else None)
    with Library.open(folder, seams=seams) as library:
        yield library
    if provider:
        provider.close()
