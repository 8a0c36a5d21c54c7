"""Bad input ends in one line that says what to do, with the promised exit code and never a traceback."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from indexer.library.api import Library, Seams
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, Done, environment, index, search
from tests.support.nobody import as_nobody


def complains(done: Done, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout, this exit code."""
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    message, hint = done.err.strip().splitlines()[-2:]
    assert message.startswith("index: ")
    assert hint.startswith("hint: "), "it must say what to do next"
    for word in words:
        assert word in message + hint
    assert done.out == ""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A folder with one good photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(SAMPLES / "dogs_window.jpg", folder)
    return folder


def test_a_missing_folder_is_a_usage_error_and_makes_no_library(tmp_path: Path) -> None:
    """A PATH that is not there is named, and nothing is created."""
    done = index("--library", tmp_path / "library", tmp_path / "nowhere")
    complains(done, 2, "nowhere")
    assert len(done.err.strip().splitlines()) == 2
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize("file", [None, "notes.txt"])
def test_a_folder_without_pictures_is_no_error(tmp_path: Path, file: str | None) -> None:
    """An empty folder and one without pictures end well, and say so."""
    folder = tmp_path / "folder"
    folder.mkdir()
    if file:
        (folder / file).write_text("no picture")
    done = index("--library", tmp_path / "library", folder)
    assert done.code == 0
    assert "no pictures" in done.out + done.err
    assert index("--library", tmp_path / "library", folder, "--json").json["files"]["ignored"] == (1 if file else 0)


def test_a_broken_picture_fails_alone_with_its_reason(tmp_path: Path, photo: Path) -> None:
    """The good photo is described, the broken one is listed with one reason, and the exit code tells."""
    (photo / "broken.jpg").write_bytes((photo / "dogs_window.jpg").read_bytes()[:5000])
    done = index("--library", tmp_path / "library", photo, "--json")
    assert done.code == 4
    files = done.json["files"]
    assert (files["seen"], files["described"], files["failed"], files["pending"]) == (2, 1, 1, 0)
    failed = index("--library", tmp_path / "library", "failures", "--json").json
    assert [(Path(one["path"]).name, one["reason"]) for one in failed] == [("broken.jpg", "unreadable")]
    assert set(failed[0]) == {"path", "reason", "detail", "attempts", "job"}


def test_a_library_that_cannot_be_made_says_so(tmp_path: Path, photo: Path) -> None:
    """A library below a file cannot be made."""
    (tmp_path / "file").write_text("in the way")
    complains(index("--library", tmp_path / "file" / "library", photo), 1, "cannot be made")


@pytest.mark.parametrize("most", [100_000, 300_000, 5_000_000])
def test_a_library_that_cannot_grow_says_so(tmp_path: Path, most: int) -> None:
    """Wherever the disk ends, in ledger, spool, table or encoder: one line, and what is done is kept."""

    library = tmp_path / "library"
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
from indexer.console.start import index
index()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, "--library", library, SAMPLES, "--provider", "local"],
        env=environment(XDG_CACHE_HOME=str(tmp_path / "cache")),
        capture_output=True,
        text=True,
        check=False,
    )
    complains(Done(ended.returncode, ended.stdout, ended.stderr), 1, "cannot be written", str(library))
    assert index("--library", library, SAMPLES, "--provider", "local").code == 0


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path, photo: Path) -> None:
    """One writer at a time; the message names the process, and status still works."""
    library = tmp_path / "library"
    assert index("--library", library, photo).code == 0
    (library / ".writer").write_text("process 4711 (index run)")
    with FileLock(library / ".lock"):
        complains(index("--library", library, photo), 1, "process 4711")
        assert index("--library", library, "status", "--json").json["rows"] == 1


def test_a_newer_library_is_refused_in_words(tmp_path: Path, photo: Path) -> None:
    """A ledger of a later format is not touched."""
    library = tmp_path / "library"
    assert index("--library", library, photo).code == 0
    with sqlite3.connect(library / "ledger.sqlite3") as ledger:
        ledger.execute("PRAGMA user_version = 999")
    for command in ([photo], ["status"]):
        complains(index("--library", library, *command), 1, "newer Captionary", "upgrade")


def test_no_key_names_the_variable(tmp_path: Path, photo: Path) -> None:
    """`--provider gemini` without a key says which variable to set."""
    complains(index("--library", tmp_path / "library", photo, "--provider", "gemini", "--yes"), 1, "GEMINI_API_KEY")


