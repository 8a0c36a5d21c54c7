"""Killed with signal 9 anywhere, then run once more: nothing lost, nothing served twice.

`make kills PROVIDER=openai` runs every point; the ordinary test run takes a sample of them, spread over the whole run.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import killing
from tests.support.killing import Scene
from tests.support.rigs import RIGS, Fake, Rig

SAMPLES = Path(__file__).parents[2] / "sample_images"
ALL = bool(os.environ.get("CAPTIONARY_TEST_ALL_KILLS"))
EVERY = 23
PHOTOS = 11

Prepare = Callable[[Path, Rig, Fake, str], Scene]

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(params=list(RIGS))
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each provider in turn."""
    return RIGS[request.param]


some_rigs = pytest.mark.parametrize("rig", list(RIGS) if ALL else ["gemini", "openai"], indirect=True)
"""What these two have proven holds for the others, whose batches alone differ; `make kills` plays all of them."""


@pytest.fixture
def service(tmp_path: Path, rig: Rig) -> Iterator[Fake]:
    """The fake in this process, so that it outlives every killed client."""
    with rig.service(tmp_path / "service") as running:
        yield running


@pytest.fixture
def every(rig: Rig) -> int:
    """Which points are tried: all, or every so many; fewer of providers that share what Gemini has proven."""
    return 1 if ALL else EVERY * {"gemini": 2, "openai": 4}.get(rig.provider, 6)


