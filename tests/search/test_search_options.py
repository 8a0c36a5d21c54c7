"""Every option of the command reaches the search and does there what its help says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from search import cli
from tests.support.libraries import make_library, photo_row

ROWS = [
    photo_row(
        "/p/2015/boat.jpg",
        "A red boat at a pier.",
        ["boat", "red"],
        taken_at=datetime(2015, 6, 1, 23, 59, 59),
        camera="Canon EOS",
        latitude=48.14,
        longitude=11.58,
        photo="same",
        cluster="burst",
    ),
    photo_row("/p/copy.jpg", "A red boat at a pier.", ["boat", "red"], photo="same", cluster="burst"),
    photo_row("/p/next.jpg", "A red boat leaves the pier.", ["boat", "pier"], cluster="burst"),
    photo_row(
        "/p/2018/cake.jpg",
        "A red birthday cake with candles.",
        ["cake", "red"],
        taken_at=datetime(2018, 1, 1),
        camera="Nikon",
        latitude=48.2,
        longitude=16.37,
    ),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures with dates and places, a copy of one, and another one of its burst."""
    return make_library(tmp_path_factory.mktemp("options") / "library", ROWS)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--tag", "red", "--tag", "Boat"], ["boat"]),
        (["--any-tag", "pier", "--any-tag", "cake"], ["cake", "next"]),
        (["--tag", "boat", "--no-tag", "red"], ["next"]),
        (["--any-tag", "red", "--not", "candles"], ["boat"]),
        (["--any-tag", "red", "--not", "candles boats"], []),
        (["--since", "2015-06-01", "--until", "2015-06-01"], ["boat"]),
        (["--since", "2015", "--until", "2018-01"], ["cake", "boat"]),
        (["--until", "2017"], ["boat"]),
        (["--camera", "canon"], ["boat"]),
        (["--in", "/p/2018"], ["cake"]),
        (["--near", "48.1,11.5,20"], ["boat"]),
        (["--near", "48.1,11.5,2000"], ["cake", "boat"]),
        (["red", "boat", "--sort", "date", "--min-score", "0"], ["cake", "boat", "next"]),
        (["red", "boat", "--min-score", "0"], ["boat", "next", "cake"]),
        (["red", "boat", "--min-score", "0", "--offset", "1"], ["next", "cake"]),
        (["red", "boat", "--min-score", "0", "--offset", "1", "-n", "1"], ["next"]),
        (["red", "boat", "--min-score", "0", "-n", "0"], ["boat", "next", "cake"]),
        (["red", "boat", "--min-score", "0", "--collapse", "bursts"], ["boat", "cake"]),
        (["red", "boat", "--min-score", "0", "--collapse", "none"], ["boat", "copy", "next", "cake"]),
        (["--like", "/p/2015/boat.jpg", "--min-score", "0"], ["next", "cake"]),
    ],
)
@pytest.mark.parametrize(("form", "end"), [("-l", b"\n"), ("-0", b"\0")])
def test_an_option_does_what_it_says(
    library: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    options: list[str],
    expected: list[str],
    form: str,
    end: bytes,
) -> None:
    """The paths that are printed are the ones meant, in their order; none is exit 1."""
    with pytest.raises(SystemExit) as left:
        cli.main(["--library", str(library), form, *options])
    found = capfdbinary.readouterr().out.split(end)
    assert found.pop() == b""
    assert [path.decode().rpartition("/")[2].removesuffix(".jpg") for path in found] == expected
    assert left.value.code == (0 if expected else 1)
