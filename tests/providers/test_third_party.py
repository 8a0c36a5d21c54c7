"""Providers of other packages: the example of docs/providers.md runs as it stands, and a broken one breaks nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from indexer.providers import BUILT_IN
from tests.support.commands import Done, index, search
from tests.support.virtual import samples

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text("utf-8")
FILES = dict(re.findall(r"^```(?:toml|python)\n# (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


class _Parrot(BaseHTTPRequestHandler):
    """The server in the house: a JPEG in, a sentence out."""

    def do_POST(self) -> None:
        """Say how large the picture was."""
        picture = self.rfile.read(int(self.headers["content-length"]))
        assert picture.startswith(b"\xff\xd8\xff")
        said = f"A parrot would describe {len(picture)} bytes as a lighthouse.".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def parrot() -> Iterator[str]:
    """Its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Parrot) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def install(site: Path, name: str, points: dict[str, str]) -> None:
    """Do what pip does with a package's entry points."""
    folder = site / f"{name.replace('-', '_')}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "\n".join(f"{point} = {value}" for point, value in points.items())
    (folder / "entry_points.txt").write_text(f"[captionary.providers]\n{lines}\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example of the page, and with two that are broken."""
    site = tmp_path_factory.mktemp("site")
    for name, text in FILES.items():
        if name.endswith(".py"):
            (site / name).parent.mkdir(exist_ok=True)
            (site / name).write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    install(site, project["name"], project["entry-points"]["captionary.providers"])
    install(site, "captionary-torn", {"torn": "captionary_torn:SPEC", "gemini": "captionary_torn:SPEC"})
    return site


def run(site: Path, home: Path, *arguments: str | Path, **env: str) -> Done:
    """Run `index` with those packages beside it."""
    return index("--library", home, *arguments, env={"PYTHONPATH": str(site), **env})


def test_the_example_describes_and_is_found(site: Path, parrot: str, tmp_path: Path) -> None:
    """Pasted from the page it describes pictures, and the second run asks nothing."""
    home, photos = tmp_path / "library", samples(tmp_path / "photos", 2)
    done = run(site, home, "--provider", "parrot", "--json", photos, CAPTIONARY_PARROT_URL=parrot)
    assert done.code == 0, done.err
    assert (done.json["provider"], done.json["files"]["described"], done.json["cost"]["spent_usd"]) == ("parrot", 2, 0)
    again = run(site, home, "--json", photos, CAPTIONARY_PARROT_URL=parrot)
    assert again.json["requests"]["submitted"] == 0
    found = search("--library", home, "lighthouse", "--json")
    assert len(found.json) == 2


@pytest.mark.parametrize(
    ("arguments", "env", "words"),
    [
        (["--provider", "parot"], {}, "did you mean: parrot"),
        (["--provider", "torn"], {}, "captionary-torn"),
        (["--provider", "parrot"], {"CAPTIONARY_PARROT_URI": "x"}, "[parrot] has no setting 'uri'"),
    ],
)
def test_what_is_wrong_is_told_by_name(
    site: Path, tmp_path: Path, arguments: list[str], env: dict[str, str], words: str
) -> None:
    """A misspelt provider, one that cannot be loaded, a setting that its table does not have."""
    photos = samples(tmp_path / "photos", 1)
    done = run(site, tmp_path / "library", *arguments, photos, **env)
    assert done.code in (1, 2)
    assert words in done.err
    assert "Traceback" not in done.err


def test_doctor_shows_all_of_them(site: Path, tmp_path: Path) -> None:
    """The whole one can be used, the torn one is named with its package, and gemini stays ours."""
    said = run(site, tmp_path, "doctor").out
    assert re.search(r"provider parrot\b.*can be used", said)
    assert re.search(r"provider torn\b.*cannot be loaded", said)
    assert said.count("provider gemini") == 1


def test_other_packages_are_not_looked_for_without_need() -> None:
    """Built-in providers, the choice of `auto` and the variables of keys read no metadata of packages."""
    code = (
        "import sys, importlib.metadata as m\n"
        "def never(*a, **k): raise AssertionError('looked for')\n"
        "m.entry_points = never\n"
        "from indexer import providers\n"
        f"[providers.spec(name) for name in {list(BUILT_IN)}]\n"
        "providers.automatic({}), providers.key_variables(), providers.checker()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
