"""Dollars, and the traps of the price table: each is a test."""

from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import requires, version

import genai_prices
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.prices import PROCESSINGS, Price, close_models, find_price, find_tier_price
from promptopt.values import Usage

MILLION = 1_000_000
AFTER_BATCH_RATES = datetime(2026, 11, 1, tzinfo=UTC)


def price(model: str, **options: object) -> Price:
    found = find_price(model, **options)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_table_is_pinned_exactly() -> None:
    assert f"genai-prices=={version('genai-prices')}" in (requires("promptopt-llm") or [])


def test_cached_input_is_part_of_the_input_and_cheaper() -> None:
    gpt_4o = price("gpt-4o")
    plain = gpt_4o.cost(Usage(input_tokens=MILLION, output_tokens=MILLION))
    cached = gpt_4o.cost(Usage(input_tokens=MILLION, cache_read_tokens=800_000, output_tokens=MILLION))
    assert (plain.total_usd, cached.total_usd) == (Decimal("12.50"), Decimal("11.50"))
    assert (cached.input_usd, cached.output_usd) == (Decimal("1.50"), Decimal(10))


def test_a_price_names_its_model_and_the_dated_table() -> None:
    found = price("gpt-4o-2024-08-06")
    assert (found.model, found.provider) == ("gpt-4o", "openai")
    assert found.source.startswith(f"genai-prices {version('genai-prices')} of 20")


def test_a_misspelled_tier_is_an_error_and_not_the_standard_price() -> None:
    with pytest.raises(ValueError, match="unknown processing 'btach'; known are standard, batch"):
        find_price("gpt-4o", processing="btach")  # type: ignore[arg-type]


def test_a_batch_discount_bites() -> None:
    standard = price("gpt-4o", at=AFTER_BATCH_RATES)
    batch = price("gpt-4o", processing="batch", at=AFTER_BATCH_RATES)
    assert batch.input_mtok == standard.input_mtok / 2
    assert batch.output_mtok == standard.output_mtok / 2


