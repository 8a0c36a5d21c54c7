"""Libraries in this process before a fake service, told of it by the environment as a user would."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from indexer.library.api import Library, Seams
from tests.fakes.services import FakeAnthropic, FakeChat, FakeMistral, FakeOpenAI, Service
from tests.support.commands import SAMPLES


class FakeDeepSeek(FakeChat):
    """DeepSeek has no schemas."""

    schemas = False
    price = (0.15, 0.60)


class FakeOpenRouter(FakeChat):
    """OpenRouter has prices in its catalogue, and says what each call cost."""

    prefix = "/api/v1"
    cost_told = True
    models = (
        {
            "id": "dear/model",
            "architecture": {"input_modalities": ["text", "image"]},
            "pricing": {"prompt": "0.000005", "completion": "0.00002"},
            "supported_parameters": ["structured_outputs"],
        },
        {
            "id": "cheap/blind",
            "architecture": {"input_modalities": ["text"]},
            "pricing": {"prompt": "0.00000001", "completion": "0.00000002"},
            "supported_parameters": ["structured_outputs"],
        },
        {
            "id": "cheap/vision",
            "architecture": {"input_modalities": ["text", "image"]},
            "pricing": {"prompt": "0.0000001", "completion": "0.0000005"},
            "supported_parameters": ["structured_outputs", "max_tokens"],
        },
    )


class FakeOwnServer(FakeChat):
    """A server of one's own takes any key."""

    prefix = "/v1"
    models = ({"id": "qwen-vision"},)

    def allowed(self, call: object) -> bool:
        """Nobody is turned away."""
        return True


@dataclass(frozen=True, slots=True)
class Shop:
    """A provider, its fake, and the variables that name key and address."""

    provider: str
    service: type[Service]
    key: str
    url: str


SHOPS = {
    shop.provider: shop
    for shop in (
        Shop("openai", FakeOpenAI, "OPENAI_API_KEY", "OPENAI_BASE_URL"),
        Shop("anthropic", FakeAnthropic, "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
        Shop("mistral", FakeMistral, "MISTRAL_API_KEY", "MISTRAL_BASE_URL"),
        Shop("deepseek", FakeDeepSeek, "DEEPSEEK_API_KEY", "DEEPSEEK_BASE_URL"),
        Shop("openrouter", FakeOpenRouter, "OPENROUTER_API_KEY", "OPENROUTER_BASE_URL"),
        Shop("compatible", FakeOwnServer, "CAPTIONARY_COMPATIBLE_API_KEY", "CAPTIONARY_COMPATIBLE_URL"),
    )
}


def environ(shop: Shop, service: Service) -> dict[str, str]:
    """Return the variables by which a command finds the fake; it polls quickly."""
    quick = {"CAPTIONARY_POLL_SECONDS": "0.02", "CAPTIONARY_LOOKUP_SECONDS": "0.2"}
    return {shop.key: service.key, shop.url: service.url, **quick}


@contextmanager
def library(folder: Path, told: Mapping[str, str]) -> Iterator[Library]:
    """Open the library in `folder` with these variables and no others."""
    with Library.open(folder, seams=Seams(environ=told, clock=Saturday())) as opened:
        yield opened


class Saturday:
    """A clock of its own: seconds go by as they do, on a day on which DeepSeek is cheap."""

    _start = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()

    def __init__(self) -> None:
        self._began = time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._start + time.monotonic() - self._began

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def photos(folder: Path, count: int = 5) -> Path:
    """Copy some sample pictures into a new folder."""
    folder.mkdir(parents=True)
    for path in sorted(SAMPLES.glob("*.jpg"))[:count]:
        shutil.copy(path, folder)
    return folder
