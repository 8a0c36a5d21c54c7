"""The library for other programs: what comes out is what was said, and nothing of a person's is overwritten."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from PIL import Image
from pyarrow import parquet

from indexer import Library
from indexer.domain.errors import LibraryError, Unwritable, UsageError
from indexer.export.rows import COLUMNS
from indexer.media.metadata import read_facts
from tests.export.test_sidecar import TEXTS, alt, as_persons
from tests.fakes.gemini import Emulator
from tests.media.test_metadata import BOMB, array, packet
from tests.support import hostile
from tests.support.commands import index
from tests.support.virtual import opened

ROWS = ("jsonl", "csv", "parquet")
EXIF = hostile.exif_tags(
    {0x10F: "Canon", 0x110: "Canon EOS 5D"},
    {0x9003: "2016:08:09 21:30:15", 0xA434: "EF 50mm"},
    {1: "S", 2: (33.0, 30.0, 0.0), 3: "E", 4: (70.0, 30.0, 0.0)},
)
WORDS = packet(alt("Rex und Bello") + array("dc:subject", "Rex", "Ferien"), "xmp:Rating='-1' photoshop:City='Lyon'")
PLAIN, OURS, OTHER = "plain.jpg", "sub/rex & bello.jpg", "sub/\u72ac  2.png"


@dataclass(frozen=True, slots=True)
class World:
    """Three photos, and the library that knows them."""

    photos: Path
    folder: Path

    @property
    def library(self) -> Library:
        """The library, opened."""
        return Library.open(self.folder)

    def at(self, name: str) -> Path:
        """A place among the photos."""
        return self.photos / name

    def index(self) -> Any:
        """Index the photos again."""
        return self.library.index([self.photos], provider="local", workers=0)

    def answer(self, name: str, description: str, tags: Sequence[str] = (), **columns: Any) -> None:
        """Let the answer about a photo be another one."""
        said = {"description": description, "tags": json.dumps(list(tags)), **columns}
        with closing(sqlite3.connect(self.folder / "ledger.sqlite3")) as ledger, ledger:
            ledger.execute(
                f"UPDATE answers SET {', '.join(f'{column} = ?' for column in said)}"
                " WHERE photo = (SELECT photo FROM files WHERE path = ?)",
                (*said.values(), os.fsencode(self.at(name))),
            )

    def rows(self, kind: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Export rows, and read them again by the name of the photo."""
        target = self.folder.parent / f"rows.{kind}"
        target.unlink(missing_ok=True)
        done = self.library.export(kind, target, **options)
        found = read(target)
        assert done.photos == done.written == len(found)
        return {os.path.relpath(row["path"], self.photos): row for row in found}


def read(path: Path) -> list[dict[str, Any]]:
    """Read rows as somebody else would."""
    if path.suffix == ".parquet":
        return list(parquet.read_table(path).to_pylist())
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream)) if path.suffix == ".csv" else [json.loads(line) for line in stream]


