"""Photos in a bucket are as photos in a folder: found, told apart, kept while the store is away, never lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from indexer import Library
from indexer.crawl.buckets import cut
from indexer.crawl.ignore import compile_excludes, excluding
from indexer.crawl.walk import WalkOptions, walk
from indexer.domain.errors import BadSetting, LibraryError, LibraryLocked, LibraryUnwritable, MissingPath, UsageError
from indexer.pipeline.report import Report
from indexer.storage import objects
from indexer.table import maintenance
from indexer.table.dataset import connect_to, open_table
from indexer.table.local_copy import local_copy
from indexer.table.published import storage
from search import Index
from tests.export.test_sidecar import alt
from tests.fakes.clouds import cloud
from tests.fakes.gemini import Emulator
from tests.media.test_metadata import packet
from tests.support.buckets import ACCESS, ADDRESS, SECRET, Bucket, Store, careless, serving
from tests.support.commands import SAMPLES, index, search
from tests.support.virtual import opened

PICTURES = sorted(SAMPLES.glob("*.jpg"))[:4]


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """An S3 server for this file."""
    with serving() as running:
        yield running


@pytest.fixture
def bucket(store: Store) -> Bucket:
    """A bucket with four pictures in two folders."""
    made = store.bucket()
    for number, picture in enumerate(PICTURES):
        made.put(f"2024/{'summer' if number % 2 else 'winter'}/{picture.name}", picture)
    return made


def crawled(folder: Path, *roots: str, **options: object) -> Report:
    """Index `roots` without a key."""
    with Library.open(folder) as library:
        return library.index(roots, provider="local", workers=0, **options)  # type: ignore[arg-type]


def test_rows_are_those_of_the_same_folder(bucket: Bucket, tmp_path: Path) -> None:
    """The same photo ids, descriptions and facts from a bucket through worker processes as from a disk."""
    bucket.put("2024/winter/words.jpg", PICTURES[0].read_bytes() + b"other bytes, same pixels")
    bucket.put("2024/winter/words.jpg.xmp", packet(alt("Rex in the snow")))
    for key in bucket.listed():
        (tmp_path / "photos" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / key).write_bytes(bucket.read(key))
    with Library.open(tmp_path / "far") as library:
        far = library.index([bucket.address], provider="local", workers=2)
    near = crawled(tmp_path / "near", str(tmp_path / "photos"))
    assert far.files == near.files
    assert (far.files.seen, far.files.duplicate) == (5, 1)
    rows = []
    for name, root in (("far", bucket.address), ("near", str(tmp_path / "photos"))):
        table = Index.open(tmp_path / name).to_arrow().drop_columns(["vector", "terms"])
        rows.append(sorted((row["path"].removeprefix(root), row["photo"], row["caption"]) for row in table.to_pylist()))
    assert rows[0] == rows[1]
    assert rows[0][-1][2].endswith("Rex in the snow")
    hit = Index.open(tmp_path / "far").search("rex snow", within=f"{bucket.address}/2024", limit=1)[0]
    assert hit.path == f"{bucket.address}/2024/winter/words.jpg"


def test_only_what_has_changed_is_fetched_again(bucket: Bucket, tmp_path: Path) -> None:
    """Unchanged, changed, new, moved, deleted, a sidecar edited: told by size and ETag, from the listing alone."""
    assert crawled(tmp_path, bucket.address).files.new == 4
    assert crawled(tmp_path, bucket.address).files.unchanged == 4
    first, second, third, _ = bucket.listed()
    bucket.put(first, bucket.read(first) + b"edited metadata")
    bucket.put("moved/" + Path(second).name, bucket.read(second))
    bucket.put(third + ".xmp", packet(alt("words of a person")))
    bucket.delete(second)
    report = crawled(tmp_path, bucket.address)
    assert (report.files.changed, report.files.moved, report.files.unchanged) == (2, 1, 1)
    assert (report.files.seen, report.files.deleted, report.files.offline) == (4, 0, 0)
    bucket.put(third + ".xmp", packet(alt("other words of a person")))
    assert crawled(tmp_path, bucket.address).files.changed == 1
    bucket.delete("moved/" + Path(second).name)
    assert crawled(tmp_path, bucket.address).files.deleted == 1


def test_a_moved_object_is_not_bought_again(bucket: Bucket, tmp_path: Path, emulator: Emulator) -> None:
    """What was described in a bucket is described at its new key, and in a folder with the same pictures."""
    with opened(tmp_path / "library", emulator) as library:
        library.index([bucket.address], approve=True, provider="gemini", workers=0)
        asked = emulator.books()["requests"]["create"]
        for key in bucket.listed():
            bucket.put(key.replace("2024", "archive"), bucket.read(key))
            bucket.delete(key)
        again = library.index([bucket.address], approve=False, provider="gemini", workers=0)
        photos = tmp_path / "photos"
        photos.mkdir()
        for picture in PICTURES:
            shutil.copy(picture, photos)
        copied = library.index([photos], approve=False, provider="gemini", workers=0)
    assert (again.files.described, again.files.moved, copied.files.described) == (4, 4, 4)
    assert emulator.books()["requests"]["create"] == asked


def test_a_store_that_does_not_answer_is_offline_and_an_empty_one_too(bucket: Bucket, tmp_path: Path) -> None:
    """Rows stay and are marked, until the bucket is back or somebody says that it was emptied."""
    crawled(tmp_path, bucket.address)
    kept = {key: bucket.read(key) for key in bucket.listed()}
    bucket.drop()
    report = crawled(tmp_path, bucket.address)
    assert (report.files.offline, report.files.deleted, report.rows) == (4, 0, 4)
    back = Bucket(bucket._client, bucket.name)
    assert crawled(tmp_path, back.address).files.offline == 4
    for key, content in kept.items():
        back.put(key, content)
    assert crawled(tmp_path, back.address).files.offline == 0
    back.delete(*kept)
    report = crawled(tmp_path, back.address, confirm_deleted=True)
    assert (report.files.deleted, report.rows) == (4, 0)


def test_a_listing_that_breaks_off_loses_nothing(bucket: Bucket, tmp_path: Path) -> None:
    """A key that no path can name stops the listing there; what lies behind stays, and a note says so."""
    crawled(tmp_path, bucket.address)
    bucket.put("2024/../odd.jpg", b"")
    notes: list[str] = []
    with Library.open(tmp_path, note=notes.append) as library:
        report = library.index([bucket.address], provider="local", workers=0)
    assert (report.files.offline, report.files.deleted, report.rows) == (0, 0, 4)
    assert [note for note in notes if "cannot be listed to its end" in note]


def test_what_is_left_out_leaves_the_search(bucket: Bucket, tmp_path: Path) -> None:
    """A new ignore file takes objects out of the search, also most of them; they are not offline."""
    crawled(tmp_path, bucket.address)
    bucket.put(".captionignore", b"winter/\n/2024/summer/" + PICTURES[1].name.encode())
    report = crawled(tmp_path, bucket.address)
    assert (report.rows, report.files.deleted, report.files.offline) == (1, 3, 0)


PARTS = some.sampled_from(["a", "b!", "-c", ".hid", "!x", "a.b", "@eaDir"])
NAMES = some.sampled_from(["x.jpg", "x.cr2", "x.xmp", "x.jpg.xmp", "!y.png", "-z.JPG", ".dot.jpg", "readme", "._x.jpg"])
KEYS = some.builds(lambda parts, name: "/".join([*parts, name]), some.lists(PARTS, max_size=3), NAMES)
LINES = some.sampled_from(["a/", "*.png", "!x.jpg", "/x.*", "b!/**", "# none", "-c"])
RULES = some.dictionaries(some.lists(PARTS, max_size=2).map("/".join), some.lists(LINES, max_size=3), max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=some.sets(KEYS, min_size=1, max_size=12), rules=RULES, page=some.integers(1, 5), hidden=some.booleans())
def test_a_bucket_is_walked_as_a_folder_is(
    keys: set[str],
    rules: dict[str, list[str]],
    page: int,
    hidden: bool,
    store: Store,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever the names and ignore files and wherever pages end: the same files, each with or without its sidecar."""
    home = os.fsencode(tmp_path_factory.mktemp("tree").resolve())
    bucket = store.bucket()
    files = dict.fromkeys(keys, b"")
    files |= {f"{folder}/.captionignore".lstrip("/"): "\n".join(lines).encode() for folder, lines in rules.items()}
    for key, content in files.items():
        path = Path(os.fsdecode(home)) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        bucket.put(key, content)
    near = walk([home], WalkOptions(hidden=hidden))
    root = bucket.address.encode()
    listed = [one for each in objects.pages(root) for one in each]
    pages = [listed[place : place + page] for place in range(0, len(listed), page)]
    far = cut(root, pages, excluding(compile_excludes(()), root + b"/"), hidden=hidden)
    assert sorted(_seen(near, home)) == sorted(_seen(far, root))


