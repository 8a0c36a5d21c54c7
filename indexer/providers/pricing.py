"""What one request may use and cost: tokens turned into dollars."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.domain.answer import Usage
from indexer.domain.errors import UsageError
from indexer.domain.mode import Mode
from indexer.domain.photo import RENDITION_SIDE
from indexer.domain.plan import Cost
from indexer.domain.prompts import fill, longest, read_given
from indexer.domain.question import Question
from indexer.providers import prices
from indexer.providers.prices import Price, PriceTable
from indexer.providers.spec import Spec

_LARGEST = (RENDITION_SIDE, RENDITION_SIDE)


@dataclass(frozen=True, slots=True)
class Quote:
    """What one request may use and cost.

    Tokens and `high_usd` are the most that is possible, whatever its facts, and what is reserved for it;
    `counted_tokens` are the input by the service's rules, and `likely` is the range in which its price is expected.
    """

    input_tokens: int
    output_tokens: int
    high_usd: float
    counted_tokens: int
    likely: Cost


@dataclass(frozen=True, slots=True)
class Pricing:
    """Turns tokens into dollars by a price table as of `today`; `spec` tells what is known of a provider."""

    spec: Callable[[str], Spec]
    today: datetime.date
    table: PriceTable = prices.TABLE
    options: Callable[[str], Mapping[str, Any]] = lambda _: {}

    def price(self, question: Question, mode: Mode) -> Price:
        """Return the price of a mode; raises `UsageError` for a model without one."""
        spec = self.spec(question.provider)
        if spec.free:
            return Price(0.0, 0.0)
        known = self.table.price(question.model, mode, self.today)
        if known is None and spec.price is not None:
            return spec.price(self.options(spec.name))
        if known is None:
            raise UsageError(
                f"the model {question.model} has no price here for {mode}",
                hint="give it with --price IN,OUT (US dollars per million tokens)",
            )
        return known

    def refuse_retired(self, question: Question) -> None:
        """Raise `UsageError` for a model that is switched off; what it served before still has its price."""
        gone = self.table.retired(question.model, self.today)
        if gone:
            raise UsageError(
                f"the model {question.model} was switched off on {gone}",
                hint="choose another one with --model; if it does serve, say so with --price IN,OUT",
            )

    def cost(self, question: Question, mode: Mode, usage: Usage) -> float:
        """Return the dollars that measured usage costs: as the service says, else by the mode that was served."""
        if usage.usd is not None:
            return usage.usd
        at = self.price(question, usage.mode or mode)
        return at.of(usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cache_write_tokens)

    def quote(
        self,
        question: Question,
        mode: Mode,
        given: str = "{}",
        size: tuple[int, int] = (RENDITION_SIDE, RENDITION_SIDE),
    ) -> Quote:
        """Return what one request of this question may cost.

        `given` is the JSON of the facts in its prompt, `size` that of its rendition in pixels: what is likely depends
        on them. What is reserved is that of the largest rendition and the longest prompt.
        """
        language = question.settings.language
        at = self.price(question, mode)
        count = self.spec(question.provider).tokens
        tokens = count(question, fill(question.template, language, read_given(given)), *size)
        most = count(question, longest(question.template, language), *_LARGEST)
        return Quote(most.input_most, most.output_most, prices.most(most, at), tokens.input, prices.cost(tokens, at))

    def warnings(self, question: Question, mode: Mode) -> tuple[str, ...]:
        """Return lines for a person about prices that may not hold for long."""
        return () if self.spec(question.provider).free else self.table.warnings(question.model, mode, self.today)
