"""Run a command of the library in a process of its own and kill it with signal 9: at a step, a remote call, a moment.

The processes come from the fork server, so that a kill costs a second, not ten.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.support import warm
from tests.support.rigs import Fake

_PATIENCE = 120.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a command runs and how; `service` leads to the service, `command` is index, collect or retry."""

    library: Path
    photos: Path
    service: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    command: str = "index"

    def settings(self) -> dict[str, str]:
        """The environment that the library reads."""
        quick = {"CAPTIONARY_POLL_SECONDS": "0.1", "CAPTIONARY_LOOKUP_SECONDS": "0.5"}
        return {**self.service, **quick, **self.environ}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a process ended: its exit code (-9: killed), its report, and the steps it went through."""

    exit_code: int | None
    report: dict[str, Any] | None
    steps: tuple[str, ...]


def index(
    scene: Scene,
    *,
    kill_at: int | None = None,
    emulator: Fake | None = None,
    call: tuple[int, str] | None = None,
    after: float | None = None,
) -> Outcome:
    """Run the scene's command in a process.

    It dies at its `kill_at`-th step, when `emulator` meets the remote `call` (nth, when), or `after` seconds.
    """
    ours, theirs = warm.SERVER.Pipe()
    process = warm.SERVER.Process(target=_child, args=(scene, kill_at, theirs))
    process.start()
    theirs.close()
    if emulator is not None and call is not None:
        emulator.fault("*", "kill", nth=call[0], when=call[1], pid=process.pid)
    ours.send("go")
    if after is not None and not ours.poll(after):
        process.kill()
    told = _hear(ours)
    process.join(_PATIENCE)
    if emulator is not None:
        emulator.clear_faults()
    return Outcome(process.exitcode, told.get("report"), tuple(told.get("steps", ())))


def _hear(pipe: Connection) -> dict[str, Any]:
    try:
        return dict(pipe.recv()) if pipe.poll(_PATIENCE) else {}
    except (EOFError, ConnectionResetError):
        return {}


def _child(scene: Scene, kill_at: int | None, pipe: Connection) -> None:
    from indexer.library.api import Library, Seams

    pipe.recv()
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        if kill_at is not None and len(steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    seams = Seams(environ=scene.settings(), step=step)
    with Library.open(scene.library, seams=seams) as library:
        match scene.command:
            case "collect":
                report = library.collect(wait=True)
            case "retry":
                report = library.retry(approve=True)
            case _:
                report = library.index([scene.photos], approve=True, **scene.options)
    pipe.send({"report": report.to_dict(), "steps": steps})
