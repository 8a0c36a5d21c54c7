"""What is new, what is owned, what it would cost: the bill before anything is sent."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

from indexer import prices
from indexer.errors import UsageError
from indexer.ledger import books, works
from indexer.ledger.crawled import Scope
from indexer.ledger.store import Ledger
from indexer.prices import Price, PriceTable
from indexer.prompts import fill
from indexer.records import Cost, Limits, Mode, Plan, Question, Usage

_EDGE = 768  # the rendition's longest side, in pixels
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
    """Turns tokens into dollars by a price table as of `today`; `free` names the providers that cost nothing."""

    free: frozenset[str]
    today: datetime.date
    table: PriceTable = prices.TABLE

    def price(self, question: Question, mode: Mode) -> Price:
        """Return the price of a lane; raises `UsageError` for a model without one."""
        if question.provider in self.free:
            return Price(0.0, 0.0)
        known = self.table.price(question.model, mode, self.today)
        if known is None:
            raise UsageError(
                f"the model {question.model} has no price here for {mode}",
                hint="give it with --price IN,OUT (US dollars per million tokens)",
            )
        return known

    def cost(self, question: Question, mode: Mode, usage: Usage) -> float:
        """Return the dollars that measured usage costs."""
        return self.price(question, mode).of(usage.input_tokens, usage.output_tokens)

    def quote(self, question: Question, mode: Mode) -> Quote:
        """Return what one request of this question may cost."""
        prompt = fill(question.template, question.settings.language)
        tokens = prices.estimate(question, prompt, _EDGE, _EDGE)
        cost = prices.cost(tokens, self.price(question, mode))
        return Quote(tokens.input, tokens.output_high, cost.low, cost.high)

    def warnings(self, question: Question, mode: Mode) -> tuple[str, ...]:
        """Return lines for a person about prices that may not hold for long."""
        return () if question.provider in self.free else self.table.warnings(question.model, mode, self.today)


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
        warnings=pricing.warnings(question, mode),
    )


def _pilot_size(ledger: Ledger, question: int | None, new: int, wished: int | None) -> int:
    """How many photos go ahead by ordinary calls; photos that have an answer to this question count."""
    answered = works.count_answers(ledger, question)
    if wished is not None:
        return max(0, min(wished - answered, new))
    return PILOT_SIZE if new >= _PILOT_FROM and answered < PILOT_SIZE else 0


def retry_plan(question: Question, mode: Mode, failed: int, pricing: Pricing) -> Plan:
    """Say what asking again for `failed` photos would cost."""
    lane, call = pricing.quote(question, mode), pricing.quote(question, Mode.INTERACTIVE)
    return Plan(
        provider=question.provider,
        model=question.model,
        mode=mode,
        files=failed,
        planned=failed,
        reused=0,
        new=failed,
        duplicate=0,
        pilot=0,
        input_tokens=failed * lane.input_tokens,
        output_tokens=failed * lane.output_tokens,
        cost=Cost(failed * lane.low_usd, failed * lane.high_usd),
        interactive_cost=Cost(failed * call.low_usd, failed * call.high_usd),
        upload_bytes=0 if question.provider in pricing.free else failed * _BYTES_A_LINE,
        shards=1 if mode is Mode.BATCH else 0,
    )
