"""The walk finds every file that may be a picture once, in order, and nothing that exists stops it."""

from __future__ import annotations

import os
import socket
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.crawl.listing import storable
from indexer.crawl.walk import WalkOptions, walk
from indexer.domain.errors import MissingPath, UsageError
from tests.support.nobody import as_nobody
from tests.support.trees import base, found, ignored, plant, walked

FOLLOW = WalkOptions(follow=True)
HIDDEN = WalkOptions(hidden=True)


def test_files_come_folder_by_folder_and_sorted(tmp_path: Path) -> None:
    """The order is that of the names, a folder's files before what lies below it, whatever the disk's order."""
    plant(tmp_path, "b/2.jpg", "b/10.jpg", "a/z/1.jpg", "a/y.jpg", "c.jpg", "B.jpg", "empty/")
    assert found(tmp_path) == ["B.jpg", "c.jpg", "a/y.jpg", "a/z/1.jpg", "b/10.jpg", "b/2.jpg"]
    assert [base(folder.path) for folder in walked(tmp_path)][1:] == [b"a", b"z", b"b", b"empty"]


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    """What is found carries its size in bytes and its mtime in nanoseconds."""
    (tmp_path / "a.jpg").write_bytes(b"12345")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_123_456_789))
    (folder,) = walked(tmp_path)
    assert [(file.size, file.mtime_ns, file.sidecar_mtime_ns) for file in folder.files] == [
        (5, 1_700_000_000_123_456_789, 0)
    ]
    assert folder.whole
    assert not folder.problems


def test_the_extension_decides_nothing(tmp_path: Path) -> None:
    """Any regular file may be a picture; its content is looked at later, and once."""
    plant(tmp_path, "a", "b.txt", "c.jpg", "d.zip", "e.mp4")
    assert found(tmp_path) == ["a", "b.txt", "c.jpg", "d.zip", "e.mp4"]


@pytest.mark.parametrize(
    "name",
    [b"new\nline.jpg", b"\xff\xfe.jpg", b"caf\xe9/\x80.jpg", b"\x1b[31m.jpg", b" .jpg", b"-rf", b"a\\x5c", b"'\"$(id)"],
)
def test_any_bytes_are_a_name(tmp_path: Path, name: bytes) -> None:
    """What a file system takes as a name comes back byte for byte, with and without patterns to match."""
    try:
        plant(tmp_path, name)
    except OSError:
        pytest.skip("this file system does not take such a name")
    for options in (WalkOptions(), WalkOptions(exclude=("*.png", "caf?/*.gif", "!x"))):
        assert [file.path for folder in walked(tmp_path, options) for file in folder.files] == [
            os.fsencode(tmp_path) + b"/" + name
        ]


def test_an_empty_file_is_found(tmp_path: Path) -> None:
    """A broken download is seen, so that somebody is told of it."""
    plant(tmp_path, "broken.jpg")
    assert found(tmp_path) == ["broken.jpg"]


JUNK = [
    "._IMG.jpg",
    ".DS_Store",
    "Thumbs.db",
    "THUMBS.DB",
    "desktop.ini",
    "Icon\r",
    "SYNOFILE_THUMB_M.jpg",
    "@eaDir/IMG.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "@__thumb/s100IMG.jpg",
    "System Volume Information/a.jpg",
    "$RECYCLE.BIN/a.jpg",
    "#recycle/a.jpg",
    "lost+found/a.jpg",
    ".Trash-1000/files/a.jpg",
    ".thumbnails/a.jpg",
]


@pytest.mark.parametrize("name", JUNK)
@pytest.mark.parametrize("options", [WalkOptions(), HIDDEN])
def test_what_systems_leave_behind_is_skipped_always(tmp_path: Path, name: str, options: WalkOptions) -> None:
    """NAS thumbnails and waste bins are no photos, even for who asks for hidden files."""
    plant(tmp_path, "real.jpg", name)
    assert found(tmp_path, options) == ["real.jpg"]


