"""Prices: what the table says on which day, what a picture counts for, and when to distrust both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.domain.answer import Usage
from indexer.domain.errors import BadSetting, UsageError
from indexer.domain.mode import Mode
from indexer.domain.prompts import DEFAULT_SCHEMA, DEFAULT_TEMPLATE, fill
from indexer.domain.question import Question, Settings
from indexer.providers import spec
from indexer.providers.prices import (
    STALE_AFTER,
    TABLE,
    Price,
    cost,
    flat,
    most,
    parse_price,
    read_tariffs,
)
from indexer.providers.pricing import Pricing
from indexer.providers.tokens import Tokens, by_patches, text_tokens

AUTUMN = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("model", "mode", "on", "expected"),
    [
        ("gemini-3.5-flash-lite", Mode.BATCH, AUTUMN, Price(0.15, 1.25)),
        ("gemini-3.5-flash-lite", Mode.INTERACTIVE, AUTUMN, Price(0.30, 2.50)),
        ("models/gemini-3.5-flash-lite", Mode.BATCH, AUTUMN, Price(0.15, 1.25)),
        ("gemini-2.5-flash-001", Mode.BATCH, AUTUMN, Price(0.15, 1.25)),
        ("gemini-3.8-flash", Mode.BATCH, date(2026, 12, 31), Price(0.375, 1.875)),
        ("gemini-3.8-flash", Mode.BATCH, date(2027, 1, 1), Price(0.75, 3.75)),
        ("gpt-6-luna", Mode.BATCH, AUTUMN, Price(0.05, 0.25)),
        ("deepseek-flash", Mode.INTERACTIVE, AUTUMN, Price(0.30, 1.20)),
        ("deepseek-flash", Mode.BATCH, AUTUMN, None),
        ("gemini-9-flash", Mode.BATCH, AUTUMN, None),
        ("gemini-3.5-flash-lite-of-mine", Mode.BATCH, AUTUMN, None),
    ],
)
def test_the_price_of_a_model_in_a_lane_on_a_day(model: str, mode: Mode, on: date, expected: Price | None) -> None:
    """The tariff in force on that day holds; a name that merely begins like a known one has no price."""
    found = TABLE.price(model, mode, on)
    assert (found and (found.input, found.output)) == (expected and (expected.input, expected.output))


def test_a_price_that_rises_soon_is_announced_with_both_prices() -> None:
    """A batch sent in December may be processed in January."""
    (line,) = TABLE.warnings("gemini-3.8-flash", Mode.BATCH, date(2026, 12, 20))
    assert "2027-01-01" in line
    assert "$0.75" in line
    assert "$0.375" in line
    assert TABLE.warnings("gemini-3.8-flash", Mode.BATCH, date(2026, 11, 1)) == ()
    assert TABLE.warnings("gemini-3.8-flash", Mode.BATCH, date(2027, 1, 1)) == ()


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (date(2026, 11, 25), "is switched off on 2026-12-11, in 16 days"),
        (date(2026, 12, 11), "was switched off on 2026-12-11"),
    ],
)
def test_a_model_about_to_go_or_gone_is_warned_of(on: date, words: str) -> None:
    """Batches that end after the switch-off bring nothing."""
    assert words in "".join(TABLE.warnings("gpt-5-nano", Mode.BATCH, on))


def test_a_model_that_is_gone_is_refused_but_what_it_served_is_booked() -> None:
    """Nothing new is planned with it, unless a person gives its price; results that come late still have theirs."""
    question = Question("openai", "gpt-5-nano", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    pricing = Pricing(spec, date(2026, 12, 12))
    with pytest.raises(UsageError, match="was switched off on 2026-12-11"):
        pricing.refuse_retired(question)
    assert pricing.cost(question, Mode.BATCH, Usage(1_000_000, 0)) == pytest.approx(0.025)
    told = TABLE.with_tariffs([flat("gpt-5-nano", Price(1.0, 2.0))])
    Pricing(spec, date(2026, 12, 12), told).refuse_retired(question)
    Pricing(spec, date(2026, 12, 10)).refuse_retired(question)


def test_cached_tokens_and_the_tier_that_was_served_have_their_own_price() -> None:
    """Read from the cache, written to it, and at the price of the mode that the service says."""
    question = Question("openai", "gpt-6-luna", DEFAULT_TEMPLATE, DEFAULT_SCHEMA)
    usage = Usage(3_000_000, 1_000_000, cached_tokens=1_000_000, cache_write_tokens=1_000_000)
    pricing = Pricing(spec, AUTUMN)
    assert pricing.cost(question, Mode.BATCH, usage) == pytest.approx(0.05 + 0.005 + 0.0625 + 0.25)
    assert pricing.cost(question, Mode.FLEX, usage) == pytest.approx(0.05 + 0.005 + 0.0625 + 0.25)
    served = replace(usage, mode=Mode.INTERACTIVE)
    assert pricing.cost(question, Mode.FLEX, served) == pytest.approx(0.10 + 0.01 + 0.125 + 0.50)


def test_the_table_is_called_old_after_sixty_days() -> None:
    """On the sixtieth day it still passes, on the next it does not."""
    model = "gemini-3.5-flash-lite"
    assert TABLE.warnings(model, Mode.BATCH, TABLE.read_on + STALE_AFTER) == ()
    late = TABLE.read_on + STALE_AFTER + timedelta(days=1)
    (line,) = TABLE.warnings(model, Mode.BATCH, late)
    assert "61 days old" in line
    assert TABLE.with_tariffs([flat(model, Price(1.0, 2.0))]).warnings(model, Mode.BATCH, late) == ()


@pytest.mark.parametrize(
    ("provider", "model", "resolution", "width", "height", "expected"),
    [
        ("gemini", "gemini-3.5-flash-lite", "low", 1024, 768, 280),
        ("gemini", "gemini-3.5-flash-lite", "medium", 1024, 768, 560),
        ("gemini", "gemini-3.5-flash-lite", "high", 1024, 768, 1120),
        ("gemini", "gemini-3.5-flash-lite", "default", 64, 64, 1120),
        ("gemini", "gemini-2.5-flash", "low", 1024, 768, 64),
        ("gemini", "gemini-2.5-flash", "medium", 1024, 768, 256),
        ("gemini", "gemini-2.5-flash", "default", 384, 384, 258),
        ("gemini", "gemini-2.5-flash", "default", 1024, 768, 516),
        ("openai", "gpt-6-luna", "medium", 1024, 768, 922),
        ("anthropic", "claude-haiku-5-5", "medium", 1024, 768, 1036),
        ("anthropic", "claude-haiku-4-5", "medium", 4000, 3000, 1600),
        ("deepseek", "deepseek-flash", "medium", 1024, 768, 650),
    ],
)
def test_a_picture_counts_for_what_the_service_says(
    provider: str, model: str, resolution: str, width: int, height: int, expected: int
) -> None:
    """Figures of the services' own pages, and of measurements where they are silent."""
    question = Question(provider, model, "", DEFAULT_SCHEMA, Settings(media_resolution=resolution))
    assert spec(provider).tokens(question, "", width, height).input == expected


