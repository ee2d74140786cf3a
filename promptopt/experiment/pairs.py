"""Paired differences of two runs over the same cases, and the verdict on each candidate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from promptopt.experiment import stats
from promptopt.experiment.runs import Answered, Run, Trial
from promptopt.experiment.stats import Bootstrap, Floats, Statistic
from promptopt.experiment.verdict import CostEvidence, Decision, Difference, QualityEvidence, decide, judge_cost

QUALITY_METRICS = ("quality", "pass_rate")
COST_METRICS = ("input_tokens", "output_tokens", "usd_per_1k_calls")
PAIRED = (*QUALITY_METRICS, *COST_METRICS)
METRICS = (*PAIRED, "usd_per_pass")

_PASSES_FOR_INTERVAL = 20

MetricValues = dict[str, Floats]
"""For each metric one value a case, ``nan`` for a case that has none."""


@dataclass(frozen=True)
class PairedCases:
    """Two runs, case by case; repetitions are averaged inside the case.

    Attributes:
        untouched: Every request of the candidate is the baseline's own.
    """

    baseline: MetricValues
    candidate: MetricValues
    untouched: bool

    @classmethod
    def of(cls, baseline: Run, candidate: Run) -> PairedCases:
        """The pairs of two runs of one suite."""
        asked = [[trial.request for trial in run.trials] for run in (baseline, candidate)]
        return cls(_values(baseline), _values(candidate), asked[0] == asked[1])

    def differences(self, metric: str) -> Floats:
        """Candidate less baseline for each case in which both have the metric."""
        difference = self.candidate[metric] - self.baseline[metric]
        return difference[~np.isnan(difference)]


def _values(run: Run) -> MetricValues:
    cases: dict[str, list[Trial]] = {}
    for trial in run.trials:
        cases.setdefault(trial.case, []).append(trial)
    read: dict[str, Callable[[Trial], float]] = {
        "quality": lambda trial: trial.quality,
        "pass_rate": lambda trial: float(trial.passed),
        "input_tokens": lambda trial: trial.usage.input_tokens if isinstance(trial, Answered) else math.nan,
        "output_tokens": lambda trial: trial.usage.output_tokens if isinstance(trial, Answered) else math.nan,
        "usd_per_1k_calls": _usd_per_1k,
    }
    return {
        metric: np.array([_mean([value(trial) for trial in trials]) for trials in cases.values()])
        for metric, value in read.items()
    }


def _usd_per_1k(trial: Trial) -> float:
    if not isinstance(trial, Answered) or trial.cost is None:
        return math.nan
    return float(trial.cost.total_usd * 1000)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True)
class _Tested:
    """One candidate's tests before they are corrected for the number of candidates."""

    pairs: PairedCases
    differences: dict[str, Difference]
    quality_p: float | None
    loss_p: float | None
    accept_p: float | None


