"""Every fault that the service is known for, played against a whole run; `make faults` prints the table.

A play is what a person does: index, and again when it stopped with an error, then retry what failed. It ends with
the books balanced, or the play has failed: no photo without an outcome, no row paid for that the fault did not force.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.domain.errors import CaptionaryError
from indexer.library.api import Library, Report
from tests.fakes.gemini import Emulator
from tests.support.virtual import VirtualTime, opened, samples

PHOTOS = 4
_INVOCATIONS = 12


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, or some together.

    `wasted` is how many rows the service may have served in vain, `failed` the reasons of photos that the first run
    leaves behind, `blocked` how many retry must leave alone.
    """

    name: str
    faults: tuple[tuple[str, str, dict[str, Any]], ...]
    wasted: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    blocked: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def one(route: str, kind: str, **more: Any) -> Case:
    """A fault that strikes once, or as its parameters say."""
    known = {name: more.pop(name) for name in ("wasted", "failed", "blocked", "settings", "options") if name in more}
    rule = {"nth": 1, **more} if route not in ("job",) else {"times": 1, **more}
    told = " ".join(f"{name}={value}" for name, value in more.items())
    return Case(f"{route} {kind} {told}".strip(), ((route, kind, rule),), **known)


def lost_create(kind: str, **rule: Any) -> Case:
    """A create that was accepted without an answer, and a list that cannot be trusted."""
    told = " ".join(f"{name}={value}" for name, value in rule.items())
    return Case(f"create drop, list {kind} {told}".strip(), (("create", "drop", {"nth": 1}), ("list", kind, rule)))


def row(kind: str, reason: str = "", /, **more: Any) -> Case:
    """A fault of one result row; with a reason the photo fails for it, and its row was paid in vain."""
    paid = more.pop("paid", True)
    return one(
        "row",
        kind,
        failed={reason: 1} if reason else {},
        wasted=int(bool(reason) and paid),
        blocked=int(reason == "blocked"),
        **more,
    )


CREATE = [
    *(one("create", kind) for kind in ("400", "unknown_name", "404", "429", "500", "503", "html", "quota")),
    *(one("create", kind) for kind in ("drop", "hang", "garbage", "empty")),
    *(one("create", kind, when="after") for kind in ("400", "429", "503", "html")),
    *(one("create", kind, when="before") for kind in ("drop", "hang")),
    one("create", "503", times=3),
    one("create", "drop", times=2),
]
LIST = [
    lost_create("lag", seconds=40),
    lost_create("empty_page"),
    lost_create("dangling_token"),
    lost_create("duplicates"),
    lost_create("503", nth=1),
    lost_create("429", nth=1),
]
GET = [
    *(one("get", kind) for kind in ("503", "429", "404", "500", "html", "garbage", "empty", "drop", "hang")),
    *(one("get", kind) for kind in ("unknown_state", "missing_state", "flap", "slow")),
    *(one("get", kind, times=20, nth=1) for kind in ("503", "429")),
    one("get", "no_output", times=2),
    one("get", "response_only", times=100),
]
JOB = [
    one("job", "fail", failed={"server_error": PHOTOS}),
    one("job", "expire", failed={"expired": PHOTOS}),
    one("job", "stuck_pending", options={"deadline": 3600.0}),
    one("job", "stuck_running", options={"deadline": 3600.0}),
]
UPLOAD = [
    *(one("upload_start", kind) for kind in ("503", "429", "no_url", "drop", "html")),
    *(one("upload_chunk", kind) for kind in ("503", "no_status", "stay_active", "no_file", "wrong_size")),
    *(one("upload_chunk", kind) for kind in ("processing", "processing_failed", "drop")),
    one("upload", "503", times=5),
]
DOWNLOAD = [
    *(one("download", kind) for kind in ("503", "404", "429", "truncate", "stall", "empty", "redirect", "garbage")),
    *(one("download", kind) for kind in ("torn_last_line", "drop", "html", "hang")),
    one("download", "404", times=10_000, failed={"expired": PHOTOS}, wasted=PHOTOS),
    one("file_delete", "503", times=10),
    one("file_delete", "404"),
]
ROWS = [
    *(row("error", "server_error", code=code, paid=False) for code in (13, 14, 4)),
    row("error", "rejected", code=3, message="bad image", paid=False),
    row("error", code=1),
    row("block", "blocked"),
    *(row("finish", "blocked", reason=why) for why in ("SAFETY", "RECITATION", "PROHIBITED_CONTENT")),
    *(row(kind, "truncated") for kind in ("max_tokens", "max_tokens_no_parts", "repetition")),
    *(row(kind, "malformed") for kind in ("not_json", "wrong_schema", "all_null")),
    *(row(kind, "missing") for kind in ("missing_row", "no_key", "key_not_text")),
    *(row(kind) for kind in ("fenced", "prose", "split_text", "thought", "thought_signature", "extra_fields")),
    *(row(kind) for kind in ("readable_types", "no_usage", "lone_surrogate", "nul", "u2028", "control", "markup")),
    *(row(kind) for kind in ("server_field", "duplicate_key", "duplicate_line", "unknown_key", "long_line")),
    one("row", "error", code=13, every=1, nth=None, times=PHOTOS, failed={"server_error": PHOTOS}),
]
_ORDINARY = {"mode": "interactive"}
CALLS = [
    *(one("generate", kind, options=_ORDINARY) for kind in ("429", "500", "503", "html", "quota")),
    *(one("generate", kind, options=_ORDINARY, wasted=1) for kind in ("drop", "hang", "garbage", "empty", "truncate")),
    one("generate", "drop", when="before", options=_ORDINARY),
    one("generate", "max_tokens", options=_ORDINARY, wasted=1, failed={"truncated": 1}),
    one("generate", "not_json", options=_ORDINARY, wasted=1, failed={"malformed": 1}),
    one("generate", "block", options=_ORDINARY, wasted=1, failed={"blocked": 1}, blocked=1),
    one("generate", "fenced", options=_ORDINARY),
    one("generate", "no_usage", options=_ORDINARY),
]
_LONG_QUEUE = {"job_life": 200 * 3600.0}
TIME = [
    Case("file expires while queued", (("job", "slow", {"times": 1, "pending": 49 * 3600.0}),), settings=_LONG_QUEUE),
    Case("the queue holds one photo", (), settings={"enqueued_tokens": {"gemini-3.5-flash-lite": 2500}}),
]
CASES = [*CREATE, *LIST, *GET, *JOB, *UPLOAD, *DOWNLOAD, *ROWS, *CALLS, *TIME]