def test_a_picture_of_an_unknown_service_counts_by_patches() -> None:
    """A rule that is not known is taken for the dearest of the known ones but one."""
    assert by_patches(Question("unheard-of", "m", "", DEFAULT_SCHEMA), "", 4000, 3000).input == 15444


@given(st.text(max_size=200), st.text(max_size=200))
def test_text_tokens_grow_with_text_and_join_cheaply(first: str, second: str) -> None:
    """A token is four characters, begun ones count."""
    together = text_tokens(first + second)
    assert together >= max(text_tokens(first), text_tokens(second))
    assert together <= text_tokens(first) + text_tokens(second)


def test_the_default_question_costs_what_the_table_and_rules_say() -> None:
    """Input is exact by rule, output lies between a short and a long answer; what is booked counts everything."""
    question = Question("gemini", "gemini-3.5-flash-lite", DEFAULT_TEMPLATE, DEFAULT_SCHEMA, Settings())
    prompt = fill(DEFAULT_TEMPLATE, "English")
    tokens = spec("gemini").tokens(question, prompt, 1024, 768)
    assert tokens.input == 560 + text_tokens(prompt)
    assert tokens.input_most == tokens.input + text_tokens(DEFAULT_SCHEMA)
    assert (tokens.output_low, tokens.output_high, tokens.output_most) == (70, 280, 512)
    at = Price(0.15, 1.25)
    assert cost(tokens, at).low == pytest.approx((tokens.input * 0.15 + 70 * 1.25) / 1e6)
    assert cost(tokens, at).high == pytest.approx((tokens.input_most * 0.15 + 280 * 1.25) / 1e6)
    assert most(tokens, at) == pytest.approx((tokens.input_most * 0.15 + 512 * 1.25) / 1e6)


