"""What is known of a provider without a key, an SDK or a socket."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.domain.errors import UsageError
from indexer.domain.mode import Mode
from indexer.domain.question import Question
from indexer.providers.prices import Price
from indexer.providers.tokens import Tokens, by_patches

if TYPE_CHECKING:
    from indexer.providers.seam import LineFault, Provider


class Rank(IntEnum):
    """How an answer ranks among the answers of its photo: a higher one is shown."""

    FACTS = 0
    PIXELS = 10
    LOCAL_MODEL = 20
    REMOTE_MODEL = 30
    PERSON = 40


@dataclass(frozen=True, slots=True)
class Opening:
    """What a provider is opened with.

    `options` are the values of its own table in captionary.toml, checked against `Spec.options`; `sleep` is called
    between tries of what may be repeated; `clock` tells the seconds since the epoch.
    """

    environ: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time


def _at_once(mode: Mode, now: float) -> float:
    return now


@dataclass(frozen=True, slots=True)
class Spec:
    """One provider, as everything above `providers/` knows it.

    `modes` has the default one first; `default_model` is "" where the service must be asked. Of `key_variables` the
    first one that is set counts. `free`: its requests cost nothing; `offline`: nothing leaves the machine. `options` is
    a frozen dataclass whose fields are the settings of its own table. `tokens` counts a request by the service's rule
    from question, filled prompt, width and height in pixels. `opens` is "module:function", called with an `Opening`.
    `trains` says whether the service may train on what it is sent: "no", "yes" or "unknown". `schema_advice` is told
    where answers ignore the schema; `packages` are the distributions that it needs at work. An uploaded file lives
    `file_seconds`, results `result_seconds` after their job. `checks` is "module:function", which finds the faults of a
    batch file without a key. `turnaround` are the seconds that a batch takes in the middle and in nine cases of ten, as
    far as it was published. `price` is the price of a model that the table does not know, by the settings of the
    provider's own table; `opens_at` is the moment from which calls of a mode may go out, by the time now. `automatic`
    is its place among the providers whose key a new library looks for, None when it is never chosen by itself.
    `requires` are the settings of its own table without which `best` does not choose it.
    """

    name: str
    rank: Rank
    modes: tuple[Mode, ...]
    default_model: str
    opens: str
    key_variables: tuple[str, ...] = ()
    free: bool = False
    offline: bool = False
    options: type[Any] | None = None
    tokens: Callable[[Question, str, int, int], Tokens] = by_patches
    trains: str = "unknown"
    schema_advice: str = ""
    packages: tuple[str, ...] = ()
    file_seconds: float = math.inf
    result_seconds: float = math.inf
    checks: str = ""
    turnaround: tuple[float, float] = (3_600.0, 86_400.0)
    price: Callable[[Mapping[str, Any]], Price] | None = None
    opens_at: Callable[[Mode, float], float] = _at_once
    automatic: int | None = None
    requires: tuple[str, ...] = ()

    def open(self, opening: Opening) -> Provider:
        """Open the provider; raises `KeyMissing` that names the variable."""
        module, _, function = self.opens.partition(":")
        made: Provider = getattr(import_module(module), function)(opening)
        return made

    def check_file(self, path: Path) -> Iterator[LineFault]:
        """Yield what the service would refuse in a batch file; `OSError` when it cannot be read."""
        module, _, function = self.checks.partition(":")
        found: Iterator[LineFault] = getattr(import_module(module), function)(path)
        return found

    def key(self, environ: Mapping[str, str]) -> str:
        """Return the key that `environ` holds for it, "" when there is none."""
        told = (environ.get(variable, "").strip() for variable in self.key_variables)
        return next(filter(None, told), "")

    def has_mode(self, mode: Mode) -> Mode:
        """Return `mode`; raises `UsageError` where this provider lacks it."""
        if mode not in self.modes:
            raise UsageError(
                f"the provider {self.name} has no {mode} mode", hint=f"its modes: {', '.join(map(str, self.modes))}"
            )
        return mode
