"""Know before you pay: the bill before, the pilot, the budget that is never passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from indexer.commands.wording import plan_lines
from indexer.domain.errors import ApprovalRequired
from indexer.domain.money import dollars
from indexer.domain.plan import Plan
from indexer.library.api import Library
from indexer.storage.atomic import SPARE_BYTES
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index
from tests.support.virtual import VirtualTime, opened

GEMINI = {"provider": "gemini", "workers": 0}
PHOTOS = 120


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of all shapes: each sample picture cut in many ways, in folders."""
    root = tmp_path_factory.mktemp("photos")
    sources = sorted(SAMPLES.glob("*.jpg"))
    for number in range(PHOTOS):
        folder = root / f"{number % 5}"
        folder.mkdir(exist_ok=True)
        with Image.open(sources[number % len(sources)]) as image:
            left, top = number % 7 * 12, number // 7 % 9 * 10
            cut = image.crop((left, top, left + 200 + number, top + 320 - number))
            cut.save(folder / f"{number:03}.jpg", quality=70)
    return root


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """A new library before a new service."""
    with opened(tmp_path / "library", emulator) as ours:
        yield ours


def test_a_blind_estimate_holds(emulator: Emulator, library: Library, photos: Path) -> None:
    """Nothing is sent for it; input tokens are right within 2 %, the bill is inside, high at most three times low."""
    plan = library.plan([photos], pilot=0, **GEMINI)
    assert emulator.books()["requests"] == {}
    assert plan.cost.high <= 3 * plan.cost.low
    assert plan.disk_bytes >= plan.upload_bytes + SPARE_BYTES
    library.index([photos], approve=True, pilot=0, **GEMINI)
    books = emulator.books()
    assert plan.input_tokens == pytest.approx(books["input_tokens"], rel=0.02)
    assert plan.cost.low <= books["usd"] <= plan.cost.high
    assert books["usd"] <= plan.most_usd
    assert library.status().cost.spent_usd == pytest.approx(books["usd"])


@pytest.mark.parametrize(("pilot", "within"), [(20, None), (50, 0.05)])
def test_a_pilot_measures_what_the_rest_will_cost(
    emulator: Emulator, library: Library, photos: Path, pilot: int, within: float | None
) -> None:
    """The plan shown after it holds: the bill of the rest lies in its range, after fifty photos within 5 %."""
    shown = []
    library.index([photos], approve=lambda plan: not shown.append(plan), pilot=pilot, **GEMINI)
    before, after = shown
    assert (before.pilot, len(after.sample), after.new) == (pilot, pilot, PHOTOS - pilot)
    assert after.measured.valid == 1.0
    assert Path(after.sheet).read_text().count("<img") == pilot
    told = list(plan_lines(after))
    assert Path(after.sample[0].path).name in told[0]
    assert after.sample[0].description[:40] in told[0]
    assert any(line.startswith(f"measured on {pilot} photos: 100% answered") for line in told)
    books = emulator.books()
    assert books["served"] == {"batch": PHOTOS - pilot, "interactive": pilot}
    rest = sum(row["usd"] for row in emulator.served(lane="batch"))
    assert after.cost.low <= rest <= after.cost.high
    if within is not None:
        assert after.likely_usd == pytest.approx(rest, rel=within)


def test_a_pilot_takes_photos_of_every_folder(library: Library, photos: Path) -> None:
    """Ten photos of five folders: two of each."""
    shown = []
    with pytest.raises(ApprovalRequired):
        library.index([photos], approve=lambda plan: not shown.append(plan) and len(shown) < 2, pilot=10, **GEMINI)
    folders = [Path(one.path).parent.name for one in shown[1].sample]
    assert {name: folders.count(name) for name in folders} == dict.fromkeys("01234", 2)


def test_a_budget_is_never_passed_and_is_used(emulator: Emulator, library: Library, photos: Path) -> None:
    """With a third of the bill: exit 5, 60 % of what it could buy within five waves, and no second helping of it."""
    estimate = library.plan([photos], pilot=0, **GEMINI).cost
    bill = (estimate.low + estimate.high) / 2
    cap = bill / 3
    report = library.index([photos], approve=True, pilot=0, budget=cap, **GEMINI)
    books = emulator.books()
    assert report.exit_code == 5
    assert "budget" in report.stopped
    assert books["usd"] <= cap
    could_buy = cap / (books["usd"] / books["served"]["batch"])
    assert sum(job["requests"] for job in emulator.jobs()[:5]) >= 0.6 * could_buy
    again = library.index([photos], approve=True, pilot=0, budget=cap, **GEMINI)
    assert again.exit_code == 5
    assert emulator.books()["usd"] <= cap
    VirtualTime(emulator).sleep(10)
    done = library.index([photos], approve=True, pilot=0, budget=1.0, **GEMINI)
    assert (done.exit_code, done.files.described) == (0, PHOTOS)
    assert emulator.books()["served"]["batch"] == PHOTOS


