"""Every fault that a service is known for, played against a whole run; `make faults PROVIDER=openai` prints the table.

A play is what a person does: index, and again when it stopped with an error, then retry what failed. It ends with
the books balanced, or the play has failed: no photo without an outcome, no row paid for that the fault did not force.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.domain.errors import CaptionaryError
from indexer.library.api import Library, Report
from tests.support.call_rigs import CALL_RIGS
from tests.support.rigs import RIGS, ServiceTime, opened
from tests.support.virtual import samples
from tests.whole import (
    anthropic_faults,
    call_faults,
    gemini_faults,
    mistral_faults,
    openai_faults,
    vertex_faults,
)
from tests.whole.fault_cases import CONCURRENCY, Case

CASES: dict[str, list[Case]] = {
    "gemini": gemini_faults.CASES,
    "openai": openai_faults.CASES,
    "anthropic": anthropic_faults.CASES,
    "mistral": mistral_faults.CASES,
    "vertex": vertex_faults.CASES,
    **call_faults.CASES,
}
_RIGS = {**RIGS, **CALL_RIGS}
_INVOCATIONS = 12


@dataclass(frozen=True, slots=True)
class Play:
    """How a case ended; `faults` says what does not balance, "" when all is well."""

    case: Case
    served: int
    described: int
    failed: dict[str, int]
    invocations: int
    faults: str


def play(provider: str, case: Case, room: Path) -> Play:
    """Play one case of a provider in `room`, an empty folder."""
    rig, photos = _RIGS[provider], samples(room / "photos", case.photos)
    with rig.service(room / "service", **case.settings) as service:
        for route, kind, rule in case.faults:
            service.fault(route, kind, **rule)
        clock = ServiceTime(service)
        with opened(room / "library", rig, service, quick=True) as library:
            options = {"provider": rig.provider, "workers": 0, **case.options}
            report, invocations = _index(library, photos, options, clock)
            failed = dict(Counter(one.reason for one in library.failures()))
            service.clear_faults()
            after = _retry(library, clock)
            spent = library.status().cost.spent_usd
        return _judge(case, service.books(), (report, after), failed, (invocations, spent))


def _index(library: Library, photos: Path, options: dict[str, Any], clock: ServiceTime) -> tuple[Report, int]:
    for number in range(1, _INVOCATIONS + 1):
        try:
            report = library.index([photos], approve=True, **options)
        except CaptionaryError:
            clock.sleep(300)
            continue
        if report.exit_code in (0, 4):
            return report, number
    return library.status(), _INVOCATIONS


def _retry(library: Library, clock: ServiceTime) -> Report:
    for _ in range(3):
        try:
            return library.retry(approve=True)
        except CaptionaryError:
            clock.sleep(300)
    return library.status()


def _judge(
    case: Case, books: dict[str, Any], reports: tuple[Report, Report], failed: dict[str, int], ran: tuple[int, float]
) -> Play:
    invocations, spent = ran
    served = sum(books["served"].values())
    wrong = []
    for report in reports:
        files = report.files
        if files.seen != files.described + files.pending + files.failed or files.pending or report.jobs:
            wrong.append(f"does not balance: {files}")
        if report.requests.in_doubt > CONCURRENCY:
            wrong.append(f"{report.requests.in_doubt} requests in doubt")
    described = reports[1].files.described
    if failed != case.failed:
        wrong.append(f"failed {failed}, not {case.failed}")
    if described != case.photos - case.blocked:
        wrong.append(f"{described} described after retry")
    if served - described != case.wasted:
        wrong.append(f"{served - described} rows in vain, not {case.wasted}")
    if spent < books["usd"] * (1 - 1e-9):
        wrong.append(f"booked ${spent:.6f} of ${books['usd']:.6f} billed")
    return Play(case, served, described, failed, invocations, "; ".join(wrong))


def main(provider: str = "gemini", wanted: str = "") -> int:
    """Play every case of a provider whose name has `wanted`, print the table, return 1 when one does not balance.

    "calls" stands for single calls to whoever speaks OpenAI's chat.
    """
    bad = tried = 0
    calls = {"openai": openai_faults.CALLS, **call_faults.CASES}
    cases = calls if provider == "calls" else {provider: CASES[provider]}
    print(f"{'fault':52} {'runs':>4} {'served':>6} {'used':>4} {'in vain':>7}  failed before retry")
    for name, case in ((name, case) for name, those in cases.items() for case in those if wanted in case.name):
        with tempfile.TemporaryDirectory() as room:
            end = play(name, case, Path(room))
        tried += 1
        bad += bool(end.faults)
        told = ", ".join(f"{count} {reason}" for reason, count in end.failed.items()) or "-"
        title = f"{name} {case.name}" if provider == "calls" else case.name
        line = f"{title:52} {end.invocations:4} {end.served:6} {end.described:4} {end.served - end.described:7}"
        print(f"{line}  {told}{'   <-- ' + end.faults if end.faults else ''}", flush=True)
    print(f"{provider}: {bad} of {tried} cases do not balance")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
