"""How a log counts cached tokens is settled by its numbers, and asked if they do not say."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.auditing.accounting import settle
from promptopt.auditing.bill import rates_of
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.config import Config, OwnPrice
from promptopt.errors import InputError
from promptopt.prices import find_price


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("config")
    return Config(folder, folder, folder)


def log_of(*calls):
    builder = LogBuilder()
    for call in calls:
        builder.add(call)
    return builder.build()


def call(given, read=0, written=0, out=10, **more):
    return LoggedCall(
        "gpt-4o", input_tokens=given, cache_read_tokens=read, cache_write_tokens=written, output_tokens=out, **more
    )


def settled(config, *calls, told=None):
    log, accounting = settle(log_of(*calls), config, told)
    return log.input_tokens.tolist(), [(each.relation, each.witness, each.rows) for each in accounting.settled]


def test_a_total_decides(config):
    assert settled(config, call(100, 40, total_tokens=110)) == ([100], [("inside", "total", 1)])
    assert settled(config, call(100, 40, 5, total_tokens=155)) == ([145], [("beside", "total", 1)])


def test_more_cached_than_input_is_beside(config):
    assert settled(config, call(86, 17817)) == ([17903], [("beside", "impossible otherwise", 1)])


def test_rows_of_the_same_group_decide_for_others(config):
    found, how = settled(config, call(100, 40), call(50, 400), call(7, 0))
    assert found == [140, 450, 7]
    assert how == [("beside", "impossible otherwise", 1), ("beside", "other rows", 1)]


def test_groups_do_not_decide_for_one_another(config):
    with pytest.raises(
        InputError, match=r"cached tokens of openai/gpt-4o \(1 rows\) .*--accounting openai/gpt-4o=inside"
    ):
        settled(config, call(100, 40, provider="openai"), call(50, 400, provider="anthropic"))


def test_a_group_that_says_both_is_asked(config):
    both = call(100, 40, total_tokens=110), call(50, 400), call(100, 40)
    with pytest.raises(InputError, match="nothing in the log decides"):
        settled(config, *both)
    assert settled(config, *both, told={"gpt-4o": "inside"})[0] == [100, 450, 100]
    assert settled(config, *both, told={"all": "beside"})[0] == [100, 450, 140]


def test_dollars_are_a_second_witness(config):
    # gpt-4o: $2.50, $1.25 cached and $10 a million.
    inside = (60 * 2.5 + 40 * 1.25 + 10 * 10) / 1e6
    beside = (100 * 2.5 + 40 * 1.25 + 10 * 10) / 1e6
    assert settled(config, call(100, 40, cost_usd=inside)) == ([100], [("inside", "cost", 1)])
    assert settled(config, call(100, 40, cost_usd=beside)) == ([140], [("beside", "cost", 1)])
    # What was paid shows that a format's buckets were filled wrongly.
    assert settled(config, call(100, 40, total_tokens=150, relation="beside", cost_usd=inside)) == (
        [100],
        [("inside", "cost", 1)],
    )


def test_costs_that_are_not_the_list_price_are_named(config):
    _, accounting = settle(log_of(call(100, cost_usd=0.00035), call(100, cost_usd=0.00099)), config)
    assert (accounting.compared, accounting.differing) == (2, {"gpt-4o": 1})


def test_reasoning_beside_output_is_added(config):
    def output(**more):
        return settle(log_of(call(100, out=50, reasoning_tokens=30, **more)), config)[0].output_tokens.tolist()

    assert output() == [50]
    assert output(reasoning_beside=True) == [80]
    # The total denies it.
    assert output(reasoning_beside=True, total_tokens=150) == [50]
    assert settle(log_of(call(100, out=5, reasoning_tokens=30)), config)[0].output_tokens.tolist() == [35]


@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 500)), min_size=1
    ),
    st.sampled_from(["inside", "beside"]),
)
def test_rows_with_totals_are_counted_as_they_were_made(rows, relation):
    config = Config(*[Path("nowhere")] * 3)
    calls, whole = [], []
    for plain, read, written, out in rows:
        real = plain + read + written
        said = real if relation == "inside" else plain
        calls.append(call(said, read, written, out, total_tokens=real + out))
        whole.append(real)
    found, _ = settle(log_of(*calls), config)
    assert found.input_tokens.tolist() == whole


def input_rate(config, model, provider, tier=None):
    log = log_of(LoggedCall(model, input_tokens=100_000, provider=provider, tier=tier))
    rates = rates_of(log, config)
    return round(10 * float(rates.dollars(log, log.input_tokens)[0]), 6) if rates.priced[0] else None


@pytest.mark.parametrize(
    ("model", "provider", "listed"),
    [
        ("gemini/gemini-2.5-flash", "gemini", "google:gemini-2.5-flash"),
        ("vertex_ai/gemini-2.5-flash", "vertex_ai", "google:gemini-2.5-flash"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "vertex_ai", "claude-sonnet-4-5"),
        ("bedrock/us.amazon.nova-pro-v1:0", "bedrock_converse", "aws:amazon.nova-pro-v1:0"),
        ("amazon.nova-pro-v1:0", "aws.bedrock", "aws:amazon.nova-pro-v1:0"),
        ("xai/grok-4", "xai", "x-ai:grok-4"),
        ("together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_ai",
         "together:meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("gpt-4o", "azure.ai.openai", "gpt-4o"),
        ("anthropic/claude-opus-4.6-fast", "openrouter", "openrouter:anthropic/claude-opus-4.6-fast"),
        ("openrouter/cohere/command-r", "openrouter", "openrouter:cohere/command-r"),
        ("meta-llama/x", "my-proxy", None),
        ("openai/gpt-4o", "my-proxy", "gpt-4o"),
    ],
)  # fmt: skip
def test_a_model_has_the_price_of_its_provider(config, model, provider, listed):
    expected = None if listed is None else float(find_price(listed, config=config).input_mtok)
    assert input_rate(config, model, provider) == expected


def test_a_free_variant_is_not_its_maker_s_model(config):
    assert find_price("deepseek/deepseek-chat:free", config=config) is not None
    assert input_rate(config, "deepseek/deepseek-chat:free", "openrouter") is None


def test_own_prices_come_before_those_of_a_row_s_provider(config):
    own = replace(config, prices={name: OwnPrice(Decimal(7), Decimal(7)) for name in ("gpt-4o", "maker/house")})
    assert input_rate(own, "gpt-4o", "openai") == 7
    assert input_rate(own, "maker/house", "openrouter") == 7
    assert input_rate(own, "gpt-4o", "openai", "batch") is None