def test_a_pilot_goes_ahead_of_photos_that_a_budget_left_waiting(
    emulator: Emulator, library: Library, photos: Path
) -> None:
    """Also what was approved before goes through the pilot that is asked for now, and is shown before the rest."""
    estimate = library.plan([photos], pilot=0, **GEMINI).cost
    stopped = library.index([photos], approve=True, pilot=0, budget=estimate.high / 3, **GEMINI)
    batch = emulator.books()["served"]["batch"]
    assert stopped.exit_code == 5
    VirtualTime(emulator).sleep(10)
    shown: list[Plan] = []
    pilot = batch + 3  # those that have an answer count
    done = library.index([photos], approve=lambda plan: not shown.append(plan), pilot=pilot, budget=1.0, **GEMINI)
    assert (done.exit_code, done.files.described) == (0, PHOTOS)
    assert emulator.books()["served"] == {"batch": PHOTOS - 3, "interactive": 3}
    assert [plan.pilot for plan in shown] == [3, 0]
    assert f"{batch} of the {pilot} first photos are already answered" in shown[0].warnings
    assert len(shown[1].sample) == 3


def test_a_budget_too_small_for_the_pilot_buys_no_batch_instead(
    emulator: Emulator, library: Library, photos: Path
) -> None:
    """What was to be looked at first is asked first, also in the next run with more money."""
    high = library.plan([photos], pilot=0, **GEMINI).most_usd / PHOTOS
    stopped = library.index([photos], approve=True, pilot=3, budget=1.5 * high, **GEMINI)
    assert (stopped.exit_code, emulator.books()["served"]) == (5, {"batch": 0, "interactive": 0})
    assert stopped.stopped.endswith("or with --no-pilot (of the pilot, which goes first, photos left: 3)")
    shown: list[Plan] = []
    done = library.index([photos], approve=lambda plan: not shown.append(plan), pilot=3, budget=1.0, **GEMINI)
    assert (done.files.described, [len(plan.sample) for plan in shown]) == (PHOTOS, [0, 3])
    assert emulator.books()["served"] == {"batch": PHOTOS - 3, "interactive": 3}


def test_a_plan_says_the_most_that_is_approved_and_which_facts_are_sent(
    tmp_path: Path, library: Library, photos: Path
) -> None:
    """The cap that is kept, and what of each photo goes into the prompt."""
    prompt = tmp_path / "facts.txt"
    prompt.write_text("Describe this photo from {place}, {date}.")
    plan = library.plan([photos], prompt=prompt, **GEMINI)
    told = "\n".join(plan_lines(plan))
    assert f"hard cap for this run: {dollars(plan.most_usd)}" in told
    assert "the prompt with these facts of each photo: date, place" in told
    with pytest.raises(ApprovalRequired, match=f"at most {re.escape(dollars(plan.most_usd))}"):
        library.index([photos], prompt=prompt, **GEMINI)


def test_with_a_deadline_the_range_reaches_to_the_price_of_ordinary_calls(library: Library, photos: Path) -> None:
    """What is not back in time is asked at once, so the bill may become that of single calls."""
    plan = library.plan([photos], pilot=0, deadline=0, **GEMINI)
    assert plan.cost.high == plan.interactive_cost.high
    assert plan.cost.low < plan.interactive_cost.low


def test_without_a_yes_nothing_is_paid(tmp_path: Path, emulator: Emulator, library: Library, photos: Path) -> None:
    """From Python `ApprovalRequired` with the plan; without a terminal exit 5; neither has sent a request."""
    with pytest.raises(ApprovalRequired) as asked:
        library.index([photos], **GEMINI)
    assert asked.value.plan.new == PHOTOS
    env = {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    done = index("--library", tmp_path / "other", SAMPLES, "--provider", "gemini", "--json", env=env)
    assert done.code == 5
    assert "--yes" in done.err
    assert done.json["requests"]["submitted"] == 0
    assert emulator.books()["requests"] == {}


def test_moving_files_under_a_template_with_facts_buys_nothing(
    tmp_path: Path, emulator: Emulator, library: Library, photos: Path
) -> None:
    """What was given stays with the answer; only `refresh` asks again, and only where the facts have changed."""
    folder = tmp_path / "trip"
    folder.mkdir()
    for path in sorted((photos / "0").iterdir())[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    prompt = tmp_path / "facts.txt"
    prompt.write_text("Describe this photo from the folder {folder} in {language}.")
    plan = library.plan([folder], prompt=prompt, **GEMINI)
    assert plan.given == ("folder",)
    library.index([folder], approve=True, prompt=prompt, **GEMINI)
    moved = folder.rename(tmp_path / "journey")
    report = library.index([moved], approve=True, prompt=prompt, **GEMINI)
    assert (report.requests.submitted, report.files.described) == (0, 3)
    assert library.index([moved], approve=True, prompt=prompt, refresh="given", **GEMINI).requests.submitted == 3
    assert library.index([moved], approve=True, prompt=prompt, refresh="given", **GEMINI).requests.submitted == 0
