"""A Ray cluster of this machine, its nodes processes, and what kills them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
CLIENTS = 20_000 + os.getpid() % 10_000
"""The port where clients of the cluster are answered."""
long = pytest.mark.skipif(not os.environ.get("CAPTIONARY_TEST_CLUSTER"), reason="takes minutes: make cluster runs it")
what_ray_leaves_open = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A cluster of two nodes with two processors each, which `--workers ray` finds."""
    pytest.importorskip("ray", reason="the extra captionary[ray] is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}.items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        patch.delenv("CAPTIONARY_TEST_CLUSTER", raising=False)  # libraries would take it for a setting
        head = {"num_cpus": 2, "include_dashboard": False, "ray_client_server_port": CLIENTS}
        made = Cluster(initialize_head=True, head_node_args=head)
        made.add_node(num_cpus=2)
        made.wait_for_nodes()
        patch.setenv("RAY_ADDRESS", made.address)
        try:
            yield made
        finally:
            made.shutdown()


def kill_a_worker(chance: random.Random) -> bool:
    """Kill a process of the cluster that examines files now; says whether there was one."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    busy = [int(line.split()[0]) for line in listed.splitlines() if "ray::look_at" in line]
    if not busy:
        return False
    try:
        os.kill(chance.choice(busy), signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself
        return False
    return True
