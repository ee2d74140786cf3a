"""Verdicts: what each kind of evidence leads to, and how often equals are told apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt import Response, Usage, compare
from promptopt.experiment.pairs import PairedCases, compare_pairs, decide_pairs
from promptopt.experiment.text import reason_text
from promptopt.experiment.verdict import CasesNeeded, CostEvidence, Decision, QualityReason, Verdict, too_many_failed
from promptopt.testing import ScriptedProvider

MARGIN = 0.02


def pairs(
    quality: tuple[np.ndarray, np.ndarray],
    usd: tuple[np.ndarray, np.ndarray] | None,
    *,
    untouched: bool = False,
    cap: float | None = None,
) -> PairedCases:
    """Both sides, whose calls cost at most ``cap`` dollars per 1,000, if an output cap bounds them."""
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
                "cap_usd": np.full(cases, np.nan if cap is None else cap),
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
        (outcomes(160, 0, 0, 40), 0.0, "not-worse"),  # the same quality; a cost within 2% is not shown
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
    assert decision(pairs(outcomes(cases, 0, 0, 0), money(cases, -0.5))).verdict == verdict


def test_ten_lost_cases_do_not_say_that_every_case_is_lost() -> None:
    ((differences, decided),) = compare_pairs([pairs(outcomes(0, 0, 10, 0), money(10, -0.5))], MARGIN, 0.0)
    assert decided.verdict == "regressed"
    quality = differences[0]
    # With 10% ties, ten of ten are worse in 35% of samples.
    assert quality.low == -1.0 < -0.9 < quality.high < 0
    ((one, _),) = compare_pairs([pairs(outcomes(1, 0, 0, 0), money(1, -0.5))], MARGIN, 0.0)
    assert (one[0].low, one[0].high) == (None, None)


def test_nine_ties_and_one_better_case_show_nothing() -> None:
    decided = decision(pairs(outcomes(5, 1, 0, 4), (np.full(10, 2.0), np.full(10, 1.0))))
    assert decided.verdict == "inconclusive"
    assert "(1 better, 0 worse, 9 the same): not shown to be better (p = 1" in reason_text(decided.reasons[1])
    assert decided.cases_needed is not None
    assert decided.cases_needed > 100


def test_three_graded_cases_are_never_a_verdict_on_quality() -> None:
    quality = np.array([0.0, 0.5, 0.5]), np.array([0.5, 1.0, 1.0])
    assert decision(pairs(quality, (np.full(3, 2.0), np.full(3, 1.0)))).verdict == "inconclusive"


def test_the_same_requests_are_equivalent_however_few() -> None:
    decided = decision(pairs(outcomes(3, 0, 0, 0), (np.ones(3), np.full(3, 0.9)), untouched=True))
    assert decided.verdict == "equivalent"
    assert reason_text(decided.reasons[0]) == "the requests are the same, and so is the cost"


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
        (0.90, 0.89, 40, "inconclusive"),  # lower in every case, but a gain in the next ones is not excluded
        (0.90, 0.89, 600, "improved"),  # and with many cases a loss of the margin is excluded
    ],
)
def test_cases_that_all_differ_by_the_same_are_evidence(
    baseline: float, candidate: float, cases: int, verdict: Verdict
) -> None:
    quality = np.full(cases, baseline), np.full(cases, candidate)
    assert decision(pairs(quality, money(cases, -0.5))).verdict == verdict


def test_a_little_better_mostly_and_much_worse_rarely_is_not_better() -> None:
    """The mean difference is 0; by signs alone the candidate is better in 35% of samples of ten."""
    random = np.random.default_rng(4)
    for cases in (10, 20, 40):
        improved = 0
        for _ in range(100):
            change = random.choice([0.1, -0.9], p=[0.9, 0.1], size=cases)
            quality = np.full(cases, 0.9), 0.9 + change
            (decided,) = decide_pairs([pairs(quality, (np.ones(cases), np.ones(cases)))], MARGIN, 0.0)
            improved += decided.verdict == "improved"
        assert improved <= 2


def test_a_hundredth_better_almost_always_and_lost_rarely_is_not_better() -> None:
    """The mean difference is 0; signs alone would call the candidate better in 9% of samples of 400."""
    random = np.random.default_rng(5)
    improved = 0
    for _ in range(150):
        change = random.choice([0.01, -0.99], p=[0.99, 0.01], size=400)
        quality = np.full(400, 0.99), 0.99 + change
        (decided,) = decide_pairs([pairs(quality, (np.ones(400), np.ones(400)))], MARGIN, 0.0)
        improved += decided.reasons[1].quality == "better"  # type: ignore[union-attr]
    # The level is 1.25%; more than 6 of 150 come up once in 400 times.
    assert improved <= 6


@pytest.mark.parametrize("cases", [2, 3, 10, 40])
def test_a_decision_is_the_same_with_intervals_and_without(cases: int) -> None:
    random = np.random.default_rng(cases)
    for _ in range(20):
        paired = pairs((random.random(cases), random.random(cases)), money(cases, -0.3), cap=4.0)
        ((_, explained),) = compare_pairs([paired], MARGIN, 0.0)
        assert decide_pairs([paired], MARGIN, 0.0)[0].verdict == explained.verdict


def test_not_worse_is_not_equivalent() -> None:
    # A little better in many cases: a loss is excluded, but not a gain.
    better = decision(pairs(outcomes(560, 22, 10, 8), (np.ones(600), np.ones(600)), cap=1.2))
    assert better.verdict == "not-worse"
    same = decision(pairs(outcomes(590, 2, 2, 6), (np.ones(600), np.ones(600)), cap=1.2))
    assert same.verdict == "equivalent"


def test_a_cost_that_is_not_shown_to_be_the_same_is_not_equivalent() -> None:
    # 75% higher on few cases.
    random = np.random.default_rng(2)
    usd = random.lognormal(0, 1, 12), random.lognormal(0, 1, 12) * 1.75
    decided = decision(pairs(outcomes(12, 0, 0, 0), usd))
    assert decided.verdict == "inconclusive"


def test_a_cost_is_bounded_by_the_output_cap() -> None:
    usd = np.full(20, 2.0), np.full(20, 1.5)
    # A call of the candidate may cost 60 dollars per 1,000: 20 cases do not exclude that one in 20 does.
    rare = decision(pairs(outcomes(20, 0, 0, 0), usd, cap=60.0))
    assert "neither a change nor sameness" in reason_text(rare.reasons[0])
    capped = decision(pairs(outcomes(60, 0, 0, 0), (np.full(60, 2.0), np.full(60, 1.5)), cap=2.5))
    assert reason_text(capped.reasons[0]) == "cost -$0.5000 per 1,000 calls (-25.0%): cheaper"
    free = decision(pairs(outcomes(20, 0, 0, 0), usd))
    assert "no max_output_tokens bounds the answers" in reason_text(free.reasons[0])


def test_cases_without_asserts_are_no_quality_verdict() -> None:
    paired = pairs(outcomes(30, 0, 0, 0), (np.full(30, 2.0), np.full(30, 1.0)))
    nothing = {"quality": np.full(30, np.nan), "pass_rate": np.full(30, np.nan)}
    decided = decision(PairedCases(paired.baseline | nothing, paired.candidate | nothing, untouched=False))
    assert decided.verdict == "inconclusive"
    assert "quality is not known" in reason_text(decided.reasons[1])


def test_an_unpriced_model_is_judged_by_tokens_if_they_leave_no_doubt() -> None:
    paired = pairs(outcomes(400, 0, 0, 0), None)
    capped = {"cap_tokens": np.full(400, 12.0)}
    fewer = paired.candidate | capped | {"input_tokens": np.full(400, 90.0)}
    assert decision(PairedCases(paired.baseline | capped, fewer, untouched=False)).verdict == "improved"
    mixed = fewer | {"output_tokens": np.full(400, 11.0)}
    doubtful = decision(PairedCases(paired.baseline | capped, mixed, untouched=False))
    assert doubtful.verdict == "inconclusive"
    assert "--price-as" in reason_text(doubtful.reasons[0])


def test_many_candidates_make_each_harder_to_tell_from_the_baseline() -> None:
    one = pairs(outcomes(150, 18, 5, 27), (np.ones(200), np.ones(200)))
    alone = decision(one)
    assert alone.verdict == "improved"
    equal = pairs(outcomes(190, 0, 0, 10), (np.ones(200), np.ones(200)))
    among = compare_pairs([one, *[equal] * 9], MARGIN, 0.0)[0][1]
    assert among.verdict != "improved"


def quality_of(decided: Decision) -> str:
    return next(reason.quality for reason in decided.reasons if isinstance(reason, QualityReason))


def test_a_candidate_shares_the_level_with_those_of_which_more_could_be_wrongly_said() -> None:
    ones = np.ones(400)
    # A loss of the margin is excluded by a hair, of the first at any level.
    narrow = pairs(outcomes(392, 3, 5, 0), (ones, ones), cap=2.0)
    tie = pairs(outcomes(400, 0, 0, 0), (ones, ones + np.tile([0.1, -0.1], 200)), cap=2.0)
    clear = pairs(outcomes(320, 80, 0, 0), (ones, ones / 2), cap=2.0)
    assert quality_of(decision(narrow)) == "same"
    for others, expected in (([tie], "unclear"), ([clear], "same"), ([clear, clear, tie], "unclear")):
        *seen, last = [decided for _, decided in compare_pairs([*others, narrow], MARGIN, 0.0)]
        assert quality_of(last) == expected
        assert last.shared_by == 1 + sum(each is tie for each in others)
        assert [quality_of(each) for each in seen] == ["same" if each is tie else "better" for each in others]


def test_the_prediction_is_at_the_level_that_a_candidate_has() -> None:
    def named(candidates: int) -> int:
        unclear = pairs(outcomes(20, 2, 2, 6), (np.ones(30), np.ones(30) / 2), cap=2.0)
        number = compare_pairs([unclear] * candidates, MARGIN, 0.0)[0][1].cases_needed
        assert number is not None
        return number

    assert named(1) < named(2) < named(8)


@pytest.mark.parametrize("better", [9, 8, 10])
def test_the_prediction_of_few_cases_is_enough_for_equal_prompts_that_differ_in_most(better: int) -> None:
    # Nine of ten cases differ: some 14,000 exclude a loss of 2 points in 80 of 100 comparisons.
    unclear = pairs(outcomes(2, better, 18 - better, 0), (np.ones(20), np.ones(20) / 2), cap=2.0)
    number = decision(unclear).cases_needed
    assert number is not None
    assert number > 14_000


def test_a_cost_at_the_margin_is_hardly_ever_shown_to_be_within_it() -> None:
    random = np.random.default_rng(22)
    mean = float(np.exp(1.8**2 / 2))
    shown = 0
    for _ in range(200):
        # The baseline's own mean is of the same few cases.
        baseline = random.lognormal(0, 1.8, 10)
        usd = baseline, baseline + 0.02 * mean + random.choice([-0.1, 0.1], 10)
        (decided,) = decide_pairs([pairs((np.ones(10), np.ones(10)), usd)], MARGIN, 0.0)
        shown += next(r.change for r in decided.reasons if isinstance(r, CostEvidence)) in ("same", "not costlier")
    # More than 20 of 200 come up once in 300 times at a true rate of 5%.
    assert shown <= 20


@pytest.mark.parametrize(("percent", "calls"), [(29, 100), (0.7, 1000), (5.6, 500), (2, 50), (2, 0)])
def test_as_many_calls_may_fail_as_the_share_says(percent: float, calls: int) -> None:
    allowed = round(percent * calls / 100)
    assert too_many_failed("p", allowed, calls, percent / 100) is None
    assert too_many_failed("p", allowed + 1, calls, percent / 100) is not None


@settings(max_examples=60)
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


def graded(random: np.random.Generator, cases: int) -> np.ndarray:
    return random.beta(4, 2, cases)


def three_asserts(random: np.random.Generator, cases: int) -> np.ndarray:
    return random.binomial(3, 0.6, cases) / 3


def mostly_right(random: np.random.Generator, cases: int) -> np.ndarray:
    return np.where(random.random(cases) < 0.9, 1.0, random.random(cases))


# benchmarks/verdicts.py asks the same with more runs, sizes and distributions.
@pytest.mark.parametrize("quality", [graded, three_asserts, mostly_right])
@pytest.mark.parametrize("cases", [3, 10, 20])
def test_equals_are_told_apart_in_at_most_five_of_a_hundred_comparisons(quality: object, cases: int) -> None:
    random = np.random.default_rng(20)
    told_apart = 0
    for _ in range(120):
        first, second = (quality(random, cases) for _ in range(2))  # type: ignore[operator]
        usd = tuple(random.lognormal(0, 1.8, cases) for _ in range(2))
        (decided,) = decide_pairs([pairs((first, second), usd)], MARGIN, 0.0)  # type: ignore[arg-type]
        told_apart += decided.verdict in ("improved", "regressed", "trade-off")
    # More than 12 of 120 come up once in 100 times at a true rate of 5%.
    assert told_apart <= 12


def test_a_candidate_worse_by_the_margin_is_hardly_ever_called_not_worse() -> None:
    random = np.random.default_rng(21)
    cases, margin, passed = 120, 0.1, 0
    for _ in range(200):
        baseline = random.random(cases) < 0.8
        candidate = random.random(cases) < 0.7
        usd = (np.full(cases, 2.0), np.full(cases, 1.0))
        (decided,) = decide_pairs([pairs((baseline, candidate), usd)], margin, 0.0)
        passed += decided.verdict == "improved"
    assert passed <= 18


def test_the_prediction_is_of_what_is_unclear_alone() -> None:
    random = np.random.default_rng(6)
    noisy = random.uniform(1, 1.9, 300), random.uniform(1.1, 2, 300) - 0.08
    apart = np.full(300, 2.0), np.full(300, 1.0)
    sure, doubtful = outcomes(290, 0, 0, 10), outcomes(240, 20, 20, 20)

    def likely(quality: tuple[np.ndarray, np.ndarray], usd: tuple[np.ndarray, np.ndarray]) -> tuple[object, ...]:
        decided = decision(pairs(quality, usd, cap=2.0))
        assert decided.verdict == "inconclusive"
        (needed,) = (reason for reason in decided.reasons if isinstance(reason, CasesNeeded))
        cost, judged = decided.reasons[:2]
        return needed.likely, cost.likely_cases, judged.evidence.likely_cases  # type: ignore[union-attr]

    needed, cost, _ = likely(sure, noisy)
    assert needed == cost
    needed, _, quality = likely(doubtful, apart)
    assert needed == quality
    needed, cost, quality = likely(doubtful, noisy)
    assert needed == max(cost, quality, key=lambda found: found.number)  # type: ignore[attr-defined]


def test_the_number_of_cases_that_is_named_decides() -> None:
    """A candidate as good, on a tenth of the cases better and worse by turns, measured on as many as it names."""
    few = decision(pairs(outcomes(80, 5, 5, 10), (np.full(100, 2.0), np.full(100, 1.0))), margin=0.05)
    assert few.verdict == "inconclusive"
    (needed,) = (reason for reason in few.reasons if isinstance(reason, CasesNeeded))
    number = needed.likely.number
    assert needed.likely.low <= number <= needed.likely.high * 1.01 or number > needed.likely.high
    random = np.random.default_rng(8)
    decided = 0
    for _ in range(50):
        kinds = random.multinomial(number, [0.8, 0.05, 0.05, 0.1])
        usd = (np.full(number, 2.0), np.full(number, 1.0))
        (again,) = decide_pairs([pairs(outcomes(*kinds), usd)], 0.05, 0.0)
        decided += again.verdict != "inconclusive"
    assert decided >= 38


@pytest.mark.parametrize(
    ("one", "other"), [("gpt-4o-mini", "my-model"), ("my-model", "gpt-4o-mini"), ("mine", "yours")]
)
def test_fewer_tokens_of_another_model_without_a_price_are_no_lower_cost(project, one: str, other: str) -> None:
    tests = "".join(f"  - {{vars: {{n: {n}}}, assert: [{{type: contains, value: a}}]}}\n" for n in range(200))
    front = "---\nmodel: {}\nmax_output_tokens: 30\n---\n{}"
    project.write(
        {
            "prompts/p/v1.j2": front.format(one, "Please say it: {{ n }}"),
            "prompts/p/v2.j2": front.format(other, "{{ n }}"),
            "suites/p.yaml": "tests:\n" + tests,
        }
    )
    provider = ScriptedProvider(lambda request: Response(request.model, "a", usage=Usage(9, output_tokens=3)))
    (pair,) = compare("p@v1", "p@v2", provider=provider).pairs
    assert pair.decision.verdict in ("inconclusive", "not-worse")
    assert "of different models: no dollars can be compared; name a price with --price-as" in pair.reasons[0]
    assert pair.decision.cases_needed is None
    (priced,) = compare("p@v1", "p@v2", provider=provider, price_as="gpt-4o").pairs
    assert priced.reasons[0].startswith("cost ")