def test_a_wrong_key_is_reported_and_appears_nowhere(tmp_path: Path, photo: Path, emulator: Emulator) -> None:
    """A refused key ends the run with exit 1; no message and no file of the library holds it."""
    library = tmp_path / "library"
    env = {"GEMINI_API_KEY": "wrong-key", "GOOGLE_GEMINI_BASE_URL": emulator.url}
    done = index("--library", library, photo, "--provider", "gemini", "--yes", env=env)
    complains(done, 1, "API key")
    assert "wrong-key" not in done.err
    assert not [path for path in library.rglob("*") if path.is_file() and b"wrong-key" in path.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["colect"], ["did you mean", "index collect"]),
        (["--provider", "nobody", "."], ["nobody", "local"]),
        ([".", "--bogus"], ["--bogus"]),
        ([".", "--budget", "-1"], ["--budget"]),
        ([".", "--prompt", "nowhere.txt"], ["nowhere.txt"]),
        ([".", "--provider", "local", "--mode", "batch"], ["no batch mode"]),
        (["https://example.org/photos"], ["not supported"]),
        ([".", "--pilot", "3", "--no-pilot"], ["exclude each other"]),
        ([".", "-0"], ["--files-from"]),
        ([".", "--library", ""], ["--library", "not a folder"]),
        (["status", "--library", ""], ["--library", "not a folder"]),
    ],
)
def test_wrong_calls_are_usage_errors(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    """Each wrong call ends with exit 2 and a line that helps."""
    complains(index("--library", tmp_path / "library", *arguments, cwd=tmp_path), 2, *words)


@pytest.mark.parametrize("library", [".", "photos"])
def test_the_library_is_no_folder_of_photos(tmp_path: Path, photo: Path, library: str) -> None:
    """Refused, and nothing is left among the photos."""
    complains(
        index(photo, "--library", library, cwd=photo if library == "." else tmp_path), 2, "belongs to the library"
    )
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["dogs_window.jpg"]


def test_nothing_is_forgotten_where_nothing_is_known(tmp_path: Path, photo: Path) -> None:
    """A path that the library does not know is named."""
    library = tmp_path / "library"
    assert index("--library", library, photo).code == 0
    complains(index("--library", library, "forget", tmp_path / "elsewhere", "--confirm"), 2, "elsewhere")


def test_what_cost_nothing_is_not_told_to_cost(tmp_path: Path, photo: Path) -> None:
    """Forgetting what only pixels said warns of no bill."""
    library = tmp_path / "library"
    assert index("--library", library, photo).code == 0
    done = index("--library", library, "forget", photo)
    assert (done.code, "paid" in done.err) == (2, False)


def test_a_library_that_cannot_be_written_can_be_looked_at(tmp_path: Path, photo: Path) -> None:
    """Where nobody writes, status needs no file beside the ledger."""
    with Library.open(tmp_path / "library", seams=Seams(environ={})) as ours:
        ours.index([photo], provider="local", workers=0)
    ledger = (tmp_path / "library" / "ledger.sqlite3").read_bytes()
    with as_nobody() as root:
        (root / "ledger.sqlite3").write_bytes(ledger)
        root.chmod(0o500)
        with Library.open(root, create=False) as ours:
            assert (ours.status().rows, ours.failures()) == (1, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 'blue'\n", ["colour"]),
        ("budget = 'much'\n", ["budget"]),
        ("mode = 'fast'\n", ["mode", "batch"]),
        ("not toml", ["not TOML"]),
        ("api_key = 'x'\n", ["api_key"]),
    ],
)
def test_an_unknown_or_unfit_setting_is_named(tmp_path: Path, photo: Path, text: str, words: list[str]) -> None:
    """Typos in captionary.toml do not vanish."""
    library = tmp_path / "library"
    library.mkdir()
    (library / "captionary.toml").write_text(text)
    complains(index("--library", library, photo), 2, *words)


def test_an_unknown_variable_is_named(tmp_path: Path, photo: Path) -> None:
    """Typos in CAPTIONARY_ variables do not vanish."""
    complains(index("--library", tmp_path / "library", photo, env={"CAPTIONARY_COLOUR": "1"}), 2, "CAPTIONARY_COLOUR")


@pytest.mark.parametrize("command", ["status", "failures", "collect", "rebuild", "retry"])
def test_commands_without_a_library_say_how_to_make_one(tmp_path: Path, command: str) -> None:
    """No library where one is needed."""
    complains(index("--library", tmp_path / "library", command), 1, "no library", "index FOLDER")


