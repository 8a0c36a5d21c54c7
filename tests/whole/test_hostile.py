"""An archive that nobody should have, through the whole command: no crash, all accounted for, a clean terminal."""

from __future__ import annotations

import os
import pty
import re
import socket
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer.domain.answer import Reason
from indexer.storage.paths import to_text
from tests.support import commands, hostile
from tests.support.commands import Done, environment, search
from tests.support.hostile import saved, scene

FUZZED = int(os.environ.get("FUZZED_FILES", "80"))
"""Damaged copies of each format; FUZZED_FILES=2500 makes ten thousand."""

NAMES = [
    b"invalid \xff\xfe\x80.jpg",
    b"latin caf\xe9.jpg",
    b"new\nline.jpg",
    b"carriage\rreturn.jpg",
    b"tab\tbed.jpg",
    b"\x1b[2J\x1b[31mred.jpg",
    b"\x1b]0;title\x07.jpg",
    b"\xc2\x9b31m one character of C1.jpg",
    b"\xc2\x85 next line.jpg",
    "right\u202etfel gpj.exe.jpg".encode(),
    "line\u2028separator.jpg".encode(),
    "composed \u00e9.jpg".encode(),
    "decomposed e\u0301.jpg".encode(),
    b"spells \\xff an escape.jpg",
    b"-rf.jpg",
    b"--help.jpg",
    b"star * [a-z] ? {b}.jpg",
    b" blank .jpg",
    b"'quotes\" and `ticks` $(date).jpg",
    b"<b>html & co.jpg",
    b"x" * 251 + b".jpg",
]
"""What file systems allow as the name of a picture."""

JUNK = [
    "._plain.jpg",
    ".hidden.jpg",
    "Thumbs.db",
    "desktop.ini",
    "@eaDir/plain.jpg/SYNOPHOTO_THUMB_B.jpg",
    ".Trash-1000/files/gone.jpg",
    "notes.txt",
    "film.mp4",
    "no extension",
]
_UNCLEAN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(done: Done) -> None:
    """No character that a terminal obeys but the end of a line, and no traceback."""
    for text in (done.out, done.err):
        assert not _UNCLEAN.search(text), ascii(text)
        assert "Traceback" not in text


def index(*arguments: str | Path, env: Mapping[str, str] | None = None, **options: Any) -> Done:
    """Run `index`, which takes in pictures of any size."""
    return commands.index(*arguments, env={"CAPTIONARY_MIN_SIDE": "0", **(env or {})}, **options)


def put(root: Path, name: bytes, data: bytes) -> bytes:
    """Write a file with any name; returns its path."""
    path = os.fsencode(root) + b"/" + name
    Path(os.fsdecode(path)).write_bytes(data)
    return path


def different(number: int) -> bytes:
    """A small photo unlike the others."""
    return saved(Image.new("RGB", (48, 32), (number * 11 % 256, number * 37 % 256, number * 71 % 256)), "JPEG")


@dataclass(frozen=True, slots=True)
class Archive:
    """A planted tree: the paths of its good pictures, and of its bad ones with their reasons."""

    root: Path
    good: frozenset[bytes]
    bad: Mapping[bytes, Reason]


