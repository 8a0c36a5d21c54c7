"""A service without labels, uploads or cancelling: nothing is created twice, nothing foreign adopted, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.domain.mode import Mode
from indexer.ledger.store import Ledger
from indexer.ledger.work import shards
from indexer.library.api import Library, Seams
from tests.support.parcel import Parcel, ParcelService
from tests.support.virtual import samples

PHOTOS = 3
ASKED: dict[str, Any] = {"provider": "parcel", "workers": 0, "approve": True, "pilot": 0}


class Hours:
    """A clock that jumps."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        """Seconds since the epoch."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Shop:
    """A library before its service."""

    library: Library
    service: ParcelService
    clock: Hours
    photos: Path

    def index(self, **options: Any) -> Any:
        """Run to the end, or as far as it goes without waiting."""
        return self.library.index([self.photos], **{**ASKED, **options})

    def shard(self) -> shards.Shard:
        """The newest shard, as the ledger has it."""
        ledger = Ledger.read(self.library.folder)
        try:
            newest = f"SELECT {shards._COLUMNS} FROM shards ORDER BY packed_at DESC, id"
            return shards._shard(ledger.connection.execute(newest).fetchone())
        finally:
            ledger.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A new library before a new service."""
    clock = Hours()
    (tmp_path / "service").mkdir()
    service = ParcelService(clock.time, tmp_path / "service")
    provider = Parcel(service)
    seams = Seams(environ={}, clock=clock, provider=lambda _: provider)
    with Library.open(tmp_path / "library", seams=seams) as library:
        yield Shop(library, service, clock, samples(tmp_path / "photos", PHOTOS))


def assert_bought_once(shop: Shop) -> None:
    """Every photo was served, and none twice."""
    ours = {key: times for key, times in shop.service.served.items() if not key.startswith("theirs")}
    assert sorted(ours.values()) == [1] * PHOTOS


def test_a_batch_goes_through(shop: Shop) -> None:
    """Inline, unlabelled and uncancellable, with a clean answer to the create: one job, every photo described."""
    report = shop.index()
    assert (report.exit_code, report.files.described, shop.service.creates) == (0, PHOTOS, 1)
    assert_bought_once(shop)


@pytest.mark.parametrize("late", [0, 2])
def test_a_lost_create_is_waited_for_and_adopted_by_its_keys(shop: Shop, late: int) -> None:
    """While a job may be ours nothing else is created; its results prove it, however late it shows up."""
    shop.service.lost, shop.service.late = 1, late
    report = shop.index()
    assert (report.exit_code, report.files.described, shop.service.creates) == (0, PHOTOS, 1)
    assert_bought_once(shop)


def test_a_job_that_may_be_ours_holds_the_create_up_past_every_patience(shop: Shop) -> None:
    """Not even after the time of looking is a second job made, as long as the first one runs."""
    shop.service.lost = 1
    shop.index(wait=False)
    shop.clock.sleep(600.0)
    report = shop.library.collect()
    assert (report.exit_code, shop.service.creates, shop.shard().state) == (3, 1, "creating")
    shop.clock.sleep(400.0)
    report = shop.library.collect(wait=True)
    assert (report.exit_code, shop.service.creates) == (0, 1)
    assert_bought_once(shop)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_batch_file_that_is_lost_while_a_create_is_uncertain_buys_nothing_twice(shop: Shop, arrived: bool) -> None:
    """The ledger knows the keys: a job that was made is proven by them; where none was, the photos are packed anew."""
    shop.service.lost, shop.service.strayed = int(arrived), int(not arrived)
    shop.index(wait=False)
    (shop.library.folder / "batches" / f"{shop.shard().id}.jsonl").unlink()
    shop.clock.sleep(900.0)
    report = shop.library.collect(wait=True)
    assert (report.exit_code, report.files.described, shop.service.creates) == (0, PHOTOS, 1)
    assert_bought_once(shop)


def test_a_foreign_job_of_the_same_size_is_waited_for_and_dropped(shop: Shop) -> None:
    """Our create never arrived, and somebody else's job looks like it: when that proves foreign, ours is created."""
    shop.service.strayed = 1
    shop.index(wait=False)
    shop.service.foreign(PHOTOS)
    shop.clock.sleep(600.0)
    assert (shop.library.collect().exit_code, shop.service.creates) == (3, 0)
    report = shop.library.collect(wait=True)
    assert (report.exit_code, report.files.described, shop.service.creates) == (0, PHOTOS, 1)
    assert_bought_once(shop)
    assert shop.service.downloads["parcels/1"] == 1  # foreign results are looked into once


def test_the_job_of_another_shard_is_not_taken_for_ours(shop: Shop, tmp_path: Path) -> None:
    """A running job of this library, as large as the one that strayed, holds nothing up."""
    shop.index(wait=False)
    shop.service.strayed = 1
    more = samples(tmp_path / "more", 2 * PHOTOS)
    for path in sorted(more.iterdir())[:PHOTOS]:
        path.unlink()
    shop.clock.sleep(1.0)
    shop.library.index([more], **{**ASKED, "wait": False})
    shop.clock.sleep(200.0)
    shop.library.collect()
    assert shop.service.creates == 2
    assert shop.library.collect(wait=True).files.described == 2 * PHOTOS
    assert set(shop.service.served.values()) == {1}


def test_a_job_that_cannot_be_cancelled_is_waited_for(shop: Shop) -> None:
    """At the deadline its photos stay with it: its answers are kept, and no call buys them again."""
    report = shop.index(deadline=60.0)
    assert (report.exit_code, report.files.described) == (0, PHOTOS)
    assert shop.service.modes == []
    assert shop.shard().cancelled_at is None
    assert_bought_once(shop)


def test_a_job_that_fails_because_the_queue_is_full_is_made_again(shop: Shop) -> None:
    """Nothing was served, so the photos wait as before a full queue, and a later job under a new name answers them."""
    shop.service.full = 1
    shop.index(wait=False)
    shop.library.collect()
    full = shop.shard()
    assert (full.state, full.job, full.attempt, full.submitted_at) == ("creating", "", 2, None)
    assert full.not_before > shop.clock.time()
    report = shop.library.collect(wait=True)
    assert (report.exit_code, report.files.described, shop.service.creates) == (0, PHOTOS, 2)
    assert_bought_once(shop)


def test_a_queue_that_is_always_full_for_a_batch_gets_smaller_ones(shop: Shop) -> None:
    """Three full queues with nothing else in them mean that the batch itself is too large."""
    shop.service.full = 3
    report = shop.index()
    assert (report.exit_code, report.files.described) == (0, PHOTOS)
    assert [job.requests for job in shop.service.jobs()][3:] == [1, 1, 1]
    assert_bought_once(shop)


def test_calls_carry_their_mode_and_are_booked_as_the_service_says(shop: Shop) -> None:
    """Flex goes by single calls that say so; the price in the answer is what is booked."""
    report = shop.index(mode="flex", model="gpt-6-luna", price="0.05,0.40")
    assert (report.exit_code, shop.service.modes) == (0, [Mode.FLEX] * PHOTOS)
    assert report.cost.spent_usd == pytest.approx(0.125 * PHOTOS)
