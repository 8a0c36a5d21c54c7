"""The kind of file system that a folder lies on: one over the network keeps no locks and no shared memory."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_FAR = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "fuse.rclone", "fuse.davfs", "fuse.s3fs", "afs", "ceph", "gluster")


def kind(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return the kind of file system that `folder` lies on, "" where the system does not say."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    real, found = os.path.realpath(folder), ("", "")
    for line in lines:
        fields, _, tail = line.partition(" - ")
        place = fields.split()[4].encode().decode("unicode_escape")
        if (real == place or real.startswith(place.rstrip("/") + "/")) and len(place) >= len(found[0]):
            found = (place, tail.split()[0])
    return found[1]


def is_far(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Say whether `folder` lies on a file system over the network."""
    return kind(folder, mounts).startswith(_FAR)


def journal(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return SQLite's journal mode for a database in `folder`: WAL, which wants memory that processes share, or not."""
    return "DELETE" if is_far(folder, mounts) else "WAL"
