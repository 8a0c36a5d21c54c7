"""OpenStack Swift behind its S3 door, on this machine: one more store that the tests of object storage can run against.

    python -m tests.support.swift FOLDER COMMAND...

FOLDER is a virtual environment with Swift in it: Swift and Captionary want other versions of the same packages. It
runs COMMAND with `TEST_S3_ADDRESS`, which `tests.support.buckets` takes for the address of its server.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.buckets import ACCESS, ADDRESS, SECRET

PARTS = ("account", "container", "object")
_TOO_LONG = 60.0
_FILTERS = {  # in the order in which a request meets them
    "catch_errors": "swift#catch_errors",
    "gatekeeper": "swift#gatekeeper",
    "proxy-logging": "swift#proxy_logging",
    "listing_formats": "swift#listing_formats",
    "s3api": "swift#s3api\ns3_acl = false\nlocation = us-east-1",
    "tempauth": "swift#tempauth\nuser_{account}_{user} = {secret} .admin",
    "copy": "swift#copy",
    "slo": "swift#slo",
    "dlo": "swift#dlo",
    "versioned_writes": "swift#versioned_writes\nallow_object_versioning = true",
    "symlink": "swift#symlink",
}


def settings(home: Path, ports: dict[str, int]) -> dict[str, str]:
    """Return the settings of Swift's four servers and what they share, by the name of the file."""
    shared = f"[DEFAULT]\nswift_dir = {home}\nbind_ip = 127.0.0.1\nworkers = 0\nlog_address = /nowhere\n"
    account, _, user = ACCESS.partition(":")
    told = {"account": account, "user": user, "secret": SECRET}
    filters = "".join(f"[filter:{name}]\nuse = egg:{use.format(**told)}\n" for name, use in _FILTERS.items())
    proxy = "use = egg:swift#proxy\nallow_account_management = true\naccount_autocreate = true\n"
    files = {
        "swift.conf": "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n",
        "proxy-server.conf": f"{shared}bind_port = {ports['proxy']}\n[pipeline:main]\n"
        f"pipeline = {' '.join(_FILTERS)} proxy-server\n[app:proxy-server]\n{proxy}{filters}",
    }
    for part in PARTS:
        disks = f"bind_port = {ports[part]}\ndevices = {home}/disks\nmount_check = false\n"
        files[f"{part}-server.conf"] = (
            f"{shared}{disks}[pipeline:main]\npipeline = {part}-server\n[app:{part}-server]\nuse = egg:swift#{part}\n"
        )
    return files


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextmanager
def swift(programs: Path) -> Iterator[str]:
    """Run Swift, whose programs lie in a folder, with one disk and one copy of all; gives its address."""
    with tempfile.TemporaryDirectory(prefix="swift-") as folder, ExitStack() as running:
        home = Path(folder)
        (home / "disks" / "sda").mkdir(parents=True)
        ports = dict(zip((*PARTS, "proxy"), free_ports(len(PARTS) + 1), strict=True))
        for name, text in settings(home, ports).items():
            (home / name).write_text(text)
        for part in PARTS:
            rings = [programs / "swift-ring-builder", home / f"{part}.builder"]
            for step in (["create", "4", "1", "0"], ["add", f"r1z1-127.0.0.1:{ports[part]}/sda", "1"], ["rebalance"]):
                subprocess.run([*rings, *step], check=True, stdout=subprocess.DEVNULL)
        for part, port in ports.items():
            command, told = [programs / f"swift-{part}-server", home / f"{part}-server.conf"], home / f"{part}.log"
            with told.open("wb") as log:
                process = running.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
            running.callback(process.terminate)
            _wait_for(process, port, told)
        yield f"http://127.0.0.1:{ports['proxy']}"


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _TOO_LONG
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"Swift does not listen:\n{log.read_text()}")


def main() -> int:
    """Run a command against Swift, and end as it does."""
    programs, command = Path(sys.argv[1]) / "bin", sys.argv[2:]
    if not (programs / "swift-proxy-server").is_file():
        print(f"swift: {programs} has no Swift in it\nhint: pip install swift there", file=sys.stderr)
        return 2
    with swift(programs) as address:
        return subprocess.run(command, env={**os.environ, ADDRESS: address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
