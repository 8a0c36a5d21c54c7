"""What a run would do and cost: the records of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.domain.mode import Mode


@dataclass(frozen=True, slots=True)
class Cost:
    """A price in US dollars as a range."""

    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """How long until the last answer is here, in seconds; `source` says whether that was measured here."""

    low_s: float
    high_s: float
    source: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """A photo of the pilot: what came back, or why nothing did, and what it cost."""

    path: str
    description: str
    tags: tuple[str, ...]
    failure: str
    input_tokens: int
    output_tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a pilot showed: shares from 0 to 1, lengths in characters, dollars a photo asked.

    `estimated_usd` is what the estimate before it said of a photo, in the middle.
    """

    requests: int
    valid: float
    refused: float
    length: float
    input_tokens: float
    output_tokens: float
    usd: float
    estimated_usd: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do and cost, before anything is sent.

    Counts are distinct work items: `planned = reused + failed + pending`, and `new` of the pending ones are still to be
    sent; `otherwise` of these have an answer to another question, which is kept. `cost` is what they are expected to
    cost in the asked mode (`interactive_cost`: the same by interactive requests), `likely_usd` the middle of it where
    `basis` answers measured here say so, `most_usd` what they can cost at the very most. Input tokens are counted by
    the service's rules, output tokens are the most that may come. `shards` is the number of waves that the service's
    queue allows. `given` names the facts of each photo that are sent with it. After a pilot, `sample` and `measured`
    hold what it brought and `sheet` is the file that shows it. `inherited` photos take the description of another one
    of their burst, which `saves` what they would have cost. `budget` is the one that was asked for, None the plan's own
    `most_usd`. `warnings` are lines for a person.
    """

    provider: str
    model: str
    mode: Mode
    files: int
    planned: int
    reused: int
    new: int
    duplicate: int
    pilot: int
    input_tokens: int
    output_tokens: int
    cost: Cost
    interactive_cost: Cost
    upload_bytes: int
    shards: int
    sample: tuple[Sampled, ...] = ()
    warnings: tuple[str, ...] = ()
    otherwise: int = 0
    likely_usd: float | None = None
    basis: int = 0
    most_usd: float = 0.0
    disk_bytes: int = 0
    wait: Wait | None = None
    given: tuple[str, ...] = ()
    measured: Measured | None = None
    sheet: str = ""
    inherited: int = 0
    saves: Cost = Cost()
    budget: float | None = None
