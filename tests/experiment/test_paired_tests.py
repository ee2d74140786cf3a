"""The exact tests, beside scipy and beside sums over every outcome."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.experiment.paired_tests import Choices, mcnemar, p_loss

stats = pytest.importorskip("scipy.stats")


def sign_flip(values: np.ndarray) -> float:
    return Choices.of(values[:, None]).p_value()


def mean_interval(values: np.ndarray, level: float) -> tuple[float, float] | None:
    def mean(sums: np.ndarray) -> np.ndarray:
        return sums[:, 0] / np.where(sums[:, 1], sums[:, 1], np.nan)

    return Choices.of(np.column_stack([values, np.ones(len(values))])).interval(mean, level)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_the_binomial_test(better: int, worse: int) -> None:
    expected = stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert math.isclose(mcnemar(better, worse), expected, rel_tol=1e-9)


def test_mcnemar_of_many_pairs() -> None:
    assert math.isclose(mcnemar(15_800, 16_100), stats.binomtest(15_800, 31_900).pvalue, rel_tol=1e-6)


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9))
def test_few_differences_are_flipped_in_every_way(differences: list[float]) -> None:
    signs = product([1, -1], repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(each, differences, strict=True))) for each in signs]
    expected = np.mean([total >= abs(sum(differences)) - 1e-12 for total in sums])
    assert math.isclose(sign_flip(np.array(differences)), expected)


@pytest.mark.parametrize("draw", [
    lambda random: random.integers(0, 4, 60) / 3 - random.integers(0, 4, 60) / 3,
    lambda random: random.normal(0.1, 0.5, 90).clip(-1, 1),
])  # fmt: skip
def test_many_differences_agree_with_scipy(draw) -> None:
    differences = draw(np.random.default_rng(3))
    done = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=19_999, rng=np.random.default_rng(4)
    )
    assert abs(sign_flip(differences) - done.pvalue) < 0.03


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200))
def test_sign_flips_know_no_side(differences: list[float]) -> None:
    values = np.round(np.array(differences), 3)
    assert sign_flip(-values) == sign_flip(values)
    assert 0 < sign_flip(values) <= 1


@given(st.lists(st.floats(-1, 1), min_size=14, max_size=200), st.sampled_from([0.01, 0.025, 0.05, 0.2]))
def test_the_interval_agrees_with_the_test(differences: list[float], level: float) -> None:
    values = np.round(np.array(differences), 3)
    low, high = mean_interval(values, level)
    assert low <= values.mean() <= high
    p_value = sign_flip(values)
    if p_value < level * 0.8:
        assert low > 0 or high < 0 or p_value > level * 0.4
    if p_value > level * 1.2:
        assert low <= 0 <= high


def test_few_cases_have_no_interval() -> None:
    assert mean_interval(np.array([0.1, 0.2, 0.3]), 0.05) is None
    assert mean_interval(np.arange(8) / 10, 0.05) is not None


def test_pass_or_fail_is_as_mcnemar() -> None:
    values = np.repeat([1.0, 0.0, -1.0], [21, 100, 7])
    assert abs(sign_flip(values) - mcnemar(21, 7)) < 0.005


def test_if_nothing_differs_it_is_the_rule_of_three() -> None:
    # 149 cases exclude a loss of 2 points at 5%, 59 one of 5 points; 148 and 58 do not.
    for cases, margin in ((149, 0.02), (59, 0.05)):
        assert math.isclose(p_loss(0, 0, cases, margin), (1 - margin) ** cases, rel_tol=1e-4)
        assert p_loss(0, 0, cases, margin) <= 0.05 < p_loss(0, 0, cases - 1, margin)


@pytest.mark.parametrize(("cases", "margin"), [(7, 0.1), (20, 0.05), (30, 0.02), (30, 0.2)])
def test_a_loss_of_the_margin_is_called_none_in_at_most_5_percent(cases: int, margin: float) -> None:
    outcomes = [(b, c) for b in range(cases + 1) for c in range(cases + 1 - b)]
    shown = [(b, c) for b, c in outcomes if p_loss(b, c, cases, margin) <= 0.05]
    for better in np.linspace(0, (1 - margin) / 2, 101):
        same = 1 - margin - 2 * better
        chance = sum(
            math.comb(cases, b) * math.comb(cases - b, c) * better**b * (better + margin) ** c * same ** (cases - b - c)
            for b, c in shown
        )
        assert chance <= 0.05 + 1e-6


@given(st.integers(1, 60), st.data())
def test_one_more_case_that_is_better_is_more_evidence(cases: int, data) -> None:
    worse = data.draw(st.integers(0, cases - 1))
    better = data.draw(st.integers(0, cases - worse - 1))
    assert p_loss(better + 1, worse, cases, 0.05) <= p_loss(better, worse, cases, 0.05) + 1e-9