def compare_pairs(
    paired: Sequence[PairedCases], margin: float, accept: float
) -> list[tuple[tuple[Difference, ...], Decision]]:
    """Differences and a verdict for each candidate; p-values are Holm-corrected over the candidates.

    Args:
        margin: Quality (0 to 1) that may be lost.
        accept: Quality that may be lost for a lower cost.
    """
    tested = [_test(pairs, margin, accept) for pairs in paired]
    for metric in METRICS:
        adjusted = _holm([test.differences[metric].p_value for test in tested])
        for test, p_value in zip(tested, adjusted, strict=True):
            test.differences[metric] = replace(test.differences[metric], p_value=p_value)
    quality = _holm([test.quality_p for test in tested])
    loss = _holm([test.loss_p for test in tested])
    accepted = _holm([test.accept_p for test in tested])
    return [
        (
            tuple(test.differences[metric] for metric in METRICS),
            _decide(replace(test, quality_p=quality[i], loss_p=loss[i], accept_p=accepted[i]), margin, accept),
        )
        for i, test in enumerate(tested)
    ]


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    known = iter(stats.holm([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def _test(pairs: PairedCases, margin: float, accept: float) -> _Tested:
    resampled = _bootstraps(pairs)
    differences = {metric: _difference(metric, pairs.differences(metric), resampled.get(metric)) for metric in PAIRED}
    differences["usd_per_pass"] = _per_pass(pairs)
    quality, values = resampled.get("quality"), pairs.differences("quality")
    return _Tested(
        pairs,
        differences,
        quality_p=differences["quality"].p_value,
        loss_p=None if quality is None else stats.loss_p_value(values, quality, margin),
        accept_p=None if quality is None or not accept else stats.loss_p_value(values, quality, accept),
    )


def _bootstraps(pairs: PairedCases) -> dict[str, Bootstrap]:
    """A bootstrap for each metric that two cases have; metrics known in the same cases share resamples."""
    columns = {metric: pairs.candidate[metric] - pairs.baseline[metric] for metric in PAIRED}
    alike: dict[bytes, list[str]] = {}
    for metric, values in columns.items():
        alike.setdefault(np.isnan(values).tobytes(), []).append(metric)
    found: dict[str, Bootstrap] = {}
    for metrics in alike.values():
        rows = np.column_stack([pairs.differences(metric) for metric in metrics])
        if len(rows) > 1:
            found |= zip(metrics, stats.bootstrap(rows, [_column(i) for i in range(len(metrics))]), strict=True)
    return found


def _column(index: int) -> Statistic:
    return lambda means: means[..., index]


def _difference(metric: str, values: Floats, resampled: Bootstrap | None) -> Difference:
    if not len(values):
        return Difference(metric, None)
    mean = float(values.mean())
    if resampled is None:
        return Difference(metric, mean)
    low, high = resampled.interval()
    p_value = stats.quality_p_value(values, resampled) if metric in QUALITY_METRICS else resampled.p_value()
    return Difference(metric, mean, low, high, p_value)


def _per_pass(pairs: PairedCases) -> Difference:
    """Dollars per passing case: a ratio of sums, so that both parts are resampled together."""
    columns = np.column_stack(
        [
            pairs.baseline["usd_per_1k_calls"] / 1000,
            pairs.baseline["pass_rate"],
            pairs.candidate["usd_per_1k_calls"] / 1000,
            pairs.candidate["pass_rate"],
        ]
    )
    columns = columns[~np.isnan(columns).any(axis=1)]
    fewest = columns[:, [1, 3]].sum(axis=0).min() if len(columns) else 0
    # With few passes some resample has none, and a dollar amount of infinity.
    if fewest < _PASSES_FOR_INTERVAL:
        return Difference("usd_per_pass", float(_ratio(columns.mean(axis=0))) if fewest else None)
    resampled = stats.bootstrap(columns, [_ratio])[0]
    low, high = resampled.interval()
    return Difference("usd_per_pass", resampled.observed, low, high, resampled.p_value())


def _ratio(means: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = means[..., 2] / means[..., 3] - means[..., 0] / means[..., 1]
    return ratio


def _decide(test: _Tested, margin: float, accept: float) -> Decision:
    values = test.pairs.differences("quality")
    quality = test.differences["quality"]
    evidence = QualityEvidence(
        cases=len(values),
        difference=quality.difference or 0.0,
        p_value=test.quality_p,
        loss_p_value=test.loss_p,
        accept_p_value=test.accept_p,
        deviation=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        untouched=test.pairs.untouched,
        all_tied=not values.any(),
    )
    money, *tokens = (test.differences[metric] for metric in ("usd_per_1k_calls", "input_tokens", "output_tokens"))
    known = test.pairs.baseline["usd_per_1k_calls"]
    known = known[~np.isnan(known)]
    cost = CostEvidence(
        change=judge_cost(money, *tokens),
        usd_per_1k_calls=money,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        baseline_usd=float(known.mean()) if len(known) else 0.0,
    )
    return decide(evidence, cost, margin, accept)
