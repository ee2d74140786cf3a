"""What paired cases show: p-values of every question that a verdict asks, and how many cases would answer it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from promptopt.experiment.bounds import Floats, lower_bound, p_mean_at_least, p_mean_at_most, upper_bound
from promptopt.experiment.paired_tests import Choices, mcnemar, p_loss
from promptopt.experiment.prediction import Goal, likely_cases
from promptopt.experiment.verdict import ALPHA, ALPHA_EACH, CostChange, Difference, LikelyCases, QualityEvidence

# Standard errors that the tests need at their levels, as measured: exact ones, and bounds by betting.
_EXACT_LOSS, _EXACT_EITHER, _BET_LOSS, _BET_EITHER = 1.645, 2.24, 2.95, 3.5
# The exact test is asked so often for the end of an interval, of so many cases at most; bounds are about as good then.
_STEPS, _MOST_SEARCHED = 12, 5_000
# Cases times distance from the limit, if nothing differs: log(1 / level), and what betting costs on top.
_NOTHING_EXACT, _NOTHING_BET, _NOTHING_BET_EITHER = 3.0, 3.9, 5.3


def quality_p_values(values: Floats, p_flip: float, margin: float, accept: float = 0.0) -> dict[str, float]:
    """P-values of "no difference" (two-sided), "a loss of the margin", "a gain of it", "more lost than is accepted".

    Cases that pass or fail have exact tests. For graded ones, no difference is tested by flipping signs, which holds if
    it does not matter which prompt gave which answer. That one prompt may be a little better in most cases and much
    worse in a few, so that neither is better on the whole, is excluded by a bound.

    Args:
        values: Paired differences, each between -1 and 1.
        p_flip: Of the sign-flip test.
        margin: Between 0 and 1.
        accept: What may be lost for a lower cost, 0 to 1; with 0 the last p-value is 1.
    """
    if len(values) < 2:
        return dict.fromkeys(("quality", "loss", "gain", "accept"), 1.0)
    p_lost, p_gained = _p_loss(values, margin), _p_loss(-values, margin)
    if _is_pass_or_fail(values):
        p_same = mcnemar(int((values > 0).sum()), int((values < 0).sum()))
    else:
        p_opposite = p_lost if values.sum() > 0 else p_gained
        p_same = max(p_flip, p_opposite * ALPHA_EACH / ALPHA)
    return {"quality": p_same, "loss": p_lost, "gain": p_gained, "accept": _p_loss(values, accept) if accept else 1.0}


def _p_loss(values: Floats, margin: float) -> float:
    if _is_pass_or_fail(values):
        return p_loss(int((values > 0).sum()), int((values < 0).sum()), len(values), margin)
    return p_mean_at_most(values, -margin, -1.0)


def _is_pass_or_fail(values: Floats) -> bool:
    return set(np.unique(values)) <= {-1.0, 0.0, 1.0}


def quality_cases(values: Floats, margin: float) -> LikelyCases | None:
    """How many cases would show that the candidate is better, not worse by the margin, or worse."""
    exact = _is_pass_or_fail(values)
    loss, nothing = (_EXACT_LOSS, _NOTHING_EXACT) if exact else (_BET_LOSS, _NOTHING_BET)
    goals = [
        [Goal(-margin, True, loss, nothing)],
        [Goal(0.0, True, _EXACT_EITHER)],
        [Goal(0.0, False, _EXACT_EITHER)],
    ]
    return likely_cases(values, goals, -1.0, 1.0)


def quality_bounds(values: Floats, seen: Difference) -> Difference:
    """The difference with an interval that holds what no test refutes: a loss that cases without one could hide, too.

    Args:
        seen: With the interval of the sign-flip test, and the p-value of the verdict.
    """
    if seen.difference is None:
        return seen
    if len(values) < 2:
        return replace(seen, low=None, high=None)
    if seen.low is not None and seen.low == seen.high != 0:
        # All cases differ by the same: choosing among them shows no spread, and a bound does.
        each = ALPHA_EACH / 2
        return replace(seen, low=lower_bound(values, -1.0, each), high=upper_bound(values, 1.0, each))
    loss, gain = _largest_loss(values), _largest_loss(-values)
    low, high = seen.low, seen.high
    if low is None or high is None:
        return replace(seen, low=-loss, high=gain)
    # If every loss is excluded, the interval of the sign-flip test says more.
    low, high = min(low, -loss) if loss else low, max(high, gain) if gain else high
    if seen.p_value is not None and seen.p_value <= ALPHA_EACH:
        low, high = (max(low, 0.0), high) if seen.difference > 0 else (low, min(high, 0.0))
    return replace(seen, low=low, high=high)


def _largest_loss(values: Floats) -> float:
    """The smallest loss that the test of a loss excludes; 0 if it excludes every loss."""
    if not _is_pass_or_fail(values) or len(values) > _MOST_SEARCHED:
        return max(0.0, -lower_bound(values, -1.0, ALPHA))
    excluded, kept = 1.0, 0.0
    for _ in range(_STEPS):
        middle = (excluded + kept) / 2
        if _p_loss(values, middle) <= ALPHA:
            excluded = middle
        else:
            kept = middle
    return excluded if kept else 0.0


@dataclass(frozen=True)
class Spending:
    """What calls of a candidate cost more than the baseline's, in dollars or output tokens.

    Attributes:
        known: Mean difference of what does not vary: the input.
        varying: Difference of what varies with the length of answers, case by case.
        most: What it could be at most: the candidate's output cap; ``inf`` without one.
        least: What it could be at least: minus the baseline's cap.
        baseline: Mean of the baseline, whole.
        margin: Share of it that counts as the same.
    """

    metric: str
    known: float
    varying: Floats
    most: float
    least: float
    baseline: float
    margin: float

    @classmethod
    def of(
        cls, metric: str, known: Floats, total: Floats, caps: tuple[Floats, Floats], baseline: Floats, margin: float
    ) -> Spending:
        """Of differences case by case.

        Args:
            known: The part of ``total`` that does not vary.
            caps: What the output cap allows the baseline and the candidate, ``nan`` for a case without a cap.
        """
        least, most = -_largest(caps[0]), _largest(caps[1])
        means = [float(values.mean()) if len(values) else 0.0 for values in (known, baseline)]
        return cls(metric, means[0], total - known, most, least, means[1], margin)

    @cached_property
    def choices(self) -> Choices:
        """Of the cases, with sums of the difference and the number of cases: needed without output caps only."""
        return choices_of(self.varying + self.known)

    @property
    def bounded(self) -> bool:
        """Whether output caps bound what a call of either prompt may cost."""
        return math.isfinite(self.most) and math.isfinite(self.least)

    def p_values(self) -> dict[str, float]:
        """One-sided: "it costs no less", "it costs no more", "more by the margin", "less by the margin"."""
        if len(self.varying) < 2:
            return dict.fromkeys(("cheaper", "costlier", "over", "under"), 1.0)
        within = self.margin * self.baseline
        return {
            "cheaper": self._p_at_least(0.0),
            "costlier": self._p_at_most(0.0),
            "over": self._p_at_least(within),
            "under": self._p_at_most(-within),
        }

    def _p_at_least(self, mean: float) -> float:
        if math.isfinite(self.most):
            return p_mean_at_least(self.varying, mean - self.known, self.most)
        return self._p_flipped(below=True) if mean == 0 else self._share(lambda means: means >= mean)

    def _p_at_most(self, mean: float) -> float:
        if math.isfinite(self.least):
            return p_mean_at_most(self.varying, mean - self.known, self.least)
        return self._p_flipped(below=False) if mean == 0 else self._share(lambda means: means <= mean)

    def _p_flipped(self, *, below: bool) -> float:
        total = float(self.choices.totals[0])
        return self.choices.p_value(0) / 2 if (total < 0 if below else total > 0) else 1.0

    def _share(self, holds: Callable[[Floats], NDArray[np.bool_]]) -> float:
        means = mean_of(self.choices.sums)
        return (int(holds(means[~np.isnan(means)]).sum()) + 1) / (len(means) + 1)

    def difference(self) -> Difference:
        """The mean difference, with bounds by the output caps, or by flipping signs if there are none."""
        cases = len(self.varying)
        if not cases:
            return Difference(self.metric, None)
        mean = self.known + float(self.varying.mean())
        if cases < 2:
            return Difference(self.metric, mean)
        p_value = min(1.0, 2 * min(self._p_at_least(0.0), self._p_at_most(0.0)))
        if not self.bounded:
            low, high = self.choices.interval(mean_of, ALPHA_EACH) or (None, None)
            return Difference(self.metric, mean, low, high, p_value)
        least = lower_bound(self.varying, self.least, ALPHA_EACH / 2)
        most = upper_bound(self.varying, self.most, ALPHA_EACH / 2)
        return Difference(self.metric, mean, self.known + least, self.known + most, p_value)

    def cases(self) -> LikelyCases | None:
        """How many cases would show that the candidate is cheaper, costlier, or the same."""
        within = self.margin * self.baseline
        either, loss = (_BET_EITHER, _BET_LOSS) if self.bounded else (_EXACT_EITHER, _EXACT_LOSS)
        reach = max(self.most, -self.least) if self.bounded else 0.0
        goals = [
            [Goal(-self.known, False, either, _NOTHING_BET_EITHER * reach)],
            [Goal(-self.known, True, either, _NOTHING_BET_EITHER * reach)],
            [
                Goal(within - self.known, False, loss, _NOTHING_BET * reach),
                Goal(-within - self.known, True, loss, _NOTHING_BET * reach),
            ],
        ]
        return likely_cases(self.varying, goals)


def cost_change(p_values: Mapping[str, float], seen: float | None) -> CostChange:
    """What some p-values of :meth:`Spending.p_values` show."""
    if seen is None:
        return "unclear"
    if p_values["cheaper"] <= ALPHA_EACH / 2:
        return "cheaper"
    if p_values["costlier"] <= ALPHA_EACH / 2:
        return "costlier"
    if p_values["over"] <= ALPHA:
        return "same" if p_values["under"] <= ALPHA else "not costlier"
    return "unclear"


def choices_of(values: Floats) -> Choices:
    """Choices of cases with the sums of their values and their number, as :func:`mean_of` reads them."""
    return Choices.of(np.column_stack([values, np.ones(len(values))]))


def mean_of(sums: Floats) -> Floats:
    """The mean of a first column, given sums of it and the number of cases as a second; ``nan`` for no case."""
    return sums[:, 0] / np.where(sums[:, 1] > 0, sums[:, 1], math.nan)


def _largest(caps: Floats) -> float:
    # A hair above, for what is lost in the last digits of a sum.
    return float(caps.max()) * (1 + 1e-9) + 1e-12 if len(caps) and not np.isnan(caps).any() else math.inf


def quality_evidence(values: Floats, margin: float) -> QualityEvidence:
    """What the paired differences of one candidate show.

    Args:
        values: Each between -1 and 1.
        margin: Quality (0 to 1) that may be lost.
    """
    p_flip = Choices.of(values[:, None]).p_value(0) if len(values) else 1.0
    return evidence_of(values, quality_p_values(values, p_flip, margin), margin)


def evidence_of(values: Floats, p_values: Mapping[str, float], margin: float) -> QualityEvidence:
    """The evidence with p-values of :func:`quality_p_values`, corrected or not."""
    return QualityEvidence(
        cases=len(values),
        difference=float(values.mean()) if len(values) else 0.0,
        better=int((values > 0).sum()),
        worse=int((values < 0).sum()),
        p_value=p_values["quality"],
        p_loss=p_values["loss"],
        p_gain=p_values["gain"],
        p_accept=p_values["accept"],
        likely_cases=quality_cases(values, margin),
    )
