"""The spool is a cache: whatever becomes of its file costs time, never the command, and never a wrong picture."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from indexer.media.rendition_cache import Spool

JPEG = b"\xff\xd8" + bytes(range(256)) * 40


def _garbage(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\x07" * 9000)


def _no_database(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _other_table(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as held, held:
        held.execute("CREATE TABLE pictures (something TEXT)")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/at/all")


@pytest.mark.parametrize("damage", [_garbage, _no_database, _cut, _other_table, _folder, _dangling])
def test_a_damaged_file_is_a_cache_without_anything(damage: Callable[[Path], None], tmp_path: Path) -> None:
    """It gives nothing, takes what it can, and raises nothing."""
    path = tmp_path / "renditions.sqlite3"
    spool = Spool(path)
    spool.put([("a", JPEG), ("b", JPEG)])
    spool.close()
    damage(path)
    spool = Spool(path)
    assert spool.get("a") in (None, JPEG)
    spool.mean_size()
    spool.put([("c", JPEG)])
    spool.put([("c", JPEG)])
    spool.drop(["a"])
    assert spool.get("c") in (None, JPEG)
    spool.close()


def test_a_flipped_bit_is_no_rendition(tmp_path: Path) -> None:
    """What was not put so is made again."""
    path = tmp_path / "renditions.sqlite3"
    spool = Spool(path)
    spool.put([("a", JPEG)])
    spool.close()
    raw = bytearray(path.read_bytes())
    raw[raw.index(JPEG[600:700]) + 50] ^= 4
    path.write_bytes(raw)
    spool = Spool(path)
    assert spool.get("a") is None
    spool.put([("a", JPEG)])
    assert spool.get("a") == JPEG
    assert path.stat().st_mode & 0o077 == 0
    spool.close()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_what_a_link_in_its_place_leads_to_stays_as_it_is(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    """The link is taken away, and the file of somebody else is not written to."""
    other, place = tmp_path / "other.sqlite3", tmp_path / "renditions.sqlite3"
    other.write_bytes(b"somebody's")
    link(place, other)
    spool = Spool(place)
    spool.put([("photo", JPEG)])
    assert spool.get("photo") == JPEG
    spool.close()
    assert other.read_bytes() == b"somebody's"
