"""What happens to an archive between two runs costs no request; a table of cases, with embeddings and rows."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from indexer import Library
from indexer.domain.progress import Progress
from indexer.library.api import Seams
from indexer.pipeline import resolve
from indexer.table.encoder.onnx import Encoder
from search import Index
from tests.fakes.gemini import Emulator
from tests.support import hostile

PICTURES = 24
_SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>
<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"""


@dataclass(frozen=True, slots=True)
class World:
    """A folder of photos, the library that knows it, and the means to run over it again, counting."""

    photos: Path
    library: Path
    url: str
    embedded: list[str] = field(default_factory=list)

    def index(self, *roots: Path, **options: Any) -> Any:
        """Run over `roots` (the photos, when none is given) and return the report."""
        environ = {"GOOGLE_API_KEY": "test-key", "GOOGLE_GEMINI_BASE_URL": self.url, "CAPTIONARY_POLL_SECONDS": "0.05"}
        with Library.open(self.library, seams=Seams(environ=environ)) as library:
            asked = {"provider": "gemini", "workers": 0, "pilot": 0, "approve": True, **options}
            return library.index(roots or [self.photos], **asked)

    def rows(self) -> dict[str, str | None]:
        """What a search finds: path and description of every row."""
        hits = Index.open(self.library).search("", within="/", limit=0, collapse="none")
        return {hit.path: hit.description for hit in hits}

    def at(self, name: str) -> Path:
        """A place among the photos."""
        return self.photos / name


def photo(number: int, caption: str | None = None, **tags: object) -> bytes:
    """A small photo unlike the others; the words in it do not change its pixels."""
    image = Image.new("RGB", (64, 48), (number * 9 % 256, 255 - number * 7 % 256, number * 31 % 256))
    image.paste((255, 255, 255), (number * 2, 5, number * 2 + 9, 30))
    words = {0x10E: caption or f"caption of number {number}", 0x110: tags.get("camera", "Camera")}
    return hostile.with_segments(hostile.saved(image, "JPEG"), hostile.exif_segment(hostile.exif_tags(words)))


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One service for the module, whose jobs end at once."""
    with Emulator(tmp_path_factory.mktemp("emulator"), pending_seconds=0.0, running_seconds=0.0) as running:
        yield running


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, emulators: Emulator) -> World:
    """Two folders of a dozen photos, described by the service; kept as it is, cases work on a copy."""
    home = tmp_path_factory.mktemp("incremental")
    world = World(home / "now" / "photos", home / "now" / "library", emulators.url)
    for number in range(PICTURES):
        place = world.at(f"{'ab'[number % 2]}/img_{number:02}.jpg")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo(number))
    world.at("a/img_00.jpg").rename(world.at("a/caf\u00e9.jpg"))
    world.at("a/img_02.jpg").with_suffix(".xmp").write_text(_SIDECAR.format("from the sidecar"))
    report = world.index()
    assert (report.files.described, report.rows) == (PICTURES, PICTURES)
    shutil.copytree(home / "now", home / "kept")
    return world


@pytest.fixture
def world(original: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The archive as it was after its first run; `embedded` holds every document that is embedded from now on."""
    now = original.photos.parent
    shutil.rmtree(now)
    shutil.copytree(now.parent / "kept", now, copy_function=shutil.copy2)
    here = World(original.photos, original.library, original.url)
    encode = Encoder.encode

    def counted(encoder: Encoder, texts: Any, **options: Any) -> Any:
        parts = {text for text in texts if any(text != other and text in other for other in texts)}
        here.embedded.extend(text for text in texts if text not in parts)  # a document goes with its sentences
        return encode(encoder, texts, **options)

    monkeypatch.setattr(Encoder, "encode", counted)
    return here


def rename(old: str, new: str) -> Callable[[World], None]:
    """Give a file or folder another name."""

    def change(world: World) -> None:
        world.at(new).parent.mkdir(exist_ok=True)
        world.at(old).rename(world.at(new))

    return change


def write(name: str, data: bytes) -> Callable[[World], None]:
    """Put a file, new or over an old one."""
    return lambda world: void(world.at(name).write_bytes(data))


def void(_: object) -> None:
    """What a change returns."""


def copy(world: World) -> None:
    """A second place for the same bytes."""
    shutil.copy(world.at("a/img_06.jpg"), world.at("b/copy.jpg"))


def touch_all(world: World) -> None:
    """A backup that was restored without its times."""
    for place in world.photos.rglob("*.jpg"):
        os.utime(place, (1e9, 1e9))


def swap(world: World) -> None:
    """Two photos change names."""
    world.at("a/img_04.jpg").rename(world.at("third"))
    world.at("a/img_06.jpg").rename(world.at("a/img_04.jpg"))
    world.at("third").rename(world.at("a/img_06.jpg"))


