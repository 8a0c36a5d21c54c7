"""The one door: a key that a service echoes is stored nowhere and shown nowhere, whichever provider and field it is."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.errors import CaptionaryError
from indexer.domain.secrets import without_secrets
from indexer.library.api import Library, Seams
from indexer.providers.redaction import redacted, secrets_of
from search import Index
from tests.fakes.gemini import Emulator
from tests.support.commands import SAMPLES, index
from tests.support.echo import KEY, SPELLINGS, Echo

ENVIRON = {"ECHO_API_KEY": KEY, "CAPTIONARY_POLL_SECONDS": "0.02", "CAPTIONARY_KEEP_BATCHES": "yes"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some pictures."""
    folder = tmp_path_factory.mktemp("photos")
    for path in sorted(SAMPLES.glob("*.jpg"))[:5]:
        shutil.copy(path, folder)
    return folder


def stored(folder: Path) -> Iterator[bytes]:
    """Every byte that a library holds, gzipped ones unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@pytest.mark.parametrize("mode", ["batch", "interactive"])
def test_what_a_service_echoes_is_struck_out(photos: Path, mode: str, tmp_path: Path) -> None:
    """Rows, jobs, kept result files, answers with all their fields, notes, errors: no key in any spelling."""
    told: list[str] = []
    provider = Echo()
    seams = Seams(environ=ENVIRON, provider=lambda _: provider)
    with Library.open(tmp_path / "library", seams=seams, note=told.append) as held:
        report = held.index([photos], provider="echo", mode=mode, pilot=0, approve=True, workers=0)
        assert report.files.described == (4 if mode == "batch" else 5)
        told += [json.dumps(report.to_dict()), *(str(asdict(one)) for one in held.failures())]
        with pytest.raises(CaptionaryError) as fault:
            held.index(
                [photos], provider="echo", mode="interactive", model="refusing", pilot=0, approve=True, workers=0
            )
        told += [str(fault.value), fault.value.hint]
        held.export("jsonl", tmp_path / "out.jsonl")
    rows = Index.open(tmp_path / "library").to_arrow().to_pylist()
    assert any("I know [key]" in row["description"] for row in rows)
    kept = [*stored(tmp_path / "library"), (tmp_path / "out.jsonl").read_bytes()]
    for spelling in SPELLINGS:
        assert not any(spelling in text for text in told)
        assert not any(spelling.encode() in each or spelling.lower().encode() in each for each in kept), spelling


def test_a_real_service_s_error_rows_are_struck_out(photos: Path, emulator: Emulator, tmp_path: Path) -> None:
    """On the command line, before Gemini's own wire: what is printed, logged in the ledger, kept as results."""
    key = "AIzaSyEchoed0123456789abcdefghi"
    emulator.fault("row", "error", nth=1, code=3, message=f"bad picture for {key} and sk-ant-0123456789abcdef")
    emulator.fault("get", "400", nth=2, message=f"who is {key}")
    env = {"GOOGLE_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": emulator.url, "CAPTIONARY_POLL_SECONDS": "0.05"}
    where = ["--library", tmp_path / "library"]
    done = index(*where, photos, "--provider", "gemini", "--yes", "--workers", "1", env=env)
    done = index("collect", "--wait", *where, env=env) if done.code == 1 else done
    shown = index("failures", "--json", *where)
    assert done.code == 4, done.err
    assert "[key]" in shown.out
    for each in (done.out, done.err, shown.out):
        assert key not in each
    assert not any(key.encode() in each or b"sk-ant-0123" in each for each in stored(tmp_path / "library"))


@given(st.text(max_size=40), st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=12, max_size=40))
def test_no_secret_passes_between_any_words(words: str, secret: str) -> None:
    """Whatever stands around it; what holds no key stays as it is."""
    assert secret not in redacted(f"{words}{secret}{words}", [secret]).replace(words, "")
    assert redacted("two dogs, sk-learn and a task-force-of-many-people", [secret * 2]) == (
        "two dogs, sk-learn and a task-force-of-many-people"
    )


def test_what_counts_as_a_key() -> None:
    """Keys of any provider and passwords of proxies; short values would be found in ordinary words."""
    environ = {"A_API_KEY": "0123456789", "HTTPS_PROXY": "http://me:hunter22pass@proxy:1", "B_API_KEY": "dog"}
    assert secrets_of(environ) == ("0123456789", "hunter22pass")


def test_workers_inherit_no_key() -> None:
    """A process that decodes foreign files is not told what it does not need."""
    environ = {
        "OPENAI_API_KEY": "k",
        "GOOGLE_APPLICATION_CREDENTIALS": "f",
        "AWS_SECRET_ACCESS_KEY": "s",
        "HF_TOKEN": "t",
        "PATH": "/bin",
        "HOME": "/root",
        "KEYBOARD": "us",
        "CAPTIONARY_LIBRARY": "l",
    }
    assert sorted(without_secrets(environ)) == ["CAPTIONARY_LIBRARY", "HOME", "KEYBOARD", "PATH"]
