"""A ledger on a file system over the network does without the memory that WAL shares between processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from indexer.ledger.store import Ledger
from indexer.storage.file_system import is_far, journal, kind

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 / /mnt/nas\040box rw,relatime shared:2 - nfs4 nas:/export rw,vers=4.2
31 30 0:46 / /mnt/nas\040box/local rw,relatime - xfs /dev/sdb1 rw
32 22 0:47 / /media/share rw - cifs //server/share rw
33 22 0:48 / /home/me/remote rw - fuse.sshfs me@host: rw
"""


@pytest.mark.parametrize(
    ("folder", "found", "mode"),
    [
        ("/srv/library", "ext4", "WAL"),
        ("/mnt/nas box/library", "nfs4", "DELETE"),
        ("/mnt/nas box/local/library", "xfs", "WAL"),
        ("/mnt/nas boxes", "ext4", "WAL"),
        ("/media/share", "cifs", "DELETE"),
        ("/home/me/remote/a", "fuse.sshfs", "DELETE"),
    ],
)
def test_a_file_system_over_the_network_is_known(tmp_path: Path, folder: str, found: str, mode: str) -> None:
    """By the innermost mount that the folder lies in; its name may hold a space."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert kind(Path(folder), mounts) == found
    assert journal(Path(folder), mounts) == mode
    assert is_far(Path(folder), mounts) is (mode == "DELETE")


def test_where_nothing_is_told_the_ledger_is_as_ever(tmp_path: Path) -> None:
    """Other systems have no such list."""
    assert journal(tmp_path, tmp_path / "none") == "WAL"


def test_a_ledger_without_wal_is_read_and_written(tmp_path: Path) -> None:
    """One that was made with WAL is turned as well."""
    with_wal = Ledger.open(tmp_path)
    assert with_wal.connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    with with_wal.transaction("one") as transaction:
        transaction.set_setting("a", "1")
    reader = Ledger.read(tmp_path)
    assert reader.setting("a") == "1"
    reader.close()
    with_wal.close()
