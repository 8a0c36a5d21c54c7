"""What archives live through: turned photos, repaired disks, edits that leave no trace in size and time."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer import Library, MissingPath, UsageError
from indexer.ledger.photos.files import photo_id
from indexer.library.api import Report, Seams
from indexer.media.rendition_cache import Remembered, Spool
from indexer.media.versions import DIGEST_VERSION
from search import Index
from tests.fakes.gemini import Emulator
from tests.support import commands, hostile
from tests.support.commands import SAMPLES
from tests.support.nobody import as_nobody
from tests.support.virtual import opened

MODEL, SOFTWARE, DATE = 0x110, 0x131, 0x132


@dataclass(slots=True)
class Archive:
    """A folder of photos and the library that knows it; nothing of it costs money or opens a socket."""

    home: Path
    notes: list[str] = field(default_factory=list)

    @property
    def photos(self) -> Path:
        """The folder."""
        return self.home / "photos"

    def library(self) -> Library:
        """Open the library; its notes are kept."""
        return Library.open(self.home / "library", seams=Seams(environ={}), note=self.notes.append)

    def index(self, *roots: Path, **options: Any) -> Report:
        """Run over `roots`, the photos where none is given."""
        self.notes.clear()
        with self.library() as library:
            return library.index(list(roots) or [self.photos], **{"provider": "local", "workers": 0, **options})

    def put(self, name: str, content: bytes) -> Path:
        """Write a file among the photos."""
        path = self.photos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def found(self, within: Path | None = None) -> list[str]:
        """The paths that a search finds, by name below the archive's home."""
        index = Index.open(self.home / "library")
        hits = index.search("", within=within or "/", limit=0, collapse="none")
        return sorted(os.path.relpath(hit.path, self.home) for hit in hits)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """A new one, empty."""
    return Archive(tmp_path)


def picture(number: int = 0, size: tuple[int, int] = (96, 72), **tags: Any) -> bytes:
    """A photo unlike the others; its EXIF tags do not change its pixels."""
    image = Image.new("RGB", size, (number * 40 % 256, 255 - number * 30 % 256, number * 90 % 256))
    image.paste((255, 255, 255), (5, 5, 20 + number, 12))
    return hostile.with_segments(hostile.saved(image, "JPEG"), _exif({int(k[1:], 16): v for k, v in tags.items()}))


def _exif(words: dict[int, Any]) -> bytes:
    return hostile.exif_segment(hostile.exif_tags({MODEL: "Camera", **words}))


def quietly(path: Path, content: bytes) -> None:
    """Write other bytes so that size and mtime stay: only the inode's own time tells."""
    before = path.stat()
    assert before.st_size == len(content)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("turn", [5, 6])
def test_a_photo_turned_by_its_flag_keeps_its_answer(archive: Archive, turn: int) -> None:
    """Same encoded pixels, same photo: nothing is asked, and the search finds it as before; back again as well."""
    path = archive.put("a.jpg", picture(1))
    archive.index()
    before = Index.open(archive.home / "library").to_arrow(["photo", "description"]).to_pylist()
    path.write_bytes(picture(1, x112=turn))
    turned = archive.index()
    assert Index.open(archive.home / "library").to_arrow(["photo", "description"]).to_pylist() == before
    path.write_bytes(picture(1, x112=1))
    back = archive.index()
    assert [run.requests.submitted for run in (turned, back)] == [0, 0]
    assert [run.files.described for run in (turned, back)] == [1, 1]


