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
from promptopt.auditing.prompt_digests import text_of
from promptopt.config import Config, OwnPrice

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


def texted(model, characters, tokens, out=10, prompt="triage@v1"):
    messages = [{"role": "user", "content": "x" * (characters - len("user\n"))}]
    return LoggedCall(model, 1.79e9, tokens, output_tokens=out, prompt=prompt, **text_of(messages))


def built(calls):
    builder = LogBuilder()
    for call in calls:
        builder.add(call)
    return settle(builder.build(), CONFIG)[0]


def test_a_model_with_another_tokenizer_has_a_part_of_its_own():
    # The same texts and the same rates; the other model's tokenizer makes a fifth more tokens of them.
    config = Config(*[Path("nowhere")] * 3, prices={
        name: OwnPrice.of({"input_mtok": Decimal(2), "output_mtok": Decimal(8)}) for name in ("old", "new")
    })  # fmt: skip
    before, after = built([texted("old", 399, 100)] * 4), built([texted("new", 399, 120)] * 4)
    found = explain(before, after, config)
    assert found.parts["tokenizer"] == pytest.approx(4 * 20 * 2e-6, abs=1e-12)
    assert {cause for cause, part in found.parts.items() if abs(part) > 1e-12} == {"tokenizer"}
    assert found.textless == 0
    # The prompt is twice as long too: both are named, and add up.
    longer = explain(before, built([texted("new", 799, 240)] * 4), config)
    assert longer.parts["tokenizer"] == pytest.approx(4 * 30 * 2e-6, abs=1e-12)
    assert longer.parts["prompt"] == pytest.approx(4 * 110 * 2e-6, abs=1e-12)


def test_a_model_that_stays_has_one_tokenizer():
    before, after = built([texted("gpt-4o", 400, 100)] * 3), built([texted("gpt-4o", 400, 130)] * 3)
    found = explain(before, after, CONFIG)
    assert found.parts["tokenizer"] == 0
    assert found.parts["prompt"] == pytest.approx(3 * 30 * 2.5e-6)


def test_versions_of_a_prompt_differ_in_the_prompt_and_not_in_the_mix():
    before, after = built([texted("gpt-4o", 400, 100)] * 3), built([texted("gpt-4o", 900, 220, 12, "triage@v2")] * 6)
    found = explain(before, after, CONFIG)
    assert found.parts["mix"] == found.parts["model"] == found.parts["tokenizer"] == 0
    for cause in ("traffic", "prompt", "output length"):
        assert found.parts[cause] > 0
    assert sum(found.parts.values()) == pytest.approx(found.after_usd - found.before_usd, abs=1e-12)


texts = st.lists(
    st.tuples(
        st.sampled_from(["a@v1", "a@v2", "b"]), st.sampled_from(MODELS), st.integers(20, 3000), st.integers(1, 900),
        st.integers(0, 400),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@given(texts, texts)
@settings(max_examples=15, deadline=None)
def test_the_parts_add_up_with_texts_too(before, after):
    first, second = (
        built([texted(model, size, tokens, out, prompt) for prompt, model, size, tokens, out in rows])
        for rows in (before, after)
    )
    found = explain(first, second, CONFIG)
    assert abs(Decimal(found.before_usd) - bill(first)) < Decimal("1e-9")
    assert abs(Decimal(found.after_usd) - bill(second)) < Decimal("1e-9")
    assert sum(found.parts.values()) == pytest.approx(found.after_usd - found.before_usd, abs=1e-9)
    back = explain(second, first, CONFIG)
    for cause, part in found.parts.items():
        assert back.parts[cause] == pytest.approx(-part, abs=1e-9)