@pytest.fixture
def paying(emulator: Emulator) -> Callable[..., Done]:
    """Run `index` against the emulator with a good key."""

    def call(*arguments: str | Path) -> Done:
        env = {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": emulator.url, "CAPTIONARY_POLL_SECONDS": "0.1"}
        return index(*arguments, env=env)

    return call


def test_without_a_yes_nothing_is_paid(
    tmp_path: Path, photo: Path, emulator: Emulator, paying: Callable[..., Done]
) -> None:
    """No terminal and no --yes: the plan is shown, exit 5, and the service saw nothing."""
    done = paying("--library", tmp_path / "library", photo, "--json")
    assert done.code == 5
    assert "approv" in done.err
    assert done.json["requests"] == {
        "planned": 1,
        "reused": 0,
        "submitted": 0,
        "described": 0,
        "failed": 0,
        "pending": 1,
        "in_doubt": 0,
    }
    assert done.json["cost"]["estimate_usd"]["high"] > 0
    assert emulator.books()["requests"] == {}


def test_a_dry_run_sends_nothing_and_ends_well(
    tmp_path: Path, photo: Path, emulator: Emulator, paying: Callable[..., Done]
) -> None:
    """--dry-run shows the price and makes no request."""
    done = paying("--library", tmp_path / "library", photo, "--dry-run", "--json")
    assert done.code == 0
    assert done.json["cost"]["estimate_usd"]["high"] > 0
    assert emulator.books()["requests"] == {}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["kubernetes"], True),
        (["kubernetes", "-n", "3", "--sort", "date", "--min-score", "auto"], True),
        (["kubernetes", "--min-score", "7"], False),
        (["kubernetes", "--in", "/nowhere"], False),
        (["--since", "2015"], False),
        (["kubernetes", "--not", "cluster"], False),
    ],
)
def test_what_a_key_would_bring_is_told_where_its_lack_explains(
    tmp_path_factory: pytest.TempPathFactory, arguments: list[str], told: bool
) -> None:
    """Where nobody has described the photos, and no filter is what left nothing."""
    library = tmp_path_factory.getbasetemp() / "undescribed"
    if not library.exists():
        assert index("--library", library, SAMPLES / "wall_clock.jpg").code == 0
    done = search("--library", library, *arguments)
    assert (done.code, "no good match" in done.err, "with a key" in done.err) == (1, True, told)


def test_without_a_key_a_new_library_is_local_and_says_so(tmp_path: Path, photo: Path) -> None:
    """`auto` without a key describes by pixels, with a note on stderr that names the variable to set."""
    done = index("--library", tmp_path / "library", photo, "--json")
    assert done.json["provider"] == "local"
    assert "GEMINI_API_KEY" in done.err
    again = index("--library", tmp_path / "library", photo, "--json")
    assert again.json["provider"] == "local"
    assert again.err == "", "said once, when the choice was made"


def test_auto_keeps_to_the_last_provider_and_names_its_missing_key(
    tmp_path: Path, photo: Path, paying: Callable[..., Done]
) -> None:
    """After a run with gemini, a run without the key does not silently fall back to another provider."""
    assert paying("--library", tmp_path / "library", photo, "--yes").code == 0
    shutil.copy(SAMPLES / "coffee_cup.jpg", photo)
    complains(index("--library", tmp_path / "library", photo), 1, "GEMINI_API_KEY")


@pytest.mark.parametrize("amount", ["nan", "inf", "-1", "five"])
def test_a_budget_is_an_amount(tmp_path: Path, amount: str) -> None:
    """What is no amount is a usage error as a flag, and an error in the environment, without a traceback."""
    flag = index("--library", tmp_path / "library", SAMPLES, "--budget", amount)
    setting = index("--library", tmp_path / "library", SAMPLES, env={"CAPTIONARY_BUDGET": amount})
    for done in (flag, setting):
        assert done.code == 2
        assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["photo.jpg", "ledger.sqlite3"])
def test_a_contact_sheet_replaces_nothing_but_a_sheet(tmp_path: Path, name: str) -> None:
    """A file that is something else is left as it is; a sheet is written anew."""
    assert index("--library", tmp_path / "library", SAMPLES, "--provider", "local").code == 0
    target = tmp_path / name
    target.write_bytes(b"precious")
    words = ("--library", tmp_path / "library", "cup", "--html")
    refused = search(*words, target)
    assert refused.code == 2
    assert "Traceback" not in refused.err
    assert target.read_bytes() == b"precious"
    for _ in range(2):
        assert search(*words, tmp_path / "sheet.html").code == 0
