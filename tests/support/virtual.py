"""A library in this process before the emulator, in the service's virtual time: days pass in no time at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from indexer.domain.progress import Progress
from indexer.ledger.store import no_step
from indexer.library.api import Library, Seams
from indexer.providers.gemini.adapter import Gemini, GeminiTimeouts, SchemaField
from tests.fakes.gemini import Emulator

SAMPLES = Path(__file__).parents[2] / "sample_images"
KEY = "test-key-in-virtual-time"
_SHORT = GeminiTimeouts(call=1.5, ask=1.5, upload=1.5, stall=0.8)


class VirtualTime:
    """The service's virtual time, for the client as well."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def time(self) -> float:
        """Seconds since the epoch."""
        return float(self._emulator.health()["now"])

    def sleep(self, seconds: float) -> None:
        """Let the service's time jump."""
        self._emulator.advance(seconds)


@contextmanager
def opened(
    folder: Path,
    service: Emulator,
    *,
    key: str = KEY,
    environ: Mapping[str, str] | None = None,
    step: Callable[[str], None] = no_step,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Library]:
    """Open a library whose Gemini is `service`; between its tries virtual time passes."""
    clock = VirtualTime(service)
    told = dict(environ or {})
    provider = Gemini(
        key,
        service.url,
        timeouts=_SHORT,
        sleep=clock.sleep,
        schema_field=SchemaField(told.get("CAPTIONARY_SCHEMA_FIELD", SchemaField.OPENAPI)),
    )
    seams = Seams(environ=told, clock=clock, step=step, provider=lambda _: provider)
    try:
        with Library.open(folder, seams=seams, progress=progress) as library:
            yield library
    finally:
        provider.close()


def samples(folder: Path, count: int = 11) -> Path:
    """Copy the first sample pictures into a new folder."""
    folder.mkdir(parents=True)
    for path in sorted(SAMPLES.glob("*.jpg"))[:count]:
        shutil.copy(path, folder)
    return folder
