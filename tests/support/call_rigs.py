"""Providers that answer single calls alone, before fakes of their services."""

from __future__ import annotations

from indexer.pipeline.session import Clock
from indexer.providers import http
from indexer.providers.compatible import SPEC as OWN
from indexer.providers.compatible import adapter as compatible
from indexer.providers.deepseek import adapter as deepseek
from indexer.providers.openrouter import OpenRouterOptions
from indexer.providers.openrouter import adapter as openrouter
from indexer.providers.seam import Provider
from tests.fakes.chats import FakeChats, FakeDeepSeek, FakeOpenRouter, FakeOwnServer
from tests.support.rigs import KEY, QUICK, Rig


def _way(name: str, service: FakeChats, clock: Clock) -> http.Http:
    told = http.Service(name, service.url, KEY, {"Authorization": f"Bearer {KEY}"})
    return http.Http(told, QUICK, clock.sleep)


def _deepseek(service: FakeDeepSeek, clock: Clock) -> Provider:
    return deepseek.DeepSeek(_way("DeepSeek", service, clock), clock.time)


def _openrouter(service: FakeOpenRouter, clock: Clock) -> Provider:
    return openrouter.OpenRouter(_way("OpenRouter", service, clock), OpenRouterOptions())


def _compatible(service: FakeOwnServer, clock: Clock) -> Provider:
    return compatible.Compatible(OWN, _way("your server", service, clock), QUICK.ask)


def _variables(head: str, url: str) -> dict[str, str]:
    return {f"{head}_API_KEY": KEY, f"{head}_URL" if head.startswith("CAPTIONARY") else f"{head}_BASE_URL": url}


CALL_RIGS = {
    "deepseek": Rig("deepseek", FakeDeepSeek, lambda service: _variables("DEEPSEEK", service.url), _deepseek),
    "openrouter": Rig("openrouter", FakeOpenRouter, lambda service: _variables("OPENROUTER", service.url), _openrouter),
    "compatible": Rig(
        "compatible", FakeOwnServer, lambda service: _variables("CAPTIONARY_COMPATIBLE", service.url), _compatible
    ),
}
