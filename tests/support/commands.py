"""Run the real commands as a user does: in processes of their own, with an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Run `index` or `search` and wait for its end."""
    program = Path(sys.executable).with_name(command)
    done = subprocess.run(
        [program, *arguments],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        **options,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def index(*arguments: str | Path, **options: Any) -> Done:
    """Run `index`."""
    return run("index", *arguments, **options)


def search(*arguments: str | Path, **options: Any) -> Done:
    """Run `search`."""
    return run("search", *arguments, **options)
