from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.budget.limits import (
    METRICS,
    DriftLimit,
    Limit,
    Metric,
    parse_drift,
    parse_limit,
    parse_metric,
)
from promptopt.budget.settings import DEFAULTS, load_settings
from promptopt.config import load_config
from promptopt.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    ("metric", "text", "expected"),
    [
        ("input", "5% & 50 | 4000", (Decimal("0.05"), Decimal(50), Decimal(4000))),
        ("input", "5%&50 tokens|4,000 tokens", (Decimal("0.05"), Decimal(50), Decimal(4000))),
        ("input", "50 tokens", (None, Decimal(50), None)),
        ("input", "| 4000", (None, None, Decimal(4000))),
        ("usd_call", "2.5% & $0.001 | $0.02", (Decimal("0.025"), Decimal("0.001"), Decimal("0.02"))),
        ("quality", "2 points | 90%", (None, Decimal("0.02"), Decimal("0.9"))),
    ],
)
def test_the_grammar(metric: str, text: str, expected: tuple[Any, ...]) -> None:
    limit = parse_limit(metric, text)
    assert (limit.share, limit.amount, limit.cap) == expected
    assert limit.level == "error"


@pytest.mark.parametrize(
    ("text", "level"), [("off", "off"), ("warn 5%", "warn"), ("error: 5%", "error"), ("warn", "warn")]
)
def test_levels(text: str, level: str) -> None:
    assert parse_limit("input", text).level == level


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("input", "5", "has no unit"),
        ("input", 5, "has no unit"),
        ("input", 0.05, "has no unit"),
        ("usd_call", "5% & 0.01", "has no unit"),
        ("usd_call", "| 3", "has no unit"),
        ("input", "$5", "wrong unit"),
        ("quality", "2%", "quality loses points"),
        ("quality", "2 points | 90 points", "wrong unit"),
        ("usd_call", "$5%", "wrong unit"),
        ("input", "5% & 3%", "at most one percentage"),
        ("input", "five%", "not an amount"),
        ("input", "", "is empty"),
        ("input", "off 5%", "nothing can follow 'off'"),
        ("imput", "5%", "Did you mean 'input'"),
        ("latency", "5%", "known metrics: input, cacheable, output, usd_call, usd_month, quality"),
    ],
)
def test_what_is_refused(metric: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_limit(metric, value)


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 100), st.integers(0, 500))
def test_both_soft_parts_must_be_exceeded(locked: int, growth: int, percent: int, tokens: int) -> None:
    limit = parse_limit("input", f"{percent}% & {tokens}")
    assert limit.exceeded(Decimal(locked), Decimal(growth)) == (growth * 100 > percent * locked and growth > tokens)


@pytest.mark.parametrize(
    ("text", "growth", "exceeded"),
    [
        ("5%", "5", False),
        ("5%", "5.1", True),
        ("7 tokens", "7", False),
        ("7 tokens", "8", True),
        ("5% & 7", "6", False),
        ("5% & 7", "8", True),
        ("9% & 7", "8", False),
        ("5%", "0", False),
        ("5%", "-9", False),
        ("| 4000", "99", False),
        ("5% | 4000", "6", True),
    ],
)
def test_growth_of_a_hundred_tokens(text: str, growth: str, exceeded: bool) -> None:
    assert parse_limit("input", text).exceeded(Decimal(100), Decimal(growth)) == exceeded


def test_without_an_amount_no_growth_is_allowed() -> None:
    assert Limit("error").exceeded(Decimal(100), Decimal(1))
    assert not Limit("error").exceeded(Decimal(100), Decimal(0))
    assert not Limit("error", cap=Decimal(5)).exceeded(Decimal(100), Decimal(1))


def test_every_metric_has_a_default() -> None:
    assert set(DEFAULTS) == set(METRICS)


@pytest.mark.parametrize(
    ("metric", "value", "beyond"),
    [
        ("input", 50, False),
        ("input", 51, True),
        ("cacheable", 50, False),
        ("cacheable", 49, True),
        ("usd_month", 51, True),
    ],
)
def test_a_cap_may_be_reached_but_not_passed(metric: Metric, value: int, beyond: bool) -> None:
    unit = "$" if metric == "usd_month" else ""
    assert parse_limit(metric, f"| {unit}50").beyond_cap(metric, Decimal(value)) == beyond
    assert not parse_limit(metric, "5%").beyond_cap(metric, Decimal(value))


