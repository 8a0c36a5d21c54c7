"""What requests cost: a dated table of prices.

Prices are US dollars per million tokens, in `prices.json` beside this file. They were read from the services' pricing
pages on the day that stands in it; there are warnings about a table that is old, a model that is about to go and a
price that is about to change. Users override any of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from indexer.domain.errors import BadSetting
from indexer.domain.mode import Mode
from indexer.domain.plan import Cost
from indexer.providers.tokens import Tokens

STALE_AFTER = timedelta(days=60)
WARN_AHEAD = timedelta(days=45)
_ALWAYS = date.min
_MILLION = 1_000_000
_WIDEST = 3.0  # a range wider than this tells nobody anything


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens: in, out, read from a cache and written to it; None: as any input."""

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None

    def of(self, input_tokens: int, output_tokens: int, cached: int = 0, cache_write: int = 0) -> float:
        """Return the dollars that so many tokens cost; `cached` and `cache_write` are part of the input tokens."""
        plain = max(0, input_tokens - cached - cache_write)
        read = cached * (self.input if self.cached is None else self.cached)
        written = cache_write * (self.input if self.cache_write is None else self.cache_write)
        return (plain * self.input + read + written + output_tokens * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one model from a day on, by mode; None where the service does not sell that mode of it."""

    model: str
    standard: Price
    batch: Price | None
    since: date = _ALWAYS
    flex: Price | None = None
    off_peak: Price | None = None

    def of(self, mode: Mode) -> Price | None:
        """Return the price of `mode`."""
        return {
            Mode.BATCH: self.batch,
            Mode.INTERACTIVE: self.standard,
            Mode.FLEX: self.flex,
            Mode.OFF_PEAK: self.off_peak,
        }[mode]


_HALVES = ("flex", "off_peak")


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Tariffs and the days on which models are switched off; for one model, the latest tariff in force holds.

    `told` are the models whose price somebody told: it does not grow old with the table.
    """

    read_on: date
    tariffs: tuple[Tariff, ...]
    retirements: Mapping[str, date]
    told: frozenset[str] = frozenset()

    def price(self, model: str, mode: Mode, on: date) -> Price | None:
        """Return what `model` costs in `mode` on that day, None when the table does not know."""
        tariff = max(
            (known for known in self._of(model) if known.since <= on), key=lambda known: known.since, default=None
        )
        return tariff.of(mode) if tariff else None

    def retired(self, model: str, on: date) -> date | None:
        """Return the day on which `model` was switched off, None while it serves."""
        day = self.retirements.get(_bare(model))
        return day if day is not None and on >= day else None

    def warnings(self, model: str, mode: Mode, on: date) -> tuple[str, ...]:
        """Return lines for a person about what may not hold for `model` much longer."""
        old = () if _bare(model) in self.told else self.stale(on)
        return (*old, *self._retiring(model, on), *self._repriced(model, mode, on))

    def stale(self, on: date) -> tuple[str, ...]:
        """Return a line for a person where the table was read too long ago; what it says is used all the same."""
        if on - self.read_on <= STALE_AFTER:
            return ()
        days = (on - self.read_on).days
        return (
            f"the price table is {days} days old ({self.read_on}): check the service's prices, or give --price IN,OUT",
        )

    def with_tariffs(self, tariffs: Iterable[Tariff], read_on: date | None = None) -> PriceTable:
        """Return a table in which `tariffs` replace everything known of their models, the end of their service too."""
        new = tuple(tariffs)
        named = {_bare(tariff.model) for tariff in new}
        kept = tuple(tariff for tariff in self.tariffs if tariff.model not in named)
        lasting = {model: day for model, day in self.retirements.items() if model not in named}
        told = self.told if read_on else self.told | named
        return replace(self, tariffs=kept + new, retirements=lasting, read_on=read_on or self.read_on, told=told)

    def _of(self, model: str) -> list[Tariff]:
        name = _bare(model)
        exact = [tariff for tariff in self.tariffs if tariff.model == name]
        # A pinned version, gemini-2.5-flash-001, costs what its model costs.
        return exact or [tariff for tariff in self.tariffs if tariff.model == re.sub(r"-\d{3}$", "", name)]

    def _retiring(self, model: str, on: date) -> Iterable[str]:
        day = self.retirements.get(_bare(model))
        if day is not None and on >= day:
            yield f"{model} was switched off on {day}: choose another model"
        elif day is not None and day - on <= WARN_AHEAD:
            yield f"{model} is switched off on {day}, in {(day - on).days} days"

    def _repriced(self, model: str, mode: Mode, on: date) -> Iterable[str]:
        now = self.price(model, mode, on)
        for tariff in self._of(model):
            new = tariff.of(mode)
            if now and new and on < tariff.since <= on + WARN_AHEAD:
                yield (
                    f"{model} costs ${new.input:g} in and ${new.output:g} out per million tokens "
                    f"from {tariff.since} on, now ${now.input:g} and ${now.output:g}"
                )


def read_table(text: str) -> PriceTable:
    """Return the table that `prices.json` holds: a price is [input, output, read from cache, written to cache]."""
    told = json.loads(text)
    tariffs = tuple(
        Tariff(
            model=entry["model"],
            standard=Price(*entry["standard"]),
            since=date.fromisoformat(entry["since"]) if "since" in entry else _ALWAYS,
            **{mode: Price(*entry[mode]) if mode in entry else None for mode in ("batch", *_HALVES)},
        )
        for entry in told["models"]
    )
    gone = {model: date.fromisoformat(day) for model, day in told["retirements"].items()}
    return PriceTable(date.fromisoformat(told["read_on"]), tariffs, gone)


TABLE = read_table(Path(__file__).with_name("prices.json").read_text("utf-8"))


def parse_price(text: str) -> Price:
    """Return the price that `IN,OUT` names; BadSetting when it does not."""
    parts = text.split(",")
    try:
        amounts = [float(part.strip().removeprefix("$")) for part in parts]
    except ValueError:
        amounts = []
    if len(amounts) != 2 or not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
        raise BadSetting(
            f"{text!r} is not a price", hint="give dollars per million tokens, in and out: --price 0.15,1.25"
        )
    return Price(*amounts)


def flat(model: str, told: Price) -> Tariff:
    """Return the tariff of a price told by the user; it holds for every mode, so that nothing is underestimated."""
    return Tariff(_bare(model), told, told, flex=told, off_peak=told)


def read_tariffs(mapping: Mapping[str, object]) -> tuple[Tariff, ...]:
    """Return the tariffs in a settings mapping: `{model: "IN,OUT"}` or `{model: {standard: "IN,OUT", batch: ...}}`.

    Batch costs what a call does where nothing else is said; flex and off-peak are sold where they have a price.
    """
    tariffs = []
    for model, told in mapping.items():
        if isinstance(told, str):
            tariffs.append(flat(model, parse_price(told)))
            continue
        modes = told if isinstance(told, Mapping) else {}
        if not modes or not set(modes) <= {"standard", "batch", *_HALVES} or "standard" not in modes:
            raise BadSetting(f"the price of {model} cannot be read", hint=f'write it as: {model} = "IN,OUT" in dollars')
        standard = parse_price(str(modes["standard"]))
        batch = parse_price(str(modes["batch"])) if "batch" in modes else standard
        flex, off_peak = (parse_price(str(modes[mode])) if mode in modes else None for mode in _HALVES)
        tariffs.append(Tariff(_bare(model), standard, batch, flex=flex, off_peak=off_peak))
    return tuple(tariffs)


def cost(tokens: Tokens, at: Price) -> Cost:
    """Return what `tokens` are expected to cost, from a short answer to a long one; high is at most 3 times low."""
    low = at.of(tokens.input, tokens.output_low)
    high = at.of(max(tokens.input, tokens.input_most), tokens.output_high)
    return Cost(low, min(high, _WIDEST * low))


def most(tokens: Tokens, at: Price) -> float:
    """Return what `tokens` cost at most: everything counted, and the longest answer that the request allows."""
    return at.of(max(tokens.input, tokens.input_most), max(tokens.output_high, tokens.output_most))


def _bare(model: str) -> str:
    return model.removeprefix("models/")