@pytest.mark.parametrize(("first", "then"), [(1, 6), (6, 1), (5, 8)])
@pytest.mark.parametrize("kept", [False, True], ids=["moved", "copied"])
def test_a_photo_turned_by_its_flag_elsewhere_keeps_its_answer(
    archive: Archive, first: int, then: int, kept: bool
) -> None:
    """The same encoded pixels under another name, in other bytes: one photo, for which nothing is asked."""
    path = archive.put("a.jpg", picture(1, x112=first))
    archive.index()
    before = Index.open(archive.home / "library").to_arrow(["photo"]).to_pylist()
    archive.put("trip/b.jpg", picture(1, x112=then))
    if not kept:
        path.unlink()
    report = archive.index()
    assert (report.requests.submitted, report.files.moved, report.files.described) == (0, not kept, 1 + kept)
    assert Index.open(archive.home / "library").to_arrow(["photo"]).to_pylist() == before * (1 + kept)


def test_another_picture_at_the_path_is_another_photo(archive: Archive) -> None:
    """Only the same pixels keep their answer."""
    archive.put("a.jpg", picture(1))
    archive.index()
    archive.put("a.jpg", picture(2))
    assert archive.index().requests.submitted == 1


def raise_limit(archive: Archive) -> dict[str, Any]:
    """The first run allows few pixels."""
    return {"max_pixels": 1000}


def fill_zeros(archive: Archive) -> dict[str, Any]:
    """A card reader that wrote the file's length first and its bytes later, with the time of the original."""
    archive.put("a.jpg", bytes(len(picture(1))))
    return {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (raise_limit, lambda _: None),
        (fill_zeros, lambda archive: quietly(archive.photos / "a.jpg", picture(1))),
    ],
    ids=["raised limit", "filled later"],
)
@pytest.mark.parametrize("again", ["index", "retry"])
def test_what_failed_is_looked_at_again_when_its_grounds_have_changed(
    archive: Archive, before: Callable[[Archive], dict[str, Any]], after: Callable[[Archive], None], again: str
) -> None:
    """Both `index` and `retry` see that a limit was raised, or bytes written."""
    archive.put("a.jpg", picture(1))
    assert archive.index(**before(archive)).files.failed == 1
    after(archive)
    with archive.library() as library:
        report = archive.index() if again == "index" else library.retry()
    assert (report.files.described, report.files.failed) == (1, 0)
    assert archive.found() == ["photos/a.jpg"]


def test_a_granted_permission_is_noticed() -> None:
    """`chmod` changes neither size nor mtime."""
    with as_nobody() as home:
        archive = Archive(home)
        path = archive.put("a.jpg", picture(1))
        path.chmod(0)
        assert archive.index().files.failed == 1
        path.chmod(0o644)
        assert archive.index().files.described == 1


def test_a_failure_whose_grounds_hold_is_not_looked_at_again(archive: Archive) -> None:
    """A broken file is opened once, not in every run; `retry --only` opens it all the same."""
    archive.put("a.jpg", picture(1)[:400])
    archive.index()
    seen: list[int] = []
    with Library.open(
        archive.home / "library", seams=Seams(environ={}), progress=lambda told: seen.append(told.files)
    ) as library:
        library.index([archive.photos], provider="local", workers=0)
        assert not any(seen)
        library.retry(only="unreadable")
    assert any(seen)


def test_an_edit_that_keeps_size_and_time_is_read(archive: Archive) -> None:
    """`exiftool -P` writes other words and puts the time back; nothing is asked, the words are found."""
    path = archive.put("a.jpg", picture(1, x10e="Oma im Garten"))
    archive.index()
    quietly(path, picture(1, x10e="Opa am Strand"))
    report = archive.index()
    assert (report.requests.submitted, report.files.changed) == (0, 1)
    assert Index.open(archive.home / "library").search("strand", min_score=0)


def test_reread_opens_what_looks_unchanged(archive: Archive) -> None:
    """For what no stamp tells: a sidecar behind a network, a clock that was wrong."""
    archive.put("a.jpg", picture(1))
    archive.index()
    seen: list[int] = []
    with Library.open(
        archive.home / "library", seams=Seams(environ={}), progress=lambda told: seen.append(told.files)
    ) as library:
        report = library.index([archive.photos], provider="local", workers=0, reread=True)
    assert (report.files.unchanged, report.requests.submitted, max(seen)) == (1, 0, 1)


