"""What is new, what is owned, what it would cost: the bill before anything is sent."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from indexer import prices
from indexer.errors import UsageError
from indexer.ledger import books, works
from indexer.ledger.crawled import Scope
from indexer.ledger.store import Ledger
from indexer.prompts import fill
from indexer.records import Cost, Limits, Mode, Plan, Question, Usage

_EDGE = 768  # the rendition's longest side, in pixels
_LIKELY_OUTPUT = 130  # tokens; a description with its tags is seldom shorter
_BYTES_A_LINE = 140_000  # a rendition of 100 KB in base64, with its prompt
PILOT_SIZE = 20
_PILOT_FROM = 50


@dataclass(frozen=True, slots=True)
class Quote:
    """What one request may cost: tokens at most, US dollars at least and at most."""

    input_tokens: int
    output_tokens: int
    low_usd: float
    high_usd: float


@dataclass(frozen=True, slots=True)
class Pricing:
    """Turns tokens into dollars. `own` prices (per million tokens: input, output; ordinary calls) win by model."""

    free: frozenset[str]
    today: datetime.date
    own: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def rate(self, question: Question, mode: Mode) -> tuple[float, float]:
        """Return dollars per input token and per output token; raises `UsageError` for a model without a price."""
        if question.provider in self.free:
            return 0.0, 0.0
        if question.model in self.own:
            share = 0.5 if mode is Mode.BATCH else 1.0
            paid_in, paid_out = self.own[question.model]
            return paid_in * share / 1e6, paid_out * share / 1e6
        price = prices.price(question.model, mode, self.today)
        if price is None:
            raise UsageError(
                f"the model {question.model} has no price here",
                hint="give it with --price IN,OUT (US dollars per million tokens, ordinary calls)",
            )
        return price.input / 1e6, price.output / 1e6

    def cost(self, question: Question, mode: Mode, usage: Usage) -> float:
        """Return the dollars that measured usage costs."""
        paid_in, paid_out = self.rate(question, mode)
        return usage.input_tokens * paid_in + usage.output_tokens * paid_out

    def quote(self, question: Question, mode: Mode) -> Quote:
        """Return what one request of this question may cost."""
        paid_in, paid_out = self.rate(question, mode)
        settings = question.settings
        text = fill(question.template, settings.language)
        tokens = prices.text_tokens(text) + prices.image_tokens(question.model, settings.media_resolution, _EDGE, _EDGE)
        most = settings.max_output_tokens
        low = tokens * paid_in + min(_LIKELY_OUTPUT, most) * paid_out
        return Quote(tokens, most, low, tokens * paid_in + most * paid_out)


def make_plan(
    ledger: Ledger, question: Question, mode: Mode, scope: Scope, pricing: Pricing, sizes: tuple[int | None, Limits]
) -> Plan:
    """Say what asking `question` about `scope` would do; `sizes` is the wished pilot and the provider's limits."""
    pilot, limits = sizes
    number = works.known_question(ledger, question)
    count = books.count_works(ledger, scope, number)
    files = books.standing_of_files(ledger, scope, question.provider, number)
    fresh = sum(1 for _ in works.unasked(ledger, number, scope))
    new = fresh + works.unsent(ledger, number)
    first = _pilot_size(ledger, number, new, pilot) if mode is Mode.BATCH else 0
    lane, call = pricing.quote(question, mode), pricing.quote(question, Mode.INTERACTIVE)
    rest = new - first
    tokens = new * lane.input_tokens
    return Plan(
        provider=question.provider,
        model=question.model,
        mode=mode,
        files=files.seen,
        planned=count.planned,
        reused=count.described,
        new=new,
        duplicate=files.duplicate,
        pilot=first,
        input_tokens=tokens,
        output_tokens=new * lane.output_tokens,
        cost=Cost(rest * lane.low_usd + first * call.low_usd, rest * lane.high_usd + first * call.high_usd),
        interactive_cost=Cost(new * call.low_usd, new * call.high_usd),
        upload_bytes=0 if question.provider in pricing.free else new * _BYTES_A_LINE,
        shards=max(1, math.ceil(tokens / limits.max_queued_tokens)) if new and mode is Mode.BATCH else 0,
        warnings=() if question.provider in pricing.free else tuple(prices.warnings(question.model, pricing.today)),
    )


def _pilot_size(ledger: Ledger, question: int | None, new: int, wished: int | None) -> int:
    """How many photos go ahead by ordinary calls; photos that have an answer to this question count."""
    answered = works.count_answers(ledger, question)
    if wished is not None:
        return max(0, min(wished - answered, new))
    return PILOT_SIZE if new >= _PILOT_FROM and answered < PILOT_SIZE else 0