def test_before_its_batch_rates_a_model_has_no_batch_price() -> None:
    assert find_price("gpt-4o", processing="batch", at=datetime(2026, 10, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("tier", "rates"),
    [
        (None, ("2", "8")),
        ("auto", ("2", "8")),
        ("default", ("2", "8")),
        ("flex", ("1", "4")),
        ("priority", ("3.5", "14")),
        ("fast", ("3.5", "14")),
    ],
)
def test_a_service_tier_has_its_own_rates(tier: str | None, rates: tuple[str, str]) -> None:
    # As OpenAI's page of prices had them in November 2026, by the million tokens.
    price = find_tier_price("o3", tier)
    assert price is not None
    assert (price.input_mtok, price.output_mtok) == tuple(map(Decimal, rates))


def test_a_tier_of_nobody_is_unpriced() -> None:
    assert find_tier_price("o3", "scale") is None
    assert find_tier_price("gpt-3.5-turbo", "priority") is None


def test_a_tier_that_costs_the_standard_price_is_not_a_tier() -> None:
    assert find_price("gpt-4o", processing="flex", at=AFTER_BATCH_RATES) is None


def test_rates_change_with_the_day() -> None:
    usage = Usage(input_tokens=MILLION, output_tokens=MILLION)
    before, after = (price("o3", at=datetime(2025, month, day, tzinfo=UTC)) for month, day in ((5, 1), (6, 11)))
    assert (before.cost(usage).total_usd, after.cost(usage).total_usd) == (Decimal(50), Decimal(10))


def test_long_input_costs_more_where_rates_are_tiered() -> None:
    gemini = price("gemini-2.5-pro")
    short, long = (gemini.cost(Usage(input_tokens=tokens, output_tokens=1000)) for tokens in (100_000, 300_000))
    assert (short.input_usd, long.input_usd) == (Decimal("0.125"), Decimal("0.75"))
    assert long.output_usd == short.output_usd * Decimal("1.5")


@pytest.mark.parametrize(
    ("model", "tokens", "usd"),
    [("claude-sonnet-4-5", 100_000, "0.6"), ("claude-sonnet-4-5", 300_000, "3.6"), ("gpt-4o", 100_000, "0.25")],
)
def test_a_cache_that_lasts_an_hour_is_written_at_twice_the_input_rate(model: str, tokens: int, usd: str) -> None:
    usage = Usage(input_tokens=tokens, cache_write_tokens=tokens, cache_write_1h_tokens=tokens)
    assert price(model).cost(usage).input_usd == Decimal(usd)


@given(
    model=st.sampled_from(["gpt-4o", "gpt-5.6-luna", "gemini-2.5-pro", "claude-sonnet-4-6", "gpt-4.1-mini"]),
    tokens=st.tuples(*[st.integers(0, 400_000)] * 3),
    output=st.integers(0, 100_000),
)
def test_costs_are_those_of_genai_prices(model: str, tokens: tuple[int, int, int], output: int) -> None:
    read, written, plain = tokens
    counts = {
        "input_tokens": read + written + plain,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": output,
    }
    moment = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    ours = price(model, at=moment).cost(Usage(**counts))
    theirs = genai_prices.calc_price(genai_prices.Usage(**counts), model, genai_request_timestamp=moment)
    assert (ours.input_usd, ours.output_usd) == (theirs.input_price, theirs.output_price)


@pytest.mark.parametrize("counts", [{"input_tokens": -1}, {"input_tokens": 1, "cache_read_tokens": 2}])
def test_impossible_usage_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        Usage(**counts)


@pytest.mark.parametrize("model", ["local:smollm2", "my-model", "gpt-4o-mini-typo", "code-davinci-002"])
@pytest.mark.parametrize("processing", PROCESSINGS)
def test_an_unknown_model_is_unpriced_in_every_tier(model: str, processing: str) -> None:
    assert find_price(model, processing=processing) is None  # type: ignore[arg-type]


def test_close_names_are_offered_for_an_unknown_model() -> None:
    assert close_models("gpt-4.1-minni")[0] == "gpt-4.1-mini"


@pytest.mark.parametrize("model", ["openai:gpt-4o", "openai/gpt-4o", "azure/gpt-4o"])
def test_the_provider_may_come_before_the_name(model: str) -> None:
    assert price(model).input_mtok == Decimal("2.5")


def test_own_prices_come_before_the_table_and_stay_exact(project) -> None:
    table = '[tool.promptopt.prices."gpt-4o"]\ninput_mtok = 0.1\noutput_mtok = 0.2\n'
    project.write({"pyproject.toml": table})
    found = price("gpt-4o")
    assert (found.input_mtok, found.cache_read_mtok, found.output_mtok) == (
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal("0.2"),
    )
    assert found.source == "[tool.promptopt.prices]"
    assert find_price("gpt-4o", processing="batch") is None


def test_a_fine_tuned_model_has_its_own_price_or_none(project) -> None:
    tuned = find_price("ft:gpt-4o-2024-08-06:acme::abc")
    base = find_price("gpt-4o")
    assert tuned is not None
    assert base is not None
    assert tuned.input_mtok > base.input_mtok
    # The table has prices of their bases alone.
    for model in ("ft:gpt-4-0613:acme::abc", "ft:gpt-4.1-mini-2025-04-14:acme::abc", "openai/ft:o4-mini:acme::abc"):
        assert find_price(model) is None
        assert close_models(model) == []


@pytest.mark.parametrize("model", ["gpt-4o-minii", "llama-3", "claude-sonet-4-5", "azure/gpt-77", "gemini-2.5-flas"])
def test_every_name_that_is_offered_has_a_price(project, model: str) -> None:
    assert find_price(model) is None
    offered = close_models(model)
    assert model not in offered
    assert all(find_price(name) for name in offered)