def test_hidden_files_are_found_when_asked_for(tmp_path: Path) -> None:
    """Names that begin with a dot are left out and counted, unless `hidden`."""
    plant(tmp_path, "a.jpg", ".b.jpg", ".c/d.jpg")
    assert found(tmp_path) == ["a.jpg"]
    assert ignored(tmp_path) == 1
    assert found(tmp_path, HIDDEN) == [".b.jpg", "a.jpg", ".c/d.jpg"]


def test_a_hidden_root_is_wanted(tmp_path: Path) -> None:
    """Who names a hidden folder means it."""
    plant(tmp_path, ".secret/a.jpg")
    assert found(tmp_path / ".secret") == ["a.jpg"]


def test_special_files_are_not_touched(tmp_path: Path) -> None:
    """A pipe would block whoever opens it; pipes, sockets and devices are counted as left out."""
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / ".captionignore")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s.jpg"))
        assert found(tmp_path) == []
        assert ignored(tmp_path) == 3


def test_links_are_not_followed_unless_asked(tmp_path: Path) -> None:
    """A link is left out; with `follow` it counts under its own path."""
    plant(tmp_path, "root/a.jpg", "out/b.jpg", "out/deep/c.jpg")
    root = tmp_path / "root"
    (root / "file.jpg").symlink_to("../out/b.jpg")
    (root / "folder").symlink_to("../out")
    (root / "dangling.jpg").symlink_to("nowhere")
    assert found(root) == ["a.jpg"]
    assert found(root, FOLLOW) == ["a.jpg", "file.jpg", "folder/b.jpg", "folder/deep/c.jpg"]


def test_loops_end(tmp_path: Path) -> None:
    """Links to a parent, to each other and to themselves end the walk nowhere, and every file comes once."""
    plant(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "other").symlink_to("../b")
    (tmp_path / "b" / "other").symlink_to("../a")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "ping").symlink_to("pong")
    (tmp_path / "pong").symlink_to("ping")
    assert found(tmp_path, FOLLOW) == ["a/1.jpg", "b/2.jpg"]


def test_a_file_keeps_its_real_path_when_links_lead_to_it_too(tmp_path: Path) -> None:
    """A link that sorts first does not take the files of the folder it leads to."""
    plant(tmp_path, "real/a.jpg")
    (tmp_path / "a_link").symlink_to("real")
    assert found(tmp_path, FOLLOW) == ["real/a.jpg"]


