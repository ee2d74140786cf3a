"""Paired differences of two runs over the same cases, and the verdict on each candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats
from promptopt.experiment.evidence import (
    Spending,
    cost_change,
    evidence_of,
    p_same,
    quality_cases,
    quality_difference,
    quality_p_values,
)
from promptopt.experiment.labelled import AnswerLabels, labelled_difference, labelled_p_values
from promptopt.experiment.paired_tests import Choices
from promptopt.experiment.prediction_powered import Rectified
from promptopt.experiment.runs import Answered, Run
from promptopt.experiment.same_questions import question_numbers
from promptopt.experiment.verdict import (
    ALPHA_EACH,
    CostChange,
    CostEvidence,
    Decision,
    Difference,
    QualityEvidence,
    decide,
    judge_quality,
)

METRICS = ("quality", "pass_rate", "input_tokens", "output_tokens", "usd_per_1k_calls", "usd_per_pass")
COST_MARGIN = 0.02
"""Share of the baseline's cost that counts as the same."""

_PASSES_FOR_INTERVAL = 20
_RATIO = ("usd_per_1k_calls", "pass_rate")

MetricValues = Mapping[str, Floats]
"""For each metric one value for each case, ``nan`` for a case that has none."""


@dataclass(frozen=True)
class PairedCases:
    """Two runs, case by case; repetitions are averaged inside the case. Calls that failed are left out on both sides.

    Cases that ask the same of both prompts are one case, with the answers of all.

    So is the quality of an answer if the scorer of an assert broke on both sides: two failures of a scorer are no
    evidence that two answers are equally good. One that breaks on one side alone is a failed assert there.

    Attributes:
        baseline: ``quality`` and ``pass_rate`` (``nan`` for a case without asserts), ``input_tokens``,
            ``output_tokens``, ``usd_per_1k_calls``, and, as far as they are known, the part of it that is input
            (``input_usd``), and the most that the output cap allows: ``cap_tokens`` and ``cap_usd``.
        untouched: Every request of the candidate is the baseline's own.
        one_price: Whether a token of both has the same price, known or not.
        labelled: The difference of quality by labels of people, if enough cases have them.
    """

    baseline: MetricValues
    candidate: MetricValues
    untouched: bool
    one_price: bool = True
    labelled: Rectified | None = None

    @classmethod
    def of(cls, baseline: Run, candidate: Run, labels: AnswerLabels | None = None) -> PairedCases:
        """The pairs of two runs of one suite.

        Args:
            labels: What people say of answers.
        """
        untouched = all(
            one.request_sha256 == other.request_sha256
            for one, other in zip(baseline.trials, candidate.trials, strict=True)
        )
        both = {(t.case, t.sample) for t in baseline.answered} & {(t.case, t.sample) for t in candidate.answered}
        broken = _broken(baseline) & _broken(candidate)
        unscored = {(case, sample) for case, sample, _ in broken}
        cases = question_numbers(baseline, candidate)
        before, after = (_values(run, cases, both, unscored) for run in (baseline, candidate))
        one_price = baseline.variant.priced_as == candidate.variant.priced_as
        labelled = None
        if labels is not None:
            difference = _labels(candidate, cases, both, labels) - _labels(baseline, cases, both, labels)
            labelled = labelled_difference(difference, after["quality"] - before["quality"])
        return cls(before, after, untouched, one_price, labelled)

    @property
    def cases(self) -> int:
        """All cases of the two runs."""
        return len(self.baseline["input_tokens"])

    @property
    def answered(self) -> int:
        """The cases that both have an answer to."""
        return len(self.differences("input_tokens"))

    def differences(self, metric: str) -> Floats:
        """Candidate less baseline for each case in which both have the metric."""
        difference = self.candidate[metric] - self.baseline[metric]
        return difference[~np.isnan(difference)]

    def both(self, metric: str) -> tuple[Floats, Floats]:
        """Baseline and candidate, for each case in which both have dollars, or tokens; ``nan`` if one has no metric."""
        counted = "usd_per_1k_calls" if "usd" in metric else "output_tokens"
        both = ~np.isnan(self.candidate[counted] - self.baseline[counted])
        unknown = np.full(len(both), math.nan)
        return self.baseline.get(metric, unknown)[both], self.candidate.get(metric, unknown)[both]

    @cached_property
    def choices(self) -> Choices:
        """Random choices of the cases, with sums of what is needed of them; made when first needed, once for all."""
        ratio = np.column_stack([side[m] for side in (self.baseline, self.candidate) for m in _RATIO])
        ratio[np.isnan(ratio).any(axis=1)] = 0.0
        columns = [*ratio.T]
        if any(np.isnan(caps).any() for metric in ("cap_usd", "cap_tokens") for caps in self.both(metric)):
            for metric in ("usd_per_1k_calls", "output_tokens"):
                difference = self.candidate[metric] - self.baseline[metric]
                known = ~np.isnan(difference)
                columns += [np.nan_to_num(difference), known, np.where(known, self.baseline[metric], 0.0)]
        # In this order their sums take half the time.
        return Choices.of(np.asfortranarray(np.column_stack(columns)))

    def per_pass(self) -> Choices:
        """The choices with the sums of :data:`_RATIO` of the baseline, and of the candidate."""
        return self.choices.part(0, 1, 2, 3)

    def spent(self, metric: str) -> Choices:
        """Without output caps: sums of one metric's difference, the cases that have it, the baseline in those."""
        return self.choices.part(*((4, 5, 6) if metric == "usd_per_1k_calls" else (7, 8, 9)))