def spread(count: int, every: int) -> range:
    """The points that are tried of so many, numbered from 1: one in the middle at least."""
    return range((min(every, count) + 1) // 2, count + 1, every)


def scene(tmp_path: Path, rig: Rig, service: Fake, name: str, **options: object) -> Scene:
    """A fresh library beside the sample pictures, which are opened in the process that is killed, unless told."""
    service.clear_faults()
    told = {"provider": rig.provider, "workers": 0, **options}
    return Scene(tmp_path / f"library-{name}", SAMPLES, rig.environ(service), told)


def served(service: Fake) -> dict[str, int]:
    """How often each picture was answered, whatever the lane."""
    return {image: sum(lanes.values()) for image, lanes in service.books()["images"].items()}


def recovers(service: Fake, place: Scene) -> None:
    """One clean run after the kill describes everything."""
    again = killing.index(place)
    assert again.exit_code == 0
    assert again.report is not None
    files = again.report["files"]
    assert (files["seen"], files["described"], again.report["rows"]) == (PHOTOS, PHOTOS, PHOTOS)
    assert again.report["jobs"] == []


def test_a_batch_run_killed_at_any_commit_loses_nothing_and_pays_once(
    tmp_path: Path, rig: Rig, service: Fake, every: int
) -> None:
    """Before and after every ledger commit: the second run finishes, and each picture was served exactly once more."""
    steps = killing.index(scene(tmp_path, rig, service, "whole")).steps
    assert len(steps) > 20
    for number in spread(len(steps), every):
        before = served(service)
        place = scene(tmp_path, rig, service, f"step-{number}")
        assert killing.index(place, kill_at=number).exit_code == -9, steps[number - 1]
        recovers(service, place)
        assert {image: count - before[image] for image, count in served(service).items()} == dict.fromkeys(before, 1), (
            f"killed at {steps[number - 1]}"
        )


def test_a_batch_run_killed_around_any_remote_call_pays_once(
    tmp_path: Path, rig: Rig, service: Fake, every: int
) -> None:
    """Before the service acts on a call, and after it has acted but not answered: also 'job created, answer lost'."""
    killing.index(scene(tmp_path, rig, service, "whole"))
    calls = sum(service.books()["requests"].values())
    for number in spread(calls, max(1, every // 4)):
        for when in ("before", "after"):
            before = served(service)
            place = scene(tmp_path, rig, service, f"call-{number}-{when}")
            if killing.index(place, emulator=service, call=(number, when)).exit_code == 0:
                continue  # it polled less often this time
            recovers(service, place)
            assert {image: count - before[image] for image, count in served(service).items()} == dict.fromkeys(
                before, 1
            ), f"killed {when} call {number}"


@some_rigs
@pytest.mark.parametrize(
    ("options", "concurrency", "name"),
    [
        ({"mode": "interactive"}, 2, "interactive"),
        ({"pilot": 3}, 2, "pilot"),
    ],
)
def test_ordinary_calls_leave_at_most_concurrency_in_doubt(
    tmp_path: Path, rig: Rig, service: Fake, every: int, options: dict[str, object], concurrency: int, name: str
) -> None:
    """A kill during single calls serves at most `concurrency` pictures twice, and says how many are in doubt."""
    environ = {"CAPTIONARY_CONCURRENCY": str(concurrency)}
    first = scene(tmp_path, rig, service, f"{name}-whole", **options)
    whole = killing.index(replace(first, environ=environ))
    assert whole.exit_code == 0
    for number in spread(len(whole.steps), every):
        before = served(service)
        bare = scene(tmp_path, rig, service, f"{name}-{number}", **options)
        place = replace(bare, environ=environ)
        if killing.index(place, kill_at=number).exit_code != -9:
            continue  # calls came home in another order, so there were fewer commits
        recovers(service, place)
        times = [count - before[image] for image, count in served(service).items()]
        assert min(times) == 1
        assert sum(times) <= PHOTOS + concurrency, f"killed at {whole.steps[number - 1]}"


@some_rigs
def test_calls_in_doubt_are_booked_in_full_and_asked_again(tmp_path: Path, rig: Rig, service: Fake) -> None:
    """A call without an answer counts as paid at its high price, shows as in doubt, and is asked again."""
    bare = scene(tmp_path, rig, service, "doubt", mode="interactive")
    place = replace(bare, environ={"CAPTIONARY_CONCURRENCY": "1"})
    assert killing.index(place, emulator=service, call=(3, "after")).exit_code == -9
    again = killing.index(place)
    assert again.report is not None
    assert again.report["requests"]["in_doubt"] == 1
    assert sum(served(service).values()) == PHOTOS + 1
    whole = service.books()["usd"]
    from indexer.library.api import Library

    with Library.open(place.library) as library:
        assert library.status().cost.spent_usd > whole


def before_collect(tmp_path: Path, rig: Rig, service: Fake, name: str) -> Scene:
    """A library whose job is out, and the collect that fetches it."""
    rig.slowly(service, 0.5)
    place = scene(tmp_path, rig, service, name, wait=False)
    assert killing.index(place).exit_code == 0
    return replace(place, command="collect", options={"provider": rig.provider})


def before_retry(tmp_path: Path, rig: Rig, service: Fake, name: str) -> Scene:
    """A library in which three photos failed, and the retry that asks again."""
    place = scene(tmp_path, rig, service, name)
    kind, told = rig.failing_row
    service.fault("row", kind, every=3, times=3, **told)
    report = killing.index(place).report
    service.clear_faults()
    assert report is not None
    assert report["files"]["failed"] == 3
    return replace(place, command="retry")


@some_rigs
@pytest.mark.parametrize("prepare", [before_collect, before_retry])
def test_collect_and_retry_killed_anywhere_pay_once(
    tmp_path: Path, rig: Rig, service: Fake, every: int, prepare: Prepare
) -> None:
    """Killed around every commit and every remote call of collect and of retry, one clean run ends it, paid once."""
    whole = killing.index(prepare(tmp_path, rig, service, "whole"))
    assert whole.exit_code == 0
    calls = len(whole.steps) // 3
    points = [("step", number, "") for number in spread(len(whole.steps), every)]
    points += [("call", number, when) for number in spread(calls, every) for when in ("before", "after")]
    for kind, number, when in points:
        before = served(service)
        place = prepare(tmp_path, rig, service, f"{kind}-{number}-{when}")
        if kind == "step":
            killing.index(place, kill_at=number)
        else:
            killing.index(place, emulator=service, call=(number, when))
        recovers(service, place)
        assert {image: count - before[image] for image, count in served(service).items()} == dict.fromkeys(before, 1), (
            f"killed at {kind} {number} {when}"
        )


@some_rigs
def test_killed_at_any_moment_nothing_is_lost_and_batch_rows_are_served_once(
    tmp_path: Path, rig: Rig, service: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two hundred moments spread over a run (a few in the ordinary edition), each logged with what was done by then.

    Here a process of its own opens the pictures, as it does for people.
    """
    began = time.monotonic()
    killing.index(scene(tmp_path, rig, service, "whole", workers=1))
    whole = time.monotonic() - began
    dice = random.Random(20261124)
    for number in range(200 if ALL else 3 if rig.provider == "gemini" else 1):
        moment = dice.uniform(0.0, whole)
        before = served(service)
        place = scene(tmp_path, rig, service, f"moment-{number}", workers=1)
        killed = killing.index(place, after=moment).exit_code == -9
        recovers(service, place)
        extra = sum(served(service).values()) - sum(before.values()) - PHOTOS
        with capsys.disabled():
            if ALL:
                print(
                    f"moment {number:3}: {moment:6.3f} s, killed: {killed}, served more than once: {extra}", flush=True
                )
        assert extra == 0, f"killed after {moment:.3f} s"
