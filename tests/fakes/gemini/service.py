"""What all parts of the service share."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.gemini.clock import VirtualClock
from tests.fakes.gemini.faults import FaultBook
from tests.fakes.gemini.generate import Brain, Served
from tests.fakes.gemini.models import MODELS
from tests.fakes.gemini.settings import Settings, fingerprint
from tests.fakes.gemini.store import Store

_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the key by its fingerprint, and the project that owns what the key makes."""

    key: str
    project: str
    free: bool
    broke: bool


@dataclass(slots=True)
class Service:
    """The shared state of one running emulator."""

    home: Path
    settings: Settings
    store: Store
    clock: VirtualClock
    brain: Brain
    faults: FaultBook
    stopping: threading.Event = field(default_factory=threading.Event)

    def caller(self, key: str) -> Caller:
        """Return the caller behind a raw key."""
        settings = self.settings
        project = settings.project(key)
        return Caller(fingerprint(key), project, key in settings.free_keys, key in settings.no_credit_keys)

    def book(self, caller: Caller, model: str, served: Served) -> None:
        """Enter one single call into the books."""
        self.store.insert_many("served", SERVED, [self.entry(served, ("interactive", model, "", ""), caller)])

    def entry(self, served: Served, line: tuple[str, str, str, str], caller: Caller) -> tuple[object, ...]:
        """Return the books' row for one served request; `line` is lane, model, job and row key."""
        lane, model, job, key = line
        now = self.clock.now()
        usd = MODELS[model].usd(lane, served.input_tokens, served.output_tokens, now)
        sha = "+".join(picture.sha256 for picture in served.pictures)
        signature = "+".join(picture.signature for picture in served.pictures)
        tokens = (served.input_tokens, served.output_tokens)
        return (
            lane,
            caller.key,
            caller.project,
            model,
            job,
            key,
            sha,
            signature,
            served.outcome,
            *tokens,
            usd,
            now,
        )


SERVED = (
    *("lane", "key", "project", "model", "job", "row", "sha256", "signature"),
    *("outcome", "input_tokens", "output_tokens", "usd", "at"),
)
"""The columns of the books, in the order of `Service.entry`."""


def new_id(length: int) -> str:
    """Return a random id of lower-case letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