def test_quality_has_a_floor() -> None:
    limit = parse_limit("quality", "| 90%")
    assert limit.beyond_cap("quality", Decimal("0.89"))
    assert not limit.beyond_cap("quality", Decimal("0.9"))


TABLE = """[tool.promptopt.budget]
input = "5%"
recordings = "error"
[tool.promptopt.budget.group."support/*"]
input = "3%"
[tool.promptopt.budget.group."support/*".total]
usd_month = "| $100"
[tool.promptopt.budget.prompt."support/triage"]
input = "2%"
[tool.promptopt.budget.prompt."support/triage".case.refund]
input = "off"
"""


def test_the_nearest_limit_applies(project: Any) -> None:
    project.write({"pyproject.toml": TABLE})
    settings = load_settings(load_config())
    texts = [
        settings.limits_for(*where)["input"].text for where in (("other",), ("support/x",), ("support/triage", "a"))
    ]
    assert texts == ["5%", "3%", "2%"]
    assert settings.limits_for("support/triage", "refund")["input"].level == "off"
    assert settings.totals["support/*"]["usd_month"].cap == 100
    assert settings.recordings == "error"
    overridden = load_settings(load_config(), ["input=1%", "support/*:input=50 tokens"])
    assert overridden.limits_for("other")["input"].text == "1%"
    assert overridden.limits_for("support/triage", "refund")["input"].text == "50 tokens"


def test_a_file_of_its_own(project: Any) -> None:
    project.write({"budget.toml": 'input = "5%"\n[prompt.triage]\noutput = "off"\n'})
    settings = load_settings(load_config())
    assert settings.limits_for("triage")["output"].level == "off"
    project.write({"pyproject.toml": TABLE})
    with pytest.raises(ConfigError, match=r"budget\.toml: there are limits here and in \[tool\.promptopt\.budget\]"):
        load_settings(load_config())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('input = "5"', r"pyproject\.toml:2: .* has no unit"),
        ('imput = "5%"', r"pyproject\.toml:2: unknown metric or key 'imput'\. Did you mean 'input'"),
        ("group = 3", r"group = 3 is not a table"),
        ("prompt.triage = 3", r"prompt\.triage = 3 is not a table of limits"),
        ('recordings = "maybe"', r"recordings = 'maybe' is not one of error, warn, off"),
        ('prompt.triage.case.refund.quality = "2 points"', r"unknown metric or key 'quality'"),
        ('group."*".total.quality = "2 points"', r"unknown metric or key 'quality'"),
    ],
)
def test_bad_tables(project: Any, table: str, message: str) -> None:
    project.write({"pyproject.toml": f"[tool.promptopt.budget]\n{table}\n"})
    with pytest.raises(ConfigError, match=message):
        load_settings(load_config())


def test_bad_toml_of_its_own(project: Any) -> None:
    project.write({"budget.toml": "input = \n"})
    with pytest.raises(ConfigError, match=r"budget\.toml: is not TOML"):
        load_settings(load_config())


@pytest.mark.parametrize("entry", ["input", "input=5", "nothing=5%"])
def test_bad_overrides(project: Any, entry: str) -> None:
    assert Path.cwd() == project.root
    with pytest.raises(UsageError, match="limit "):
        load_settings(load_config(), [entry])


