"""Hits on a terminal: short paths, links, colours, cells; and the forms that a user chooses."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pyte
import pytest
from PIL import Image

from indexer.console.cells import width, wrapped
from search.hits import Hit
from search.listing import Look, as_list
from search.preview import WAYS, draw, way
from search.template import as_format
from tests.support.commands import SAMPLES, environment, index, search
from tests.support.libraries import make_library, photo_row
from tests.support.terminal import Terminal

SEARCH = Path(sys.executable).with_name("search")
LINK = re.compile(r"\x1b]8;;(.*?)\x1b\\(.*?)\x1b]8;;\x1b\\")
WORDS = "Zwei Hunde 两只狗 am Fenster e\u0301te\u0301 👩‍👩‍👧 in der Sonne, und dahinter ein Garten mit Bäumen"


def hit(path: str, **fields: object) -> Hit:
    """A hit with little but its path."""
    told = {"score": 0.5, "description": None, "tags": (), "taken_at": None, "camera": None, "width": 1, "height": 1}
    told |= {"weak": False, "place": None}
    return Hit(path=path, **{**told, **fields})  # type: ignore[arg-type]


def listed(one: Hit, look: Look) -> str:
    """The lines of one hit."""
    return b"".join(as_list([one], look, first=1, explain=False)).decode()


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/ann/Photos/a.jpg", "a.jpg"),
        ("/home/ann/Photos/x/a.jpg", "x/a.jpg"),
        ("/home/ann/b.jpg", "~/b.jpg"),
        ("/home/anna/b.jpg", "/home/anna/b.jpg"),
        ("/mnt/c.jpg", "/mnt/c.jpg"),
        ("/home/ann/caf\\xe9.jpg", "~/caf\\xe9.jpg"),
    ],
)
def test_paths_are_as_short_as_a_person_writes_them(path: str, shown: str) -> None:
    """Relative to the working directory, else with ~, else whole."""
    look = Look(80, here=b"/home/ann/Photos", home=b"/home/ann")
    assert listed(hit(path), look).splitlines()[0].split()[-1] == shown


@pytest.mark.parametrize(
    ("environ", "colour", "links"),
    [
        ({}, False, False),
        ({"TERM": "dumb", "VTE_VERSION": "7000"}, False, False),
        ({"TERM": "xterm"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, False),
        ({"TERM": "xterm-kitty"}, True, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, True, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "4800"}, True, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True, True),
        ({"TERM": "xterm", "FORCE_HYPERLINK": "1"}, True, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, True, False),
    ],
)
def test_what_a_terminal_can_do_is_read_from_the_environment(
    environ: dict[str, str], colour: bool, links: bool
) -> None:
    """No sequence is sent to a terminal that would show it."""
    look = Look.of(environ, 80)
    assert (look.colour, look.links) == (colour, links)


def test_a_link_opens_the_file_and_is_never_broken_within_a_name() -> None:
    """A long path is cut between folders, each piece a link to the whole file."""
    path = "/mnt/" + "/".join(f"a rather long folder {number}" for number in range(8)) + "/and its picture.jpg"
    shown = listed(hit(path), Look(60, links=True))
    found = LINK.findall(shown)
    assert len(found) > 2
    assert "".join(text for _, text in found) == path
    assert {address.partition("/mnt/")[2] for address, _ in found} == {path.removeprefix("/mnt/").replace(" ", "%20")}
    names = path.split("/")
    assert all(set(text.strip("/").split("/")) <= set(names) for _, text in found)
    assert max(width(LINK.sub(r"\2", line)) for line in shown.splitlines()) <= 60


def test_lines_are_measured_in_cells() -> None:
    """Wide characters take two, combining ones none, on a real screen."""
    shown = listed(hit("/p/a.jpg", description=f"{WORDS} {WORDS}", tags=("狗", "Hund")), Look(50))
    assert max(map(width, shown.splitlines())) <= 50
    screen = pyte.Screen(50, 30)
    pyte.Stream(screen).feed(shown.replace("\n", "\r\n"))
    used = [line for line in screen.display if line.strip()]
    assert len(used) == len(shown.splitlines())
    assert [width(line) for line in wrapped("狗" * 30, 20)] == [20, 20, 20]


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("{score} {path}", b"0.50 /p/caf\xe9 \n.jpg\n"),
        ("{name}\\t{tags}", b"caf\xe9 \n.jpg\tdog, two dogs\n"),
        ("{{{date}}}", b"{2019-07-12}\n"),
        ("{description}|{camera}|", b"red\\x1b[31m text||\n"),
        ("", b"\n"),
    ],
)
def test_a_format_of_ones_own(template: str, line: bytes) -> None:
    """Paths are bytes for programs; text of a model stays harmless and on its line."""
    one = hit(
        "/p/caf\\xe9 \n.jpg",
        description="red\x1b[31m\n text",
        tags=("dog", "two dogs"),
        taken_at="2019-07-12T10:00:00",
    )
    assert b"".join(as_format([one], template, raw=True)) == line


@pytest.mark.parametrize(
    ("environ", "how"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"KITTY_WINDOW_ID": "1", "TERM": "xterm"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({"TERM": "xterm-kitty", "CAPTIONARY_PREVIEW": "sixel"}, "sixel"),
    ],
)
def test_the_way_to_draw_is_the_terminals(environ: dict[str, str], how: str) -> None:
    """Told by the environment, overruled by a variable."""
    assert way(environ) == how


@pytest.mark.parametrize("how", WAYS)
def test_a_picture_is_drawn(tmp_path: Path, how: str) -> None:
    """A red and blue picture in each protocol; a file that is none draws nothing."""
    image = Image.new("RGB", (400, 200), (255, 0, 0))
    image.paste((0, 0, 255), (200, 0, 400, 200))
    image.save(tmp_path / "flag.png")
    drawn = draw(str(tmp_path / "flag.png"), how, 40)
    assert drawn.startswith(
        {"kitty": b"\x1b_Ga=T", "iterm2": b"\x1b]1337;File=", "sixel": b"\x1bP", "blocks": b"\x1b["}[how]
    )
    assert draw(str(tmp_path / "none.jpg"), how, 40) == b""
    if how == "blocks":
        screen = pyte.Screen(40, 30)
        pyte.ByteStream(screen).feed(drawn.replace(b"\n", b"\r\n"))
        left, right = screen.buffer[2][2], screen.buffer[2][36]
        assert (left.data, left.fg[:2], right.fg[4:]) == ("▀", "fe", "fe")
    if how == "sixel":
        assert drawn.count(b"-") == 34, "200 lines in bands of six"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a library of two of the sample pictures."""
    home = tmp_path_factory.mktemp("listing")
    rows = [
        photo_row(str(SAMPLES / "coffee_cup.jpg"), "A red espresso cup on a table.", ["cup", "red"]),
        photo_row(str(home / "Photos" / "dogs.jpg"), "Two dogs at a window.", ["dog", "window"]),
    ]
    make_library(home / "library", rows)
    return home / "library"