def picture(colour: int, kind: str = "JPEG") -> bytes:
    """A small picture unlike the others."""
    image = Image.new("RGB", (64, 48), (colour, 255 - colour, 128))
    image.paste((255, 255, 255), (colour // 8, 5, colour // 8 + 9, 30))
    return hostile.saved(image, kind)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Indexed once; kept as it was, tests work on a copy at the same place."""
    home = tmp_path_factory.mktemp("export")
    world = World(home / "now" / "photos", home / "now" / "library")
    world.at("sub").mkdir(parents=True)
    world.at(PLAIN).write_bytes(picture(10))
    written = hostile.exif_segment(EXIF), hostile.xmp_segment(WORDS)
    world.at(OURS).write_bytes(hostile.with_segments(picture(90), *written))
    world.at(OTHER).write_bytes(picture(200, "PNG"))
    world.at("notes.txt").write_text("no picture")
    assert world.index().rows == 3
    for number, name in enumerate((PLAIN, OURS, OTHER)):
        world.answer(
            name, f"Picture {number}.", ("dog", f"tag {number}"), visible_text="EXIT", fields='{"mood":"calm"}'
        )
    shutil.copytree(home / "now", home / "kept")
    return world


@pytest.fixture
def world(original: World) -> World:
    """The photos and their library as they were."""
    now = original.photos.parent
    shutil.rmtree(now)
    shutil.copytree(now.parent / "kept", now, copy_function=shutil.copy2)
    return original


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_holds_what_is_known_of_a_photo(world: World, kind: str) -> None:
    """Facts, the answer, and who gave it; types stay types where the format has any."""
    rows = world.rows(kind)
    assert list(rows) == [PLAIN, OURS, OTHER]
    row = rows[OURS]
    assert tuple(row) == COLUMNS
    flat = kind == "csv"
    moment = "2016-08-09T21:30:15" if kind != "parquet" else datetime(2016, 8, 9, 21, 30, 15)
    expected: dict[str, Any] = {
        "path": str(world.at(OURS)),
        "description": "Picture 1.",
        "tags": '["dog", "tag 1"]' if flat else ["dog", "tag 1"],
        "visible_text": "EXIT",
        "fields": {"mood": "calm"} if kind == "jsonl" else '{"mood":"calm"}',
        "caption": "Rex und Bello",
        "keywords": '["Rex", "Ferien"]' if flat else ["Rex", "Ferien"],
        "taken_at": moment,
        "camera": "Canon EOS 5D",
        "lens": "EF 50mm",
        "place": "Lyon",
        "latitude": "-33.5" if flat else -33.5,
        "longitude": "70.5" if flat else 70.5,
        "rating": "-1" if flat else -1,
        "width": "64" if flat else 64,
        "height": "48" if flat else 48,
        "provider": "local",
        "model": "pixels-1",
    }
    assert {name: row[name] for name in expected} == expected
    assert len(row["prompt_version"]) == 12
    answered = row["answered_at"]
    answered = answered if kind == "parquet" else datetime.fromisoformat(answered)
    assert abs((datetime.now(UTC) - answered).total_seconds()) < 3600
    assert (rows[PLAIN]["caption"] or None, rows[PLAIN]["latitude"] or None) == (None, None)


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("text", TEXTS)
def test_text_of_any_script_comes_out_as_it_went_in(world: World, kind: str, text: str) -> None:
    """Only a table of cells puts it on one line; tags are in plain spelling, as everywhere."""
    world.answer(PLAIN, text, (text,))
    row = world.rows(kind)[PLAIN]
    line = " ".join(text.split())
    assert row["description"].replace("\\u200d", "\u200d") == (line if kind == "csv" else text)
    assert (json.loads(row["tags"]) if kind == "csv" else row["tags"]) == [normalize("NFC", line.lower())]


@pytest.mark.parametrize("text", ["=1+1", " +cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "＝1", "\t=1"])
def test_a_cell_is_never_a_formula(world: World, text: str) -> None:
    """What a spreadsheet would compute starts with a quote; the other formats hold it as it is."""
    world.answer(PLAIN, text, (text, "b"))
    row = world.rows("csv")[PLAIN]
    assert row["description"] == f"'{text.strip()}"
    assert json.loads(row["tags"]) == [text.strip().lower(), "b"]
    assert world.rows("jsonl")[PLAIN]["description"] == text


def test_a_terminal_obeys_no_row(world: World) -> None:
    """No escape sequence gets into a text that somebody may print."""
    world.answer(PLAIN, "a\x1b[31mred \u202eback")
    for kind in ("jsonl", "csv"):
        target = world.folder.parent / f"rows.{kind}"
        world.library.export(kind, target)
        assert not {"\x1b", "\u202e"} & set(target.read_text())
        target.unlink()


def test_only_what_is_there_and_asked_for_is_exported(world: World) -> None:
    """Below a folder, or one file; what was deleted is gone, what lies on a drive that is away is told."""
    assert list(world.rows("csv", paths=[world.at("sub")])) == [OURS, OTHER]
    assert list(world.rows("csv", paths=[world.at(PLAIN)])) == [PLAIN]
    world.at(OTHER).unlink()
    world.index()
    assert list(world.rows("jsonl")) == [PLAIN, OURS]
    world.photos.rename(world.photos.with_name("elsewhere"))
    world.photos.mkdir()
    world.index()
    done = world.library.export("csv", world.folder.parent / "none.csv")
    assert (done.photos, done.notes) == (0, ("photos left out because their drive is not there: 2",))
    assert read(world.folder.parent / "none.csv") == []


def test_a_better_answer_is_the_one_exported(world: World) -> None:
    """Of several answers the best is taken, as in the search."""
    with closing(sqlite3.connect(world.folder / "ledger.sqlite3")) as ledger, ledger:
        columns = "photo, question, campaign, mode, state, attempts, given, renewing, reason, detail"
        ledger.execute(
            "INSERT INTO questions SELECT 99, 'gemini', 'm', prompt_version, schema_version, '' FROM questions"
        )
        ledger.execute(
            f"INSERT INTO works (key, {columns}) SELECT 'better' || key, {columns.replace('question', '99')} FROM works"
        )
        ledger.execute(
            "INSERT INTO answers SELECT 'better' || work, photo, 99, 'gemini', 50, 'm', 'Better.', tags, visible_text,"
            " fields, answered_at - 9, given FROM answers"
        )
    assert {(row["description"], row["provider"]) for row in world.rows("jsonl").values()} == {("Better.", "gemini")}


@pytest.mark.parametrize(
    ("kind", "to", "message"),
    [
        *((kind, "photos/plain.jpg", "nothing is replaced") for kind in ROWS),
        ("csv", "photos", "is a folder"),
        ("csv", "nowhere/rows.csv", "no folder"),
        ("xmp", "photos/plain.jpg", "not a folder"),
        ("yaml", "rows.yaml", "nothing is exported as 'yaml'"),
        ("csv", "s3://bucket/rows.csv", "not supported"),
    ],
)
def test_what_is_in_the_way_is_not_replaced(world: World, kind: str, to: str, message: str) -> None:
    """A usage error says what to do, and every file is as it was."""
    before = {path: path.read_bytes() for path in world.photos.rglob("*") if path.is_file()}
    target = to if "://" in to else world.folder.parent / to
    with pytest.raises(UsageError, match=message) as caught:
        world.library.export(kind, target)
    assert caught.value.hint
    assert {path: path.read_bytes() for path in world.photos.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ROWS)
def test_an_export_is_whole_or_not_at_all(world: World, kind: str) -> None:
    """What breaks in the middle leaves no file, and no part of one."""
    world.answer(OTHER, "x", tags=[])
    with closing(sqlite3.connect(world.folder / "ledger.sqlite3")) as ledger, ledger:
        ledger.execute("UPDATE answers SET tags = '[' WHERE description = 'x'")
    with pytest.raises(LibraryError, match="damaged"):
        world.library.export(kind, world.folder.parent / f"rows.{kind}")
    assert sorted(path.name for path in world.folder.parent.iterdir()) == ["library", "photos"]


def test_a_disk_that_refuses_is_one_line(world: World) -> None:
    """What cannot be written ends the export; of sidecars it is told, and the others are written."""
    with pytest.raises(Unwritable, match="cannot be written: File name too long") as caught:
        world.library.export("csv", world.folder.parent / ("x" * 252 + ".csv"))
    assert caught.value.hint
    world.at(PLAIN).rename(world.at("x" * 250 + ".jpg"))
    world.index()
    done = world.library.export("xmp", world.photos)
    assert (done.photos, done.failed) == (2, 1)
    assert "File name too long" in "".join(kept.why for kept in done.kept)


def test_neither_table_nor_text_model_is_loaded(world: World) -> None:
    """The ledger is enough; pyarrow is for Parquet alone."""
    code = """
import sys
from indexer import Library
for kind in ("jsonl", "csv", "xmp"):
    Library.open(sys.argv[1]).export(kind, f"{sys.argv[2]}.{kind}")
print(*{"lancedb", "lance", "pyarrow", "torch", "onnxruntime", "numpy", "google.genai"} & set(sys.modules))
Library.open(sys.argv[1]).export("parquet", f"{sys.argv[2]}.parquet")
print(*{"lancedb", "lance", "torch", "onnxruntime", "google.genai"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code, str(world.folder), str(world.folder.parent / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


def sidecars(folder: Path) -> dict[str, bytes]:
    """All sidecars below a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.xmp"))}


def test_sidecars_lie_beside_the_photos(world: World) -> None:
    """With the photos' own folder as target; a person's caption stands, our tags come after the keywords."""
    done = world.library.export("xmp", world.photos)
    assert (done.photos, done.written, done.failed) == (3, 3, 0)
    assert [(kept.path, kept.why) for kept in done.kept] == [
        (str(world.at(OURS)), "described by a person, whose words stay")
    ]
    found = {name: as_persons(content) for name, content in sidecars(world.photos).items()}
    assert list(found) == [f"{PLAIN}.xmp", f"{OURS}.xmp", f"{OTHER}.xmp"]
    assert [claims.caption for claims in found.values()] == ["Picture 0.", "", "Picture 2."]
    assert found[f"{OURS}.xmp"].keywords == ("Rex", "Ferien", "dog", "tag 1")


@pytest.mark.parametrize("inside", [True, False])
def test_any_other_folder_gets_a_mirror_of_the_tree(world: World, inside: bool) -> None:
    """Made when it is not there; what is asked for does not change where a sidecar lies."""
    target = (world.photos if inside else world.folder.parent) / "new" / "sidecars"
    assert world.library.export("xmp", target, [world.at("sub")]).written == 2
    assert list(sidecars(target)) == [f"{OURS}.xmp", f"{OTHER}.xmp"]
    assert world.library.export("xmp", target).written == 1
    assert list(sidecars(target)) == [f"{PLAIN}.xmp", f"{OURS}.xmp", f"{OTHER}.xmp"]
    assert len(sidecars(world.photos)) == (3 if inside else 0)


def test_the_tree_of_two_roots_is_that_of_their_common_folder(world: World) -> None:
    """Two folders with files of one name do not meet."""
    second = world.folder.parent / "second" / PLAIN
    second.parent.mkdir()
    second.write_bytes(picture(40))
    world.library.index([second.parent], provider="local", workers=0)
    world.library.export("xmp", world.folder.parent / "out")
    assert {f"photos/{PLAIN}.xmp", f"second/{PLAIN}.xmp"} < set(sidecars(world.folder.parent / "out"))


def test_a_part_of_the_photos_gets_sidecars_for_itself(world: World) -> None:
    """With a folder of photos as target, what lies elsewhere is left out and told; nothing else can be meant."""
    done = world.library.export("xmp", world.at("sub"))
    assert (done.photos, done.notes) == (2, (f"photos left out because they do not lie in {world.at('sub')}: 1",))
    assert list(sidecars(world.photos)) == [f"{OURS}.xmp", f"{OTHER}.xmp"]
    with pytest.raises(UsageError, match="holds other photos"):
        world.library.export("xmp", world.at("sub"), [world.at(PLAIN)])


def test_a_second_export_writes_nothing(world: World) -> None:
    """Until an answer changes, and then only what that changes."""
    world.library.export("xmp", world.photos)
    before = {path: path.stat().st_mtime_ns for path in world.photos.rglob("*.xmp")}
    assert world.library.export("xmp", world.photos).written == 0
    world.answer(PLAIN, "A grey wall.", ("wall",))
    assert world.library.export("xmp", world.photos).written == 1
    changed = [path.name for path, age in before.items() if path.stat().st_mtime_ns != age]
    assert changed == [f"{PLAIN}.xmp"]
    claims = as_persons(world.at(f"{PLAIN}.xmp").read_bytes())
    assert (claims.caption, claims.keywords) == ("A grey wall.", ("wall",))


def test_tags_come_out_as_they_are_shown(world: World) -> None:
    """Renamed and hidden as in the search, in rows and in sidecars that are there already; keywords are not."""
    world.library.export("xmp", world.photos)
    world.library.rename_tag("dog", "hound")
    world.library.ban_tags(["tag 1", "rex"])
    assert [row["tags"] for row in world.rows("jsonl").values()] == [["hound", "tag 0"], ["hound"], ["hound", "tag 2"]]
    world.library.export("xmp", world.photos)
    assert as_persons(world.at(f"{OURS}.xmp").read_bytes()).keywords == ("Rex", "Ferien", "hound")


@pytest.mark.parametrize("name", ["plain.jpg.xmp", "plain.xmp", "plain.XMP", "plain.jpg.XMP"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_sidecar_that_is_there_is_merged_into(world: World, name: str, beside: bool) -> None:
    """Under its own name; a mirror begins with what lies beside the photo."""
    mine = packet(alt("Mine") + array("dc:subject", "me"), "xmp:Rating='5' xmp:Label='red'")
    world.at(name).write_bytes(mine)
    world.index()
    target = world.photos if beside else world.folder.parent / "out"
    done = world.library.export("xmp", target)
    assert (done.written, str(world.at(PLAIN)) in [kept.path for kept in done.kept]) == (3, True)
    found = sidecars(target) if name.endswith("xmp") else {name: (target / name).read_bytes()}
    claims = as_persons(found[name])
    assert (claims.caption, claims.keywords, claims.rating) == ("Mine", ("me", "dog", "tag 0"), "5")
    assert b'xmp:Label="red"' in found[name]
    assert world.library.export("xmp", target).written == 0
    if not beside:
        assert sidecars(world.photos) == ({name: mine} if name.endswith("xmp") else {})


def test_a_name_that_is_the_stem_of_another_keeps_its_sidecar(world: World) -> None:
    """IMG.png.xmp speaks for IMG.png, not for IMG.png.jpg, whose own is IMG.png.jpg.xmp."""
    for name, colour in (("IMG.png", "red"), ("IMG.png.jpg", "blue")):
        Image.new("RGB", (80, 60), colour).save(world.at(name))
    world.index()
    world.answer("IMG.png", "A red one.", ["red"])
    world.answer("IMG.png.jpg", "A blue one.", ["blue"])
    for _ in range(2):
        done = world.library.export("xmp", world.photos)
    assert done.written == 0, "the second export finds nothing to do"
    assert "A red one." in world.at("IMG.png.xmp").read_text()
    assert "A blue one." in world.at("IMG.png.jpg.xmp").read_text()


def test_an_export_of_nowhere_is_a_usage_error(world: World) -> None:
    """No empty file for a path that nobody knows, and no file called -."""
    with pytest.raises(UsageError, match="knows nothing"):
        world.library.export("csv", world.folder / "none.csv", [world.at("nowhere")])
    assert not (world.folder / "none.csv").exists()
    assert index("--library", world.folder, "export", "--format", "csv", "--to", "-").code == 2


def test_a_sidecar_of_two_pictures_is_left_to_both(world: World) -> None:
    """Each gets one of its own, that begins as the common one."""
    world.at("plain.png").write_bytes(picture(150, "PNG"))
    common = packet(array("dc:subject", "common"))
    world.at("plain.xmp").write_bytes(common)
    world.index()
    world.answer("plain.png", "The other.", ("png",))
    world.library.export("xmp", world.photos)
    assert world.at("plain.xmp").read_bytes() == common
    assert as_persons(world.at("plain.png.xmp").read_bytes()).keywords == ("common", "png")
    assert as_persons(world.at("plain.jpg.xmp").read_bytes()).keywords == ("common", "dog", "tag 0")
    assert world.library.export("xmp", world.photos).written == 0


@pytest.mark.parametrize("broken", [b"<x:xmpmeta", b"words", packet("&i;", start=BOMB), b" " * 5_000_000, None])
def test_a_broken_sidecar_is_left_alone_and_named(world: World, broken: bytes | None) -> None:
    """The others are written, and a shell is told that some failed."""
    place = world.at(f"{PLAIN}.xmp")
    place.mkdir() if broken is None else place.write_bytes(broken)
    done = index("--library", world.folder, "export", "--format", "xmp", "--to", world.photos)
    assert done.code == 4
    assert done.out == f"exported 2 photos to {world.photos}, sidecars written: 2\n"
    assert f"{world.at(PLAIN)}: its sidecar {place.name} " in done.err
    assert "left alone" in done.err
    assert place.is_dir() if broken is None else place.read_bytes() == broken
    told = index("--library", world.folder, "export", "--format", "xmp", "--to", world.photos, "--json")
    assert (told.code, told.json["photos"], told.json["written"]) == (4, 2, 0)
    assert {kept["path"] for kept in told.json["kept"]} == {str(world.at(PLAIN)), str(world.at(OURS))}


def test_a_photo_that_is_gone_gets_no_sidecar(world: World) -> None:
    """The library has not seen yet that it was deleted."""
    world.at(PLAIN).unlink()
    done = world.library.export("xmp", world.photos)
    assert (done.photos, done.failed) == (2, 1)
    assert f"{PLAIN}.xmp" not in sidecars(world.photos)


def test_a_sidecar_keeps_its_permissions(world: World) -> None:
    """A private one stays private."""
    place = world.at(f"{PLAIN}.xmp")
    place.write_bytes(packet())
    place.chmod(0o600)
    world.library.export("xmp", world.photos)
    assert place.stat().st_mode & 0o777 == 0o600
    assert as_persons(place.read_bytes()).caption == "Picture 0."


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_never_goes_where_a_link_points(world: World, kind: str) -> None:
    """A link that leads nowhere is in the way like a file; the folder may lie behind a link."""
    folder = world.folder.parent
    (folder / "link").symlink_to(folder / f"elsewhere-{kind}")
    with pytest.raises(UsageError):
        world.library.export(kind, folder / "link")
    (folder / "link").unlink()
    assert not (folder / f"elsewhere-{kind}").exists()
    (folder / "there").symlink_to(folder / "real", target_is_directory=True)
    (folder / "real").mkdir(exist_ok=True)
    world.library.export(kind, folder / "there" / f"rows.{kind}")
    assert (folder / "real" / f"rows.{kind}").stat().st_size
    (folder / "there").unlink()


@pytest.mark.parametrize("there", [b"", packet()], ids=["empty", "sidecar"])
def test_a_link_in_the_place_of_a_sidecar_is_left_alone(world: World, there: bytes) -> None:
    """It may lead anywhere: neither read nor written."""
    real = world.folder.parent / "real.xmp"
    real.write_bytes(there)
    world.at(f"{PLAIN}.xmp").symlink_to(real)
    done = world.library.export("xmp", world.photos)
    assert world.at(f"{PLAIN}.xmp").is_symlink()
    assert real.read_bytes() == there
    assert done.failed == 1


def test_names_that_are_no_text_get_sidecars_too(world: World) -> None:
    """A name that is not UTF-8 stays the bytes it is."""
    name = os.fsencode(world.photos) + b"/caf\xe9 \n.jpg"
    Path(os.fsdecode(name)).write_bytes(picture(60))
    world.index()
    world.library.export("xmp", world.photos)
    assert os.path.exists(name + b".xmp")  # noqa: PTH110 - bytes
    assert any("caf\\xe9 " in name for name in world.rows("jsonl"))


def test_our_words_are_no_facts_for_the_next_run(world: World) -> None:
    """The crawl reads what it read before: captions and keywords of persons, and none of ours."""
    before = {name: read_facts(world.at(name)) for name in (PLAIN, OURS, OTHER)}
    world.library.export("xmp", world.photos)
    assert {name: read_facts(world.at(name)) for name in (PLAIN, OURS, OTHER)} == before
    rows = world.rows("jsonl")
    assert world.index().files.changed == 3
    assert world.rows("jsonl") == rows
    assert world.library.export("xmp", world.photos).written == 0


def test_an_export_costs_no_request(tmp_path: Path, emulator: Emulator) -> None:
    """Sidecars beside the photos, and the next run asks nothing and embeds the same documents."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        (photos / f"{number}.jpg").write_bytes(picture(40 * number))
    with opened(tmp_path / "library", emulator) as library:
        library.index([photos], approve=True, provider="gemini", workers=0)
        before, digests = emulator.books(), _digests(tmp_path / "library")
        done = library.export("xmp", photos)
        assert (done.written, done.kept) == (3, ())
        report = library.index([photos], approve=True, provider="gemini", workers=0)
        assert (report.requests.planned, report.requests.reused, report.requests.submitted) == (3, 3, 0)
        assert emulator.books() == before
        assert _digests(tmp_path / "library") == digests


def _digests(library: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(library / "ledger.sqlite3")) as ledger:
        return ledger.execute("SELECT path, facts, row_digest FROM files ORDER BY path").fetchall()


@pytest.fixture
def exiftool() -> Any:
    """An independent reader and writer of XMP."""
    program = shutil.which("exiftool")
    if program is None:
        pytest.skip("exiftool is not installed")

    def run(*arguments: str | Path) -> Any:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)[0] if "-json" in arguments else done.stdout

    return run


@pytest.mark.parametrize("text", TEXTS)
def test_another_program_reads_our_words(world: World, exiftool: Any, text: str) -> None:
    """Description and keywords, to the letter."""
    world.answer(PLAIN, text, (text, "second"))
    world.library.export("xmp", world.photos)
    found = exiftool("-json", "-struct", "-XMP-dc:all", world.at(f"{PLAIN}.xmp"))
    assert (found["Description"], found["Subject"]) == (
        text,
        [normalize("NFC", " ".join(text.split()).lower()), "second"],
    )
    assert "Warning" not in exiftool("-validate", "-warning", "-a", world.at(f"{PLAIN}.xmp"))


def test_another_program_may_rewrite_our_sidecars(world: World, exiftool: Any) -> None:
    """Its edits stay, and our words are still known as ours."""
    place = world.at(f"{PLAIN}.xmp")
    world.library.export("xmp", world.photos)
    edits = ("-XMP-dc:Title=Mine", "-XMP-dc:Subject+=me", "-XMP-dc:Subject-=dog", "-XMP-xmp:Rating=3")
    exiftool("-overwrite_original", *edits, place)
    facts = read_facts(world.at(PLAIN))
    assert (facts.title, facts.caption, facts.keywords, facts.rating) == ("Mine", None, ("me",), 3)
    world.answer(PLAIN, "A wall.", ("dog", "wall"))
    world.library.export("xmp", world.photos)
    found = exiftool("-json", "-XMP:all", place)
    assert (found["Title"], found["Description"], found["Rating"]) == ("Mine", "A wall.", 3)
    assert as_persons(place.read_bytes()).keywords == ("me", "wall")
    assert world.library.export("xmp", world.photos).written == 0


def test_lists_in_csv_can_be_split_again(world: World) -> None:
    """They are JSON, whatever commas and quotes their texts hold; an empty list is an empty cell."""
    world.answer(PLAIN, "A wall.", ('a, b; "c"', "d"))
    rows = world.rows("csv")
    assert json.loads(rows[PLAIN]["tags"]) == ['a, b; "c"', "d"]
    assert rows[PLAIN]["keywords"] == ""


def test_a_spreadsheet_gets_the_mark_it_needs(world: World) -> None:
    """Only where it is asked for, and only before CSV."""
    target = world.folder.parent / "marked.csv"
    world.library.export("csv", target, bom=True)
    content = target.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfpath,")
    target.unlink()
    with pytest.raises(UsageError, match="only CSV"):
        world.library.export("jsonl", target, bom=True)


@pytest.mark.parametrize(
    ("names", "name"), [("lightroom", "shot.xmp"), ("darktable", "shot.dng.xmp"), ("", "shot.dng.xmp")]
)
def test_sidecars_of_raw_files_are_named_as_the_program_wants(world: World, names: str, name: str) -> None:
    """Lightroom looks for photo.xmp that says which file it is for, darktable for photo.dng.xmp; others stay."""
    world.at("shot.dng").write_bytes(hostile.raw_file(hostile.saved(hostile.scene((640, 480)), "JPEG", quality=100)))
    world.index()
    world.library.export("xmp", world.photos, sidecar_names=names)
    written = {path.name for path in world.photos.glob("*.xmp")}
    assert written == {name, f"{PLAIN}.xmp"}
    assert (b">dng</photoshop:SidecarForExtension>" in world.at(name).read_bytes()) == (names == "lightroom")
    assert world.library.export("xmp", world.photos, sidecar_names=names).written == 0
    with pytest.raises(UsageError, match="sidecars only"):
        world.library.export("csv", world.folder.parent / "x.csv", sidecar_names="lightroom")


def test_the_command_says_where_it_went(world: World) -> None:
    """One line on stdout, or one object; a mistake is one line with a hint."""
    target = world.folder.parent / "rows.csv"
    command = ("--library", world.folder, "export", "--format", "csv", "--to", target)
    done = index(*command)
    assert (done.code, done.out, done.err) == (0, f"exported 3 photos to {target}\n", "")
    again = index(*command)
    assert (again.code, again.out, again.err.count("\n")) == (2, "", 2)
    assert "\nhint: " in again.err
    target.unlink()
    assert index(*command, "--json", "--in", world.at("sub")).json == {"photos": 2, "written": 2, "kept": []}
    nothing = index(*command[:-1], target.with_name("no.csv"), "--in", world.folder)
    assert (nothing.code, nothing.out) == (2, "")
    assert "knows nothing there" in nothing.err
