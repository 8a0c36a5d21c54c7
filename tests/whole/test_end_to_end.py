"""The whole path through the emulator: index, index again, rename and copy, search."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, Done, index, search

Indexing = Callable[..., Done]


@pytest.fixture
def indexing(tmp_path: Path, emulator: Emulator) -> Indexing:
    """Run `index --library ... ARGUMENTS` with a key for the emulator."""

    def call(*arguments: str | Path, **settings: str) -> Done:
        key = {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
        env = {**key, "CAPTIONARY_POLL_SECONDS": "0.1", **settings}
        return index("--library", tmp_path / "library", *arguments, env=env)

    return call


def first(tmp_path: Path, *words: str) -> Path:
    """The first hit of a search, whose words need no quotes."""
    done = search("--library", tmp_path / "library", *words)
    assert done.code == 0, done.err
    return Path(done.out.splitlines()[0])


def test_sample_images_through_the_batch_api(tmp_path: Path, emulator: Emulator, indexing: Indexing) -> None:
    """Eleven photos are described and found; again sends nothing; renamed and copied ones send nothing either."""
    photos = tmp_path / "photos"
    shutil.copytree(SAMPLES, photos)
    done = indexing(photos, "--provider", "gemini", "--yes", "--json")
    assert done.code == 0, done.err
    report = done.json
    assert (report["files"]["described"], report["rows"], report["requests"]["submitted"]) == (11, 11, 11)
    assert (
        report["cost"]["estimate_usd"]["low"] <= report["cost"]["spent_usd"] <= report["cost"]["estimate_usd"]["high"]
    )
    assert report["cost"]["spent_usd"] == pytest.approx(emulator.books()["usd"])
    assert first(tmp_path, "two", "dogs", "at", "a", "window") == photos / "dogs_window.jpg"

    requests = emulator.books()["requests"]
    again = indexing(photos, "--provider", "gemini", "--yes", "--json")
    assert again.code == 0
    assert (again.json["files"]["unchanged"], again.json["requests"]["submitted"]) == (11, 0)
    assert emulator.books()["requests"] == requests, "a second run sends no request"

    (photos / "2024").mkdir()
    (photos / "dogs_window.jpg").rename(photos / "2024" / "friends.jpg")
    shutil.copy(photos / "wall_clock.jpg", photos / "2024" / "time.jpg")
    moved = indexing(photos, "--provider", "gemini", "--yes", "--json")
    assert moved.code == 0
    files = moved.json["files"]
    assert (files["seen"], files["described"], files["moved"], files["new"], files["duplicate"]) == (12, 12, 1, 1, 1)
    assert (files["deleted"], moved.json["rows"]) == (0, 12)
    assert emulator.books()["requests"] == requests, "renames and copies send no request"
    assert first(tmp_path, "two", "dogs", "at", "a", "window") == photos / "2024" / "friends.jpg"


def test_only_a_prompt_and_clean_small_jpegs_are_uploaded(
    tmp_path: Path, emulator: Emulator, indexing: Indexing
) -> None:
    """What leaves the machine: 768 pixels at most, no EXIF, no GPS, no captions, no paths."""
    done = indexing(SAMPLES, "--provider", "gemini", "--yes", "--json", CAPTIONARY_KEEP_BATCHES="1")
    assert done.code == 0
    (shard,) = (path for path in (tmp_path / "library" / "batches").glob("*.jsonl") if "results" not in path.name)
    (held,) = (file for file in emulator.files() if not file["name"].startswith("files/batch-"))
    assert shard.stat().st_size == held["size"], "the file on disk is what was uploaded"
    lines = [json.loads(line) for line in shard.read_bytes().splitlines()]
    assert len(lines) == 11
    for line in lines:
        assert str(SAMPLES) not in json.dumps(line)
        parts = line["request"]["contents"][0]["parts"]
        data = next(part["inline_data"]["data"] for part in parts if "inline_data" in part)
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert max(image.size) <= 768
            assert not image.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & set(image.info)


def test_files_of_a_collected_batch_are_gone_here_and_there(
    tmp_path: Path, emulator: Emulator, indexing: Indexing
) -> None:
    """After collection only the gzipped raw results are left in batches/, and no input at the service."""
    assert indexing(SAMPLES, "--provider", "gemini", "--yes").code == 0
    kept = {path.suffix for path in (tmp_path / "library" / "batches").iterdir() if ".sqlite3" not in path.name}
    assert kept == {".gz"}
    assert not [file for file in emulator.files() if not file["name"].startswith("files/batch-")]


def test_detached_use_closes_the_laptop_and_collects_tomorrow(
    tmp_path: Path, emulator: Emulator, indexing: Indexing
) -> None:
    """--no-wait leaves with exit 3, status shows the job, collect --wait finishes without asking."""
    emulator.change(pending_seconds=3.0)
    away = indexing(SAMPLES, "--provider", "gemini", "--yes", "--no-wait", "--json")
    assert away.code == 3
    assert [job["requests"] for job in away.json["jobs"]] == [11]
    status = indexing("status", "--json")
    assert status.code == 0
    assert status.json["jobs"][0]["state"] in ("queued", "running")
    assert status.json["rows"] == 11, "facts are searchable at once"
    home = indexing("collect", "--wait", "--json")
    assert home.code == 0
    assert (home.json["files"]["described"], home.json["jobs"]) == (11, [])


def test_ordinary_calls_and_pilot_share_their_answers(tmp_path: Path, emulator: Emulator, indexing: Indexing) -> None:
    """--pilot 3 is three single calls, and the batch carries the other eight only."""
    done = indexing(SAMPLES, "--provider", "gemini", "--pilot", "3", "--yes", "--json")
    assert done.code == 0
    assert done.json["files"]["described"] == 11
    assert emulator.books()["served"] == {"batch": 8, "interactive": 3}


def test_an_answer_of_a_model_replaces_what_pixels_said(tmp_path: Path, indexing: Indexing) -> None:
    """A keyless library is described again by a model later, and the words of the model win."""
    assert indexing(SAMPLES, "--provider", "local").code == 0
    before = search("--library", tmp_path / "library", "dogs", "--json").json[0]["description"]
    assert indexing(SAMPLES, "--provider", "gemini", "--yes").code == 0
    after = search("--library", tmp_path / "library", "dogs", "--json").json[0]["description"]
    assert before != after
    assert "dog" in after.lower()


def test_the_table_is_a_pure_function_of_the_ledger(tmp_path: Path, emulator: Emulator, indexing: Indexing) -> None:
    """A lost table is made again by the next run, and by rebuild, without one request."""
    assert indexing(SAMPLES, "--provider", "gemini", "--yes").code == 0
    requests = emulator.books()["requests"]
    for command in (("rebuild",), (SAMPLES,)):
        shutil.rmtree(tmp_path / "library" / "lancedb")
        assert indexing(*command).code == 0
        assert first(tmp_path, "espresso").name == "coffee_cup.jpg"
    assert emulator.books()["requests"] == requests
