"""Routes: what describing some photos would cost, and when it would be ready, by every provider, model and mode.

Nothing is asked of any service. What a route costs is counted by its own rules; how long it takes is known from the
jobs and calls of this library, else from what was published of the service (read in November 2026).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, stdev
from typing import Any

from indexer.domain.errors import (
    CaptionaryError,
    KeyMissing,
    KeyRefused,
    NoCredit,
    NotFound,
    RateLimited,
    UnknownModel,
    Unreachable,
    UsageError,
)
from indexer.domain.job import UNBOUND, Limits
from indexer.domain.mode import Mode
from indexer.domain.money import dollars
from indexer.domain.plan import Cost
from indexer.domain.question import Question
from indexer.ledger.store import Ledger
from indexer.ledger.views import durations
from indexer.pipeline.index_options import IndexOptions
from indexer.pipeline.turnaround import Next, expect, in_waves
from indexer.providers.pricing import Pricing
from indexer.providers.spec import Rank, Spec

_CALL_SECONDS = (3.0, 8.0)
_PUBLISHED = "published, November 2026"
_ENOUGH_CALLS = 20
_QUEUE = replace(UNBOUND, max_queued_tokens=2_000_000)  # one that nobody knows
_FLEX = 3.0  # how many times as long as a call a flex call is taken to last
_LATE = 1.28  # standard deviations that nine of ten keep
_THOUSAND = 1_000
_BY_PRICE = "(by price)"


@dataclass(frozen=True, slots=True)
class Ready:
    """Seconds until the last answer: in the middle, and in nine cases of ten; `source` says how that is known."""

    p50: float
    p90: float
    source: str


@dataclass(frozen=True, slots=True)
class Route:
    """One way to have photos described. `usd` is for all that are new, `per_1000_usd` the high price of a thousand.

    `waves` is how often the account's queue has to be filled. `why_not` says why it is not `usable`; `trains` whether
    the service may train on what it is sent. It is `keyless` while its key is not set; where the provider `picks` its
    model as it is opened, `model` only says so.
    """

    provider: str
    model: str
    mode: Mode
    usd: Cost
    per_1000_usd: float
    ready_s: Ready
    waves: int
    trains: str
    usable: bool = True
    why_not: str = ""
    chosen: bool = False
    keyless: bool = False
    picks: bool = False

    @property
    def named(self) -> IndexOptions:
        """The options that name its provider and its model, where a model is known."""
        return {"provider": self.provider} if self.picks else {"provider": self.provider, "model": self.model}

    def __str__(self) -> str:
        return f"{self.provider} {self.model} ({self.mode})"

    def to_dict(self) -> dict[str, Any]:
        """The route as programs are promised it."""
        told = {**asdict(self), "mode": str(self.mode)}
        return {name: value for name, value in told.items() if name not in ("keyless", "picks")}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a route must keep: US dollars in all and for a thousand photos, seconds until nine of ten are sure."""

    budget: float | None = None
    max_per_1000: float | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """Where routes are looked for: prices, keys, the moment, what binds a model's queue, calls at once."""

    pricing: Pricing
    environ: Mapping[str, str]
    now: float
    queue: Callable[[Question], Limits | None] = lambda _: None
    concurrency: int = 4


def routes(
    ledger: Ledger, asked: Question, specs: Sequence[Spec], new: int, market: Market, bounds: Bounds = Bounds()
) -> list[Route]:
    """Return every route for `new` photos, the usable ones first, each group by price; the best one is `chosen`.

    `asked` is the question whose prompt and schema all of them would answer.
    """
    found: list[Route] = []
    for spec in specs:
        model = asked.model if asked.provider == spec.name else spec.default_model
        question = replace(asked, provider=spec.name, model=model or _BY_PRICE)
        found.extend(_judged(_route(ledger, question, mode, new, market), spec, market, bounds) for mode in spec.modes)
    found.sort(key=lambda route: (not route.usable, route.usd.high, route.mode is not Mode.BATCH, route.ready_s.p90))
    if found and found[0].usable:
        found[0] = replace(found[0], chosen=True)
    return found


