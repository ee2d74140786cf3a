"""Derived metrics: expressions by mathjs' rules, computed without running code."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.errors import SuiteError
from promptopt.suites import load_suite
from promptopt.suites.derived import DerivedMetric, derive

VALUES = {"p": 3.0, "r": 2.0, "__count": 10.0}


def result(expression: str) -> float:
    return DerivedMetric.read({"name": "x", "value": expression}).result(VALUES)


@pytest.mark.parametrize(
    ("expression", "said_by_mathjs"),
    [
        ("2*p*r/(p+r)", 2.4),
        ("-p^2", -9),
        ("2^3^2", 512),
        ("(p+r)/__count", 0.5),
        ("p > r ? 1 : 0", 1),
        ("not (p > r)", 0),
        ("p <= 3 and r >= 2 ? 1 : 2", 1),
        ("3 > 2 > 1", 1),
        ("1 + 2 > 2 + 0", 1),
        ("max(p, r, 4) - min(p, r)", 2),
        ("round(2.567, 2) + round(-2.5)", -0.43),
        ("log(8, 2) + log10(1000)", 6),
        ("mean(p, r) + median(1, 5, 3)", 5.5),
        ("-5 % 3 + 5 mod 3", 3),
        ("abs(-p) + 1e2 + .5", 103.5),
        ("p - r - 1 + p / r / 3", 0.5),
        ("1 xor 1", 0),
        ("2 * -3", -6),
    ],
)
def test_expressions_have_the_value_that_mathjs_gives_them(expression: str, said_by_mathjs: float) -> None:
    assert result(expression) == pytest.approx(said_by_mathjs)


@settings(max_examples=60)
@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda each: f"({each[0]} {each[1]} {each[2]})"
        ),
        max_leaves=12,
    )
)
def test_sums_and_products_are_those_of_another_reader(expression: str) -> None:
    assert result(expression) == pytest.approx(float(eval(expression)))


@pytest.mark.parametrize(
    "written", ["2 +", "p q", "a.b", "x = 3", "import('os')", "__import__(1)", "p[0]", "(1", "", "max()", "'a'", "p; r"]
)
def test_what_is_no_expression_is_refused_when_it_is_read(written: str) -> None:
    with pytest.raises(ValueError, match=r"derivedMetrics: x: .* is not an expression"):
        DerivedMetric.read({"name": "x", "value": written})


def test_later_metrics_use_earlier_ones_and_what_has_no_value_says_why() -> None:
    entries = [("a", "p + 1"), ("b", "a * 2"), ("c", "prr"), ("d", "p / 0"), ("f", "9^9^9^9"), ("g", "sqrt(p, r)")]
    metrics = tuple(DerivedMetric.read({"name": name, "value": value}) for name, value in entries)
    found = {name: (value, why) for name, value, why in derive(metrics, VALUES)}
    assert (found["a"], found["b"]) == ((4.0, ""), (8.0, ""))
    assert {found[name][0] for name in "cdfg"} == {None}
    assert "no metric is named 'prr'" in found["c"][1]
    assert "divides by 0" in found["d"][1]
    assert "takes no 2 values" in found["g"][1]
    assert not any(value is not None and math.isnan(value) for value, _ in found.values())


def test_a_suite_names_the_line_of_a_bad_one(project) -> None:
    text = "derivedMetrics:\n  - {name: f1, value: 2 * }\ntests: [{vars: {a: 1}}]\n"
    project.write({"suites/s.yaml": text})
    with pytest.raises(SuiteError, match=r"'2 \*' is not an expression") as caught:
        load_suite("suites/s.yaml")
    assert caught.value.line == 1
