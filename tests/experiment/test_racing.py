"""The test of a race: how often it errs, looked at again and again, over simulated answers whose truth is known."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.experiment.racing import (
    Entrant,
    RaceRules,
    looks,
    lowest_mean,
    p_at_any_look,
    race_order,
    race_standing,
)

RACES = 1_000
# Two standard errors of 5% of so many races.
MOST = 0.05 + 2 * math.sqrt(0.05 * 0.95 / RACES)
RULES = RaceRules(margin=0.02, cost_margin=0.02, max_failed=0.02)

Variant = tuple[Callable[[np.random.Generator, int], np.ndarray], float, float]
"""How its quality is drawn, the price of its input, and the mean price of its answers, of which a cap allows 1."""


def passing(rate: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda random, cases: (random.random(cases) < rate).astype(float)


def rarely_failing(share: float) -> Callable[[np.random.Generator, int], np.ndarray]:
    return lambda random, cases: (random.random(cases) >= share).astype(float)


def raced(variants: Sequence[Variant], cases: int, seed: int) -> tuple[set[int], float]:
    """The variants that are dropped, and the share of calls that is not needed."""
    random = np.random.default_rng(seed)
    quality = [draw(random, cases) for draw, _, _ in variants]
    spent = [price + random.beta(4 * mean, 4 * (1 - mean), cases) for _, price, mean in variants]
    field, dropped, calls, before = dict.fromkeys(range(len(variants))), set[int](), 0, 0
    for asked in looks(cases):
        calls += len(field) * (asked - before)
        before = asked
        seen = {
            n: Entrant(
                quality[n][:asked], spent[n][:asked], np.full(cases, variants[n][1]), np.full(cases, variants[n][1] + 1)
            )
            for n in field
        }
        for number in RULES.dominated(seen, len(variants)) if asked < cases else ():
            dropped.add(number)
            del field[number]
        if len(field) == 1:
            break
    return dropped, 1 - calls / (cases * len(variants))


@pytest.mark.parametrize(
    ("variants", "kept"),
    [
        pytest.param([(passing(0.7), 1.0, 0.3)] * 2, 1, id="equal"),
        pytest.param(
            [(rarely_failing(0.0), 3.0, 0.3), (rarely_failing(0.0), 2.0, 0.3), (rarely_failing(0.02), 1.0, 0.3)],
            1,
            id="near: the cheaper one loses the margin in rare cases",
        ),
        pytest.param(
            [(passing(0.8), 2.0, 0.3), (passing(0.85), 1.0, 0.3), (passing(0.4), 1.5, 0.3)], 1, id="a clear loser"
        ),
    ],
)
def test_the_best_is_dropped_in_at_most_the_stated_share_of_races(variants: Sequence[Variant], kept: int) -> None:
    lost = sum(kept in raced(variants, 300, seed)[0] for seed in range(RACES))
    assert lost <= MOST * RACES


def test_a_clear_loser_is_dropped_and_its_calls_are_saved() -> None:
    variants: list[Variant] = [(passing(0.8), 2.0, 0.3), (passing(0.85), 1.0, 0.3), (passing(0.4), 1.5, 0.3)]
    found = [raced(variants, 300, seed) for seed in range(100)]
    assert all(dropped == {2} for dropped, _ in found)
    # Two thirds of the calls are of variants that go on to the end.
    assert np.mean([saved for _, saved in found]) > 0.15


def test_a_variant_within_the_margin_of_one_that_is_worse_than_the_baseline_is_kept() -> None:
    # The third is not worse than the second by the margin, and costs less; but it is worse than the baseline by more,
    # so that the second is the cheapest that is not.
    cases = 9_000
    random = np.random.default_rng(4)
    order = random.permutation(cases)
    quality = [(order >= cases * lost).astype(float) for lost in (0.0, 0.015, 0.025)]
    field = {
        number: Entrant(values[:8_000], np.full(8_000, usd), np.full(cases, usd), np.full(cases, usd))
        for number, (values, usd) in enumerate(zip(quality, (3.0, 2.0, 1.0), strict=True))
    }
    assert RULES.dominated(field, 3) == {}
    # Of a second baseline that is worse than both, the third is the best.
    field[0] = Entrant(np.zeros(8_000), field[0].usd, field[0].least_usd, field[0].most_usd)
    assert {number: lead.by for number, lead in RULES.dominated(field, 3).items()} == {1: 2}


def test_variants_that_cost_more_for_more_are_kept() -> None:
    variants: list[Variant] = [(passing(0.9), 3.0, 0.3), (passing(0.7), 2.0, 0.3), (passing(0.5), 1.0, 0.3)]
    assert not any(raced(variants, 400, seed)[0] for seed in range(50))


def entrant(quality: Sequence[float], usd: float, **given: object) -> Entrant:
    cases = len(quality)
    return Entrant(np.array(quality), np.full(cases, usd), np.full(cases, usd), np.full(cases, usd), **given)  # type: ignore[arg-type]


GOOD, BAD = [1.0] * 60, [0.0] * 60


def test_what_leads_is_said() -> None:
    (lead,) = RULES.dominated({0: entrant(GOOD, 1.0), 1: entrant(BAD, 2.0)}, 2).values()
    assert lead.by == 0
    assert lead.better
    assert 0.8 < lead.quality < 1
    # What no answer varies is known.
    assert lead.usd == pytest.approx(1.0)
    (lead,) = RULES.dominated({0: entrant(GOOD * 5, 1.0), 1: entrant(GOOD * 5, 2.0)}, 2).values()
    assert not lead.better
    assert -0.02 < lead.quality < 0


@pytest.mark.parametrize(
    "field",
    [
        pytest.param({0: entrant(BAD, 2.0), 1: entrant(GOOD, 1.0)}, id="the baseline stays"),
        pytest.param({0: entrant(GOOD, 2.0), 1: entrant(BAD, 1.0)}, id="cheaper and worse"),
        pytest.param({0: entrant(GOOD, 1.0), 1: entrant(GOOD, 2.0)}, id="too few cases exclude a loss of the margin"),
        pytest.param({0: entrant(GOOD, 1.0), 1: entrant(BAD, math.nan)}, id="unpriced"),
        pytest.param({0: entrant(GOOD, 1.0), 1: entrant(BAD, 2.0, reliable=False)}, id="too many calls failed"),
        pytest.param({0: entrant(GOOD, 1.0, reliable=False), 1: entrant(BAD, 2.0)}, id="too many of the better failed"),
        pytest.param({0: entrant([math.nan] * 60, 1.0), 1: entrant([math.nan] * 60, 2.0)}, id="no case is judged"),
        pytest.param(
            {
                0: entrant(BAD * 9, 1.0, broken=np.ones(540, dtype=bool)),
                1: entrant(BAD * 9, 2.0, broken=np.ones(540, dtype=bool)),
            },
            id="a scorer breaks with both",
        ),
    ],
)
def test_what_is_not_dominated(field: dict[int, Entrant]) -> None:
    assert RULES.dominated(field, 2) == {}


def test_one_of_two_that_nothing_tells_apart_is_not_dropped_for_the_other() -> None:
    field = {0: entrant(BAD, 9.0), 1: entrant(GOOD, 1.0), 2: entrant(GOOD, 1.0)}
    assert RULES.dominated(field, 3) == {}


def test_the_dollars_of_answers_without_a_cap_have_no_bound() -> None:
    random = np.random.default_rng(1)
    field = {
        number: Entrant(np.full(200, quality), usd + random.random(200), np.full(200, usd), np.full(200, np.inf))
        for number, (quality, usd) in enumerate(((1.0, 1.0), (0.0, 5.0)))
    }
    (lead,) = RULES.dominated(field, 2).values()
    assert lead.usd is None


# Candidates against a baseline.


def test_a_look_after_each_case_errs_at_most_at_the_level() -> None:
    confirmed = dropped = naive = 0
    for seed in range(RACES):
        random = np.random.default_rng(seed)
        differences = random.choice([-1.0, 0.0, 1.0], 200, p=[0.12, 0.78, 0.1])
        states = [race_standing(differences[:n], 0.02) for n in range(5, 201, 5)]
        confirmed += "confirmed" in states
        dropped += "drop" in states
        sums, squares = differences.cumsum()[4::5] + 0.02 * np.arange(5, 201, 5), (differences**2).cumsum()[4::5]
        naive += bool((sums > 1.645 * np.sqrt(squares)).any())
    # A true loss of the margin: either would be wrong.
    assert confirmed <= MOST * RACES
    assert dropped <= MOST * RACES
    # A test for a fixed number of cases, looked at as often.
    assert naive > 0.15 * RACES


def test_candidates_are_confirmed_and_dropped_after_so_many_cases() -> None:
    same = np.zeros(400)
    assert race_standing(same[:59], 0.05) == "keep"
    assert race_standing(same[:110], 0.05) == "confirmed"
    assert race_standing(same[:149], 0.02) == "keep"
    assert race_standing(same[:280], 0.02) == "confirmed"
    assert race_standing(np.full(20, -1.0), 0.02) == "drop"
    assert race_standing(np.array([]), 0.02) == "keep"
    assert race_standing(np.full(50, math.nan), 0.02) == "keep"


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=40),
    st.floats(-0.9, 0.9),
    st.sampled_from([0.001, 0.01, 0.05]),
    st.randoms(use_true_random=False),
)
@settings(deadline=None)
def test_bounds_and_p_values_agree(values: list[float], mean: float, level: float, random: object) -> None:
    cases = np.array(values)
    p_value = p_at_any_look(cases, mean, -1.0)
    assert 0 <= p_value <= 1
    bound = lowest_mean(cases, -1.0, level)
    assert -1 <= bound <= max(cases.mean(), -1)
    assert p_at_any_look(cases, bound - 1e-9, -1.0) <= level * (1 + 1e-6) or bound <= -1 + 1e-9
    # Neither depends on the order.
    random.shuffle(values)  # type: ignore[attr-defined]
    assert p_at_any_look(np.array(values), mean, -1.0) == pytest.approx(p_value, rel=1e-9)
    # A mean that is further away is refuted more.
    assert p_at_any_look(cases, mean + 0.05, -1.0) >= p_value * (1 - 1e-9)


def test_a_value_below_its_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="a value of -2 is lower than -1"):
        p_at_any_look(np.array([-2.0]), 0.0, -1.0)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=30, unique=True))
def test_a_case_that_is_added_moves_no_other(names: list[str]) -> None:
    whole = [names[number] for number in race_order(names)]
    fewer = [names[:-1][number] for number in race_order(names[:-1])]
    assert [name for name in whole if name != names[-1]] == fewer


@given(st.integers(0, 5_000))
def test_looks_end_with_the_last_case(cases: int) -> None:
    found = list(looks(cases))
    assert found == sorted(set(found))
    assert (found or [0])[-1] == cases
    assert all(later - before <= max(10, before // 10) for before, later in zip([0, *found], found, strict=False))


def test_the_order_says_nothing_about_the_order_of_the_file() -> None:
    order = race_order([f"case {number:04}" for number in range(2_000)])
    assert order != sorted(order)
    assert abs(np.mean(order[:500]) - 999.5) < 100