def test_a_search_on_a_terminal_as_a_person_sees_it(library: Path) -> None:
    """80 columns: the short path, why it was found; nothing cut, colours gone with NO_COLOR."""
    home = library.parent
    env = environment(HOME=str(home), CAPTIONARY_LIBRARY=str(library), NO_COLOR="1", TERM="xterm-256color")
    with Terminal([SEARCH, "two", "dogs"], env=env, cwd=home / "library") as terminal:
        assert terminal.wait() == 0
    assert terminal.lines[0].endswith("no date     ~/Photos/dogs.jpg")
    assert "     why: words two, dogs; tags dog" in terminal.text or "why: words" in terminal.text
    assert b"\x1b[" not in terminal.recording
    with Terminal([SEARCH, "two", "dogs"], env={**env, "NO_COLOR": ""}, cwd=home) as terminal:
        assert terminal.wait() == 0
    assert "Photos/dogs.jpg" in terminal.lines[0]
    assert b"\x1b[32m" in terminal.recording


def test_preview_draws_and_open_opens(tmp_path: Path, library: Path) -> None:
    """The picture stands above its lines; the viewer of the system is given the file, and the search does not wait."""
    viewer = tmp_path / "xdg-open"
    viewer.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {tmp_path}/opened\n')
    viewer.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    env = environment(CAPTIONARY_LIBRARY=str(library), PATH=path, TERM="xterm-256color")
    with Terminal([SEARCH, "red", "espresso", "cup", "-n", "1", "--preview", "--open"], env=env) as terminal:
        assert terminal.wait() == 0
    assert "▀" in terminal.lines[0]
    assert "coffee_cup.jpg" in terminal.text
    for _ in range(100):
        if (tmp_path / "opened").exists() and (tmp_path / "opened").read_text():
            break
        time.sleep(0.05)
    assert (tmp_path / "opened").read_text() == f"{SAMPLES / 'coffee_cup.jpg'}\n"


def test_a_page_tells_its_search_and_spares_what_is_not_ours(tmp_path: Path) -> None:
    """Filters in the title, links to files and copies, dark mode; a foreign HTML file stays."""
    place = ("--library", tmp_path / "library")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (photos / name).write_bytes((SAMPLES / "coffee_cup.jpg").read_bytes())
    assert index(*place, "--provider", "local", photos).code == 0
    page = tmp_path / "hits.html"
    asked = (*place, "--in", photos, "--until", "2030", "--html", page)
    assert search(*place, "--in", photos, "--html", page).code == 0
    text = page.read_text()
    assert f"<title>search --in {photos}</title>" in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert text.count(f'href="file://{photos}/a.jpg"') == 2
    assert "also at" in text
    assert search(*asked).code in (0, 1), "ours is written anew"
    page.write_text("<!doctype html><title>my diary</title>")
    done = search(*place, "--in", photos, "--html", page)
    assert (done.code, page.read_text()) == (2, "<!doctype html><title>my diary</title>")
