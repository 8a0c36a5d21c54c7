"""Bursts: photos alike to the eye and seconds apart; one description serves them all when somebody says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.commands.wording import plan_lines
from indexer.domain.bursts import ALIKE_BITS, GAP_SECONDS, Shot, bursts
from indexer.domain.plan import Plan
from indexer.ledger.store import Ledger
from indexer.library.api import Library
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index
from tests.support.virtual import VirtualTime, opened

GEMINI = {"provider": "gemini", "workers": 0}
NOON = datetime(2024, 5, 1, 12)
ROUND = "00000000000000ff"


def shot(name: str, second: float, phash: str = ROUND, camera: str | None = "A") -> Shot:
    """A photo so many seconds after noon."""
    return Shot(name, (NOON + timedelta(seconds=second)).isoformat(), camera, phash)


@pytest.mark.parametrize(
    ("shots", "groups"),
    [
        ([], []),
        ([shot("a", 0)], []),
        ([shot("a", 0), shot("b", 1), shot("c", 4)], ["abc"]),
        ([shot("a", 0), shot("b", 5), shot("c", 10)], ["abc"]),
        ([shot("a", 0), shot("b", 6)], []),
        ([shot("a", 0), shot("b", 1, "ffffffffffffff00")], []),
        ([shot("a", 0), shot("b", 1, camera="B")], []),
        ([shot("a", 0), shot("b", 0, camera=None)], ["ab"]),
        ([shot("a", 0), shot("x", 1, "0f" * 8), shot("b", 2), shot("y", 3, "0f" * 8)], ["ab", "xy"]),
        ([shot("a", 0), shot("b", 1, "0000000000000fff"), shot("c", 2, "00000000000fffff")], ["ab"]),
    ],
    ids=["none", "one", "burst", "paced", "later", "unlike", "camera", "unknown-camera", "two-at-once", "drift"],
)
def test_a_burst_is_alike_and_seconds_apart(shots: list[Shot], groups: list[str]) -> None:
    """One table of what belongs together and what does not."""
    assert sorted("".join(group) for group in bursts(shots)) == groups


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2**64 - 1), st.sampled_from(["A", "B", None]))))
def test_bursts_are_parts_and_hold_what_they_promise(told: list[tuple[int, int, str | None]]) -> None:
    """No photo is in two; each is like the first, of a camera that may be the same, and soon after the one before."""
    shots = [
        shot(f"{n}", at, f"{phash:016x}", camera)
        for n, (at, phash, camera) in enumerate(sorted(told, key=lambda x: x[0]))
    ]
    known = {one.photo: one for one in shots}
    groups = list(bursts(shots))
    members = [photo for group in groups for photo in group]
    assert len(members) == len(set(members))
    for group in groups:
        first = known[group[0]]
        for before, after in pairwise(group):
            gap = datetime.fromisoformat(known[after].taken_at) - datetime.fromisoformat(known[before].taken_at)
            assert 0 <= gap.total_seconds() <= GAP_SECONDS
            assert (int(first.phash, 16) ^ int(known[after].phash, 16)).bit_count() <= ALIKE_BITS


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes: four frames of one, three of another, and one alone; the frames differ by a little."""
    folder = tmp_path_factory.mktemp("bursts")
    for name, sample, frames in (("dogs", "dogs_window", 4), ("cup", "coffee_cup", 3), ("moon", "astronaut", 1)):
        with Image.open(SAMPLES / f"{sample}.jpg") as image:
            for frame in range(frames):
                picture = image.convert("RGB").resize((320, 240))
                picture.putpixel((frame, frame), (255, 0, 0))
                picture.paste((200, 10, 10), (10 + frame, 5, 14 + frame, 9))
                taken = f"2024:05:01 12:{len(name):02}:{frame:02}"
                exif = Image.Exif()
                exif[0x110] = "Camera"
                exif.get_ifd(0x8769)[0x9003] = taken
                picture.save(folder / f"{name}{frame}.jpg", exif=exif)
    return folder


@pytest.fixture
def library(tmp_path: Path, emulator: Emulator) -> Iterator[Library]:
    """A new library before a new service."""
    with opened(tmp_path / "library", emulator) as ours:
        yield ours


def descriptions(library: Library) -> dict[str, str | None]:
    """What a search shows of every photo, by file name."""
    hits = Index.open(library.folder).search(within="/", limit=0, collapse="none")
    return {Path(hit.path).name: hit.description for hit in hits}


