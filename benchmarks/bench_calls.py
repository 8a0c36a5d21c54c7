"""Single calls at scale: the rate of the call lane against a bare loop over httpx, before a server of fixed latency.

    python benchmarks/bench_calls.py [CALLS] [CONCURRENCY] [LATENCY_MS] [calls]

The photos lie in the ledger and in the spool as after a crawl. From there on everything is real: intents, calls over
HTTP, answers, spend, rows of the table. The bare loop sends the same bodies from as many threads and keeps nothing.
Memory is the peak of the process that calls; a tenth of the calls is run first, so that growth shows. With `calls` that
process ends with its last call, and makes no table: then the memory is that of the calls alone. The CPU time of
our own is what the process that calls uses beyond the bare loop's and beyond encoding the body with its picture.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.bench_batches import forge, picture
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Request
from indexer.providers import chat

_MODEL = "gpt-6-luna"
_QUESTION = Question("openai", _MODEL, DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
_WORDS = {"description": "Two dogs look out of a window. " * 6, "tags": ["dog", "window"], "visible_text": ""}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": json.dumps(_WORDS)}, "finish_reason": "stop"}
_SAID = json.dumps(
    {"model": _MODEL, "choices": [_CHOICE], "usage": {"prompt_tokens": 800, "completion_tokens": 90}}
).encode()
_CHILD = """
import json, os, resource, sys, time
from indexer.library.api import Library
seen = []
def progress(told):
    if told.stage == "asking":
        seen[1:] = [(time.perf_counter(), time.process_time(), told.done)]
        if sys.argv[2:] and told.done == told.total:
            tell(told.done)
            os._exit(0)
def tell(described):
    (start, cpu, first), (end, used, last) = seen
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    calls = last - first
    print(json.dumps([described, calls / (end - start), 1000 * (used - cpu) / calls, memory]), flush=True)
with Library.open(sys.argv[1], progress=progress) as library:
    tell(library.collect(wait=True).files.described)
"""


async def _serve(latency: float, told: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length"))
                await reader.readexactly(length)
                await asyncio.sleep(latency)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_SAID) + _SAID)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 24)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _server(latency: float, told: Connection) -> None:
    asyncio.run(_serve(latency, told))


def lane(scratch: Path, url: str, calls: int, concurrency: int, until: tuple[str, ...]) -> tuple[float, float, int]:
    """Return calls a second, CPU-ms a call and peak MB of a process that makes `calls` calls and tables them.

    `until`: with an argument, it ends before the table.
    """
    home = scratch / f"library-{calls}"
    forge(home, calls, _QUESTION, Mode.INTERACTIVE)
    env = {**os.environ, "OPENAI_API_KEY": "key-of-nobody", "OPENAI_BASE_URL": url, "HF_HUB_OFFLINE": "1"}
    env["CAPTIONARY_CONCURRENCY"] = str(concurrency)
    done = subprocess.run([sys.executable, "-c", _CHILD, home, *until], env=env, check=True, stdout=subprocess.PIPE)
    described, rate, cpu_ms, megabytes = json.loads(done.stdout.splitlines()[-1])
    assert described == calls
    return rate, cpu_ms, megabytes


def bare(url: str, calls: int, concurrency: int) -> tuple[float, float]:
    """Return calls a second and CPU-ms a call of a loop that only sends."""
    body = chat.body(_request(), chat.Dialect())
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    with httpx.Client(limits=limits) as client, ThreadPoolExecutor(concurrency) as pool:
        began, cpu = time.perf_counter(), time.process_time()
        for answer in pool.map(lambda _: client.post(f"{url}/chat/completions", content=body), range(calls)):
            assert json.loads(answer.content)["choices"]
        return calls / (time.perf_counter() - began), 1000 * (time.process_time() - cpu) / calls


def encoding(rounds: int = 300) -> float:
    """Return the CPU-ms that the body of a call takes, its picture included."""
    request, began = _request(), time.process_time()
    for _ in range(rounds):
        chat.body(request, chat.Dialect())
    return 1000 * (time.process_time() - began) / rounds


def _request() -> Request:
    return Request("k", _QUESTION, picture(), fill(DEFAULT_TEMPLATE, "English"))


def main(calls: int = 2_000, concurrency: int = 16, latency_ms: float = 500.0, *until: str) -> None:
    """Print rates and memory."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_server, args=(latency_ms / 1000, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}/v1"
    most = concurrency / (latency_ms / 1000)
    with tempfile.TemporaryDirectory() as scratch:
        _, _, small = lane(Path(scratch), url, max(1, calls // 10), concurrency, until)
        rate, cpu_ms, large = lane(Path(scratch), url, calls, concurrency, until)
    loop, loop_ms = bare(url, min(calls, 1000), concurrency)
    encode_ms = encoding()
    server.terminate()
    print(
        f"call lane {rate:.1f}/s = {rate / most:.2f} of concurrency/latency; bare loop {loop:.1f}/s; {rate / loop:.2f}"
    )
    print(
        f"CPU a call: {cpu_ms:.2f} ms, less {loop_ms:.2f} of the bare loop and {encode_ms:.2f} of encoding the picture"
        f" = {cpu_ms - loop_ms - encode_ms:.2f} of our own"
    )
    print(f"peak memory {large} MB for {calls:,} calls, {small} MB for a tenth of them: {large - small:+} MB")


if __name__ == "__main__":
    main(*(type_(told) for type_, told in zip((int, int, float, str), sys.argv[1:], strict=False)))