def _seen(folders: Iterator[object], root: bytes) -> list[tuple[bytes, bool]]:
    return [
        (found.path.removeprefix(root), bool(found.sidecar_mtime_ns))
        for folder in folders
        for found in folder.files  # type: ignore[attr-defined]
    ]


def test_one_object_can_be_named(bucket: Bucket, tmp_path: Path) -> None:
    """A key as PATH is that picture; a beginning of a name is nothing."""
    key = bucket.listed()[0]
    assert crawled(tmp_path, f"{bucket.address}/{key}").files.seen == 1
    assert crawled(tmp_path, f"{bucket.address}/{key}").files.unchanged == 1
    with pytest.raises(MissingPath, match="nothing lies at"):
        crawled(tmp_path, f"{bucket.address}/{key[:-2]}")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://no-such-bucket-here", "there is no such bucket"),
        ("s3://", "not an address of objects"),
        ("s3://bucket/a/../b", "not an address of objects"),
        ("ftp://host/photos", "not supported"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_before_a_library_is_made(
    store: Store, tmp_path: Path, address: str, words: str
) -> None:
    """Exit 2 with what is wrong and a hint."""
    done = index("--library", tmp_path / "library", address, "--provider", "local")
    assert done.code == 2
    assert words in done.err
    assert "hint: " in done.err
    assert not (tmp_path / "library").exists()


def test_credentials_are_written_nowhere(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    """No file of the library and no message holds them, nor where they came from."""
    crawled(tmp_path / "library", bucket.address)
    refused = index("--library", tmp_path / "library", "s3://none-at-all", "--provider", "local")
    assert refused.code == 2
    held = b"".join(path.read_bytes() for path in (tmp_path / "library").rglob("*") if path.is_file())
    for text in (SECRET, ACCESS):
        assert text.encode() not in held
        assert text not in refused.out + refused.err


def test_keys_of_amazons_own_files_are_found(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    """A profile in ~/.aws/credentials serves where the environment names none."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[work]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n"
    )
    told = {"HOME": str(tmp_path), "AWS_PROFILE": "work", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    code = "from indexer.storage.objects import _of_amazon; print(sorted(_of_amazon()))"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **told}, capture_output=True, text=True)
    assert done.stdout.strip() == "['aws_access_key_id', 'aws_secret_access_key']"


def test_pictures_are_fetched_when_they_are_shown(store: Store, bucket: Bucket, tmp_path: Path) -> None:
    """A page of hits holds small copies, --open hands a viewer a file, and a pipe gets addresses."""
    crawled(tmp_path / "library", bucket.address)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("xdg-open", "open"):
        (programs / name).write_text(
            f'#!/bin/sh\ncp "$1" {tmp_path}/opened.jpg.part && mv {tmp_path}/opened.jpg.part {tmp_path}/opened.jpg\n'
        )
        (programs / name).chmod(0o755)
    env = {"PATH": f"{programs}:{os.environ['PATH']}"}
    chosen = ("--library", tmp_path / "library", "--in", f"{bucket.address}/2024/winter", "-n", "1", "--sort", "date")
    done = search(*chosen, "--open", "--html", tmp_path / "page.html", env=env)
    assert done.code == 0, done.err
    assert "data:image/jpeg" in (tmp_path / "page.html").read_text()
    address = done.out.strip()
    assert address.startswith(bucket.address)
    key = address.removeprefix(bucket.address + "/")
    for _ in range(50):
        if (tmp_path / "opened.jpg").exists():
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert (tmp_path / "opened.jpg").read_bytes() == bucket.read(key)


def test_sidecars_of_objects_are_a_mirror(bucket: Bucket, tmp_path: Path) -> None:
    """Exported words of objects lie below their store and bucket; JSON lines hold the address."""
    crawled(tmp_path / "library", bucket.address)
    with Library.open(tmp_path / "library") as library:
        library.export("xmp", tmp_path / "mirror")
        library.export("jsonl", tmp_path / "rows.jsonl")
    there = sorted(str(path.relative_to(tmp_path / "mirror")) for path in (tmp_path / "mirror").rglob("*.xmp"))
    assert there == [f"s3/{bucket.name}/{key}.xmp" for key in bucket.listed()]
    rows = [json.loads(line)["path"] for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted(rows) == [f"{bucket.address}/{key}" for key in bucket.listed()]


def test_without_the_extra_it_says_what_to_install() -> None:
    """An address needs `captionary[objects]`; nothing else imports it."""
    code = """
import sys
sys.modules["obstore"] = None
from indexer.library.api import Library
from indexer.domain.errors import UsageError
try:
    Library.open(sys.argv[1]).index(["s3://bucket"], provider="local")
except UsageError as fault:
    print(fault.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "/tmp/captionary-none"], capture_output=True, text=True, check=True
    )
    shutil.rmtree("/tmp/captionary-none")
    assert done.stdout.strip() == "pip install '.[objects]' in the folder of Captionary"


def test_other_addresses_stay_refused() -> None:
    """An address of the web is not a place of photos."""
    with pytest.raises(UsageError, match="not supported"):
        crawled(Path("/tmp/captionary-none"), "https://example.org/photos")


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_other_clouds_are_read_through_the_same_door(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's and Azure's buckets are listed by pages, read, and known again."""
    held = {f"2024/{picture.name}": picture.read_bytes() for picture in PICTURES} | {"2024/notes.txt": b"no picture"}
    with cloud(f"photos-in-{scheme}", held) as url:
        for name, value in {
            "GOOGLE_BASE_URL": url,
            "GOOGLE_SKIP_SIGNATURE": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "an-account",
            "AZURE_STORAGE_ACCOUNT_KEY": "YS1rZXk=",
            "AZURE_STORAGE_ENDPOINT": url,
        }.items():
            monkeypatch.setenv(name, value)
        report = crawled(tmp_path, f"{scheme}://photos-in-{scheme}/2024")
        assert (report.files.new, report.files.ignored) == (4, 1)
        assert crawled(tmp_path, f"{scheme}://photos-in-{scheme}/2024").files.unchanged == 4


def test_a_backup_goes_to_a_bucket_and_replaces_nothing_there(bucket: Bucket, tmp_path: Path) -> None:
    """The object is a ledger that makes the library again; a second backup to the same key is refused."""
    crawled(tmp_path / "library", bucket.address)
    with Library.open(tmp_path / "library") as library:
        done = library.backup(f"{bucket.address}/backups/ledger.sqlite3")
        with pytest.raises(UsageError, match="nothing is replaced"):
            library.backup(done.to)
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / "ledger.sqlite3").write_bytes(bucket.read("backups/ledger.sqlite3"))
    with Library.open(tmp_path / "restored") as restored:
        assert restored.rebuild() == 4
    assert not list((tmp_path / "library").glob(".backup-*"))


@pytest.fixture
def published(bucket: Bucket, tmp_path: Path) -> Path:
    """A library whose table is kept on object storage too."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "captionary.toml").write_text(f'[table]\nuri = "{bucket.address}/table"\n')
    crawled(folder, f"{bucket.address}/2024")
    return folder


def rows_at(uri: str) -> list[str]:
    """The paths in the table there, as LanceDB's own client sees them."""
    table = connect_to(uri, storage(uri)).open_table("photos")
    return sorted(table.search().select(["path"]).limit(None).to_arrow().column("path").to_pylist())


def test_the_table_is_kept_level_on_object_storage(bucket: Bucket, published: Path) -> None:
    """The copy has the rows of the library after a run, a deletion, and a rebuild."""
    uri = f"{bucket.address}/table"
    photos = [f"{bucket.address}/{key}" for key in bucket.listed() if key.startswith("2024/")]
    assert rows_at(uri) == sorted(photos)
    bucket.delete(photos[0].removeprefix(f"{bucket.address}/"))
    crawled(published, f"{bucket.address}/2024")
    assert rows_at(uri) == sorted(photos[1:])
    with Library.open(published) as library:
        library.rebuild()
    assert rows_at(uri) == sorted(photos[1:])


def test_the_copy_has_the_indexes_of_the_library(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a search of many rows quick is made there too."""
    monkeypatch.setattr(maintenance, "SMALL_ROWS", 1)
    tmp_path.joinpath("captionary.toml").write_text(f'[table]\nuri = "{bucket.address}/table"\n')
    crawled(tmp_path, f"{bucket.address}/2024")
    uri = f"{bucket.address}/table"
    near, far = open_table(tmp_path / "lancedb"), connect_to(uri, storage(uri)).open_table("photos")
    indexes = [sorted((one.index_type, one.columns) for one in table.list_indices()) for table in (near, far)]
    assert indexes[0] == indexes[1]
    assert len(indexes[0]) == 6


def test_another_machine_searches_the_table_from_a_bounded_cache(
    bucket: Bucket, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with the setting is enough; what was fetched once is not fetched again; what is too large is told."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(published / "captionary.toml", elsewhere)
    shutil.copytree(published / "encoder", elsewhere / "encoder")  # else it is made anew, which takes a minute
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    near = Index.open(published).search("portrait", min_score=0)
    copy = local_copy(f"{bucket.address}/table", tmp_path / "copies", 10**9)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*.lance") if path.is_file()}
    far = Index(published, copy).search("portrait", min_score=0)
    assert [(hit.path, hit.score) for hit in far] == [(hit.path, hit.score) for hit in near]
    local_copy(f"{bucket.address}/table", tmp_path / "copies", 10**9)
    assert before == {path: path.stat().st_mtime_ns for path in copy.rglob("*.lance") if path.is_file()}
    with pytest.raises(LibraryError, match="more than the cache may hold"):
        local_copy(f"{bucket.address}/table", tmp_path / "copies", 1000)
    assert search("--library", elsewhere, "--tag", near[0].tags[0], "-n", "1").out.startswith("s3://")


def test_two_libraries_do_not_write_one_table(bucket: Bucket, published: Path, tmp_path: Path) -> None:
    """The second one is refused, its own table is whole, and the first one's copy stays as it is."""
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy(published / "captionary.toml", second)
    before = rows_at(f"{bucket.address}/table")
    with pytest.raises(LibraryLocked, match="another library"):
        crawled(second, f"{bucket.address}/2024/winter")
    assert rows_at(f"{bucket.address}/table") == before
    assert Index.open(second).coverage().rows == 2


@pytest.mark.skipif(ADDRESS in os.environ, reason="the store that lacks them is moto with its conditions taken away")
def test_a_store_without_conditional_writes_is_told(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers would destroy a table there: nothing is written, and the library's own table is whole."""
    (tmp_path / "captionary.toml").write_text(f'[table]\nuri = "{bucket.address}/table"\n')
    with careless() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(LibraryUnwritable, match="lacks conditional writes"):
            crawled(tmp_path, f"{bucket.address}/2024")
    assert [key for key in bucket.listed() if not key.startswith("2024/")] == []
    assert Index.open(tmp_path).coverage().rows == 4


@pytest.mark.parametrize(("uri", "words"), [("db://photos", "not supported"), ("/mnt/table", "not an address")])
def test_a_place_that_cannot_hold_the_table_is_refused(uri: str, words: str, tmp_path: Path) -> None:
    """By whoever would write there, and by whoever would search there."""
    (tmp_path / "captionary.toml").write_text(f'[table]\nuri = "{uri}"\n')
    with pytest.raises(BadSetting, match=words):
        crawled(tmp_path, str(SAMPLES))
    with pytest.raises(BadSetting, match=words):
        Index.open(tmp_path)
