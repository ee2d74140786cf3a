"""Verdicts: what each kind of evidence leads to, and how often equals are told apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.experiment import stats
from promptopt.experiment.pairs import PairedCases, compare_pairs
from promptopt.experiment.text import reason_text
from promptopt.experiment.verdict import Decision, Verdict, cases_to_exclude_loss

MARGIN = 0.02


def pairs(
    quality: tuple[np.ndarray, np.ndarray], usd: tuple[np.ndarray, np.ndarray] | None, *, untouched: bool = False
) -> PairedCases:
    sides = []
    for side in (0, 1):
        cases = len(quality[side])
        money = usd[side] if usd else np.full(cases, np.nan)
        sides.append(
            {
                "quality": quality[side].astype(float),
                "pass_rate": (quality[side] >= 1).astype(float),
                "input_tokens": np.full(cases, 100.0),
                "output_tokens": np.full(cases, 10.0),
                "usd_per_1k_calls": money.astype(float),
            }
        )
    return PairedCases(sides[0], sides[1], untouched)


def decision(paired: PairedCases, margin: float = MARGIN, accept: float = 0.0) -> Decision:
    ((_, decided),) = compare_pairs([paired], margin, accept)
    return decided


def outcomes(both: int, better: int, worse: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Passes of baseline and candidate, case by case."""
    baseline = np.repeat([1, 0, 1, 0], [both, better, worse, neither])
    candidate = np.repeat([1, 1, 0, 0], [both, better, worse, neither])
    return baseline, candidate


def money(cases: int, change: float, noise: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    baseline = random.uniform(1, 2, cases)
    return baseline, baseline + change + random.normal(0, noise, cases)


@pytest.mark.parametrize(
    ("passes", "change", "verdict"),
    [
        (outcomes(160, 0, 0, 40), -0.5, "improved"),  # cheaper, not one case lost
        (outcomes(100, 40, 5, 55), -0.5, "improved"),  # cheaper and better
        (outcomes(100, 40, 5, 55), 0.0, "improved"),  # better for the same money
        (outcomes(100, 40, 5, 55), 0.5, "trade-off"),  # better and costlier
        (outcomes(160, 0, 0, 40), 0.0, "equivalent"),
        (outcomes(100, 5, 40, 55), -0.5, "regressed"),  # cheaper and worse
        (outcomes(160, 0, 0, 40), 0.5, "regressed"),  # costlier and not better
        (outcomes(150, 10, 12, 28), 0.5, "regressed"),  # costlier, and nothing shown for it
        (outcomes(150, 10, 12, 28), -0.5, "inconclusive"),  # cheaper, and the loss may be anything
    ],
)
def test_each_verdict(passes: tuple[np.ndarray, np.ndarray], change: float, verdict: Verdict) -> None:
    decided = decision(pairs(passes, money(200, change)))
    assert decided.verdict == verdict
    assert decided.reasons


def test_a_worse_candidate_within_what_is_accepted_is_a_trade_off() -> None:
    paired = pairs(outcomes(170, 2, 20, 8), money(200, -0.5))
    assert decision(paired).verdict == "regressed"
    accepted = decision(paired, accept=0.15)
    assert accepted.verdict == "trade-off"
    assert "15 points that are accepted" in reason_text(accepted.reasons[-1])


def test_a_trade_off_names_the_dollars_for_a_point() -> None:
    decided = decision(pairs(outcomes(100, 40, 0, 60), (np.full(200, 1.0), np.full(200, 1.5))))
    # 20 points for $0.50 more.
    assert reason_text(decided.reasons[-1]) == "$0.0250 per 1,000 calls for each point of quality"


@pytest.mark.parametrize(("cases", "verdict"), [(148, "inconclusive"), (149, "improved")])
def test_cases_that_never_differ_prove_as_much_as_there_are_of_them(cases: int, verdict: Verdict) -> None:
    decided = decision(pairs(outcomes(cases, 0, 0, 0), money(cases, -0.5)))
    assert decided.verdict == verdict
    if verdict == "inconclusive":
        assert decided.cases_needed == cases_to_exclude_loss(MARGIN) == 149


def test_the_same_requests_are_equivalent_however_few() -> None:
    decided = decision(pairs(outcomes(3, 0, 0, 0), (np.ones(3), np.ones(3)), untouched=True))
    assert decided.verdict == "equivalent"


@pytest.mark.parametrize("cases", [1, 2, 5])
def test_a_handful_of_cases_is_never_a_verdict_on_quality(cases: int) -> None:
    decided = decision(pairs(outcomes(0, 0, cases, 0), (np.full(cases, 2.0), np.full(cases, 1.0))))
    assert decided.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("baseline", "candidate", "cases", "verdict"),
    [
        (1.0, 0.0, 160, "regressed"),  # every case lost
        (1.0, 0.0, 6, "inconclusive"),
        (1.0, 0.0, 7, "regressed"),  # 2 / 2**7 is below 0.025
        (0.9, 0.6, 40, "regressed"),  # every score lower by the same
        (0.0, 1.0, 160, "improved"),
        (0.6, 0.9, 4, "inconclusive"),
        (0.6, 0.9, 40, "improved"),
        (0.90, 0.89, 40, "regressed"),  # lower in every case, and too few to exclude the margin
        (0.90, 0.89, 400, "improved"),  # and with many cases a loss of the margin is excluded
    ],
)
def test_cases_that_all_differ_by_the_same_are_evidence(
    baseline: float, candidate: float, cases: int, verdict: Verdict
) -> None:
    quality = np.full(cases, baseline), np.full(cases, candidate)
    assert decision(pairs(quality, money(cases, -0.5))).verdict == verdict


