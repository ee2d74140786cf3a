"""The statistics against scipy, and their error rates by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from promptopt.experiment import stats
from promptopt.experiment.stats import Bootstrap, Floats
from promptopt.experiment.verdict import cases_needed, cases_to_exclude_loss


def of_mean(values: Floats) -> Bootstrap:
    return stats.bootstrap(np.asarray(values, dtype=float)[:, None], [lambda means: means[..., 0]])[0]


SAMPLES = {
    "normal": lambda random, n: random.normal(0.1, 1, n),
    "skewed": lambda random, n: random.exponential(1, n) - 1,
    "binary differences": lambda random, n: random.choice([-1.0, 0.0, 1.0], n, p=[0.1, 0.7, 0.2]),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("n", [30, 150])
def test_intervals_are_scipys_bca(kind: str, n: int) -> None:
    values = SAMPLES[kind](np.random.default_rng(n), n)
    ours = of_mean(values).interval()
    theirs = scipy_stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=stats.RESAMPLES, rng=np.random.default_rng(1)
    ).confidence_interval
    # Two sets of 9,999 resamples agree to a few hundredths of the interval's width, or to one step of a discrete mean.
    tolerance = max(0.06 * (theirs.high - theirs.low), 1 / n if kind.startswith("binary") else 0)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=tolerance)


def test_bias_and_acceleration_are_scipys() -> None:
    values = np.random.default_rng(5).exponential(1, 40)
    ours = of_mean(values)
    # Equation 14.15 of Efron and Tibshirani for a mean is a sixth of the skewness over the root of n.
    assert ours.acceleration == pytest.approx(scipy_stats.skew(values) / (6 * math.sqrt(len(values))))
    below = (ours.resampled < ours.observed).mean()
    assert ours.bias == pytest.approx(scipy_stats.norm.ppf(below), abs=0.01)


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_p_value_is_where_the_interval_touches_zero(kind: str) -> None:
    tested = of_mean(SAMPLES[kind](np.random.default_rng(7), 60))
    p_value = tested.p_value()
    low, high = tested.interval(1 - p_value)
    width = tested.interval()[1] - tested.interval()[0]
    assert min(abs(low), abs(high)) < 0.05 * width


def test_a_ratio_is_resampled_as_a_whole() -> None:
    random = np.random.default_rng(3)
    cost, passed = random.uniform(1, 2, 200), (random.random(200) < 0.8).astype(float)
    ours = stats.bootstrap(np.column_stack([cost, passed]), [lambda m: m[..., 0] / m[..., 1]])[0]
    theirs = scipy_stats.bootstrap(
        (cost, passed),
        lambda c, p, axis: c.sum(axis=axis) / p.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert ours.observed == pytest.approx(cost.sum() / passed.sum())
    assert ours.interval() == pytest.approx((theirs.low, theirs.high), abs=0.06 * (theirs.high - theirs.low))


@given(st.floats(-1e6, 1e6), st.integers(2, 50))
def test_a_difference_that_every_case_shares_has_an_interval_of_width_zero(value: float, cases: int) -> None:
    tested = of_mean(np.full(cases, value))
    assert tested.degenerate
    low, high = tested.interval()
    assert low == high == tested.observed
    assert tested.p_value() == (1.0 if tested.observed == 0 else 0.0)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_an_interval_is_ordered_within_the_data_and_the_same_each_time(values: list[float]) -> None:
    low, high = of_mean(values).interval()
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert (low, high) == of_mean(values).interval()


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_turning_the_sign_turns_the_mean(values: list[float]) -> None:
    assert of_mean(values).observed == pytest.approx(-of_mean([-value for value in values]).observed)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(better: int, worse: int) -> None:
    expected = scipy_stats.binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert stats.mcnemar(better, worse) == pytest.approx(expected)


def test_mcnemar_takes_thousands_of_pairs() -> None:
    assert stats.mcnemar(2000, 1800) == pytest.approx(scipy_stats.binomtest(2000, 3800).pvalue)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_the_step_down_procedure(p_values: list[float]) -> None:
    adjusted = stats.holm(p_values)
    order = np.argsort(p_values, kind="stable")
    # By definition: the largest of the products up to each rank.
    products = [(len(p_values) - rank) * p_values[index] for rank, index in enumerate(order)]
    for rank, index in enumerate(order):
        assert adjusted[index] == pytest.approx(min(1.0, max(products[: rank + 1])))
    assert all(after >= before for before, after in zip(p_values, adjusted, strict=True))


def test_the_rule_of_three() -> None:
    for margin in (0.01, 0.02, 0.05):
        cases = cases_to_exclude_loss(margin)
        # The upper bound on a rate that was never seen (Clopper and Pearson) first falls below the margin there.
        bounds = [scipy_stats.binomtest(0, n, alternative="less").proportion_ci(0.95).high for n in (cases - 1, cases)]
        assert bounds[1] <= margin < bounds[0]


def test_the_number_of_cases_has_the_power_that_it_promises() -> None:
    needed = cases_needed(deviation=0.5, distance=0.1, alpha=0.05)
    random = np.random.default_rng(0)
    shown = [
        scipy_stats.ttest_1samp(random.normal(0.1, 0.5, needed), 0, alternative="greater").pvalue < 0.05
        for _ in range(2000)
    ]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.03)
