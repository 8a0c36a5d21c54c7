"""What a user of other tools types from habit: it works, or says what does.

Left out on purpose: `--max-depth` and one-letter crawl options (a folder is indexed whole; `--exclude` and
.captionignore leave out), `--tsv` and tables (`--format`, `--csv`), `--color` (NO_COLOR and the kind of terminal
decide), weights in a query (`--not` excludes), a key as an option (it would stand in the shell's history).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import SAMPLES, environment

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with photos and a library of them."""
    folder = tmp_path_factory.mktemp("habits")
    shutil.copytree(SAMPLES, folder / "Pictures")
    assert typed(folder, "index ~/Pictures").returncode == 0
    return folder


def typed(home: Path, line: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Type a line into a shell at home."""
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    env = environment(HOME=str(home), PATH=path, XDG_CACHE_HOME=cache, **extra)
    command = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(command, cwd=home, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("line", "code", "shown"),
    [
        ("search red espresso cup", 0, "coffee_cup.jpg"),
        ("search red espresso cup | head -n 1", 0, "coffee_cup.jpg"),
        ("search 'espresso cup' --json | python3 -m json.tool", 0, '"score"'),
        ("search espresso cup --jsonl", 0, '{"path"'),
        ("search espresso cup --csv", 0, "path,score"),
        ("search espresso cup -0 | xargs -0 ls -l", 0, "coffee_cup.jpg"),
        ("search espresso cup -l", 0, "coffee_cup.jpg"),
        ("search espresso cup --format '{score} {path}'", 0, "coffee_cup.jpg"),
        ("search espresso cup -n 1 --offset 0", 0, "coffee_cup.jpg"),
        ("cd Pictures && search --in . --sort date -n 0 -l", 0, "coffee_cup.jpg"),
        ("cd Pictures && search --like ./coffee_cup.jpg --min-score 0", 0, ".jpg"),
        ("search ./Pictures/coffee_cup.jpg 2>&1", None, "search --like"),
        ("search qwertzuiop asdfghjkl", 1, ""),
        ("index status", 0, "11 photos, 11 indexed"),
        ("index status --json | python3 -m json.tool", 0, '"files"'),
        ("index ~/Pictures", 0, "nothing changed in 11 photos"),
        ("index --dry-run ~/Pictures 2>&1", 0, "0 to describe"),
        ("find ~/Pictures -name '*.jpg' -print0 | index --files-from - -0 --json", 0, '"seen": 11'),
        ("printf '%s\\n' ~/Pictures/*.jpg | index --files-from -", 0, "nothing changed"),
        ("index ~/Pictures/a*.jpg ~/Pictures/c*.jpg", 0, "nothing changed"),
        ("index ~/Pictures -q --json | python3 -m json.tool", 0, '"rows"'),
        ("index -h", 0, "Examples:"),
        ("index run --help", 0, "--exclude GLOB"),
        ("search -h", 0, "Examples:"),
        ("index --version && search -V", 0, "captionary"),
        ("index config path", 0, ".local/share/captionary"),
        ("index failures", 0, "no photo failed"),
        ("python3 -c 'import json' && index doctor --json", 0, '"ledger"'),
    ],
)
def test_what_is_typed_first(home: Path, line: str, code: int | None, shown: str) -> None:
    """Data on stdout and nothing else; a pipe is not told what a person would be."""
    done = typed(home, line)
    assert code is None or done.returncode == code, done.stderr
    assert shown in done.stdout
    assert "Traceback" not in done.stderr


def test_a_moved_folder_costs_nothing(home: Path) -> None:
    """Indexed again under its new name: moved, nothing new."""
    (home / "Pictures" / "2019").mkdir()
    (home / "Pictures" / "coffee_cup.jpg").rename(home / "Pictures" / "2019" / "cup.jpg")
    try:
        done = typed(home, "index ~/Pictures")
        assert (done.returncode, "1 moved, 11 indexed, $0.00" in done.stdout) == (0, True)
    finally:
        (home / "Pictures" / "2019" / "cup.jpg").rename(home / "Pictures" / "coffee_cup.jpg")
        (home / "Pictures" / "2019").rmdir()


def test_every_promised_environment_variable_and_stream(home: Path, tmp_path: Path) -> None:
    """CAPTIONARY_LIBRARY names the library; JSON stands alone on stdout."""
    done = typed(home, "index ~/Pictures --provider local --json", CAPTIONARY_LIBRARY=str(tmp_path / "other"))
    assert json.loads(done.stdout)["library"] == str(tmp_path / "other")
    assert "new library" in done.stderr