def test_the_number_of_cases_that_is_named_decides() -> None:
    """A candidate as good, on a tenth of the cases better and worse by turns, measured on as many as it names."""
    few = decision(pairs(outcomes(80, 5, 5, 10), money(100, -0.5)))
    assert few.verdict == "inconclusive"
    needed = few.cases_needed
    assert needed is not None
    share = needed // 20
    many = pairs(outcomes(needed - 2 * share, share, share, 0), money(needed, -0.5))
    assert decision(many).verdict == "improved"


def test_an_unpriced_model_is_judged_by_tokens_where_they_leave_no_doubt() -> None:
    paired = pairs(outcomes(200, 0, 0, 0), None)
    fewer = paired.candidate | {"input_tokens": np.full(200, 90.0)}
    assert decision(PairedCases(paired.baseline, fewer, untouched=False)).verdict == "improved"
    mixed = fewer | {"output_tokens": np.full(200, 11.0)}
    doubtful = decision(PairedCases(paired.baseline, mixed, untouched=False))
    assert doubtful.verdict == "inconclusive"
    assert "--price-as" in reason_text(doubtful.reasons[0])


def test_a_cost_that_every_call_shares_is_said_plainly() -> None:
    (differences, decided), *_ = compare_pairs(
        [pairs(outcomes(200, 0, 0, 0), (np.full(200, 2.0), np.full(200, 1.5)))], MARGIN, 0.0
    )
    usd = next(difference for difference in differences if difference.metric == "usd_per_1k_calls")
    assert usd.low == usd.high == usd.difference == -0.5
    assert reason_text(decided.reasons[0]) == "cost -$0.5000 per 1,000 calls (-25.0%), the same in every case: cheaper"


def test_many_candidates_make_each_harder_to_tell_from_the_baseline() -> None:
    one = pairs(outcomes(150, 18, 5, 27), money(200, 0.0))
    alone = decision(one)
    assert alone.verdict == "improved"
    equal = pairs(outcomes(190, 0, 0, 10), money(200, 0.0))
    among = compare_pairs([one, *[equal] * 9], MARGIN, 0.0)[0][1]
    assert among.verdict != "improved"


@given(
    passes=st.tuples(*[st.integers(0, 30)] * 4).filter(lambda counts: sum(counts) > 1),
    change=st.floats(-1, 1),
    margin=st.floats(0.005, 0.2),
)
def test_a_verdict_always_has_reasons_and_never_improves_by_a_shown_loss(
    passes: tuple[int, int, int, int], change: float, margin: float
) -> None:
    decided = decision(pairs(outcomes(*passes), money(sum(passes), change)), margin)
    assert len(decided.reasons) >= 2
    _, better, worse, _ = passes
    if worse > better and decided.verdict == "improved":
        assert (worse - better) / sum(passes) < margin


# A prompt compared with itself, 1,000 times for each kind. An error rate of 5% is seen as at most 6.5% in 1,000
# runs with probability 98% (binomial).
RUNS, SEEN_AT_MOST = 1000, 0.065


def answers(random: np.random.Generator, cases: int) -> np.ndarray:
    """Passes of a prompt with hard and easy cases."""
    return (random.random(cases) < np.linspace(0.3, 1.0, cases)).astype(float)


def graded(random: np.random.Generator, cases: int) -> np.ndarray:
    return random.beta(4, 2, cases)


@pytest.mark.parametrize(("quality", "cases"), [(answers, 40), (answers, 130), (graded, 60)])
def test_equals_are_told_apart_in_at_most_five_of_a_hundred_comparisons(
    quality: object, cases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "RESAMPLES", 1_999)
    random = np.random.default_rng(20)
    told_apart = 0
    for _ in range(RUNS):
        first, second = (quality(random, cases) for _ in range(2))  # type: ignore[operator]
        usd = tuple(random.gamma(9, 0.1, cases) for _ in range(2))
        told_apart += decision(pairs((first, second), usd)).verdict in ("improved", "regressed")  # type: ignore[arg-type]
    assert told_apart / RUNS <= SEEN_AT_MOST


def test_a_candidate_worse_by_the_margin_is_passed_as_not_worse_in_at_most_five_of_a_hundred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stats, "RESAMPLES", 1_999)
    random = np.random.default_rng(21)
    cases, margin, passed = 200, 0.1, 0
    for _ in range(RUNS):
        baseline = random.random(cases) < 0.8
        candidate = random.random(cases) < 0.7
        usd = (np.full(cases, 2.0), np.full(cases, 1.0))
        decided = decision(pairs((baseline, candidate), usd), margin)
        passed += decided.verdict == "improved"
    assert passed / RUNS <= SEEN_AT_MOST
