"""The `search` command: what it prints, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from indexer.table.photo_table import PhotoRow
from search import cli
from tests.support.libraries import make_library, photo_row

EVIL = "\x1b[31mred\x07 \u202egnp.exe <script>alert(1)</script> '; DROP TABLE photos; --"
COMMAND = [sys.executable, "-c", "from search.cli import main; main()"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with ordinary, hostile and oddly named photos."""
    home = tmp_path_factory.mktemp("cli")
    pictures = home / "pictures"
    pictures.mkdir()
    Image.new("RGB", (640, 480), "red").save(pictures / "boat.jpg")
    rows = [
        photo_row(
            f"{pictures}/boat.jpg", "A red boat at a wooden pier.", ["boat"], camera="Canon", width=640, height=480
        ),
        photo_row("/p/evil.jpg", f"A clown balloon {EVIL}", [EVIL, "=1+1"], camera=EVIL),
        photo_row("/p/=cmd|calc!A1.jpg", "-2+3 zebra crossing", ["+zebra"]),
        odd(b"/p/caf\xe9 \n giraffe.jpg", "A giraffe at a café."),
    ]
    dated = [replace(row, taken_at=None) for row in rows]
    return make_library(home / "library", dated)


def odd(path: bytes, description: str) -> PhotoRow:
    """A row of a path that is not UTF-8."""
    from indexer.storage.paths import kept_bytes, to_text

    return photo_row(to_text(path), description, path_bytes=kept_bytes(path))


class Outcome:
    """What a call of the command left behind."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(library: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> object:
    """Call the command in this process, on the library, its output going into a pipe."""

    def call(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as left:
            cli.main(["--library", str(library), *arguments])
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Outcome(int(left.value.code or 0), out, err.decode())

    return call


def test_a_pipe_gets_bare_paths(run, library: Path) -> None:  # type: ignore[no-untyped-def]
    """One path a line and nothing else; words need no quotes."""
    outcome = run("red", "boats", "-n", "1")
    assert (outcome.code, outcome.out) == (0, f"{library.parent}/pictures/boat.jpg\n".encode())
    assert outcome.err == ""


def test_paths_are_the_bytes_of_the_file_system(run) -> None:  # type: ignore[no-untyped-def]
    """A name that is not UTF-8 comes out as it lies on the disk, so that another program finds it."""
    assert run("giraffe", "-0", "-n1").out == b"/p/caf\xe9 \n giraffe.jpg\0"
    assert run("giraffe", "-l", "-n1").out == b"/p/caf\xe9 \n giraffe.jpg\n"


def test_json_has_the_fields_of_the_contract(run) -> None:  # type: ignore[no-untyped-def]
    """One array, the fields of the contract a hit, in ASCII."""
    outcome = run("red", "boat", "--json", "-n", "1")
    (hit,) = json.loads(outcome.out)
    fields = "path score weak description tags taken_at camera place width height also_at offline fields why"
    assert list(hit) == fields.split()
    assert (hit["camera"], hit["width"], hit["tags"], hit["taken_at"]) == ("Canon", 640, ["boat"], None)
    lines = run("red", "boat", "--jsonl", "-n", "1").out.splitlines()
    assert [json.loads(line) for line in lines] == [hit]


@pytest.mark.parametrize("form", ["--json", "--jsonl", "--csv"])
def test_text_of_models_is_data_for_programs(run, form: str) -> None:  # type: ignore[no-untyped-def]
    """No escape sequence, no bidirectional override, no bell gets through."""
    outcome = run("clown", "balloon", form)
    assert outcome.code == 0
    assert b"clown" in outcome.out
    assert harmless(outcome.out.decode())


def harmless(text: str) -> bool:
    """Whether a terminal would show every character of `text` instead of obeying it."""
    return all(character.isprintable() or character in "\r\n" for character in text)


def test_a_cell_is_never_a_formula(run) -> None:  # type: ignore[no-untyped-def]
    """What a spreadsheet would compute starts with a quote."""
    header, *rows = list(csv.reader(io.StringIO(run("zebra", "balloon", "--csv", "--min-score", "0").out.decode())))
    assert header[0] == "path"
    assert len(rows) >= 2
    assert all(not cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row)
    assert any(cell == "'-2+3 zebra crossing" for row in rows for cell in row)


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_contact_sheet_is_one_harmless_file(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Pictures inside, text escaped, a policy that allows nothing; the hits are printed all the same."""
    target = tmp_path / "hits.html"
    outcome = run("clown", "boat", "--min-score", "0", "--html", str(target))
    assert outcome.code == 0
    assert b"boat.jpg" in outcome.out
    page = Page(target.read_text("utf-8"))
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.tags.count("img") == 1
    assert page.attributes["src"][0].startswith("data:image/jpeg;base64,")
    assert any("default-src 'none'" in content for content in page.attributes["content"])
    assert any("<script>alert(1)</script>" in text for text in page.texts), "it is shown as text"
    assert all(harmless(text) for text in page.texts)


