"""Rates that a service tells beside its answers: read whatever the names, and kept to before it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.domain.answer import Room, Usage
from indexer.library.api import Library, Seams
from indexer.providers.rates import room_left
from tests.fakes.services import Answer
from tests.fakes.services.base import Json
from tests.support.services import FakeDeepSeek

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
CALLS, SECONDS = 4, 30.0


@pytest.mark.parametrize(
    ("headers", "room"),
    [
        ({}, None),
        ({"x-ratelimit-limit-requests": "500"}, None),
        ({"x-ratelimit-remaining-requests": "many"}, None),
        ({"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1m2s"}, Room(7, 62.0)),
        ({"x-ratelimit-remaining-tokens": "2999", "x-ratelimit-reset-tokens": "20ms"}, Room(2, 0.02)),
        (
            {
                "x-ratelimit-remaining-requests": "7",
                "x-ratelimit-remaining-tokens": "500",
                "x-ratelimit-reset-tokens": "6s",
            },
            Room(0, 6.0),
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "3",
                "anthropic-ratelimit-requests-reset": "2026-11-28T12:00:09Z",
                "anthropic-ratelimit-input-tokens-remaining": "90000",
            },
            Room(3, 9.0),
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, Room(0, 0.0)),
    ],
)
def test_what_is_left_is_read_in_calls(headers: dict[str, str], room: Room | None) -> None:
    """Tokens are counted in calls like the one that was answered; the scarcest rate counts."""
    assert room_left(headers, Usage(900, 100), NOW) == room


class Metered(FakeDeepSeek):
    """A service that takes four calls in half a minute, says so, and refuses the fifth."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.refused = CALLS, 0

    def complete(self, body: Json, *, key: str = "") -> Answer:
        """Serve a call and say what is left."""
        if not self.left:
            self.refused += 1
            return Answer(429, {"error": {"message": "too fast"}})
        self.left -= 1
        told = {"x-ratelimit-remaining-requests": str(self.left), "x-ratelimit-reset-requests": f"{SECONDS:.0f}s"}
        return replace(super().complete(body, key=key), headers=told)


class Clock:
    """The service's time: half a minute of sleep fills its rate again."""

    def __init__(self, service: Metered) -> None:
        self._service = service

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._service.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self._service.now += seconds
        self._service.left = CALLS if seconds >= SECONDS else self._service.left


def test_no_call_is_refused_where_the_service_tells_its_rate(tmp_path: Path) -> None:
    """Ten photos, four calls in half a minute: two waits, and not one refusal; what is told goes up to the last."""
    (tmp_path / "photos").mkdir()
    for number in range(10):
        Image.new("RGB", (80, 60), (number * 20, 90, 200)).save(tmp_path / "photos" / f"{number}.png")
    options: dict[str, Any] = {"provider": "deepseek", "mode": "interactive", "pilot": 0, "approve": True, "workers": 0}
    with Metered() as service:
        began, told = service.now, {"DEEPSEEK_API_KEY": service.key, "DEEPSEEK_BASE_URL": service.url}
        seams, seen = Seams(environ=told, clock=Clock(service)), []
        with Library.open(tmp_path / "library", seams=seams, progress=seen.append) as library:
            report = library.index([tmp_path / "photos"], **options)
        assert (report.files.described, service.refused) == (10, 0)
        assert service.now - began == pytest.approx(2 * SECONDS)
    asking = [(each.done, each.total) for each in seen if each.stage == "asking"]
    assert (asking == sorted(asking), asking[-1]) == (True, (10, 10))
