"""How a log counts cached tokens is settled by its numbers, and asked if they do not say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.auditing.accounting import settle
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.config import Config
from promptopt.errors import InputError


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
