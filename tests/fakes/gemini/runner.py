"""The life of a job: it waits, runs row by row at the pace of the virtual clock, and ends."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.gemini.batchlines import Line, read_lines
from tests.fakes.gemini.files import Files
from tests.fakes.gemini.jobs import ACTIVE
from tests.fakes.gemini.models import MODELS
from tests.fakes.gemini.rowfaults import ANSWERS, line_bytes, spoil
from tests.fakes.gemini.service import SERVED, Caller, Service
from tests.fakes.gemini.store import Row
from tests.fakes.gemini.wire import ApiError, Json

_COMMIT_ROWS = 256


@dataclass(slots=True)
class _Progress:
    succeeded: int = 0
    failed: int = 0
    booked: list[tuple[object, ...]] = field(default_factory=list)


class Runner:
    """Runs every job in a thread of its own."""

    def __init__(self, service: Service, files: Files) -> None:
        self._service = service
        self._files = files
        self._threads: list[threading.Thread] = []

    def launch(self, job_id: str) -> None:
        """Start a job's life, or take it up again after a restart."""
        thread = threading.Thread(target=self._live, args=(job_id,), name=f"job-{job_id[:8]}", daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def resume(self) -> None:
        """Take up what was unfinished when the process ended; a half-served job starts over."""
        for row in self._service.store.rows("SELECT id FROM jobs WHERE state IN ('PENDING', 'RUNNING')"):
            self._service.store.rows("DELETE FROM served WHERE job = ?", row["id"])
            self._service.store.update("jobs", row["id"], succeeded=0, failed=0)
            self.launch(row["id"])

    def join(self) -> None:
        """Wait until the threads have seen that the emulator stops."""
        for thread in self._threads:
            thread.join(10)

    def _job(self, job_id: str) -> Row:
        row = self._service.store.row("SELECT * FROM jobs WHERE id = ?", job_id)
        assert row is not None
        return row

    def _stopped(self, job_id: str) -> bool:
        return self._service.stopping.is_set() or bool(self._job(job_id)["cancelled"])

    def _live(self, job_id: str) -> None:
        job = self._job(job_id)
        self._pass_through(job)
        if self._job(job_id)["state"] not in ACTIVE:
            Path(job["input_path"]).unlink(missing_ok=True)

    def _pass_through(self, job: Row) -> None:
        job_id = job["id"]
        start = min(job["starts"], job["expires"])
        if not self._service.clock.wait(start, lambda: self._stopped(job_id)):
            return
        if job["starts"] >= job["expires"]:
            self._end(job, "EXPIRED", job["expires"])
            return
        if job["state"] == "PENDING" and not self._begin(job):
            return
        doom = json.loads(job["doom"])
        if doom.get("kind") == "fail":
            self._fail(job, doom)
        else:
            self._run(job)

    def _begin(self, job: Row) -> bool:
        store = self._service.store
        with store.together():
            if self._job(job["id"])["state"] != "PENDING":
                return False
            store.update("jobs", job["id"], state="RUNNING", updated=job["starts"])
        try:
            if not job["inline"] and self._service.settings.input_read_at_start:
                self._files.find(job["input_file"], job["project"], job["starts"])
        except ApiError as error:
            self._end(job, "FAILED", job["starts"], error.row())
            return False
        return True

    def _fail(self, job: Row, doom: Json) -> None:
        if self._service.clock.wait(job["ends"], lambda: self._stopped(job["id"])):
            error = {
                "code": doom.get("code", 3),
                "message": doom.get("message", "Request contains an invalid argument."),
            }
            self._end(job, "FAILED", job["ends"], error)
        elif not self._service.stopping.is_set():
            self._end(job, "CANCELLED", self._service.clock.now(), {"code": 13, "message": "Batch was cancelled."})

    def _run(self, job: Row) -> None:
        progress = _Progress()
        path = Path(job["input_path"]).with_suffix(".out")
        with path.open("wb") as target:
            for raw in _shuffled(self._rows(job, progress), 1 if job["inline"] else self._window, job["id"]):
                target.write(raw + b"\n")
        self._commit(job, progress)
        if self._service.stopping.is_set():
            return
        now = self._service.clock.now()
        cancelled = self._job(job["id"])["cancelled"]
        if job["ends"] > job["expires"] and not cancelled:
            # Nobody knows whether an expired job is paid; it has no output, so its rows count as never served.
            self._service.store.rows("UPDATE served SET outcome = 'expired', usd = 0 WHERE job = ?", job["id"])
            self._end(job, "EXPIRED", job["expires"])
        else:
            self._succeed(job, path, now if cancelled else max(job["ends"], job["starts"]))

    @property
    def _window(self) -> int:
        return self._service.settings.shuffle_window

    def _rows(self, job: Row, progress: _Progress) -> Iterator[list[bytes]]:
        caller = Caller(job["key"], job["project"], False, False)
        span = job["ends"] - job["starts"]
        total = job["requests"]
        for number, line in enumerate(read_lines(Path(job["input_path"])), 1):
            due = job["starts"] + span * number / total
            if progress.booked and due > self._service.clock.now():
                # Whoever looks while the job waits sees all that was served so far.
                self._commit(job, progress)
            if self._service.clock.wait(min(due, job["expires"]), lambda: self._stopped(job["id"])):
                if due > job["expires"]:
                    return
                yield self._serve(job, line, (caller, due), progress)
            elif self._service.stopping.is_set():
                return
            else:
                progress.failed += 1
                yield [line_bytes({"error": {"code": 1}, **line.echo})]

    def _serve(self, job: Row, line: Line, who: tuple[Caller, float], progress: _Progress) -> list[bytes]:
        caller, due = who
        model = MODELS[job["model"]]
        served = self._service.brain.answer(line.request, model, lambda uri: self._files.read(uri, job["project"], due))
        if self._service.settings.batch_ignores in line.request.get("generation_config", {}) and served.response:
            ANSWERS["wrong_schema"](served, served.response, {})
        subjects = (line.key, *(picture.sha256 for picture in served.pictures), job["display_name"] or "")
        faults = self._service.faults.take("row", *subjects)
        raws = spoil(served, line.echo, faults)
        if served.error is None:
            progress.succeeded += 1
        else:
            progress.failed += 1
        progress.booked.append(self._service.entry(served, ("batch", model.name, job["id"], line.key), caller))
        if len(progress.booked) >= _COMMIT_ROWS:
            self._commit(job, progress)
        return raws

    def _commit(self, job: Row, progress: _Progress) -> None:
        with self._service.store.together():
            self._service.store.insert_many("served", SERVED, progress.booked)
            self._service.store.update("jobs", job["id"], succeeded=progress.succeeded, failed=progress.failed)
        progress.booked.clear()

    def _succeed(self, job: Row, path: Path, moment: float) -> None:
        with self._service.store.together():
            if not job["inline"]:
                self._files.add_result(job, path, moment)
            self._service.store.update("jobs", job["id"], output_path=str(path))
            self._end(job, "SUCCEEDED", moment)

    def _end(self, job: Row, state: str, moment: float, error: Json | None = None) -> None:
        text = json.dumps(error) if error is not None else None
        self._service.store.update("jobs", job["id"], state=state, ended=moment, updated=moment, error=text)


def _shuffled(rows: Iterator[list[bytes]], window: int, seed: str) -> Iterator[bytes]:
    """Yield lines in random order within a window: the order of a result file is not to be relied upon."""
    chance = random.Random(seed)
    waiting: list[bytes] = []
    for raws in rows:
        waiting.extend(raws)
        while len(waiting) >= max(1, window):
            yield waiting.pop(chance.randrange(len(waiting)) if window > 1 else 0)
    if window > 1:
        chance.shuffle(waiting)
    yield from waiting