def test_icons_and_drawings_are_a_count_and_not_failures(archive: Archive) -> None:
    """They make no exit 4 for ever; --min-side 0 takes small pictures in, and what it took in stays."""
    archive.put("a.jpg", picture(1))
    archive.put("icon.png", hostile.saved(Image.new("RGB", (16, 16), (9, 9, 200)), "PNG"))
    archive.put("favicon.ico", b"\0\0\1\0" + bytes(64))
    for name in ("drawing.svg", "old.pcx", "texture.tga"):
        archive.put(name, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    report = archive.index()
    assert (report.files.seen, report.files.failed, report.files.ignored, report.exit_code) == (1, 0, 5, 0)
    assert any("drawings and icons" in note and note.endswith(": 4") for note in archive.notes)
    assert any("smaller than 64 pixels" in note and note.endswith(": 1") for note in archive.notes)
    assert archive.index(min_side=0).files.seen == 2
    assert archive.index(min_side=0).requests.submitted == 0


def test_a_dry_run_changes_nothing_that_anyone_can_see(archive: Archive) -> None:
    """Not the search, not the counts, not the books; what it decoded is not decoded again all the same."""
    for number in range(4):
        archive.put(f"{number}.jpg", picture(number))
    archive.index()
    before, found = _seen(archive), archive.found()
    archive.put("new.jpg", picture(5))
    archive.put("0.jpg", picture(6))
    (archive.photos / "1.jpg").unlink()
    with archive.library() as library:
        plan = library.plan([archive.photos], provider="local", workers=0, exclude=["2*"])
        assert (plan.files, plan.new) == (3, 2)
        library.quote([archive.photos])
    assert (_seen(archive), archive.found()) == (before, found)
    cache = archive.home / "library/batches/renditions.sqlite3"
    sha256 = hashlib.sha256(picture(5)).hexdigest()
    kept = Remembered(cache).get(sha256)
    assert kept
    Spool(cache).remember([(sha256, photo_id(kept, DIGEST_VERSION), replace(kept, note="remembered"))])
    assert archive.index().requests.submitted == 2
    with sqlite3.connect(archive.home / "library/ledger.sqlite3") as ledger:
        assert ledger.execute("SELECT count(*) FROM photos WHERE note = 'remembered'").fetchone() == (1,)


def _seen(archive: Archive) -> dict[str, list[Any]]:
    """Everything that the ledger knows."""
    with sqlite3.connect(archive.home / "library/ledger.sqlite3") as ledger:
        tables = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(ledger.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def test_a_root_that_moved_is_shown_where_it_is(archive: Archive) -> None:
    """After /a became /b and /b was indexed, no dead path is printed, and nothing is asked again."""
    for number in range(3):
        archive.put(f"{number}.jpg", picture(number))
    archive.index()
    moved = archive.photos.rename(archive.home / "b")
    report = archive.index(moved)
    assert (report.files.moved, report.requests.submitted) == (3, 0)
    assert archive.found() == ["b/0.jpg", "b/1.jpg", "b/2.jpg"]


def test_a_folder_that_moved_out_of_its_root_is_followed(archive: Archive) -> None:
    """Only the new place is indexed; what lies elsewhere in the old root stays."""
    archive.put("stays.jpg", picture(1))
    archive.put("trip/goes.jpg", picture(2))
    archive.index()
    moved = (archive.photos / "trip").rename(archive.home / "trip")
    archive.index(moved)
    assert archive.found() == ["photos/stays.jpg", "trip/goes.jpg"]


def test_an_offline_path_never_wins_over_a_living_copy(archive: Archive) -> None:
    """While a drive is away its copy is shown alone; what has no copy is shown as offline; back again, all are."""
    archive.put("both.jpg", picture(1))
    archive.put("only.jpg", picture(2))
    archive.index()
    backup = archive.home / "backup"
    backup.mkdir()
    (backup / "both.jpg").write_bytes(picture(1))
    archive.index(backup)
    assert archive.found() == ["backup/both.jpg", "photos/both.jpg", "photos/only.jpg"]
    with sqlite3.connect(archive.home / "library/ledger.sqlite3") as ledger:  # as if it were another drive
        ledger.execute("UPDATE roots SET device = 4711 WHERE path = ?", (os.fsencode(archive.photos),))
    away = archive.photos.rename(archive.home / "away")
    report = archive.index(backup)
    assert any("is not there: 2 of its files are marked offline" in note for note in archive.notes)
    assert (report.files.unchanged, report.files.offline) == (1, 0)
    assert archive.found() == ["backup/both.jpg", "photos/only.jpg"]
    (only,) = Index.open(archive.home / "library").search("", within=archive.photos)
    assert only.offline
    assert only.to_dict()["offline"] is True
    away.rename(archive.photos)
    archive.index()
    assert archive.found() == ["backup/both.jpg", "photos/both.jpg", "photos/only.jpg"]


def test_confirm_deleted_works_in_the_run_that_the_note_asks_for(archive: Archive) -> None:
    """First they are offline, then somebody says that they are deleted."""
    for number in range(3):
        archive.put(f"{number}.jpg", picture(number))
    archive.index()
    for path in archive.photos.iterdir():
        path.unlink()
    assert archive.index().files.offline == 3
    assert any("--confirm-deleted" in note for note in archive.notes)
    report = archive.index(confirm_deleted=True)
    assert (report.files.deleted, report.files.offline, report.rows) == (3, 0, 0)


@pytest.mark.parametrize("indexed", [False, True], ids=["unknown there", "indexed there already"])
def test_relocate_says_once_where_a_folder_lies_now(archive: Archive, indexed: bool) -> None:
    """Nothing is read or asked again, and the old paths are forgotten; the next run finds all unchanged."""
    for number in range(3):
        archive.put(f"{number}.jpg", picture(number))
    archive.put("broken.jpg", b"\xff\xd8\xff nothing")
    archive.index()
    moved = archive.photos.rename(archive.home / "new place")
    if indexed:
        archive.index(moved)
    else:
        with archive.library() as library:
            assert library.relocate(archive.photos, moved) == 4
    assert archive.found() == ["new place/0.jpg", "new place/1.jpg", "new place/2.jpg"]
    report = archive.index(moved)
    assert (report.files.unchanged, report.files.failed, report.requests.submitted) == (4, 1, 0)
    with archive.library() as library, pytest.raises(MissingPath):
        library.relocate(archive.home / "nowhere", moved)


def test_a_failure_that_was_dismissed_no_longer_counts(archive: Archive) -> None:
    """It is left out, not failed, until its file changes or the dismissal is taken back."""
    path = archive.put("broken.jpg", b"\xff\xd8\xff nothing")
    archive.put("a.jpg", picture(1))
    assert archive.index().exit_code == 4
    with archive.library() as library:
        assert library.dismiss([path]) == 1
        assert library.failures() == []
    report = archive.index()
    assert (report.exit_code, report.files.seen, report.files.failed, report.files.ignored) == (0, 1, 0, 1)
    with archive.library() as library:
        assert library.dismiss([archive.photos], undo=True) == 1
        assert library.status().files.failed == 1
        library.dismiss([archive.photos])
        with pytest.raises(UsageError):
            library.dismiss([archive.photos / "a.jpg"])
    path.write_bytes(b"\xff\xd8\xff something else")
    assert archive.index().files.failed == 1


def test_previews_of_photo_programs_are_no_photos(archive: Archive) -> None:
    """Of a catalogue only its originals are read; a folder that is named by hand is wanted all the same."""
    wanted = ["X.photoslibrary/originals/5/a.jpeg", "Old.aplibrary/Masters/2009/b.jpg", "C.cocatalog/Originals/c.jpg"]
    previews = [
        *("X.photoslibrary/resources/derivatives/5/a_1.jpeg", "X.photoslibrary/scopes/d.jpg"),
        *("Previews.lrdata/9/9ABC/9ABC-1-512", "Catalog.lrcat-data/1/a.jpg", "Old.aplibrary/Previews/b.jpg"),
        *("Shoot/CaptureOne/Cache/Proxies/a.jpg", "C.cocatalog/Cache/c.jpg", "darktable/mipmaps-0a1b.d/0/1.jpg"),
        *(".thumbnails/a.jpg", "album/.dtrash/files/gone.jpg"),
    ]
    for number, name in enumerate([*wanted, *previews]):
        archive.put(name, picture(number))
    archive.index(hidden=True)
    assert archive.found() == sorted(f"photos/{name}" for name in wanted)
    assert archive.index(archive.photos / "Previews.lrdata").files.seen == 1


def test_a_listed_path_that_vanished_is_told_and_the_rest_goes_on(archive: Archive) -> None:
    """One file that went away between `find` and `index` stops nothing; one that was known is let go."""
    paths = [archive.put(f"{number}.jpg", picture(number)) for number in range(3)]
    listed = archive.home / "list.txt"
    listed.write_text("\r\n".join(map(str, [*paths, archive.photos / "never.jpg"])), "utf-16")
    asked = ["--library", archive.home / "library", "--files-from", listed, "--provider", "local", "--json"]
    done = commands.index(*asked)
    assert (done.code, done.json["files"]["described"]) == (0, 3)
    assert "in the list, but not there" in done.err
    assert "never.jpg" in done.err
    paths[0].unlink()
    done = commands.index(*asked)
    assert (done.code, done.json["files"]["offline"]) == (0, 1)


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 130, "hung up")]
)
def test_whoever_ends_a_run_gets_a_word_and_loses_nothing(
    archive: Archive, number: signal.Signals, code: int, word: str
) -> None:
    """What was read is in the ledger, although fewer files than a commit holds were read."""
    large = picture(1, (4400, 3300))
    for place in range(250):
        archive.put(f"{place:03}.jpg", large + bytes([place]))
    command = [Path(sys.executable).with_name("index"), "--library", archive.home / "library", archive.photos]
    asked = [*command, "--provider", "local", "--workers", "1"]
    before = signal.signal(number, signal.SIG_DFL)  # under nohup, a run is not hung up on
    with subprocess.Popen(asked, stderr=subprocess.PIPE, env=commands.environment()) as run:
        signal.signal(number, before)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not _count(archive, "files"):
            time.sleep(0.05)
        run.send_signal(number)
        told = run.communicate(timeout=60)[1].decode()
    assert run.returncode == code
    assert f"index: {word}" in told
    assert "Traceback" not in told
    assert 0 < _count(archive, "files") < 250