def _route(ledger: Ledger, question: Question, mode: Mode, new: int, market: Market) -> Route:
    spec = market.pricing.spec(question.provider)
    try:
        market.pricing.refuse_retired(question)
        quote = market.pricing.quote(question, mode)
        one, tokens, why_not = quote.likely, quote.input_tokens, ""
    except UsageError as fault:
        one, tokens, why_not = Cost(), 0, str(fault)
    waves = 1
    if mode is Mode.BATCH:
        waves = max(1, (market.queue(question) or _QUEUE).waves(new, tokens))
    return Route(
        provider=spec.name,
        model=question.model,
        mode=mode,
        usd=Cost(new * one.low, new * one.high),
        per_1000_usd=_THOUSAND * one.high,
        ready_s=_batches(ledger, question, new, waves, market)
        if mode is Mode.BATCH
        else ready_by_calls(ledger, question, mode, new, market),
        waves=waves,
        trains=spec.trains,
        usable=not why_not,
        why_not=why_not,
        picks=question.model == _BY_PRICE,
    )


def _batches(ledger: Ledger, question: Question, new: int, waves: int, market: Market) -> Ready:
    """`new` photos in so many waves, one after the other."""
    spec = market.pricing.spec(question.provider)
    took = durations.jobs(ledger, spec.name, market.now)
    one = expect(took, Next(question.model, math.ceil(new / waves), market.now), spec.turnaround)
    return Ready(*in_waves(one, waves), one.source if one.source == "history" else _PUBLISHED)


def ready_by_calls(ledger: Ledger, question: Question, mode: Mode, new: int, market: Market) -> Ready:
    """Return how long `new` calls take, some at once, from the moment on from which the mode is open."""
    spec = market.pricing.spec(question.provider)
    waits = max(0.0, spec.opens_at(mode, market.now) - market.now)
    rounds = math.ceil(new / max(1, market.concurrency))
    seen = durations.calls(ledger, question, mode)
    if len(seen) >= _ENOUGH_CALLS:
        middle, last = fmean(seen), seen[math.ceil(0.9 * len(seen)) - 1]
        late = rounds * middle + _LATE * stdev(seen) * math.sqrt(rounds)
        return Ready(waits + rounds * middle, waits + max(late, last if rounds else 0.0), "history")
    slower = _FLEX if mode is Mode.FLEX else 1.0
    middle, late = (slower * rounds * seconds for seconds in _CALL_SECONDS)
    return Ready(waits + middle, waits + late, "estimate")


def _judged(route: Route, spec: Spec, market: Market, bounds: Bounds) -> Route:
    why_not = route.why_not
    keyless = not why_not and bool(spec.key_variables) and not spec.key(market.environ)
    if keyless:
        why_not = f"{' or '.join(spec.key_variables)} is not set"
    if not why_not and bounds.budget is not None and route.usd.high > bounds.budget:
        why_not = f"could cost {dollars(route.usd.high)}, above the budget"
    if not why_not and bounds.max_per_1000 is not None and route.per_1000_usd > bounds.max_per_1000:
        why_not = f"could cost {dollars(route.per_1000_usd)} for 1,000 photos, above the price given"
    if not why_not and bounds.deadline is not None and route.ready_s.p90 > bounds.deadline:
        why_not = "may be ready too late"
    return replace(route, usable=not why_not, why_not=why_not, keyless=keyless)


def remote(specs: Sequence[Spec], named: Sequence[str] = ()) -> list[Spec]:
    """Return the providers that routes are looked for among: remote ones, and those that somebody named."""
    return [spec for spec in specs if spec.name in named or (not named and spec.rank >= Rank.REMOTE_MODEL)]


def is_dead(fault: CaptionaryError) -> bool:
    """Say whether a fault ends a route for now: no credit, a dead key, a model that is gone, nobody there."""
    return isinstance(fault, KeyMissing | KeyRefused | NoCredit | NotFound | UnknownModel | RateLimited | Unreachable)
