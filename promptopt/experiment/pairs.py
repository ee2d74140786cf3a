"""Paired differences of two runs over the same cases, and the verdict on each candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from promptopt.experiment.bounds import Floats
from promptopt.experiment.evidence import (
    Spending,
    choices_of,
    cost_change,
    evidence_of,
    mean_of,
    quality_bounds,
    quality_p_values,
)
from promptopt.experiment.paired_tests import Choices, holm
from promptopt.experiment.runs import Answered, Run
from promptopt.experiment.verdict import (
    ALPHA_EACH,
    CostChange,
    CostEvidence,
    Decision,
    Difference,
    decide,
)

METRICS = ("quality", "pass_rate", "input_tokens", "output_tokens", "usd_per_1k_calls", "usd_per_pass")
COST_MARGIN = 0.02
"""Share of the baseline's cost that counts as the same."""

_PASSES_FOR_INTERVAL = 20

MetricValues = Mapping[str, Floats]
"""For each metric one value for each case, ``nan`` for a case that has none."""


@dataclass(frozen=True)
class PairedCases:
    """Two runs, case by case; repetitions are averaged inside the case. Calls that failed are left out on both sides.

    Attributes:
        baseline: ``quality`` and ``pass_rate`` (``nan`` for a case without asserts), ``input_tokens``,
            ``output_tokens``, ``usd_per_1k_calls``, and, as far as they are known, the part of it that is input
            (``input_usd``), and the most that the output cap allows: ``cap_tokens`` and ``cap_usd``.
        untouched: Every request of the candidate is the baseline's own.
    """

    baseline: MetricValues
    candidate: MetricValues
    untouched: bool

    @classmethod
    def of(cls, baseline: Run, candidate: Run) -> PairedCases:
        """The pairs of two runs of one suite."""
        asked = [[trial.request for trial in run.trials] for run in (baseline, candidate)]
        both = {(t.case, t.sample) for t in baseline.answered} & {(t.case, t.sample) for t in candidate.answered}
        return cls(_values(baseline, both), _values(candidate, both), asked[0] == asked[1])

    def differences(self, metric: str) -> Floats:
        """Candidate less baseline for each case in which both have the metric."""
        difference = self.candidate[metric] - self.baseline[metric]
        return difference[~np.isnan(difference)]

    def known(self, side: Literal["baseline", "candidate"], metric: str) -> Floats:
        """One side's values, for each case in which both sides have dollars, or tokens; ``nan`` if it has none."""
        counted = "usd_per_1k_calls" if "usd" in metric else "output_tokens"
        both = ~np.isnan(self.candidate[counted] - self.baseline[counted])
        values = self.baseline if side == "baseline" else self.candidate
        unknown = np.full(len(both), math.nan)
        return values.get(metric, unknown)[both]


def _values(run: Run, both: set[tuple[str, int]]) -> MetricValues:
    cases: dict[str, list[Answered]] = {trial.case: [] for trial in run.trials}
    for trial in run.answered:
        if (trial.case, trial.sample) in both:
            cases[trial.case].append(trial)
    price = run.variant.price
    output_usd = math.nan if price is None else float(price.output_mtok) / 1000

    def cap(trial: Answered) -> float:
        most = trial.request.params.max_output_tokens
        return math.nan if most is None else float(max(most, trial.usage.output_tokens))

    def usd(trial: Answered, part: str) -> float:
        cost = trial.judged_cost
        return math.nan if cost is None else float(getattr(cost, part) * 1000)

    read: dict[str, Callable[[Answered], float]] = {
        "quality": lambda trial: trial.quality if trial.score.scores else math.nan,
        "pass_rate": lambda trial: float(trial.passed) if trial.score.scores else math.nan,
        "input_tokens": lambda trial: trial.usage.input_tokens,
        "output_tokens": lambda trial: trial.usage.output_tokens,
        "cap_tokens": cap,
        "usd_per_1k_calls": lambda trial: usd(trial, "total_usd"),
        "input_usd": lambda trial: usd(trial, "input_usd"),
        "cap_usd": lambda trial: cap(trial) * output_usd,
    }
    return {
        metric: np.array([_mean([value(trial) for trial in trials]) for trials in cases.values()])
        for metric, value in read.items()
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True)
class _Tested:
    """One candidate's evidence, before p-values are corrected for the number of candidates."""

    pairs: PairedCases
    quality: Difference
    pass_rate: Difference
    usd: Spending
    output: Spending
    p_values: Mapping[str, float]


def compare_pairs(
    paired: Sequence[PairedCases], margin: float, accept: float, cost_margin: float = COST_MARGIN
) -> list[tuple[tuple[Difference, ...], Decision]]:
    """Differences and a verdict for each candidate; p-values are Holm-corrected over the candidates.

    Args:
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost.
        cost_margin: Share of the baseline's cost that counts as the same.
    """
    tested = [_test(pairs, margin, accept, cost_margin) for pairs in paired]
    corrected: list[dict[str, float]] = [{} for _ in tested]
    for name in tested[0].p_values if tested else ():
        for found, p_value in zip(corrected, holm([test.p_values[name] for test in tested]), strict=True):
            found[name] = p_value
    return [
        _decision(replace(test, p_values=p_values), margin, accept)
        for test, p_values in zip(tested, corrected, strict=True)
    ]