def delete(count: int, folder: str = "*") -> Callable[[World], None]:
    """Delete so many photos."""

    def change(world: World) -> None:
        for place in sorted(world.photos.glob(f"{folder}/*.jpg"))[:count]:
            place.unlink()

    return change


def unplug(world: World) -> None:
    """The folder is gone, as when its drive is."""
    world.photos.rename(world.photos.with_name("elsewhere"))


def empty(world: World) -> None:
    """The mount point stands, nothing is mounted."""
    shutil.rmtree(world.photos)
    world.photos.mkdir()


@dataclass(frozen=True, slots=True)
class Case:
    """What happens, how often it is embedded, what the report says beside the 24 described photos, what is run over."""

    change: Callable[[World], None]
    embedded: int = 0
    files: Mapping[str, int] = field(default_factory=dict)
    rows: int = PICTURES
    roots: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "nothing": Case(lambda _: None),
    "rename": Case(rename("a/img_04.jpg", "a/new name.jpg"), files={"moved": 1}),
    "rename in case": Case(rename("a/img_04.jpg", "a/IMG_04.JPG"), files={"moved": 1}),
    "rename from NFC to NFD": Case(rename("a/caf\u00e9.jpg", "a/cafe\u0301.jpg"), files={"moved": 1}),
    "move": Case(rename("a/img_04.jpg", "c/img_04.jpg"), files={"moved": 1}),
    "move of a folder": Case(rename("a", "c"), files={"moved": 12}),
    "move of everything": Case(
        lambda world: (rename("a", "c")(world), rename("b", "d")(world))[0], files={"moved": 24}
    ),
    "copy": Case(copy, files={"new": 1, "duplicate": 1}, rows=25),
    "touched": Case(lambda world: os.utime(world.at("a/img_04.jpg"), (1e9, 1e9)), files={"changed": 1}),
    "restored over": Case(touch_all, files={"changed": 24}),
    "swapped names": Case(swap, files={"changed": 2}),
    "edited camera": Case(write("a/img_04.jpg", photo(4, camera="Another")), files={"changed": 1}),
    "edited caption": Case(write("a/img_04.jpg", photo(4, "edited by hand")), 1, files={"changed": 1}),
    "edited sidecar": Case(write("a/img_02.xmp", _SIDECAR.format("edited by hand").encode()), 1, files={"changed": 1}),
    "new sidecar": Case(write("a/img_04.xmp", _SIDECAR.format("written by hand").encode()), 1, files={"changed": 1}),
    "deleted": Case(delete(1), files={"deleted": 1}, rows=23),
    "deleted inside the PATHS": Case(delete(1, "a"), files={"deleted": 1}, rows=23, roots=("a",)),
    "deleted outside the PATHS": Case(delete(1, "a"), roots=("b",)),
    "half deleted": Case(delete(12), files={"deleted": 12}, rows=12),
    "over half lost": Case(delete(13), files={"offline": 13}),
    "over half deleted": Case(delete(13), files={"deleted": 13}, rows=11, options={"confirm_deleted": True}),
    "unplugged": Case(unplug, files={"offline": 24}),
    "emptied": Case(empty, files={"offline": 24}),
}
CHANGES = ("new", "changed", "moved", "deleted", "duplicate", "offline")


@pytest.mark.parametrize("name", CASES)
def test_what_happens_to_an_archive_costs_no_request(world: World, emulators: Emulator, name: str) -> None:
    """No request, as few embeddings as can be, and the rows are those of the files that are there or offline."""
    case, before, requests = CASES[name], world.rows(), emulators.books()["requests"]
    case.change(world)
    report = world.index(*(world.at(root) for root in case.roots), **case.options)
    assert emulators.books()["requests"] == requests
    assert len(world.embedded) == case.embedded, world.embedded
    counts = {kind: getattr(report.files, kind) for kind in CHANGES}
    assert counts == {kind: case.files.get(kind, 0) for kind in CHANGES}
    assert (report.files.pending, report.files.failed, report.requests.submitted) == (0, 0, 0)
    after = world.rows()
    assert len(after) == report.rows == case.rows
    stay = set(before) if "offline" in case.files or case.roots == ("b",) else set()
    assert set(after) == stay | {str(place) for place in world.photos.rglob("*.[jJ][pP][gG]")}
    kept = set(before.values()) if not case.embedded and case.rows >= PICTURES else set()
    assert kept <= set(after.values()), "no description was lost"