def test_one_description_serves_a_burst(emulator: Emulator, library: Library, photos: Path) -> None:
    """Three of eight photos are bought; the plan says what that saves, and all eight are found by their words."""
    plan = library.plan([photos], one_per_burst=True, **GEMINI)
    whole = library.plan([photos], **GEMINI)
    assert (plan.new, plan.inherited, plan.planned, whole.new) == (3, 5, 3, 8)
    assert plan.cost.high + plan.saves.high == pytest.approx(whole.cost.high)
    assert any("5 photos share the description of their burst" in line and "saves" in line for line in plan_lines(plan))
    report = library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    assert (report.files.seen, report.files.described, report.files.pending, report.exit_code) == (8, 8, 0, 0)
    assert (report.requests.planned, report.requests.submitted) == (3, 3)
    assert emulator.books()["served"]["batch"] == 3
    shown = descriptions(library)
    assert len({shown[f"dogs{frame}.jpg"] for frame in range(4)}) == 1
    assert len(set(shown.values())) == 3
    assert library.index([photos], approve=False, **GEMINI).files.described == 8, "nothing is left to be bought"
    library.rebuild()
    assert descriptions(library) == shown
    library.export("jsonl", library.folder / "photos.jsonl")
    rows = [json.loads(line) for line in (library.folder / "photos.jsonl").read_text().splitlines()]
    assert sorted(row["inherited"] for row in rows) == [False] * 3 + [True] * 5
    assert {Path(row["path"]).name: row["description"] for row in rows} == shown


def test_the_others_are_bought_when_somebody_asks_for_them(emulator: Emulator, library: Library, photos: Path) -> None:
    """--no-one-per-burst buys the five, and each photo then has its own words."""
    library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    shown: list[Plan] = []
    VirtualTime(emulator).sleep(10)
    report = library.index([photos], approve=lambda plan: not shown.append(plan), one_per_burst=False, **GEMINI)
    assert (shown[0].new, shown[0].planned, shown[0].reused) == (5, 8, 3)
    assert (report.files.described, report.requests.submitted) == (8, 5)
    assert len(set(descriptions(library).values())) > 3


def test_what_is_inherited_stays_until_the_own_answer_is_there(
    emulator: Emulator, library: Library, photos: Path
) -> None:
    """Without the money for the others, or when the service will not describe them, they keep what they have."""
    library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    shown = descriptions(library)
    VirtualTime(emulator).sleep(10)
    stopped = library.index([photos], approve=True, one_per_burst=False, budget=0.0, **GEMINI)
    assert (stopped.exit_code, stopped.files.described) == (5, 8)
    emulator.fault("row", "block", nth=1, times=9)
    report = library.index([photos], approve=True, one_per_burst=False, budget=1.0, **GEMINI)
    assert report.files.described == 8
    library.rebuild()
    assert descriptions(library) == shown


def test_a_pilot_may_take_those_that_inherit(emulator: Emulator, library: Library, photos: Path) -> None:
    """They are to be bought now, so they can go ahead by single calls as well."""
    library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    VirtualTime(emulator).sleep(10)
    library.index([photos], approve=True, one_per_burst=False, pilot=5, **GEMINI)
    assert emulator.books()["served"] == {"batch": 6, "interactive": 2}


def test_forgetting_the_frame_that_was_bought_leaves_its_heirs_their_words(library: Library, photos: Path) -> None:
    """A description is forgotten when no path uses it, not even by inheritance."""
    library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    shown = descriptions(library)
    for name in ("dogs0.jpg", "cup0.jpg"):
        assert library.forget([photos / name], confirm=True).answers == 0
    assert library.status().files.described == 6
    library.rebuild()
    gone = ("dogs0.jpg", "cup0.jpg")
    assert descriptions(library) == {name: words for name, words in shown.items() if name not in gone}


