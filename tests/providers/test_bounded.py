"""What a service answers is bounded: nothing that it sends, packs or drips fills the memory or takes for ever."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from time import sleep
from types import ModuleType

import httpx
import httpx2
import pytest

from indexer.domain.errors import Unreachable
from indexer.domain.job import Job, JobState
from indexer.providers import jsonl
from indexer.providers.bounded import MOST_OF_A_LINE, AnswerBounds, bounding
from indexer.providers.gemini.adapter import Gemini
from indexer.providers.http import Http, Service, Timeouts

_WHOLE = 96
"""The megabytes of each hostile answer: more than any bound, and little enough for a test that finds none."""
_PACKED = gzip.compress(b'{"models": "' + bytes(_WHOLE << 20), 1)
_MEGABYTE = b"{" + b"x" * ((1 << 20) - 1)


class _Hostile(BaseHTTPRequestHandler):
    """Answers as the address says: with a status, plain or packed, and far too much, or a byte at a time."""

    def do_GET(self) -> None:
        how = next((how for how in ("packed", "odd", "drip", "lie", "small") if how in self.path), "")
        self.send_response(500 if "error" in self.path else 200)
        if how in ("packed", "odd", "lie", "small"):
            self.send_header("Content-Encoding", "zstd" if how == "odd" else "GZip")
        self.end_headers()
        try:
            if how == "packed":
                self.wfile.write(_PACKED)
            elif how in ("lie", "odd"):
                self.wfile.write(b'{"data": []}')
            elif how == "small":
                self.wfile.write(gzip.compress(b'{"data": [{"id": "a"}]}'))
            elif how == "drip":
                while self.wfile.write(b" "):
                    sleep(0.02)
            else:
                for _ in range(_WHOLE):
                    self.wfile.write(_MEGABYTE)
        except OSError:
            """Whoever asked has gone."""

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """The address of a service whose answers do not fit anywhere."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def memory() -> Iterator[None]:
    """What the test does holds no more than some copies of the longest answer that is taken."""
    import_module("google.genai.errors")  # which an error loads, and which is not what is measured
    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 70 << 20, f"{most >> 20} MiB"


def way(url: str) -> Http:
    """The way of every provider but one."""
    return Http(Service("Somebody", url, "a-key-of-a-test"), Timeouts(), lambda _: None)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("how", ["plain", "packed", "plain-error", "packed-error"])
@pytest.mark.parametrize("provider", ["gemini", "others"])
def test_an_answer_that_is_too_long_is_told_in_words(hostile: str, provider: str, how: str) -> None:
    """Plain or packed, an answer or an error; nothing of it is kept."""
    url = f"{hostile}/{how}"
    service = Gemini("a-key-of-a-test", url, sleep=lambda _: None) if provider == "gemini" else None
    with pytest.raises(Unreachable, match=r"could not list the models.*more than 16 MiB came"):
        service.models() if service else way(url).names()


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("how", ["plain-error", "packed-error"])
def test_an_error_in_the_place_of_a_file_is_no_file(hostile: str, how: str) -> None:
    """A download streams what was asked for, and nothing else."""
    with pytest.raises(Unreachable), way(hostile).download("download the results", how):
        pass


def test_a_line_that_never_ends_is_no_result(hostile: str, tmp_path: Path) -> None:
    """Neither of Gemini nor of the others; the file that was begun is gone."""
    job = Job("batches/a", JobState.FINISHED, results=("files/plain",), requests=1)
    gemini = Gemini("a-key-of-a-test", hostile, sleep=lambda _: None)
    assert _WHOLE > MOST_OF_A_LINE >> 20
    with pytest.raises(Unreachable, match="a line of more than 64 MiB"):
        gemini.batches.fetch(job, tmp_path / "results.jsonl")
    with pytest.raises(Unreachable, match="a line of more than 64 MiB"):
        jsonl.download(way(hostile), ["plain"], tmp_path / "results.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "words"), [("odd", "packed in a way that was not asked for, 'zstd'"), ("lie", "says that it is packed")]
)
def test_what_cannot_be_unpacked_is_told(hostile: str, how: str, words: str) -> None:
    """Also by the name of the packing."""
    with pytest.raises(Unreachable, match=words):
        way(hostile).names(how)


def test_a_packed_answer_is_read(hostile: str) -> None:
    """As every other."""
    assert way(hostile).names("small") == ["a"]


@pytest.mark.parametrize("client", [httpx, httpx2])
def test_an_answer_that_drips_ends(hostile: str, client: ModuleType) -> None:
    """Each byte comes in time, and all of them together do not."""
    hooks = {"response": [bounding(client, AnswerBounds(seconds=0.1))]}
    with client.Client(event_hooks=hooks) as pool, pytest.raises(client.DecodingError, match="had not ended"):
        pool.get(f"{hostile}/drip")
