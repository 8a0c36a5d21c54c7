"""Run the real commands as a user does: in processes of their own, with an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support import warm

SAMPLES = Path(__file__).parents[2] / "sample_images"
_SERVICES = ("GOOGLE", "GEMINI", "GOOGLE_GEMINI", "OPENAI", "ANTHROPIC", "MISTRAL", "OPENROUTER", "DEEPSEEK")
_SECRETS = tuple(f"{name}_{what}" for name in _SERVICES for what in ("API_KEY", "BASE_URL"))


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote to stdout, as JSON."""
        return json.loads(self.out)


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without keys and settings, and with `extra`."""
    bare = {
        name: value for name, value in os.environ.items() if name not in _SECRETS and not name.startswith("CAPTIONARY_")
    }
    return {**bare, "HF_HUB_OFFLINE": "1", **extra}


def run(command: str, *arguments: str | Path, env: Mapping[str, str] | None = None, **options: Any) -> Done:
    """Run `index` or `search` and wait for its end; from the fork server where that makes no difference."""
    program = Path(sys.executable).with_name(command)
    whole = environment(**(env or {}))
    if options.keys() <= {"cwd"} and warm.can_run(whole):
        return _run_warm(program, [str(one) for one in arguments], whole, str(options.get("cwd", Path.cwd())))
    done = subprocess.run(
        [program, *arguments],
        env=whole,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _run_warm(program: Path, arguments: list[str], env: Mapping[str, str], cwd: str) -> Done:
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        out.touch()
        err.touch()
        code = warm.run(program, arguments, env, cwd, (out, err))
        return Done(code if code is not None else -1, out.read_text("utf-8"), err.read_text("utf-8"))


def index(*arguments: str | Path, **options: Any) -> Done:
    """Run `index`."""
    return run("index", *arguments, **options)


def search(*arguments: str | Path, **options: Any) -> Done:
    """Run `search`."""
    return run("search", *arguments, **options)
