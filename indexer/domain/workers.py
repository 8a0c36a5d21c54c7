"""Who opens the pictures: processes of this machine, by their number, or a Ray cluster, by its name."""

from __future__ import annotations

Workers = int | str
"""A number of processes, "ray", or the address of a cluster, ray://HOST:PORT."""
CLUSTER = "ray"
"""The cluster of RAY_ADDRESS, else the one of this machine, else one that is made for this run."""
WANTED = "a number of processes, ray, or ray://HOST:PORT"


def is_workers(told: object) -> bool:
    """Say whether `told` names workers."""
    if isinstance(told, str):
        return told == CLUSTER or (told.startswith("ray://") and len(told) > len("ray://"))
    return isinstance(told, int) and not isinstance(told, bool) and told >= 0