@pytest.mark.parametrize("model", sorted({tariff.model for tariff in TABLE.tariffs}))
@pytest.mark.parametrize("resolution", ["low", "medium", "high"])
@pytest.mark.parametrize("thinking", ["minimal", "low", "high", "default"])
def test_no_estimate_is_wider_than_three_times_its_low_end(model: str, resolution: str, thinking: str) -> None:
    """A range of one to ten tells nobody whether to pay; what is booked lies at or above it."""
    question = Question("x", model, DEFAULT_TEMPLATE, DEFAULT_SCHEMA, Settings(thinking=thinking))
    question = replace(question, settings=replace(question.settings, media_resolution=resolution))
    count = spec("gemini").tokens if model.startswith("gemini") else by_patches
    tokens = count(question, fill(DEFAULT_TEMPLATE, "English"), 768, 768)
    at = TABLE.price(model, Mode.INTERACTIVE, AUTUMN)
    assert at is not None
    bill = cost(tokens, at)
    assert 0 < bill.low < bill.high <= 3 * bill.low + 1e-12
    assert most(tokens, at) >= bill.high


def test_the_worked_example_of_a_million_pictures() -> None:
    """1,400 tokens in and 150 out, a million times, by batch: 397.50 dollars."""
    at = TABLE.price("gemini-3.5-flash-lite", Mode.BATCH, AUTUMN)
    assert at is not None
    assert 1_000_000 * cost(Tokens(1400, 150, 150), at).high == pytest.approx(397.5)


@pytest.mark.parametrize("text", ["0.15,1.25", " $0.15 , $1.25 "])
def test_a_price_is_two_amounts(text: str) -> None:
    """Dollar signs and spaces do not matter."""
    assert parse_price(text) == Price(0.15, 1.25)


@pytest.mark.parametrize("text", ["", "0.15", "a,b", "1,2,3", "-1,2", "nan,1", "1,inf", "0.15;1.25"])
def test_what_is_no_price_is_refused_with_the_way_to_write_one(text: str) -> None:
    """A negative or endless price would defeat every budget."""
    with pytest.raises(BadSetting) as caught:
        parse_price(text)
    assert "--price 0.15,1.25" in caught.value.hint


def test_a_told_price_holds_for_both_lanes_and_replaces_all_dates() -> None:
    """The user's word is newer than any tariff of the table."""
    table = TABLE.with_tariffs([flat("models/gemini-3.8-flash", Price(1.0, 2.0))])
    for mode in Mode:
        for day in (AUTUMN, date(2027, 6, 1)):
            assert table.price("gemini-3.8-flash", mode, day) == Price(1.0, 2.0)
    assert TABLE.price("gemini-3.8-flash", Mode.BATCH, AUTUMN) == Price(0.375, 1.875)


def test_settings_may_price_models_by_lane() -> None:
    """Without a batch price the standard one counts, which is never too low; flex without a price is not sold."""
    told = {"mine": "1,2", "ours": {"standard": "4,6", "batch": "2,3", "flex": "3,4"}, "theirs": {"standard": "4,6"}}
    table = TABLE.with_tariffs(read_tariffs(told))
    assert table.price("mine", Mode.BATCH, AUTUMN) == Price(1.0, 2.0)
    assert table.price("ours", Mode.BATCH, AUTUMN) == Price(2.0, 3.0)
    assert table.price("ours", Mode.INTERACTIVE, AUTUMN) == Price(4.0, 6.0)
    assert table.price("theirs", Mode.BATCH, AUTUMN) == Price(4.0, 6.0)
    assert table.price("ours", Mode.FLEX, AUTUMN) == Price(3.0, 4.0)
    assert table.price("theirs", Mode.FLEX, AUTUMN) is None


@pytest.mark.parametrize("told", [3, {}, {"batch": "1,2"}, {"standard": "1,2", "slow": "1,2"}, {"standard": 4}])
def test_a_setting_that_prices_nothing_is_refused_by_name(told: object) -> None:
    """The message names the model, so that its line can be found."""
    with pytest.raises(BadSetting):
        read_tariffs({"mine": told})