def _count(archive: Archive, table: str) -> int:
    path = archive.home / "library/ledger.sqlite3"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as ledger:
        try:
            return int(ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_a_raw_file_is_used_while_its_twin_is_broken(archive: Archive) -> None:
    """The pair is one photo: the JPEG where it can be read, else the RAW file, and the JPEG again when it is whole."""
    preview = hostile.saved(hostile.scene((640, 480)), "JPEG", quality=95)
    raw = archive.put("a.nef", hostile.raw_file(preview))
    twin = archive.put("a.jpg", picture(1)[:300])
    for run in ("first", "second"):
        report = archive.index()
        assert (report.files.described, report.files.failed, report.files.ignored) == (1, 1, 0), run
        assert archive.found() == ["photos/a.nef"]
    raw.touch()
    twin.write_bytes(picture(1))
    report = archive.index()
    assert (report.files.described, report.files.failed, report.files.ignored) == (1, 0, 1)
    assert archive.found() == ["photos/a.jpg"]
    twin.write_bytes(picture(1)[:300])
    assert archive.index().requests.submitted == 0
    assert archive.found() == ["photos/a.jpg", "photos/a.nef"]


def test_a_folder_is_found_in_either_spelling_of_its_accents(archive: Archive) -> None:
    """A name that one system writes in one character, another in two, is one name to a person."""
    archive.put("cafe\u0301/a.jpg", picture(1))
    archive.index()
    typed = archive.photos / "caf\u00e9"
    assert archive.found(typed) == ["photos/cafe\u0301/a.jpg"]
    with archive.library() as library:
        assert library.forget([typed], confirm=True).paths == 1


def test_two_copies_of_a_library_say_so(archive: Archive) -> None:
    """Once, when the copy is first written; a library that was moved is none."""
    archive.put("a.jpg", picture(1))
    archive.index()
    library = archive.home / "library"
    kept = library.rename(archive.home / "moved")
    shutil.copytree(kept, library)
    kept.rename(archive.home / "third")
    archive.index()
    assert not any("is a copy of" in note for note in archive.notes)
    library.rename(archive.home / "first")
    shutil.copytree(archive.home / "first", library)
    with Library.open(archive.home / "first", seams=Seams(environ={}), note=archive.notes.append) as first:
        first.rebuild()
    shutil.rmtree(library)
    shutil.copytree(archive.home / "first", library)
    archive.index()
    assert any("is a copy of" in note and "first" in note for note in archive.notes)
    archive.index()
    assert not any("is a copy of" in note for note in archive.notes)


def test_a_copy_serves_somebody_who_may_not_see_the_first(archive: Archive) -> None:
    """Library and photos of another person, copied: what lies at the old places is offline, until it is relocated."""
    archive.put("a.jpg", picture(1))
    archive.put("b.jpg", picture(2))
    archive.index()
    photos = archive.home / "photos"
    with as_nobody(archive.home / "library", photos) as place, Library.open(place / "library") as library:
        files = library.index([place / "photos"], provider="local", workers=0).files
        assert (files.described, files.failed) == (2, 0)
        library.relocate(photos, place / "photos")
        shown = Index.open(place / "library").to_arrow(["path"])["path"].to_pylist()
        assert {Path(path).parent for path in shown} == {place / "photos"}


def test_a_copy_is_told_of_the_jobs_of_the_other(tmp_path: Path, emulator: Emulator) -> None:
    """What the library that it was copied from has at the service, before the copy sends the same."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in SAMPLES.glob("*.jpg"):
        shutil.copy(path, photos)
    first, second = tmp_path / "first", tmp_path / "second"
    with Library.open(first, seams=Seams(environ={})) as held:
        held.index([photos], provider="local", workers=0)
    shutil.copytree(first, second)
    with opened(first, emulator) as held:
        report = held.index([photos], provider="gemini", approve=True, pilot=0, wait=False, workers=0)
    assert report.requests.submitted == 11
    notes: list[str] = []
    with Library.open(second, seams=Seams(environ={}), note=notes.append) as copy:
        copy.rebuild()
    assert any("is a copy of" in note and "1 with 11 photos are out now" in note for note in notes), notes


def test_everything_that_is_left_out_is_counted(archive: Archive) -> None:
    """Sidecars, hidden and excluded files, RAW files of a pair; `status` tells the same."""
    for name in ("a.jpg", "a.cr2", "b.jpg", ".hidden.jpg", "c.jpg"):
        archive.put(name, picture(len(name)))
    archive.put("a.xmp", b"<x/>")
    archive.put("notes.txt", b"words")
    report = archive.index(exclude=["c.jpg"])
    assert (report.files.seen, report.files.ignored) == (2, 5)
    with archive.library() as library:
        assert library.status().files.ignored == 5
    (archive.photos / ".hidden.jpg").unlink()
    assert archive.index().files.ignored == 3
