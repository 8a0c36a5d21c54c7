"""Renditions that stay in object storage are packed from there, and what is lost there is made again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.domain.errors import BadSetting
from tests.fakes.gemini import Emulator
from tests.support.buckets import Bucket, Store, serving
from tests.support.virtual import opened, samples


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """An S3 server for this file."""
    with serving() as running:
        yield running


@pytest.fixture
def bucket(store: Store) -> Bucket:
    """An empty bucket."""
    return store.bucket()


def kept(home: Path) -> list[bytes]:
    """What the cache of the driver holds of each photo."""
    with closing(sqlite3.connect(home / "batches" / "renditions.sqlite3")) as cache:
        return [jpeg for (jpeg,) in cache.execute("SELECT jpeg FROM pictures")]


def uploaded(emulator: Emulator) -> set[str]:
    """The pictures that the service was paid for, by their digests."""
    return set(emulator.books()["images"])


def test_they_lie_there_until_they_are_answered(bucket: Bucket, tmp_path: Path, emulator: Emulator) -> None:
    """The cache has addresses, the service gets the same bytes, a lost or forged one is made again, none is left."""
    photos = samples(tmp_path / "photos", 4)
    with Emulator(tmp_path / "other") as other, opened(tmp_path / "near", other) as near:
        near.index([photos], approve=True, provider="gemini", workers=0, pilot=0)
        expected = uploaded(other)
    environ = {"CAPTIONARY_OBJECTS_RENDITIONS": f"{bucket.address}/made"}
    with opened(tmp_path / "far", emulator, environ=environ) as library:
        library.plan([photos], provider="gemini", workers=1)
        made = bucket.listed()
        assert len(made) == 4
        assert all(jpeg.startswith(f"{bucket.address}/made/".encode()) for jpeg in kept(tmp_path / "far"))
        bucket.delete(made[0])
        bucket.put(made[1], b"another picture")
        report = library.index([photos], approve=True, provider="gemini", workers=1, pilot=0)
    assert (report.files.described, report.files.failed) == (4, 0)
    assert uploaded(emulator) == expected
    assert (kept(tmp_path / "far"), bucket.listed()) == ([], [])


def test_a_store_that_takes_none_costs_nothing(store: Store, tmp_path: Path, emulator: Emulator) -> None:
    """They come back to the cache instead."""
    photos = samples(tmp_path / "photos", 2)
    environ = {"CAPTIONARY_OBJECTS_RENDITIONS": "s3://no-such-bucket/made"}
    with opened(tmp_path / "library", emulator, environ=environ) as library:
        report = library.index([photos], approve=True, provider="gemini", workers=0, pilot=0)
    assert report.files.described == 2


def test_a_folder_is_no_place_for_them(tmp_path: Path, emulator: Emulator) -> None:
    """It is refused in words, before anything is read."""
    with (
        opened(tmp_path / "library", emulator, environ={"CAPTIONARY_OBJECTS_RENDITIONS": "/tmp/made"}) as library,
        pytest.raises(BadSetting, match="is not an address"),
    ):
        library.plan([samples(tmp_path / "photos", 1)], provider="gemini")