def _test(pairs: PairedCases, margin: float, accept: float, cost_margin: float) -> _Tested:
    quality, pass_rate = (_flipped(pairs, metric) for metric in ("quality", "pass_rate"))
    total, tokens = pairs.differences("usd_per_1k_calls"), pairs.differences("output_tokens")
    inputs = pairs.known("candidate", "input_usd") - pairs.known("baseline", "input_usd")
    usd = Spending.of(
        "usd_per_1k_calls",
        np.zeros(len(total)) if np.isnan(inputs).any() else inputs,
        total,
        (pairs.known("baseline", "cap_usd"), pairs.known("candidate", "cap_usd")),
        pairs.known("baseline", "usd_per_1k_calls"),
        cost_margin,
    )
    output = Spending.of(
        "output_tokens",
        np.zeros(len(tokens)),
        tokens,
        (pairs.known("baseline", "cap_tokens"), pairs.known("candidate", "cap_tokens")),
        pairs.known("baseline", "output_tokens"),
        cost_margin,
    )
    p_values = quality_p_values(pairs.differences("quality"), quality.p_value or 1.0, margin, accept)
    p_values |= {
        "passes": quality_p_values(pairs.differences("pass_rate"), pass_rate.p_value or 1.0, margin)["quality"]
    }
    p_values |= {f"usd {name}": p for name, p in usd.p_values().items()}
    p_values |= {f"output {name}": p for name, p in output.p_values().items()}
    return _Tested(pairs, quality, pass_rate, usd, output, p_values)


def _flipped(pairs: PairedCases, metric: str) -> Difference:
    """The mean difference with the interval and the p-value of the sign-flip test."""
    values = pairs.differences(metric)
    if not len(values):
        return Difference(metric, None)
    if not values.any():
        return Difference(metric, 0.0, 0.0, 0.0, 1.0)
    choices = choices_of(values)
    low, high = choices.interval(mean_of, ALPHA_EACH) or (None, None)
    return Difference(metric, float(values.mean()), low, high, choices.p_value(0))


def _decision(test: _Tested, margin: float, accept: float) -> tuple[tuple[Difference, ...], Decision]:
    pairs, p = test.pairs, test.p_values
    values = pairs.differences("quality")
    quality = replace(evidence_of(values, p, margin), untouched=pairs.untouched)
    inputs = pairs.differences("input_tokens")
    known = float(inputs.mean()) if len(inputs) else None
    input_tokens = Difference("input_tokens", known, known, known, exact=True)
    output_tokens, usd = test.output.difference(), test.usd.difference()
    cost = CostEvidence(
        change=_cost_change(test, input_tokens, output_tokens, usd),
        usd_per_1k_calls=usd,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        baseline_usd=test.usd.baseline,
        margin=test.usd.margin,
        bounded=(test.usd if usd.difference is not None else test.output).bounded,
        untouched=pairs.untouched,
        likely_cases=(test.usd if usd.difference is not None else test.output).cases(),
    )
    row = (
        quality_bounds(values, replace(test.quality, p_value=p["quality"])),
        quality_bounds(pairs.differences("pass_rate"), replace(test.pass_rate, p_value=p["passes"])),
        input_tokens,
        replace(output_tokens, p_value=_two_sided(p, "output")),
        replace(usd, p_value=_two_sided(p, "usd")),
        _per_pass(pairs),
    )
    return row, decide(quality, cost, margin, accept)


def _two_sided(p_values: Mapping[str, float], kind: str) -> float:
    return min(1.0, 2 * min(p_values[f"{kind} cheaper"], p_values[f"{kind} costlier"]))


def _cost_change(test: _Tested, inputs: Difference, output: Difference, usd: Difference) -> CostChange:
    """By dollars; if unpriced by tokens: fewer of one kind and not more of the other cost less at any price."""
    if test.pairs.untouched:
        return "same"
    if usd.difference is not None:
        return cost_change(_of_kind(test.p_values, "usd"), usd.difference)
    answers = cost_change(_of_kind(test.p_values, "output"), output.difference)
    if inputs.difference is None or answers == "unclear":
        return "unclear"
    if inputs.difference == 0:
        return answers
    asked: CostChange = "cheaper" if inputs.difference < 0 else "costlier"
    return asked if answers in (asked, "same") else "unclear"


def _of_kind(p_values: Mapping[str, float], kind: str) -> dict[str, float]:
    return {name.partition(" ")[2]: p for name, p in p_values.items() if name.startswith(f"{kind} ")}


def _per_pass(pairs: PairedCases) -> Difference:
    """Dollars for each passing case: a ratio of sums, so that both parts come from the same cases."""
    sides = [side[metric] for side in (pairs.baseline, pairs.candidate) for metric in ("usd_per_1k_calls", "pass_rate")]
    columns = np.column_stack(sides)
    columns = columns[~np.isnan(columns).any(axis=1)]
    fewest = columns[:, [1, 3]].sum(axis=0).min() if len(columns) else 0
    if not fewest:
        return Difference("usd_per_pass", None)
    observed = float(_ratio(columns.sum(axis=0)[None])[0])
    # With few passes some choice of cases has none, and a dollar amount of infinity.
    if fewest < _PASSES_FOR_INTERVAL:
        return Difference("usd_per_pass", observed)
    low, high = Choices.of(columns).interval(_ratio, ALPHA_EACH) or (None, None)
    return Difference("usd_per_pass", observed, low, high)


def _ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = (sums[:, 2] / sums[:, 3] - sums[:, 0] / sums[:, 1]) / 1000
    return ratio