def _broken(run: Run) -> set[tuple[str, int, int]]:
    """Case, repetition and assert of each score that a scorer did not give."""
    return {(trial.case, trial.sample, number) for trial in run.answered for number in trial.score.broken}


def _labels(run: Run, cases: Mapping[str, int], both: set[tuple[str, int]], labels: AnswerLabels) -> Floats:
    """The mean label of each case's answers; ``nan`` for a case without any."""
    trials = [trial for trial in run.answered if (trial.case, trial.sample) in both]
    values = np.array([math.nan if (found := labels(trial)) is None else found for trial in trials], dtype=float)
    return _case_means(values, np.array([cases[trial.case] for trial in trials], dtype=np.intp), _count(cases))


def _count(cases: Mapping[str, int]) -> int:
    return max(cases.values(), default=-1) + 1


def _values(
    run: Run, cases: Mapping[str, int], both: set[tuple[str, int]], unscored: set[tuple[str, int]]
) -> MetricValues:
    trials = [trial for trial in run.answered if (trial.case, trial.sample) in both]
    case_of = np.array([cases[trial.case] for trial in trials], dtype=np.intp)
    price = run.variant.price
    output_usd = math.nan if price is None else float(price.output_mtok) / 1000
    most = run.variant.params.max_output_tokens

    def cap(trial: Answered) -> float:
        return math.nan if most is None else float(max(most, trial.usage.output_tokens))

    def usd(trial: Answered, part: str) -> float:
        cost = trial.judged_cost
        return math.nan if cost is None else float(getattr(cost, part) * 1000)

    def judged(trial: Answered) -> bool:
        return bool(trial.score.scores) and (trial.case, trial.sample) not in unscored

    read: dict[str, Callable[[Answered], float]] = {
        "quality": lambda trial: trial.quality if judged(trial) else math.nan,
        "pass_rate": lambda trial: float(trial.passed) if judged(trial) else math.nan,
        "input_tokens": lambda trial: trial.usage.input_tokens,
        "output_tokens": lambda trial: trial.usage.output_tokens,
        "cap_tokens": cap,
        "usd_per_1k_calls": lambda trial: usd(trial, "total_usd"),
        "input_usd": lambda trial: usd(trial, "input_usd"),
        # Answers that cost nothing are bounded without a cap.
        "cap_usd": lambda trial: cap(trial) * output_usd if output_usd else 0.0,
    }
    return {
        metric: _case_means(np.array([value(trial) for trial in trials], dtype=float), case_of, _count(cases))
        for metric, value in read.items()
    }


