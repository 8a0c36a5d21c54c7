"""Many uploads while adders, advancers and readers are killed with signal 9, and what must hold all the same.

    python -m tests.whole.inbox_kills [UPLOADS] [KILLS] [SEED]

Exit code 1 when an upload was lost, a verdict is wrong, missing, out of order or changed, or a photo was billed twice.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from PIL import Image

from indexer.library.api import Library, Seams
from tests.support.services import SHOPS, environ
from tests.support.uploads import CHECKS, Judge

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["lance", "onnxruntime", "tokenizers", "httpx", "indexer.library.api", "PIL.Image"])
_KINDS = (((10, 10, 10), "approve"), ((240, 10, 10), "reject"), ((10, 240, 10), "human"), ((10, 10, 240), "reject"))
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Where it plays: a folder, the variables of the service, how many uploads."""

    folder: Path
    environ: Mapping[str, str]
    uploads: int

    def inbox(self) -> Any:
        """The inbox of this process."""
        library = Library.open(self.folder / "library", seams=Seams(environ=self.environ))
        return library.inbox(self.folder / "checks.toml", provider="openai", within="48h")


def upload(number: int) -> tuple[str, bytes, str]:
    """Return name, picture and the right decision of an upload; no two pictures are alike."""
    colour, decision = _KINDS[number % len(_KINDS)]
    image = Image.new("RGB", (96, 96), colour)
    dice = random.Random(number)
    for place in range(40):
        image.putpixel((30 + place, 60), (dice.randrange(256), dice.randrange(256), dice.randrange(256)))
    image.paste(Image.frombytes("L", (32, 32), dice.randbytes(1024)).convert("RGB"), (60, 20))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return f"upload-{number}", stream.getvalue(), decision


def adder(scene: Scene) -> None:
    """Add all uploads from where the log ends, and log each that returned."""
    inbox, log = scene.inbox(), scene.folder / "added.log"
    done = len(log.read_text().split()) if log.exists() else 0
    with log.open("a", buffering=1) as written:
        for number in range(done, scene.uploads):
            name, raw, _ = upload(number)
            inbox.add(name, raw)
            written.write(f"{name}\n")


def advancer(scene: Scene) -> None:
    """Advance until everything is decided."""
    inbox = scene.inbox()
    while sum(1 for _ in inbox.verdicts()) < scene.uploads:
        inbox.advance()
        time.sleep(0.05)


def reader(scene: Scene) -> None:
    """Append what is new to a file, from the last cursor that it holds."""
    inbox, read = scene.inbox(), scene.folder / "read.jsonl"
    while True:
        lines = [line for line in (read.read_text().splitlines() if read.exists() else []) if line.endswith("}")]
        after = json.loads(lines[-1])["cursor"] if lines else ""
        with read.open("a", buffering=1) as written:
            for verdict in inbox.verdicts(after):
                written.write("\n" + json.dumps(verdict.to_dict()))
                after = verdict.cursor
        if len(lines) >= scene.uploads:
            return
        time.sleep(0.05)


def play(folder: Path, uploads: int, kills: int, seed: int) -> list[str]:
    """Play the scene with so many kills; returns what does not hold."""
    dice = random.Random(seed)
    (folder / "checks.toml").write_text(f'{CHECKS}\n[inbox]\ngather = "1s"\n')
    with Judge() as judge:
        told = {**environ(SHOPS["openai"], judge), "CAPTIONARY_LOOKUP_SECONDS": "0.3", "CAPTIONARY_WORKERS": "0"}
        scene = Scene(folder, told, uploads)
        scene.inbox().close()
        roles = (adder, advancer, reader)
        running: dict[Any, BaseProcess] = {role: _begun(role, scene) for role in roles}
        ends = time.monotonic() + _PATIENCE + uploads
        while any(process.is_alive() for process in running.values()) and time.monotonic() < ends:
            time.sleep(dice.uniform(0.1, 0.5))
            role = dice.choice(roles)
            if kills > 0 and running[role].is_alive():
                running[role].kill()
                kills -= 1
            for each, process in running.items():
                if not process.is_alive() and process.exitcode != 0:
                    running[each] = _begun(each, scene)
        for process in running.values():
            process.kill()
        return [*_faults(scene), *_billed_twice(judge), *([f"{kills} kills were left"] if kills else [])]


def _begun(role: Any, scene: Scene) -> BaseProcess:
    process = _SERVER.Process(target=role, args=(scene,))
    process.start()
    return process


def _billed_twice(judge: Judge) -> list[str]:
    return [f"{key} was served {count} times" for key, count in judge.served.items() if count > 1]


def _faults(scene: Scene) -> list[str]:
    right = {name: decision for name, _, decision in map(upload, range(scene.uploads))}
    verdicts = list(scene.inbox().verdicts())
    found = {verdict.id: verdict.decision for verdict in verdicts}
    faults = [
        f"{name} is {found.get(name)}, not {decision}"
        for name, decision in right.items()
        if found.get(name) != decision
    ]
    faults += [f"{name} has {count} verdicts" for name, count in Counter(v.id for v in verdicts).items() if count > 1]
    lines = (scene.folder / "read.jsonl").read_text().splitlines()
    read = [json.loads(line) for line in lines if line.endswith("}")]
    cursors = [int(told["cursor"]) for told in read]
    distinct = list(dict.fromkeys(cursors))
    if distinct != sorted(distinct) or distinct != [int(verdict.cursor) for verdict in verdicts]:
        faults.append("the reader missed verdicts, or saw them out of order")
    if {told["id"]: told["decision"] for told in read} != found:
        faults.append("a verdict that was read has changed")
    return faults


def main() -> int:
    """Play it, and print what does not hold."""
    told = [int(word) for word in sys.argv[1:]]
    uploads, kills, seed = (*told, *(2000, 50, 17)[len(told) :])
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        faults = play(Path(folder), uploads, kills, seed)
    for fault in faults[:20]:
        print(fault)
    print(f"{uploads} uploads, {kills} kills, {len(faults)} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