@pytest.mark.parametrize(
    ("metric", "value", "message"),
    [
        ("input", 5, 'input = 5 has no unit: write "5%", "50 tokens" or "5% & 50 | 4000"'),
        ("cacheable", True, 'cacheable = True has no unit: write "5%", "50 tokens" or "5% & 50 | 4000"'),
        ("output", " ", "output = ' ' is empty: write \"5%\", \"50 tokens\" or \"5% & 50 | 4000\", or off"),
        (
            "input",
            "warn  off",
            "input = 'off': 'off' is not an amount; write \"5%\", \"50 tokens\" or \"5% & 50 | 4000\"",
        ),
        ("usd_call", 5, 'usd_call = 5 has no unit: write "5% & $0.001 | $0.02"'),
        ("usd_month", "x", "usd_month = 'x': 'x' is not an amount; write \"5% & $0.001 | $0.02\""),
        ("quality", "2", "quality = '2': '2' has no unit; write \"2 points | 90%\""),
        ("quality", "2%", "quality = '2%': quality loses points, as in \"2 points | 90%\""),
        ("quality", "2 tokens", "quality = '2 tokens': '2 tokens' has the wrong unit; write \"2 points | 90%\""),
        ("parameters", "5%", "parameters = '5%': write \"error\" or \"warn\" or \"off\""),
        ("model", "5", "model = '5': '5' has no unit; write \"5%\", \"$0.001\" or \"5% & $0.001\""),
        ("price", "| $5", "price = '| $5': write \"5%\", \"$0.001\" or \"5% & $0.001\""),
        ("tokenizer", "5 tokens", ("tokenizer = '5 tokens': '5 tokens' has the wrong unit; write "
         '"5%", "$0.001" or "5% & $0.001"')),
        ("calls_per_month", "5", ("calls_per_month = '5': '5' has no unit; write "
         '"5%", "1000 calls" or "5% | 300000 calls"')),
        ("calls_per_month", "| 5", ("calls_per_month = '| 5': '5' has no unit; write "
         '"5%", "1000 calls" or "5% | 300000 calls"')),
        ("input", "5 & 6 tokens", ("input = '5 & 6 tokens': at most one percentage and one amount, as in "
         '"5%", "50 tokens" or "5% & 50 | 4000"')),
        ("input", "off 5%", "input = 'off 5%': nothing can follow 'off'"),
    ],
)  # fmt: skip
def test_a_refusal_shows_what_to_write(metric: str, value: object, message: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parse_limit(metric, value)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("metric", "text", "expected"),
    [
        ("input", " warn: 5% ", Limit("warn", share=Decimal("0.05"), text="5%")),
        ("input", "error 1_000 tokens", Limit("error", amount=Decimal(1000), text="1_000 tokens")),
        ("input", "5% & .5", Limit("error", Decimal("0.05"), Decimal("0.5"), text="5% & .5")),
        ("calls_per_month", "10 calls | 1,000 calls", Limit("error", None, Decimal(10), Decimal(1000),
                                                           "10 calls | 1,000 calls")),
        ("model", "5% & $0.5", Limit("error", Decimal("0.05"), Decimal("0.5"), text="5% & $0.5")),
        ("quality", "| 90%", Limit("error", cap=Decimal("0.9"), text="| 90%")),
        ("parameters", "warn", Limit("warn")),
        ("price", " off ", Limit("off")),
    ],
)  # fmt: skip
def test_all_of_a_limit(metric: str, text: str, expected: Limit) -> None:
    assert parse_limit(metric, text) == expected
    assert expected.severity == ("warn" if expected.level == "warn" else "error")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20% / 90d", DriftLimit("error", Decimal("0.2"), 90, "20% / 90d")),
        (" warn: 2.5 %/1 day ", DriftLimit("warn", Decimal("0.025"), 1, "2.5 %/1 day")),
        ("warn 20% / 30 days", DriftLimit("warn", Decimal("0.2"), 30, "20% / 30 days")),
        (" off ", DriftLimit("off", Decimal(0), 0, "")),
    ],
)
def test_a_drift(text: str, expected: DriftLimit) -> None:
    assert parse_drift(text) == expected


@pytest.mark.parametrize(
    "value",
    [20, None, "", "warn", "20%", "20% / 0d", "20 / 90d", "20% / 90", "20% / 90d x", "WARN 1% / 1d", "warn X20% / 90d"],
)
def test_what_is_not_a_drift(value: object) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parse_drift(value)
    assert str(refused.value) == f'drift = {value!r}: write "20% / 90d", "warn 20% / 90d" or "off"'


def test_a_metric_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole text is compared
        parse_metric("latency")
    assert str(refused.value) == (
        "unknown metric 'latency'. (known metrics: input, cacheable, output, usd_call, usd_month, quality, model, "
        "parameters, calls_per_month, price, tokenizer)"
    )