def test_a_sheet_that_cannot_be_written_is_told_in_words(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A folder that is not there is one line."""
    outcome = run("boat", "--html", str(tmp_path / "no" / "hits.html"))
    assert outcome.code == 2
    assert "hits.html" in outcome.err
    assert outcome.err.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["kubernetes pod eviction policy"], 1, "no good match"),
        (["--tag", "no such tag"], 1, "no photo has the tag 'no such tag'"),
        (["--tag", "baot"], 1, "did you mean: boat"),
        (["tag:baot"], 1, "did you mean: boat"),
        (["dog", 'camera:"Cannon"'], 1, "did you mean: Canon"),
        (["--camera", "Cannon"], 1, "did you mean: Canon"),
        (["--in", "/p/no"], 1, "no indexed photo lies in /p/no"),
        (["boat", "--format", "{scor}"], 2, "did you mean: score"),
        (["boat", "--format", "{path}", "--json"], 2, "exclude each other"),
        (["boat", "--sort", "dte"], 2, "did you mean: date"),
        ([], 2, "nothing to search for"),
        (["dog", "--limit", "-1"], 2, "negative"),
        (["dog", "--limit", "many"], 2, "many"),
        (["dog", "--since", "yesterday"], 2, "not a date"),
        (["dog", "--near", "1,2"], 2, "LAT,LON,KM"),
        (["dog", "--near", "a,b,c"], 2, "LAT,LON,KM"),
        (["dog", "--min-score", "high"], 2, "neither auto, weak nor a number"),
        (["dog", "--json", "--csv"], 2, "exclude each other"),
        (["dog", "--colour", "red"], 2, "--colour"),
        (["--like", "/no/such.jpg"], 2, "no such file"),
    ],
)
def test_what_went_wrong_is_said_with_a_hint(run, arguments: list[str], code: int, says: str) -> None:  # type: ignore[no-untyped-def]
    """The exit code of the contract, what is wrong and what to do on stderr, nothing on stdout."""
    outcome = run(*arguments)
    assert outcome.code == code
    assert says in outcome.err
    assert outcome.err.startswith("search: ")
    assert code == 1 or outcome.err.splitlines()[1].startswith("hint: ")
    assert outcome.err.count("\n") <= 3
    assert outcome.out == b""


def test_no_library_says_index_first(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Without a library the hint is the command that makes one."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--library", str(tmp_path), "dog"])
    assert left.value.code == 2
    assert b"index a folder first" in capfdbinary.readouterr().err


def test_a_note_tells_that_part_is_not_described(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """While a batch is out, how much of the library is described stands on stderr; nothing when nothing is coming."""
    rows = [photo_row("/p/boat.jpg", "A red boat."), photo_row("/p/dogs_window.jpg")]
    make_library(tmp_path, rows)
    (tmp_path / "batches").mkdir()
    for coming in (False, True):
        if coming:
            (tmp_path / "batches" / "shard.jsonl").touch()
        with pytest.raises(SystemExit):
            cli.main(["--library", str(tmp_path), "dogs"])
        out, err = capfdbinary.readouterr()
        assert out == b"/p/dogs_window.jpg\n"
        assert (b"1 of 2 photos are described so far" in err) == coming


def test_a_picture_as_query_gets_a_hint(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Somebody who gives a file's name may mean photos like it."""
    picture = tmp_path / "x.jpg"
    picture.touch()
    assert "--like" in run(str(picture)).err


def shell(library: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a program."""
    environment = {**os.environ, "CAPTIONARY_LIBRARY": str(library)}
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def test_a_terminal_gets_a_list_for_people(library: Path) -> None:
    """Rank, score, date, path, description and tags, wrapped; nothing that a terminal would obey."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "CAPTIONARY_LIBRARY": str(library), "COLUMNS": "60", "TERM": "dumb"}
    command = [*COMMAND, "clown", "balloon", "giraffe", "--min-score", "0", "--explain"]
    done = subprocess.run(command, env=environment, stdout=follower, stderr=subprocess.PIPE, check=False)
    os.close(follower)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert done.returncode == 0
    assert re.search(r"^ +1  0\.\d\d  no date +/p/", shown, re.MULTILINE)
    assert "tags: " in shown
    assert "why: words clown, balloon" in shown
    assert "caf\\xe9" in shown
    assert harmless(shown)


def test_a_closed_pipe_ends_it_quietly(library: Path) -> None:
    """Whoever has seen enough may leave."""
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "CAPTIONARY_LIBRARY": str(library)}
    done = subprocess.run(
        [*COMMAND, "boat", "--json"], env=environment, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_search_loads_nothing_that_it_does_not_need(library: Path) -> None:
    """Neither torch nor sentence-transformers nor lancedb nor an SDK, and it opens no socket."""
    code = """
import sys
def guard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(guard)
import os
from indexer.console import start
sys.argv = ["search", "boat"]
os._exit = sys.exit
try:
    start.search()
except SystemExit as ended:
    code = ended.code
heavy = {"torch", "sentence_transformers", "transformers", "lancedb", "google.genai", "pandas"}
heavy &= {name for name, module in sys.modules.items() if module is not None}
raise SystemExit(f"loaded {heavy}" if heavy else code)
"""
    environment = {**os.environ, "CAPTIONARY_LIBRARY": str(library)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_numpy_is_whole_before_two_threads_need_it(library: Path) -> None:
    """Encoder and table load side by side; entered by both at once, numpy breaks now and then."""
    code = """
import sys
seen = {}
def look(event, arguments):
    if event == "import" and arguments[0] in ("lance", "onnxruntime") and arguments[0] not in seen:
        numpy = sys.modules.get("numpy")
        seen[arguments[0]] = numpy is not None and not numpy.__spec__._initializing
sys.addaudithook(look)
from search import cli
try:
    cli.main(["boat"])
except SystemExit as ended:
    raise SystemExit(ended.code or (None if seen == {"lance": True, "onnxruntime": True} else f"{seen}"))
"""
    environment = {**os.environ, "CAPTIONARY_LIBRARY": str(library)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_loads_nothing_heavy() -> None:
    """`--help` needs no array, no table and no model."""
    code = """
import sys
from search import cli
try:
    cli.main(["--help"])
except SystemExit as ended:
    code = ended.code
heavy = {"numpy", "pyarrow", "lance", "onnxruntime", "torch", "lancedb", "PIL", "google.genai"} & set(sys.modules)
raise SystemExit(f"loaded {heavy}" if heavy else code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"search two dogs at a window" in done.stdout


def test_the_version_is_told(run) -> None:  # type: ignore[no-untyped-def]
    """`-V` prints name and version."""
    outcome = run("-V")
    assert (outcome.code, outcome.out.split()[0]) == (0, b"captionary,")
