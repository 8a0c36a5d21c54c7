"""What requests cost: a dated table of prices, and the rules by which services count the tokens of a picture.

Prices are US dollars per million tokens. They were read from the services' pricing pages on `READ_ON`; a table that
is old, a model that is about to go and a price that is about to change are warned of. Users override any of it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from indexer.domain.errors import BadSetting
from indexer.domain.plan import Cost
from indexer.domain.question import Mode, Question

READ_ON = date(2026, 11, 22)
STALE_AFTER = timedelta(days=60)
WARN_AHEAD = timedelta(days=45)
_ALWAYS = date.min
_MILLION = 1_000_000
_CHARACTERS_PER_TOKEN = 4
_WIDEST = 3.0  # a range wider than this tells nobody anything
# Output tokens that a field of the answer usually takes, at least and at most; a field of the user's own: the last.
_FIELDS = {"description": (40, 120), "tags": (25, 110), "visible_text": (5, 50)}
_OWN_FIELD = (3, 40)
# Thinking is billed as output. Nobody publishes how much a level thinks about a photo; measured usage corrects this.
_THOUGHTS = {"minimal": (0, 0), "low": (20, 250), "medium": (80, 600), "high": (200, 2000)}


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens, in and out."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the dollars that so many tokens cost."""
        return (input_tokens * self.input + output_tokens * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices of one model from a day on; `batch` is None where the service has no batch for it."""

    model: str
    standard: Price
    batch: Price | None
    since: date = _ALWAYS


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one request is expected to use.

    `input` is counted by the service's rules; `input_most` adds the answer schema, which services are free to count.
    Output lies between a short and a long answer, and never above `output_most`.
    """

    input: int
    output_low: int
    output_high: int
    input_most: int = 0
    output_most: int = 0


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Tariffs and the days on which models are switched off; for one model, the latest tariff in force holds."""

    read_on: date
    tariffs: tuple[Tariff, ...]
    retirements: Mapping[str, date]

    def price(self, model: str, mode: Mode, on: date) -> Price | None:
        """Return what `model` costs in `mode` on that day, None when the table does not know."""
        tariff = max(
            (known for known in self._of(model) if known.since <= on), key=lambda known: known.since, default=None
        )
        if tariff is None:
            return None
        return tariff.batch if mode is Mode.BATCH else tariff.standard

    def warnings(self, model: str, mode: Mode, on: date) -> tuple[str, ...]:
        """Return lines for a person about what may not hold for `model` much longer."""
        return (*self._stale(on), *self._retiring(model, on), *self._repriced(model, mode, on))

    def with_tariffs(self, tariffs: Iterable[Tariff], read_on: date | None = None) -> PriceTable:
        """Return a table in which `tariffs` replace everything known of their models."""
        new = tuple(tariffs)
        named = {_bare(tariff.model) for tariff in new}
        kept = tuple(tariff for tariff in self.tariffs if tariff.model not in named)
        return replace(self, tariffs=kept + new, read_on=read_on or self.read_on)

    def _of(self, model: str) -> list[Tariff]:
        name = _bare(model)
        exact = [tariff for tariff in self.tariffs if tariff.model == name]
        # A pinned version, gemini-2.5-flash-001, costs what its model costs.
        return exact or [tariff for tariff in self.tariffs if tariff.model == re.sub(r"-\d{3}$", "", name)]

    def _stale(self, on: date) -> Iterable[str]:
        if on - self.read_on > STALE_AFTER:
            yield (
                f"the price table is {(on - self.read_on).days} days old ({self.read_on}): "
                "check the service's prices, or give --price IN,OUT"
            )

    def _retiring(self, model: str, on: date) -> Iterable[str]:
        day = self.retirements.get(_bare(model))
        if day is not None and on >= day:
            yield f"{model} was switched off on {day}: choose another model"
        elif day is not None and day - on <= WARN_AHEAD:
            yield f"{model} is switched off on {day}, in {(day - on).days} days"

    def _repriced(self, model: str, mode: Mode, on: date) -> Iterable[str]:
        now = self.price(model, mode, on)
        for tariff in self._of(model):
            new = tariff.batch if mode is Mode.BATCH else tariff.standard
            if now and new and on < tariff.since <= on + WARN_AHEAD:
                yield (
                    f"{model} costs ${new.input:g} in and ${new.output:g} out per million tokens "
                    f"from {tariff.since} on, now ${now.input:g} and ${now.output:g}"
                )


def _halved(model: str, input_price: float, output_price: float, since: date = _ALWAYS) -> Tariff:
    """Most services sell batch at half the price."""
    batch = Price(input_price / 2, output_price / 2)
    return Tariff(model, Price(input_price, output_price), batch, since)


_FLASH_RISE = date(2027, 1, 1)

TABLE = PriceTable(
    read_on=READ_ON,
    tariffs=(
        *(
            tariff
            for model in ("gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.6-flash")
            for tariff in (_halved(model, 0.75, 3.75), _halved(model, 1.50, 7.50, _FLASH_RISE))
        ),
        _halved("gemini-3.5-flash", 1.50, 9.00),
        _halved("gemini-3.5-flash-lite", 0.30, 2.50),
        _halved("gemini-3.1-flash-lite", 0.25, 1.50),
        _halved("gemini-3-flash-preview", 0.50, 3.00),
        _halved("gemini-3.1-pro-preview", 2.00, 12.00),
        _halved("gemini-2.5-flash-lite", 0.10, 0.40),
        _halved("gemini-2.5-flash", 0.30, 2.50),
        _halved("gemini-2.5-pro", 1.25, 10.00),
        _halved("gpt-6-luna", 0.10, 0.50),
        _halved("gpt-5.6-luna", 0.20, 1.20),
        _halved("gpt-5-nano", 0.05, 0.40),
        _halved("gpt-5.4-nano", 0.20, 1.25),
        _halved("claude-haiku-5-5", 0.10, 0.50),
        _halved("claude-haiku-4-5", 1.00, 5.00),
        _halved("claude-sonnet-5-5", 2.00, 10.00),
        _halved("mistral-small-2603", 0.15, 0.60),
        _halved("ministral-8b-2512", 0.15, 0.15),
        _halved("ministral-3b-2512", 0.10, 0.10),
        # The peak price; DeepSeek has no batch, and halves it off-peak.
        Tariff("deepseek-flash", Price(0.30, 1.20), None),
    ),
    retirements={"gpt-5-nano": date(2026, 12, 11), "gpt-5.4-nano": date(2027, 4, 1)},
)


def price(model: str, mode: Mode, on: date, table: PriceTable = TABLE) -> Price | None:
    """Return what `model` costs in `mode` on that day, None when the table does not know."""
    return table.price(model, mode, on)


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
    """Return the tariff of a price told by the user; it holds for both lanes, so that nothing is underestimated."""
    return Tariff(_bare(model), told, told)


def read_tariffs(mapping: Mapping[str, object]) -> tuple[Tariff, ...]:
    """Return the tariffs in a settings mapping: `{model: "IN,OUT"}` or `{model: {standard: "IN,OUT", batch: ...}}`."""
    tariffs = []
    for model, told in mapping.items():
        if isinstance(told, str):
            tariffs.append(flat(model, parse_price(told)))
            continue
        lanes = told if isinstance(told, Mapping) else {}
        if not lanes or not set(lanes) <= {"standard", "batch"} or "standard" not in lanes:
            raise BadSetting(f"the price of {model} cannot be read", hint=f'write it as: {model} = "IN,OUT" in dollars')
        standard = parse_price(str(lanes["standard"]))
        batch = parse_price(str(lanes["batch"])) if "batch" in lanes else standard
        tariffs.append(Tariff(_bare(model), standard, batch))
    return tuple(tariffs)


def text_tokens(text: str) -> int:
    """Return about how many tokens `text` has: a token is four characters."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN)


def image_tokens(model: str, media_resolution: str, width: int, height: int) -> int:
    """Return the tokens that a picture of `width` by `height` pixels counts for, by the service's own rule.

    Gemini 3 and later count by media resolution alone; all others by pixels. A model whose rule is not known counts
    one token for 28 by 28 pixels, which is the dearest of the known rules but one.
    """
    name = _bare(model)
    if name.startswith("gemini-2"):
        return _gemini_2_tokens(media_resolution, width, height)
    if name.startswith("gemini-"):
        return {"low": 280, "medium": 560}.get(media_resolution, 1120)
    if name.startswith("gpt-"):
        # The nano models multiply by more; the larger factor is taken for every model but the measured ones.
        return math.ceil((1.2 if name.startswith("gpt-6") else 2.46) * _patches(32, width, height))
    if name.startswith("deepseek-"):
        return min(1024, math.ceil(width * height / 1700) + 187)
    if name.startswith("claude-"):
        return min(_patches(28, width, height), 1600 if name.endswith("-4-5") else 4000)
    return _patches(28, width, height)


def estimate(question: Question, prompt: str, width: int, height: int) -> Tokens:
    """Return what asking `question` about a picture of this size, with this prompt, is expected to use."""
    settings = question.settings
    entered = image_tokens(question.model, settings.media_resolution, width, height) + text_tokens(prompt)
    short, long = _answer_tokens(question.schema)
    thought = _THOUGHTS.get(settings.thinking, _THOUGHTS["medium"])
    most = settings.max_output_tokens
    return Tokens(
        input=entered,
        output_low=min(short + thought[0], most),
        output_high=min(long + thought[1], most),
        input_most=entered + text_tokens(question.schema),
        output_most=most,
    )


def cost(tokens: Tokens, at: Price) -> Cost:
    """Return what `tokens` are expected to cost, from a short answer to a long one; high is at most 3 times low."""
    low = at.of(tokens.input, tokens.output_low)
    high = at.of(max(tokens.input, tokens.input_most), tokens.output_high)
    return Cost(low, min(high, _WIDEST * low))


def most(tokens: Tokens, at: Price) -> float:
    """Return what `tokens` cost at most: everything counted, and the longest answer that the request allows."""
    return at.of(max(tokens.input, tokens.input_most), max(tokens.output_high, tokens.output_most))


def _answer_tokens(schema: str) -> tuple[int, int]:
    """How long answers to a schema usually are; one that cannot be read is taken for the default's."""
    try:
        fields = json.loads(schema).get("properties") or _FIELDS
    except (ValueError, AttributeError):
        fields = _FIELDS
    ranges = [_FIELDS.get(name, _OWN_FIELD) for name in fields]
    return sum(low for low, _ in ranges), sum(high for _, high in ranges)


def _patches(side: int, width: int, height: int) -> int:
    return math.ceil(width / side) * math.ceil(height / side)


def _gemini_2_tokens(media_resolution: str, width: int, height: int) -> int:
    if media_resolution in ("low", "medium"):
        return {"low": 64, "medium": 256}[media_resolution]
    return 258 if max(width, height) <= 384 else 258 * _patches(768, width, height)


def _bare(model: str) -> str:
    return model.removeprefix("models/")