def _case_means(values: NDArray[np.float64], case_of: NDArray[np.intp], cases: int) -> NDArray[np.float64]:
    """Mean of each case's known values; NaN for a case that has none."""
    known = ~np.isnan(values)
    counts = np.bincount(case_of[known], minlength=cases)
    sums = np.bincount(case_of[known], weights=values[known], minlength=cases)
    means = np.full(cases, math.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


@dataclass(frozen=True)
class _Tested:
    """One candidate's evidence.

    Attributes:
        shared_by: The candidates that share the level, for whose number the p-values are corrected.
    """

    pairs: PairedCases
    usd: Spending
    output: Spending
    p_values: Mapping[str, float]
    shared_by: int = 1

    def shared(self, candidates: int) -> _Tested:
        """With the level divided among so many candidates."""
        corrected = {name: min(1.0, p_value * candidates) for name, p_value in self.p_values.items()}
        return replace(self, p_values=corrected, shared_by=candidates)

    def is_settled(self) -> bool:
        """Whether both questions have an answer that no larger level would change."""
        if self.pairs.untouched:
            return True
        answered = judge_quality(_quality(self)) in ("better", "worse")
        return answered and (_judged(self).is_known or _cost(self).change in ("cheaper", "costlier"))


def compare_pairs(
    paired: Sequence[PairedCases], margin: float, accept: float, cost_margin: float = COST_MARGIN, dropped: int = 0
) -> list[tuple[tuple[Difference, ...], Decision]]:
    """Differences and a verdict for each candidate; p-values are Holm-corrected over the candidates.

    A candidate counts until both of its questions are settled: by itself, each question would let some candidate be
    called better and another one not worse by mistake, both at the whole level.

    Args:
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost.
        cost_margin: Share of the baseline's cost that counts as the same.
        dropped: Further candidates, of which a race left too few answers for a verdict.
    """
    tested = _tested(paired, margin, accept, cost_margin, dropped)
    return [_explained(test, margin, accept) for test in tested]


def decide_pairs(
    paired: Sequence[PairedCases], margin: float, accept: float, cost_margin: float = COST_MARGIN
) -> list[Decision]:
    """The verdicts of :func:`compare_pairs` without intervals and predictions, in a fraction of the time."""
    tested = _tested(paired, margin, accept, cost_margin)
    return [decide(_quality(test), _cost(test), margin, accept) for test in tested]


def _tested(
    paired: Sequence[PairedCases], margin: float, accept: float, cost_margin: float, dropped: int = 0
) -> list[_Tested]:
    found = [_test(pairs, margin, accept, cost_margin) for pairs in paired]
    waiting = list(range(len(found)))
    while waiting:
        shared = {number: found[number].shared(len(waiting) + dropped) for number in waiting}
        open_ones = [number for number, test in shared.items() if not test.is_settled()]
        for number in waiting if open_ones == waiting else set(waiting) - set(open_ones):
            found[number] = shared[number]
        waiting = open_ones if open_ones != waiting else []
    return found


def _test(pairs: PairedCases, margin: float, accept: float, cost_margin: float) -> _Tested:
    inputs = pairs.both("input_usd")
    usd = Spending.of(
        "usd_per_1k_calls",
        None if np.isnan(inputs).any() else inputs,
        pairs.both("usd_per_1k_calls"),
        pairs.both("cap_usd"),
        cost_margin,
        partial(pairs.spent, "usd_per_1k_calls"),
    )
    output = Spending.of(
        "output_tokens",
        None,
        pairs.both("output_tokens"),
        pairs.both("cap_tokens"),
        cost_margin,
        partial(pairs.spent, "output_tokens"),
    )
    if pairs.labelled is None:
        p_values = quality_p_values(pairs.differences("quality"), margin, accept)
    else:
        p_values = labelled_p_values(pairs.labelled, margin, accept)
    passes = pairs.differences("pass_rate")
    p_values["passes"] = p_same(passes) if len(passes) > 1 else 1.0
    p_values |= {f"usd {name}": p for name, p in usd.p_values().items()}
    p_values |= {f"output {name}": p for name, p in output.p_values().items()}
    return _Tested(pairs, usd, output, p_values)


def _quality(test: _Tested) -> QualityEvidence:
    seen = replace(evidence_of(test.pairs.differences("quality"), test.p_values), untouched=test.pairs.untouched)
    labelled = test.pairs.labelled
    if labelled is None:
        return seen
    return replace(
        seen,
        difference=labelled.mean,
        labels=len(labelled.labels),
        judged=seen.difference,
        judges_share=labelled.judges_share(ALPHA_EACH),
    )


def _cost(test: _Tested) -> CostEvidence:
    """Without intervals."""
    pairs, usd = test.pairs, test.usd.difference()
    inputs = pairs.differences("input_tokens")
    known = float(inputs.mean()) if len(inputs) else None
    input_tokens = Difference("input_tokens", known, known, known, exact=True)
    output_tokens = test.output.difference()
    return CostEvidence(
        change=_cost_change(test, input_tokens, output_tokens, usd),
        usd_per_1k_calls=replace(usd, p_value=_two_sided(test.p_values, "usd")),
        input_tokens=input_tokens,
        output_tokens=replace(output_tokens, p_value=_two_sided(test.p_values, "output")),
        baseline_usd=test.usd.baseline,
        margin=test.usd.margin,
        bounded=_judged(test).bounded,
        untouched=pairs.untouched,
        one_price=pairs.one_price,
    )


def _judged(test: _Tested) -> Spending:
    """Dollars or, of an unpriced model, output tokens."""
    return test.output if test.usd.difference().difference is None else test.usd


def _explained(test: _Tested, margin: float, accept: float) -> tuple[tuple[Difference, ...], Decision]:
    """The differences with their intervals, and the decision with them and with a prediction if there is none yet."""
    pairs, quality, cost = test.pairs, _quality(test), _cost(test)
    cost = replace(
        cost,
        usd_per_1k_calls=test.usd.with_interval(cost.usd_per_1k_calls),
        output_tokens=test.output.with_interval(cost.output_tokens),
    )
    decided = decide(quality, cost, margin, accept)
    if decided.verdict == "inconclusive":
        # How many labels would decide is another question than how many cases.
        likely = None if pairs.labelled else quality_cases(pairs.differences("quality"), margin, test.shared_by)
        # No number of cases says what two models cost of which one is unpriced.
        comparable = pairs.one_price or cost.usd_per_1k_calls.difference is not None
        cost = replace(cost, likely_cases=_judged(test).cases(test.shared_by) if comparable else None)
        decided = decide(replace(quality, likely_cases=likely), cost, margin, accept)
    row: tuple[Difference, ...] = (
        _quality_row(pairs, quality.p_value),
        quality_difference("pass_rate", pairs.differences("pass_rate"), test.p_values["passes"]),
        cost.input_tokens,
        cost.output_tokens,
        cost.usd_per_1k_calls,
        _per_pass(pairs),
    )
    if pairs.untouched:
        # The same requests: whatever was answered, the differences are 0.
        row = tuple(each if each.difference is None else _known_to_be_zero(each) for each in row)
    return row, replace(decided, shared_by=test.shared_by)


def _quality_row(pairs: PairedCases, p_value: float) -> Difference:
    labelled = pairs.labelled
    if labelled is None:
        return quality_difference("quality", pairs.differences("quality"), p_value)
    low, high = labelled.lower(ALPHA_EACH / 2), labelled.upper(ALPHA_EACH / 2)
    return Difference("quality", labelled.mean, low, high, p_value)


def _known_to_be_zero(seen: Difference) -> Difference:
    return replace(seen, low=0.0, high=0.0, p_value=None if seen.p_value is None else 1.0, exact=True)


def _two_sided(p_values: Mapping[str, float], kind: str) -> float:
    return min(1.0, 2 * min(p_values[f"{kind} cheaper"], p_values[f"{kind} costlier"]))


def _cost_change(test: _Tested, inputs: Difference, output: Difference, usd: Difference) -> CostChange:
    """By dollars; if unpriced by tokens: fewer of one kind and not more of the other cost less at any price."""
    if test.pairs.untouched:
        return "same"
    if usd.difference is not None:
        return cost_change(_of_kind(test.p_values, "usd"), usd.difference)
    answers = cost_change(_of_kind(test.p_values, "output"), output.difference)
    if inputs.difference is None or answers == "unclear" or not test.pairs.one_price:
        return "unclear"
    if inputs.difference == 0:
        return answers
    asked: CostChange = "cheaper" if inputs.difference < 0 else "costlier"
    return asked if answers in (asked, "same") else "unclear"


def _of_kind(p_values: Mapping[str, float], kind: str) -> dict[str, float]:
    return {name.partition(" ")[2]: p for name, p in p_values.items() if name.startswith(f"{kind} ")}


def _per_pass(pairs: PairedCases) -> Difference:
    """Dollars for each passing case: a ratio of sums, so that both parts come from the same cases."""
    columns = np.column_stack([side[metric] for side in (pairs.baseline, pairs.candidate) for metric in _RATIO])
    columns = columns[~np.isnan(columns).any(axis=1)]
    fewest = columns[:, [1, 3]].sum(axis=0).min() if len(columns) else 0
    if not fewest:
        return Difference("usd_per_pass", None)
    observed = float(_ratio(columns.sum(axis=0)[None])[0])
    # With few passes some choice of cases has none, and a dollar amount of infinity.
    if fewest < _PASSES_FOR_INTERVAL:
        return Difference("usd_per_pass", observed)
    low, high = pairs.per_pass().interval(_ratio, ALPHA_EACH) or (None, None)
    return Difference("usd_per_pass", observed, low, high)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = (sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]) / 1000
    return ratio
