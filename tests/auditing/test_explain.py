"""A difference of two bills is split exactly."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.auditing.accounting import settle
from promptopt.auditing.bill import logged, rates_of, slots_of
from promptopt.auditing.explain import explain
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.config import Config

CONFIG = Config(*[Path("nowhere")] * 3)
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"]


def log_of(rows):
    builder = LogBuilder()
    for prompt, model, plain, cached, out in rows:
        builder.add(
            LoggedCall(
                model,
                1.79e9,
                plain + cached,
                cache_read_tokens=cached,
                output_tokens=out,
                prompt=prompt,
                relation="inside",
            )
        )
    return settle(builder.build(), CONFIG)[0]


def bill(log):
    return logged(log, rates_of(log, CONFIG)).bill(slots_of(log)).usd


counts = st.integers(0, 3000)
rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(MODELS), counts, counts, counts
    ),
    min_size=1,
    max_size=12,
)  # fmt: skip


@given(rows, rows)
@settings(max_examples=40, deadline=None)
def test_the_parts_add_up_to_the_difference_of_the_bills(before, after):
    first, second = log_of(before), log_of(after)
    found = explain(first, second, CONFIG)
    assert abs(Decimal(found.before_usd) - bill(first)) < Decimal("1e-9")
    assert abs(Decimal(found.after_usd) - bill(second)) < Decimal("1e-9")
    assert sum(found.parts.values()) == pytest.approx(found.after_usd - found.before_usd, abs=1e-9)
    # The other way round each part has the other sign.
    back = explain(second, first, CONFIG)
    for cause, part in found.parts.items():
        assert back.parts[cause] == pytest.approx(-part, abs=1e-9)


@pytest.mark.parametrize(
    ("cause", "after"),
    [
        ("traffic", [("a", "gpt-4o", 1000, 0, 100)] * 6 + [("b", "gpt-4o", 100, 0, 10)] * 3),
        ("mix", [("a", "gpt-4o", 1000, 0, 100)] + [("b", "gpt-4o", 100, 0, 10)] * 2),
        ("model", [("a", "gpt-4o-mini", 1000, 0, 100)] * 2 + [("b", "gpt-4o", 100, 0, 10)]),
        ("prompt", [("a", "gpt-4o", 1300, 0, 100)] * 2 + [("b", "gpt-4o", 100, 0, 10)]),
        ("cache", [("a", "gpt-4o", 200, 800, 100)] * 2 + [("b", "gpt-4o", 100, 0, 10)]),
        ("output length", [("a", "gpt-4o", 1000, 0, 150)] * 2 + [("b", "gpt-4o", 100, 0, 10)]),
    ],
)
def test_a_change_of_one_kind_is_that_cause_alone(cause, after):
    before = [("a", "gpt-4o", 1000, 0, 100)] * 2 + [("b", "gpt-4o", 100, 0, 10)]
    found = explain(log_of(before), log_of(after), CONFIG)
    changed = {name for name, part in found.parts.items() if abs(part) > 1e-12}
    assert changed == {cause}


def test_nothing_changed():
    same = log_of([("a", "gpt-4o", 10, 0, 1)])
    assert set(explain(same, same, CONFIG).parts.values()) == {0.0}
