"""Bounds of a mean hold for every number of cases."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.experiment.bounds import lower_bound, p_mean_at_least, p_mean_at_most, upper_bound

stats = pytest.importorskip("scipy.stats")

values = st.lists(st.floats(-1, 1), min_size=1, max_size=40).map(np.array)


@pytest.mark.parametrize("draw", [
    lambda random, n: random.choice([1.0, 0.0, -1.0], p=[0.03, 0.92, 0.05], size=n),
    lambda random, n: random.choice([0.1, -1.0], p=[0.88 / 1.1, 0.22 / 1.1], size=n) - 0.0,
    lambda random, n: random.choice([0.0, -0.02], p=[0.0, 1.0], size=n),
    lambda random, n: random.choice([0.0, -1.0], p=[0.98, 0.02], size=n),
    lambda random, n: 2 * random.beta(0.49 * 8, 0.51 * 8, size=n) - 1,
])  # fmt: skip
@pytest.mark.parametrize("cases", [2, 3, 5, 10, 20, 60, 150])
def test_a_true_mean_is_hardly_ever_refuted(draw, cases: int) -> None:
    random = np.random.default_rng(7)
    mean = float(draw(random, 400_000).mean())
    refuted = sum(p_mean_at_most(draw(random, cases), mean + 1e-3, -1) <= 0.05 for _ in range(400))
    # 400 draws at 5%: more than 34 come up once in 1,000 times.
    assert refuted <= 34


def test_what_never_differs_excludes_a_loss_by_the_rule_of_three() -> None:
    # (1 - 0.02)^n is the best that any method can do.
    for cases in (2, 10, 149, 2_000):
        assert p_mean_at_most(np.zeros(cases), -0.02, -1) == pytest.approx(0.98**cases, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(("cases", "passes"), [(2, 1), (5, 3), (10, 9), (147, 100), (400, 399), (400, 2)])
def test_of_pass_or_fail_it_is_clopper_and_pearson(cases: int, passes: int) -> None:
    values = np.repeat([1.0, 0.0], [passes, cases - passes])
    assert lower_bound(values, 0, 0.05) == pytest.approx(stats.beta.ppf(0.05, passes, cases - passes + 1), abs=1e-6)
    for mean in (0.1, 0.5, 0.98):
        expected = stats.beta.cdf(mean, passes, cases - passes + 1)
        assert p_mean_at_most(values, mean, 0) == pytest.approx(expected, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("cases", [2, 3, 10, 60, 400])
def test_the_integral_is_the_share_of_random_weights(cases: int) -> None:
    random = np.random.default_rng(5)
    values = 2 * random.beta(2, 3, cases) - 1
    mean = values.mean() - 1.5 * values.std() / cases**0.5
    weights = random.exponential(size=(40_000, cases + 1))
    share = (weights @ np.append(values - mean, -1 - mean) <= 0).mean()
    assert abs(p_mean_at_most(values, mean, -1) - share) < 5 * (share / 40_000) ** 0.5


def test_of_many_values_it_is_as_good_as_a_t_test() -> None:
    values = np.random.default_rng(6).beta(5, 5, 20_000)
    expected = values.mean() - 1.645 * values.std() / 20_000**0.5
    assert lower_bound(values, 0, 0.05) == pytest.approx(expected, abs=1e-4)


def test_more_values_than_are_summed_widen_the_bound_only_a_little() -> None:
    values = np.random.default_rng(6).random(40_000)
    bound = lower_bound(values, 0, 0.05)
    expected = values.mean() - 1.645 * values.std() / 40_000**0.5
    assert expected - 2e-4 < bound < expected


@given(values, st.floats(0.01, 0.5))
def test_the_bound_is_where_the_p_value_is_the_level(drawn: np.ndarray, level: float) -> None:
    bound = lower_bound(drawn, -1, level)
    assert -1 <= bound <= drawn.mean() + 1e-9
    if -1 + 1e-4 < bound < drawn.mean() - 1e-4:
        assert p_mean_at_most(drawn, bound - 1e-5, -1) <= level <= p_mean_at_most(drawn, bound + 1e-5, -1)


@given(values)
def test_the_two_sides_mirror_each_other(drawn: np.ndarray) -> None:
    assert upper_bound(drawn, 1, 0.05) == -lower_bound(-drawn, -1, 0.05)
    assert p_mean_at_least(drawn, 0.3, 1) == p_mean_at_most(-drawn, -0.3, -1)


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(drawn: np.ndarray, random) -> None:
    shuffled = drawn.copy()
    random.shuffle(shuffled)
    assert lower_bound(shuffled, -1, 0.05) == lower_bound(drawn, -1, 0.05)


@given(values, st.floats(0.5, 1000), st.floats(-50, 50))
def test_units_do_not_matter(drawn: np.ndarray, factor: float, shift: float) -> None:
    bound = lower_bound(drawn, -1.5, 0.05)
    other = lower_bound(drawn * factor + shift, -1.5 * factor + shift - 1e-9, 0.05)
    assert math.isclose(other, bound * factor + shift, abs_tol=1e-4 * factor)


@pytest.mark.parametrize("tiny", [2.4e-256, 5e-324, 1e-120])
def test_values_near_the_end_of_the_numbers_have_bounds(tiny: float) -> None:
    assert lower_bound(np.array([tiny] * 5), 0.0, 0.025) <= tiny
    nearly = lower_bound(np.array([tiny, *[1.0] * 20]), 0.0, 0.025)
    assert nearly == pytest.approx(lower_bound(np.array([0.0, *[1.0] * 20]), 0.0, 0.025), abs=1e-6)
    assert 0 <= p_mean_at_most(np.array([tiny, 0.5]), tiny / 2, 0.0) <= 1


def test_values_outside_the_end_are_refused() -> None:
    with pytest.raises(ValueError, match="is lower than"):
        lower_bound(np.array([0.5, 1.5]), 0.6, 0.05)
    with pytest.raises(ValueError, match="is lower than"):
        p_mean_at_most(np.array([-0.5]), 0.5, 0)


def test_no_values_show_nothing() -> None:
    assert lower_bound(np.array([]), -1, 0.05) == -1
    assert p_mean_at_most(np.array([]), 0.5, 0) == 1.0
