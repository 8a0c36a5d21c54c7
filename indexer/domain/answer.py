"""What comes back for a request: an answer or a failure, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from indexer.domain.mode import Mode


class Reason(StrEnum):
    """Why a photo has no description; every failed photo ends with exactly one."""

    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    MISSING = "missing"
    EXPIRED = "expired"
    SERVER_ERROR = "server_error"


class Handling(StrEnum):
    """What a failed request means for the run.

    `KEEP`: the photo failed, for its reason. `AGAIN`: the service never tried it, so it goes back to pending and no
    attempt is used up. `PAUSE`: the account is at fault (no credit, a dead key), every other request would fail as
    well: stop asking and blame no photo.
    """

    KEEP = "keep"
    AGAIN = "again"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request was billed for; thinking tokens count as output, cached ones are part of the input.

    `cached_tokens` were read from the service's cache, `cache_write_tokens` put into it. `usd` is the price in dollars
    where the service says it itself, `mode` the mode in which it was really served, None: as asked.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    usd: float | None = None
    mode: Mode | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says of a photo: description, lower-case tags, text seen in it, and any further fields."""

    description: str
    tags: tuple[str, ...] = ()
    visible_text: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request brought no answer; `detail` is one line for a person, `handling` what it means for the run."""

    reason: Reason
    detail: str
    handling: Handling = Handling.KEEP


@dataclass(frozen=True, slots=True)
class Room:
    """How many more `calls` a service takes now before it refuses, and in how many `seconds` it takes all again."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One result line: the key it claims (None when it has none), what it says, and what it cost (None: unknown).

    `room` is what the service said about its rates beside it (None: nothing).
    """

    key: str | None
    outcome: Answer | Failure
    usage: Usage | None = None
    room: Room | None = None