def test_overlapping_roots_are_walked_once(tmp_path: Path) -> None:
    """The same folder, a folder and its parent, a folder and a file in it: each file comes once."""
    plant(tmp_path, "a/b/1.jpg", "a/2.jpg", "a-b/3.jpg")
    more = [tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a" / "2.jpg", tmp_path]
    for options in (WalkOptions(), FOLLOW):
        assert found(tmp_path, options, *more) == ["a/2.jpg", "a/b/1.jpg", "a-b/3.jpg"]


def test_a_root_inside_what_is_left_out_is_wanted(tmp_path: Path) -> None:
    """Naming a folder or a file by hand beats hidden names and ignore files above it."""
    plant(tmp_path, ".hid/1.jpg", "no/2.jpg", "no/deep/3.jpg", "x.png")
    (tmp_path / ".captionignore").write_text("no/\n*.png\n")
    assert found(tmp_path) == []
    more = [tmp_path / ".hid", tmp_path / "no" / "deep", tmp_path / "x.png"]
    assert sorted(found(tmp_path, None, *more)) == [".hid/1.jpg", "no/deep/3.jpg", "x.png"]


def test_a_single_file_is_a_root(tmp_path: Path) -> None:
    """A file comes in its folder, which is then not said to be listed whole; its sidecar is noticed."""
    plant(tmp_path, "a.jpg", "b.jpg", "c.jpg", "a.xmp")
    (folder,) = walked([tmp_path / "c.jpg", tmp_path / "a.jpg"])
    assert [base(file.path) for file in folder.files] == [b"a.jpg", b"c.jpg"]
    assert [bool(file.sidecar_mtime_ns) for file in folder.files] == [True, False]
    assert folder.path == os.fsencode(tmp_path)
    assert not folder.whole


def test_exclude_holds_for_single_files_too(tmp_path: Path) -> None:
    """A list of files and a glob on one command line are both meant."""
    plant(tmp_path, "private/a.jpg", "b.jpg")
    (first, *_) = walked([tmp_path / "private/a.jpg", tmp_path / "b.jpg"], WalkOptions(exclude=("private/",)))
    assert [base(file.path) for file in first.files] == [b"b.jpg"]
    assert found(tmp_path / "private" / "a.jpg", WalkOptions(exclude=("private/",))) == []


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    """The error comes before anything is walked, names the path, and carries no terminal control."""
    plant(tmp_path, "a.jpg")
    with pytest.raises(MissingPath, match=r"Fotos\\x1b") as caught:
        walk([os.fsencode(tmp_path), os.fsencode(tmp_path / "Fotos\x1b")])
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.zip", "b.TAR", "c.tar.gz", "d.7z"])
def test_archives_are_refused_in_words(tmp_path: Path, name: str) -> None:
    """An archive as PATH is not supported yet; a folder that is only called like one is a folder."""
    plant(tmp_path, name)
    with pytest.raises(UsageError, match="archives are not supported yet"):
        walk([os.fsencode(tmp_path / name)])
    plant(tmp_path, f"folder/{name}/a.jpg")
    assert found(tmp_path / "folder" / name) == ["a.jpg"]


def test_a_device_is_no_root() -> None:
    """A root that is neither file nor folder is refused."""
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        walk([b"/dev/null"])


def test_the_library_is_not_walked(tmp_path: Path) -> None:
    """A library inside the tree is passed by, and is refused as a root itself."""
    plant(tmp_path, "a.jpg", "library/b.jpg", "library/sub/c.jpg", "library2/d.jpg")
    options = WalkOptions(skip=frozenset({os.fsencode(tmp_path / "library")}))
    assert found(tmp_path, options) == ["a.jpg", "library2/d.jpg"]
    (tmp_path / "link").symlink_to("library")
    assert found(tmp_path, replace(options, follow=True)) == ["a.jpg", "library2/d.jpg"]
    with pytest.raises(UsageError, match="belongs to the library"):
        walked(tmp_path / "library" / "sub", options)


def test_raw_and_jpeg_of_one_name_are_one_photo(tmp_path: Path) -> None:
    """The developed picture stands for the pair; a RAW file alone, or of another folder or stem, stays."""
    plant(tmp_path, "1.CR2", "1.JPG", "2.nef", "3.dng", "3.heic", "4.arw", "4.txt", "5.raf", "sub/5.jpg", "6.jpg.cr2")
    assert found(tmp_path) == ["1.JPG", "2.nef", "3.heic", "4.arw", "4.txt", "5.raf", "6.jpg.cr2", "sub/5.jpg"]
    assert ignored(tmp_path) == 2


def test_an_edited_sidecar_shows(tmp_path: Path) -> None:
    """The time of `a.xmp` or `a.jpg.xmp` beside a picture comes with it, the later one of both."""
    plant(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "a.xmp", "b.jpg.XMP", "c.xmp", "c.jpg.xmp")
    for at, name in enumerate(["a.xmp", "b.jpg.XMP", "c.xmp", "c.jpg.xmp"], 1):
        os.utime(tmp_path / name, ns=(0, at))
    (folder,) = walked(tmp_path)
    assert [file.sidecar_mtime_ns for file in folder.files] == [1, 2, 4, 0]
    assert folder.ignored == 4


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path) -> None:
    """The rest is walked; the folder is not said to be whole, so nothing in it is taken for deleted."""
    plant(tmp_path, "a.jpg", "z/b.jpg")
    deep = tmp_path / "deep"
    deep.mkdir()
    at = os.open(deep, os.O_RDONLY)
    for _ in range(25):  # a path of more than 4096 bytes can exist, but not be named
        os.mkdir("n" * 200, dir_fd=at)
        at, before = os.open("n" * 200, os.O_RDONLY, dir_fd=at), at
        os.close(before)
    os.close(at)
    folders = walked(tmp_path)
    (problem,) = [problem for folder in folders for problem in folder.problems]
    assert problem.path.startswith(os.fsencode(deep))
    assert "cannot be listed: File name too long" in problem.detail
    assert [folder.path for folder in folders if not folder.whole] == [problem.path]
    assert found(tmp_path) == ["a.jpg", "z/b.jpg"]


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of somebody who is not the superuser, and the test run as that somebody."""
    with as_nobody() as root:
        yield root


def test_a_folder_without_permission_is_a_problem(nobodys: Path) -> None:
    """A folder that may not be read, or whose files may not be looked at, is told of once."""
    plant(nobodys, "closed/a.jpg", "listed/b.jpg", "listed/c.jpg", "open/d.jpg")
    (nobodys / "closed").chmod(0o000)
    (nobodys / "listed").chmod(0o400)
    folders = walked(nobodys)
    assert [folder.whole for folder in folders] == [True, False, False, True]
    assert [len(folder.files) for folder in folders] == [0, 0, 0, 1]
    assert ["Permission denied" in problem.detail for folder in folders for problem in folder.problems] == [True] * 2


def test_a_root_without_permission_is_a_problem(nobodys: Path) -> None:
    """A root that is there but cannot be reached is not called missing."""
    plant(nobodys, "closed/inner/a.jpg")
    (nobodys / "closed").chmod(0o000)
    (folder,) = walked(nobodys / "closed" / "inner")
    assert "Permission denied" in folder.problems[0].detail
    assert not folder.whole


def test_a_folder_whose_ignore_file_cannot_be_read_is_left_alone(nobodys: Path) -> None:
    """It may say that the folder is private, so nothing in it is taken."""
    plant(nobodys, "a/x.jpg", "a/.captionignore", "b/y.jpg")
    (nobodys / "a" / ".captionignore").chmod(0o000)
    folders = walked(nobodys)
    assert [(len(folder.files), len(folder.problems)) for folder in folders] == [(0, 0), (0, 1), (1, 0)]


def test_ten_thousand_files_in_one_folder(tmp_path: Path) -> None:
    """A flat folder is listed whole, sorted, and at a few hundred bytes a file."""
    for number in range(10_000):
        os.close(os.open(tmp_path / f"{number:05}.jpg", os.O_CREAT))
    tracemalloc.start()
    try:
        (folder,) = walked(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [base(file.path) for file in folder.files] == [b"%05d.jpg" % n for n in range(10_000)]
    assert peak < 10_000 * 700


def test_memory_does_not_grow_with_the_number_of_folders(tmp_path: Path) -> None:
    """What was yielded is not kept."""
    for number in range(300):
        (tmp_path / f"{number:03}").mkdir()
        for name in range(20):
            os.close(os.open(tmp_path / f"{number:03}" / f"{name}.jpg", os.O_CREAT))
    tracemalloc.start()
    try:
        count = sum(len(folder.files) for folder in walk([os.fsencode(tmp_path)], WalkOptions()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 6_000
    assert peak < 300_000


@pytest.mark.parametrize("stamp", [0, -1, 1_764_000_000 * 10**9, 2**63 - 1, 2**63, -(2**63) - 1, 2**70])
def test_a_time_of_a_file_fits_the_ledger(stamp: int) -> None:
    """Whatever year a file system tells; those that a clock can mean stay as they are."""
    kept = storable(stamp)
    assert -(2**63) <= kept < 2**63
    assert kept == stamp or not -(2**63) <= stamp < 2**63