@pytest.mark.parametrize("name", CASES)
def test_counts_that_were_kept_are_those_that_are_counted(world: World, name: str) -> None:
    """Whatever happened to the archive, the next run's report is that of one that has to count anew."""
    CASES[name].change(world)
    world.index(**CASES[name].options)
    kept = world.index()
    with closing(sqlite3.connect(world.library / "ledger.sqlite3", isolation_level=None)) as ledger:
        assert ledger.execute("DELETE FROM kept_counts").rowcount
    assert world.index() == kept


def test_the_progress_of_reading_counts_bytes(tmp_path: Path) -> None:
    """Once some files were opened the total is known, of what is to be opened only, and the end is reached."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}.jpg").write_bytes(photo(number) + bytes(number))
    told: list[Progress] = []
    with Library.open(tmp_path / "library", progress=told.append, seams=Seams(environ={})) as library:
        library.index([folder / f"{number:03}.jpg" for number in range(20)], provider="local", workers=0)
        told.clear()
        library.index([folder], provider="local", workers=0)
    reading = [one for one in told if one.stage == "reading"]
    size = sum((folder / f"{number:03}.jpg").stat().st_size for number in range(20, 100))
    assert [one.total for one in reading] == [None] * 63 + [size] * 17
    assert (reading[-1].done, reading[-1].files, reading[-1].unit) == (size, 100, "B")


@pytest.mark.parametrize(("glob", "rows"), [("*", 0), ("a/", 12), ("img_04.jpg", 23)])
def test_what_is_left_out_now_leaves_the_search(world: World, emulators: Emulator, glob: str, rows: int) -> None:
    """A file that is there, but excluded, is no unplugged drive; taken in again it costs no request."""
    requests = emulators.books()["requests"]
    report = world.index(exclude=[glob])
    assert (report.rows, report.files.offline, report.files.deleted) == (rows, 0, PICTURES - rows)
    assert world.index().rows == PICTURES
    assert emulators.books()["requests"] == requests


def test_the_second_look_is_free_too(world: World, emulators: Emulator) -> None:
    """After a case was dealt with, the next run finds everything unchanged."""
    requests = emulators.books()["requests"]
    for change in (CASES["rename"].change, copy, write("a/img_08.jpg", photo(8, camera="Another")), delete(1, "b")):
        change(world)
    world.index()
    report = world.index()
    assert (report.files.unchanged, report.files.seen) == (24, 24)
    assert (world.embedded, emulators.books()["requests"]) == ([], requests)


@pytest.mark.parametrize("name", ["unplugged", "over half deleted"])
def test_what_comes_back_finds_its_descriptions(world: World, emulators: Emulator, name: str) -> None:
    """A drive plugged in again and a restored backup ask nothing; rows that never left are not embedded again."""
    before, requests = world.rows(), emulators.books()["requests"]
    kept = world.photos.parent / "backup"
    shutil.copytree(world.photos, kept)
    shutil.rmtree(world.photos) if name == "unplugged" else CASES[name].change(world)
    world.index(**CASES[name].options)
    shutil.rmtree(world.photos, ignore_errors=True)
    kept.rename(world.photos)
    report = world.index()
    assert (report.files.described, report.files.offline, report.rows) == (PICTURES, 0, PICTURES)
    assert world.rows() == before
    assert emulators.books()["requests"] == requests
    assert len(world.embedded) == (0 if name == "unplugged" else 13)


def test_a_second_root_of_the_same_photos_is_free(world: World, emulators: Emulator) -> None:
    """Another copy of the archive: rows of its own, no request, no embedding."""
    requests = emulators.books()["requests"]
    other = world.photos.with_name("other")
    shutil.copytree(world.photos, other)
    report = world.index(other)
    assert (report.files.seen, report.files.described, report.files.new, report.rows) == (24, 24, 24, 48)
    assert (world.embedded, emulators.books()["requests"]) == ([], requests)


def test_a_changed_decoder_asks_nothing_again(
    world: World, emulators: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were seen keep their photo under a later digest version: touched, renamed and copied ones too."""
    requests = emulators.books()["requests"]
    monkeypatch.setattr(resolve, "DIGEST_VERSION", resolve.DIGEST_VERSION + 1)
    touch_all(world)
    CASES["rename"].change(world)
    copy(world)
    report = world.index()
    assert (report.files.described, report.files.moved, report.rows) == (25, 1, 25)
    assert (world.embedded, emulators.books()["requests"]) == ([], requests)


def test_only_new_pixels_are_asked_and_embedded(world: World, emulators: Emulator) -> None:
    """The counters count: one photo more is one request."""
    before = emulators.books()["served"].get("batch", 0)
    world.at("a/more.jpg").write_bytes(photo(99))
    report = world.index()
    assert (report.requests.submitted, report.rows) == (1, 25)
    assert emulators.books()["served"]["batch"] == before + 1
    assert world.embedded
