"""`python -m tests.fakes.gemini`: the service by hand."""

from __future__ import annotations

import argparse
import json
import signal
import tempfile
from pathlib import Path
from typing import Any

from tests.fakes.gemini.emulator import Emulator
from tests.fakes.gemini.settings import SAMPLES

_HOWTO = """\
Gemini emulator at {url}, state in {state}
  export GOOGLE_GEMINI_BASE_URL={url} GOOGLE_API_KEY=test-key
  curl {url}/_emulator/books
  curl -d '{{"route": "create", "kind": "503", "nth": 1}}' {url}/_emulator/faults
  curl '{url}/_emulator/kinds?route=row'
  curl -d '{{"advance": 3600}}' {url}/_emulator/clock
Keys: bad-key and wrong-key are refused, free-tier has no batches, no-credit is out of money; any other works.\
"""


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.gemini", description=__doc__)
    parser.add_argument("--state", type=Path, help="directory that keeps the state (default: a new temporary one)")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port-file", type=Path, help="the port is written here once calls are answered")
    parser.add_argument("--samples", type=Path, default=SAMPLES, help="the pictures that are recognised")
    parser.add_argument("--set", metavar="NAME=VALUE", type=_setting, action="append", default=[])
    parser.add_argument("--quiet", action="store_true")
    options = parser.parse_args()
    state = options.state or Path(tempfile.mkdtemp(prefix="gemini-emulator-"))
    emulator = Emulator(state, port=options.port, host=options.host, samples=options.samples, **dict(options.set))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with emulator:
        if not options.quiet:
            print(_HOWTO.format(url=emulator.url, state=state), flush=True)
        if options.port_file:
            _write_whole(options.port_file, emulator.url.rpartition(":")[2])
        try:
            emulator.wait()
        except KeyboardInterrupt:
            return


def _write_whole(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


main()
