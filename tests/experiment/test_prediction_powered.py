"""Intervals of labels that a judge's scores narrow: they hold, they are never far wider, and they say why."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.experiment.calibration import JudgedAnswer, calibrate, kappa_interval
from promptopt.experiment.labelled import labelled_difference, labelled_p_values
from promptopt.experiment.prediction_powered import Rectified
from promptopt.values import Judged

SHARES = st.floats(0, 1, allow_nan=False)


def drawn(rng, count: int, good: float, hit: float, alarm: float):
    label = rng.random(count) < good
    return label.astype(float), (rng.random(count) < np.where(label, hit, alarm)).astype(float)


@pytest.mark.parametrize(("hit", "alarm"), [(0.95, 0.1), (0.99, 0.5), (0.5, 0.5), (0.1, 0.9)])
@pytest.mark.parametrize("count", [20, 60])
def test_the_interval_holds_however_wrong_the_judge_is(count: int, hit: float, alarm: float) -> None:
    rng, held, runs = np.random.default_rng(3), 0, 200
    for _ in range(runs):
        labels, scores = drawn(rng, count * 11, 0.7, hit, alarm)
        found = Rectified.of(labels[:count], scores[:count], scores[count:])
        held += found.lower(0.025) <= 0.7 <= found.upper(0.025)
    # With 95% the chance of less than 90% of 200 is below one in a thousand.
    assert held >= 0.9 * runs


def test_a_good_judge_is_worth_labels_and_a_useless_one_costs_nothing() -> None:
    rng = np.random.default_rng(5)
    labels, good = drawn(rng, 2000, 0.7, 0.95, 0.1)
    found = Rectified.of(labels[:100], good[:100], good[100:])
    low, high = found.alone(0.05)
    assert found.upper(0.025) - found.lower(0.025) < 0.8 * (high - low)
    assert found.effective_labels > 150
    # What is said is what comes true: with all labels the interval is so much narrower.
    everywhere = Rectified.of(labels, good, labels[:0])
    wide, narrow = (each.upper(0.025) - each.lower(0.025) for each in (found, everywhere))
    assert found.judges_share(0.05) == pytest.approx(1 - narrow / wide, abs=0.02)
    assert everywhere.judges_share(0.05) == pytest.approx(0, abs=1e-6)
    useless = np.ones(2000)
    found = Rectified.of(labels[:100], useless[:100], useless[100:])
    assert (found.weight, found.mean) == (0, labels[:100].mean())
    assert found.upper(0.025) - found.lower(0.025) == pytest.approx(high - low, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(SHARES, SHARES), min_size=10, max_size=30), st.lists(SHARES, max_size=30))
def test_bounds_are_in_order_and_within_the_range(pairs, others) -> None:
    labels, scores = (np.array(side) for side in zip(*pairs, strict=True))
    found = Rectified.of(labels, scores, np.array(others, dtype=float))
    assert ((found.weights >= 0) & (found.weights <= 1)).all()
    low, high = found.lower(0.025), found.upper(0.025)
    assert 0 <= low <= high <= 1
    assert found.lower(0.01) <= low + 1e-9
    assert high <= found.upper(0.01) + 1e-9


def test_p_values_agree_with_the_bounds() -> None:
    rng = np.random.default_rng(8)
    labels, scores = drawn(rng, 400, 0.7, 0.9, 0.2)
    found = Rectified.of(labels[:80], scores[:80], scores[80:])
    for mean in (0.5, 0.6, 0.65):
        p_value = found.p_at_most(mean)
        assert found.lower(min(1.0, p_value * 1.01)) >= mean
        assert found.lower(p_value * 0.98) <= mean + 1e-6
    assert found.p_at_most(0.95) == 1


def test_a_difference_needs_ten_labels_of_both_answers() -> None:
    judged = np.linspace(-1, 1, 40)
    labels = np.full(40, math.nan)
    labels[:9] = 0.0
    assert labelled_difference(labels, judged) is None
    labels[9] = 0.0
    found = labelled_difference(labels, judged)
    assert found is not None
    assert (len(found.labels), len(found.others)) == (10, 30)
    assert set(labelled_p_values(found, 0.02, 0.0)) == {"quality", "loss", "gain", "accept"}


@pytest.mark.parametrize(
    ("table", "kappa"), [([[40, 0], [0, 60]], 1.0), ([[25, 25], [25, 25]], 0.0), ([[20, 5], [10, 15]], 0.4)]
)
def test_kappa_is_cohens_and_its_interval_is_around_it(table, kappa: float) -> None:
    found, low, high = kappa_interval(np.array(table))
    assert found == pytest.approx(kappa)
    assert low < high <= 1
    assert low <= kappa
    assert kappa_interval(np.array([[10, 0], [3, 0]])) == (None, None, None)


def answer(score: float, label: float | None, **more) -> JudgedAnswer:
    return JudgedAnswer("p@v1", score, score >= 0.5, label, **more)


def test_what_a_judge_favours_is_shown_and_what_cannot_be_told_is_said() -> None:
    long_ones = [answer(1.0, float(n % 2), length=200 + n, own=False) for n in range(40)]
    short = [answer(float(n % 2), float(n % 2), length=20 + n, own=False) for n in range(40)]
    found = calibrate([*long_ones, *short])
    assert found.length is not None
    assert found.length.shown
    assert found.length.difference == pytest.approx(0.5)
    assert (found.own, found.place, found.orders, found.flip_rate) == (None, None, None, None)
    assert (found.agreement.both_pass, found.agreement.pass_fail, found.agreement.fail_pass) == (40, 20, 0)


def test_votes_places_and_orders_are_read_from_the_judgements() -> None:
    steady = Judged("j", votes=(1.0, 1.0, 1.0), passes=3, place=0.0)
    split = Judged("j", votes=(1.0, 0.0, None), passes=1, place=1.0)
    pair = Judged("j", votes=(0.5,), orders=(3, 1, 6))
    answers = [answer(1.0, 1.0, judged=(each,)) for each in [steady] * 10 + [split] * 10 + [pair]]
    found = calibrate([*answers, answer(0.0, 0.0)])
    assert (found.repeated, found.split, found.flip_rate) == (20, 10, 0.5)
    assert found.orders == (3, 1, 6)
    assert found.place is not None
    assert found.place.difference == pytest.approx(-0.5)


@pytest.mark.parametrize(("scores", "heaps"), [([0.0, 1.0] * 50, True), (list(np.linspace(0.3, 0.7, 100)), False)])
def test_scores_in_two_heaps_are_found(scores, heaps: bool) -> None:
    found = calibrate([answer(score, 1.0) for score in scores])
    assert found.bimodality is not None
    assert (found.bimodality > 5 / 9 + 0.05) == heaps
    assert found.at_ends == float(heaps)
