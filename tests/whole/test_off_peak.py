"""DeepSeek over a week of virtual time: calls go out in the cheap hours only, and cost what they should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.domain.progress import Progress
from indexer.library.api import Library, Seams
from indexer.providers.deepseek import is_cheap
from tests.fakes.services.base import Answer, Call, Json
from tests.support.services import FakeDeepSeek

MONDAY = datetime(2026, 11, 30, 0, 30, tzinfo=UTC).timestamp()
CALL, PAUSE = 30.0, 7_110.0  # about two hours between calls: sixty of them take a working week
PHOTOS = 60


class Week(FakeDeepSeek):
    """A service with hours: full price in the dear ones, half in the others; every call takes half a minute."""

    def __init__(self) -> None:
        super().__init__()
        self.now = MONDAY
        self.served_at: list[float] = []

    def rate(self, body: Json) -> tuple[float, float]:
        """Priced by the moment at which it is served; the hours are written down here a second time."""
        at = datetime.fromtimestamp(self.now, UTC)
        dear = at.weekday() < 5 and (1 <= at.hour < 4 or 6 <= at.hour < 10)
        return (0.30, 1.20) if dear else (0.15, 0.60)

    def complete(self, body: Json, *, key: str = "") -> Answer:
        """Serve a call and say when."""
        self.served_at.append(self.now)
        said = super().complete(body, key=key)
        self.now += CALL
        return said


class Hours:
    """The service's clock."""

    def __init__(self, service: Week) -> None:
        self._service = service

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._service.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self._service.now += seconds


@pytest.fixture
def service() -> Iterator[Week]:
    """The service, on a Monday half an hour before its dear hours."""
    with Week() as running:
        yield running


def test_no_call_is_made_in_a_dear_hour_of_a_whole_week(tmp_path: Path, service: Week) -> None:
    """Not one of sixty, nor in the two minutes before; the total equals the service's dollars."""
    (tmp_path / "photos").mkdir()
    for number in range(PHOTOS):
        Image.new("RGB", (80, 60), (number * 4, 90, 255 - number * 4)).save(tmp_path / "photos" / f"{number}.png")
    told = {"DEEPSEEK_API_KEY": service.key, "DEEPSEEK_BASE_URL": service.url, "CAPTIONARY_CONCURRENCY": "1"}
    options: dict[str, Any] = {"provider": "deepseek", "mode": "off-peak", "pilot": 0, "approve": True, "workers": 0}
    hours = Hours(service)

    def between(progress: Progress) -> None:
        if progress.stage == "asking":
            hours.sleep(PAUSE)

    seams = Seams(environ=told, clock=hours)
    with Library.open(tmp_path / "library", seams=seams, progress=between) as library:
        report = library.index([tmp_path / "photos"], **options)
        assert (report.exit_code, report.files.described) == (0, PHOTOS)
        assert report.cost.spent_usd == pytest.approx(service.billed, rel=1e-9)
    assert len(service.served_at) == PHOTOS
    assert service.served_at[-1] - service.served_at[0] > 6 * 86_400
    assert all(is_cheap(moment) and is_cheap(moment + 119) for moment in service.served_at)


def test_a_call_that_always_fails_is_tried_at_most_three_times(tmp_path: Path, service: Week) -> None:
    """Then it is a server_error, and the run goes on with the others."""
    (tmp_path / "photos").mkdir()
    for number in range(2):
        Image.new("RGB", (80, 60), (number * 90, 20, 60)).save(tmp_path / "photos" / f"{number}.png")
    asked: list[str] = []

    def broken(call: Call) -> Answer | None:
        asked.append(call.path)
        return Answer(500, {"error": {"message": "internal error"}})

    service.faults.append(broken)
    told = {"DEEPSEEK_API_KEY": service.key, "DEEPSEEK_BASE_URL": service.url}
    options: dict[str, Any] = {"provider": "deepseek", "mode": "interactive", "pilot": 0, "approve": True, "workers": 0}
    options["budget"] = 1.0  # what may have been served stays booked
    with Library.open(tmp_path / "library", seams=Seams(environ=told, clock=Hours(service))) as library:
        report = library.index([tmp_path / "photos"], **options)
        assert (report.exit_code, report.files.failed) == (4, 2)
        assert {failure.reason for failure in library.failures()} == {"server_error"}
        assert not library.accounts().faults
    assert 2 <= len(asked) <= 6