def plant(root: Path) -> Archive:
    """Plant every kind of file that real archives hold."""
    places = {name: root / name for name in ("unusual", "turned", "broken", "names", "unlucky", "junk", "specials")}
    for place in places.values():
        place.mkdir(parents=True)
    good = [put(places["unusual"], name.encode(), data) for name, data in hostile.unusual().items()]
    good += [put(places["turned"], f"{turn}.png".encode(), hostile.turned(turn)) for turn in range(1, 9)]
    good += [put(places["names"], name, different(number)) for number, name in enumerate(NAMES)]
    told = hostile.exif_tags({0x10E: "captioned \x1b[2J\x1b]0;owned\x07 <script>", 0x110: "Cam\x1b[31mera"})
    good.append(
        put(
            places["unusual"],
            b"words.jpg",
            hostile.with_segments(saved(scene((64, 64)), "JPEG"), hostile.exif_segment(told)),
        )
    )
    bad = {put(places["broken"], name.encode(), data): why for name, (data, why) in hostile.broken().items()}
    del bad[os.fsencode(places["broken"] / "drawing.svg")]  # a drawing is left out, and no failure
    bad.update({put(places["unlucky"], name, b"no picture"): Reason.UNREADABLE for name in NAMES})
    for name in JUNK:
        path = places["junk"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(different(99) if name.endswith("jpg") else b"no picture")
    with zipfile.ZipFile(places["junk"] / "photos.zip", "w") as archive:
        archive.writestr("inside.jpg", different(98))
    _plant_specials(places["specials"])
    return Archive(root, frozenset(good), bad)


def _plant_specials(place: Path) -> None:
    os.mkfifo(place / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(place / "socket.jpg"))
    (place / "loop").symlink_to(".")
    (place / "above").symlink_to("../..")
    (place / "self.jpg").symlink_to("self.jpg")
    (place / "dangling.jpg").symlink_to("nowhere.jpg")
    (place / "dangling").symlink_to("nowhere")
    (place / "null.jpg").symlink_to("/dev/null")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive, and a library of it beside it."""
    home = tmp_path_factory.mktemp("hostile")
    return plant(home / "photos")


@pytest.fixture(scope="module")
def first(archive: Archive) -> Done:
    """The first run over it, as a person calls it."""
    return index("--library", archive.root.parent / "library", archive.root, "--provider", "local")


@pytest.fixture(scope="module")
def library(archive: Archive, first: Done) -> Path:
    """The library, filled."""
    return archive.root.parent / "library"


def hits(library: Path, *arguments: str | Path) -> Iterator[bytes]:
    """The bytes of every path that a search gives back with NULs between them."""
    program = Path(sys.executable).with_name("search")
    command = [program, "--library", library, "-n", "0", "--collapse", "none", "-0", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, check=True, timeout=120)
    yield from done.stdout.split(b"\0")[:-1]


def on_terminal(command: str, *arguments: str) -> str:
    """What a command writes on a terminal."""
    ours, theirs = pty.openpty()
    program = str(Path(sys.executable).with_name(command))
    with subprocess.Popen([program, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment()):
        os.close(theirs)
        shown = b"".join(_until_closed(ours))
    os.close(ours)
    return shown.decode()


def _until_closed(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # how Linux says that nobody holds the other end any more
        while part := os.read(terminal, 1 << 16):
            yield part


def test_the_archive_is_indexed_without_a_crash(first: Done) -> None:
    """Some photos failed, which is exit 4, and nothing on the terminal is obeyed by it."""
    assert first.code == 4, first.err
    clean(first)


def test_every_file_is_accounted_for(archive: Archive, library: Path) -> None:
    """The second run sees the same files: each is described or failed, none is opened again, none is pending."""
    done = index("--library", library, archive.root, "--json")
    assert done.code == 4
    clean(done)
    files = done.json["files"]
    assert (files["described"], files["failed"], files["pending"]) == (len(archive.good), len(archive.bad), 0)
    assert files["seen"] == files["unchanged"] == len(archive.good) + len(archive.bad)
    assert done.json["rows"] == len(archive.good)


def test_every_failure_has_the_right_reason(archive: Archive, library: Path) -> None:
    """One entry a path, with its reason and words that fit on a line."""
    done = index("--library", library, "failures", "--json")
    assert done.code == 0
    assert {one["path"]: one["reason"] for one in done.json} == {
        to_text(path): str(why) for path, why in archive.bad.items()
    }
    assert all(one["detail"] and one["detail"].isprintable() for one in done.json)
    clean(index("--library", library, "failures"))
    clean(index("--library", library, "status"))


def test_every_name_comes_back_byte_for_byte(archive: Archive, library: Path) -> None:
    """What a search emits for other programs are the names that the file system knows."""
    assert Counter(hits(library, "--in", archive.root)) == Counter(archive.good)


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv"])
def test_what_a_search_writes_for_programs_is_clean(archive: Archive, library: Path, form: str) -> None:
    """Names and captions from files carry no control sequence through."""
    done = search("--library", library, "-n", "0", "--in", archive.root, form)
    assert done.code == 0
    clean(done)
    assert "names" in done.out


@pytest.mark.parametrize(
    "arguments", [["search", "-n", "0"], ["search", "-n", "0", "--explain"], ["index", "failures"]]
)
def test_what_a_terminal_shows_is_clean(archive: Archive, library: Path, arguments: list[str]) -> None:
    """On a terminal nothing comes through that it would obey; only the commands' own colours do."""
    command, *options = arguments
    place = ["--in", str(archive.root)] if command == "search" else []
    shown = on_terminal(command, "--library", str(library), *options, *place)
    assert "names" in shown or "unlucky" in shown
    own = re.compile(r"\x1b\[[0-9;]*m|\r\n")
    assert not _UNCLEAN.search(own.sub("\n", shown)), ascii(shown)
    assert "\x1b[31mred" not in shown


def test_the_eight_orientations_are_one_upright_photo(archive: Archive, library: Path) -> None:
    """Turned tags over turned pixels: one hit with seven other places, wide as the scene is."""
    (hit,) = search("--library", library, "--in", archive.root / "turned", "--json").json
    assert (hit["width"], hit["height"]) == (96, 64)
    places = {Path(path).name for path in (hit["path"], *hit["also_at"]) if "turned" in path}
    assert places == {f"{turn}.png" for turn in range(1, 9)}


def test_followed_links_find_each_file_once(archive: Archive, tmp_path: Path) -> None:
    """Loops end, links that lead nowhere are left out, and a folder behind a link is found once."""
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside, b"far.jpg", different(1))
    root = tmp_path / "root"
    root.mkdir()
    _plant_specials(root)
    (root / "way").symlink_to(outside)
    (root / "again").symlink_to(outside)
    (root / "above").unlink()
    done = index("--library", tmp_path / "library", root, "--provider", "local", "--follow", "--json")
    assert done.code == 0, done.err
    clean(done)
    files = done.json["files"]
    assert (files["seen"], files["described"], files["failed"]) == (1, 1, 0)
    unfollowed = index("--library", tmp_path / "other", root, "--provider", "local", "--json")
    assert (unfollowed.code, unfollowed.json["files"]["seen"]) == (0, 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything; the walk's own tests change the user")
def test_what_may_not_be_read_is_told_and_the_rest_is_indexed(tmp_path: Path) -> None:
    """A locked folder is a note, a locked file a reason."""
    put(tmp_path, b"open.jpg", different(1))
    put(tmp_path, b"locked.jpg", different(2))
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked.jpg").chmod(0)
    (tmp_path / "locked").chmod(0)
    try:
        done = index("--library", tmp_path / ".library", tmp_path, "--provider", "local", "--json")
    finally:
        (tmp_path / "locked").chmod(0o700)
    assert (done.code, done.json["files"]["described"], done.json["files"]["failed"]) == (4, 1, 1)
    assert "locked" in done.err


@pytest.mark.parametrize("name", ["plain.jpg", "plain.png", "plain.webp", "plain.heic"])
def test_fuzzed_pictures_are_described_or_fail_with_a_reason(tmp_path: Path, name: str) -> None:
    """Damaged bytes by the hundred, or by the thousand where FUZZED_FILES says so: workers live, the books add up."""
    root = tmp_path / "photos"
    root.mkdir()
    stem, _, end = name.partition(".")
    for number, damaged in enumerate(hostile.mutations(hostile.unusual()[name], FUZZED, seed=4)):
        (root / f"{stem} {number}.{end}").write_bytes(damaged)
    done = index("--library", tmp_path / "library", root, "--provider", "local", "--json")
    assert done.code in (0, 4), done.err
    clean(done)
    files = done.json["files"]
    assert files["seen"] == FUZZED
    assert (files["described"] + files["failed"], files["pending"]) == (FUZZED, 0)
    failed = index("--library", tmp_path / "library", "failures", "--json").json
    assert len(failed) == files["failed"] > 0
    assert {one["reason"] for one in failed} <= {"unreadable", "unsupported", "too_large"}