@dataclass(frozen=True, slots=True)
class Play:
    """How a case ended; `faults` says what does not balance, "" when all is well."""

    case: Case
    served: int
    described: int
    failed: dict[str, int]
    invocations: int
    faults: str


def play(case: Case, room: Path) -> Play:
    """Play one case in `room`, an empty folder."""
    photos = samples(room / "photos", PHOTOS)
    with Emulator(room / "service", **case.settings) as service:
        for route, kind, rule in case.faults:
            service.fault(route, kind, **rule)
        clock = VirtualTime(service)
        with opened(room / "library", service) as library:
            options = {"provider": "gemini", "workers": 0, **case.options}
            report, invocations = _index(library, photos, options, clock)
            failed = dict(Counter(one.reason for one in library.failures()))
            service.clear_faults()
            after = _retry(library, clock)
        return _judge(case, service, (report, after), failed, invocations)


def _index(library: Library, photos: Path, options: dict[str, Any], clock: VirtualTime) -> tuple[Report, int]:
    for number in range(1, _INVOCATIONS + 1):
        try:
            report = library.index([photos], approve=True, **options)
        except CaptionaryError:
            clock.sleep(300)
            continue
        if report.exit_code in (0, 4):
            return report, number
    return library.status(), _INVOCATIONS


def _retry(library: Library, clock: VirtualTime) -> Report:
    for _ in range(3):
        try:
            return library.retry(approve=True)
        except CaptionaryError:
            clock.sleep(300)
    return library.status()


def _judge(
    case: Case, service: Emulator, reports: tuple[Report, Report], failed: dict[str, int], invocations: int
) -> Play:
    books = service.books()
    served = sum(books["served"].values())
    wrong = []
    for report in reports:
        files = report.files
        if files.seen != files.described + files.pending + files.failed or files.pending or report.jobs:
            wrong.append(f"does not balance: {files}")
    described = reports[1].files.described
    if failed != case.failed:
        wrong.append(f"failed {failed}, not {case.failed}")
    if described != PHOTOS - case.blocked:
        wrong.append(f"{described} described after retry")
    if served - described != case.wasted:
        wrong.append(f"{served - described} rows in vain, not {case.wasted}")
    return Play(case, served, described, failed, invocations, "; ".join(wrong))


def main(wanted: str = "") -> int:
    """Play every case whose name has `wanted`, print the table, return 1 when one does not balance."""
    bad = 0
    print(f"{'fault':52} {'runs':>4} {'served':>6} {'used':>4} {'in vain':>7}  failed before retry")
    for case in CASES:
        if wanted not in case.name:
            continue
        with tempfile.TemporaryDirectory() as room:
            end = play(case, Path(room))
        bad += bool(end.faults)
        told = ", ".join(f"{count} {reason}" for reason, count in end.failed.items()) or "-"
        line = f"{case.name:52} {end.invocations:4} {end.served:6} {end.described:4} {end.served - end.described:7}"
        print(f"{line}  {told}{'   <-- ' + end.faults if end.faults else ''}", flush=True)
    print(f"{bad} of {len(CASES)} cases do not balance")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