def test_the_first_frame_in_time_serves_the_others(tmp_path: Path, library: Library, photos: Path) -> None:
    """Whatever the files are called; and a first frame that was edited since is not bought for its burst."""
    folder = tmp_path / "renamed"
    folder.mkdir()
    for name, new in (("dogs0.jpg", "z.jpg"), ("dogs1.jpg", "y.jpg"), ("dogs2.jpg", "x.jpg")):
        (folder / new).write_bytes((photos / name).read_bytes())
    library.index([folder], approve=True, one_per_burst=True, **GEMINI)
    library.export("jsonl", tmp_path / "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [Path(row["path"]).name for row in rows if not row["inherited"]] == ["z.jpg"]
    with Image.open(folder / "z.jpg") as image:
        image.putpixel((0, 0), (0, 255, 0))
        image.save(folder / "z.jpg", exif=image.getexif())
    plan = library.plan([folder], one_per_burst=True, **GEMINI)
    assert (plan.new, plan.inherited) == (0, 1)


def test_scans_with_a_date_but_no_time_are_no_burst(tmp_path: Path, library: Library) -> None:
    """Three letters of one day look alike, and say different things."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(3):
        picture = Image.new("RGB", (300, 400), "white")
        picture.paste((0, 0, 0), (40, 60 + number, 200, 64 + number))
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = "1998:05:03 00:00:00"
        picture.save(folder / f"{number}.jpg", exif=exif)
    assert library.plan([folder], one_per_burst=True, **GEMINI).inherited == 0


def test_a_new_frame_of_a_described_burst_costs_nothing(
    tmp_path: Path, emulator: Emulator, library: Library, photos: Path
) -> None:
    """It takes the description that its burst has, without an approval."""
    folder = tmp_path / "some"
    folder.mkdir()
    for path in sorted(photos.iterdir())[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    library.index([folder], approve=True, one_per_burst=True, **GEMINI)
    (folder / "dogs3.jpg").write_bytes((photos / "dogs3.jpg").read_bytes())
    for path in photos.glob("dogs[012].jpg"):
        (folder / path.name).write_bytes(path.read_bytes())
    served = emulator.books()["served"]["batch"]
    report = library.index([folder], approve=True, one_per_burst=True, **GEMINI)
    assert report.files.described == report.files.seen == 7
    assert emulator.books()["served"]["batch"] == served + 1, "one of the four new frames"


def test_a_burst_whose_photo_failed_has_failed_with_it(emulator: Emulator, library: Library, photos: Path) -> None:
    """Every photo ends in one place with one reason, and a retry mends them all."""
    emulator.fault("row", "max_tokens", nth=1)
    report = library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    failed = library.failures()
    assert report.files.seen == report.files.described + report.files.failed
    assert report.files.failed == len(failed) in (1, 3, 4)
    assert {one.reason for one in failed} == {"truncated"}
    VirtualTime(emulator).sleep(10)
    assert library.retry(approve=True).files.described == 8


@pytest.mark.parametrize("collapse", ["copies", "bursts"])
def test_a_search_shows_a_burst_once_on_request(library: Library, photos: Path, collapse: str) -> None:
    """Described one by one or not, --collapse bursts shows the best frame and names the others."""
    library.index([photos], approve=True, **GEMINI)
    hits = Index.open(library.folder).search(within=photos, limit=0, collapse=collapse)  # type: ignore[arg-type]
    assert len(hits) == {"copies": 8, "bursts": 3}[collapse]
    if collapse == "bursts":
        assert sorted(len(hit.also_at) for hit in hits) == [0, 2, 3]


def test_tags_and_forgetting_reach_what_is_inherited(library: Library, photos: Path) -> None:
    """A renamed tag is renamed in every frame; a forgotten photo leaves no heirs behind."""
    library.index([photos], approve=True, one_per_burst=True, **GEMINI)
    tag = library.tags()[0].tag
    library.rename_tag(tag, "renamed here")
    table = Index.open(library.folder).to_arrow(["path", "tags"]).to_pylist()
    assert not [row for row in table if tag in row["tags"]]
    assert len([row for row in table if "renamed here" in row["tags"]]) > 1
    library.forget([photos], confirm=True)
    with library._access.reading() as ledger:
        assert isinstance(ledger, Ledger)
        assert ledger.connection.execute("SELECT count(*) FROM inherited").fetchone()[0] == 0


def test_the_flag_is_a_flag_and_a_setting(tmp_path: Path, emulator: Emulator, photos: Path) -> None:
    """captionary.toml may hold one_per_burst; the flag wins over it."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "captionary.toml").write_text("one_per_burst = true\n")
    env = {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    asked = ["--library", library, photos, "--provider", "gemini", "--dry-run", "--json"]
    assert index(*asked, env=env).json["requests"]["planned"] == 8, "a dry run groups nothing yet"
    plan = index(*asked, env=env).err
    assert "5 photos share the description of their burst" in plan
    assert "share the description" not in index(*asked, "--no-one-per-burst", env=env).err
