"""What paired cases show: p-values of every question that a verdict asks, and how many cases would answer it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from promptopt.experiment.bounds import Floats, lower_bound, p_mean_at_least, p_mean_at_most, upper_bound
from promptopt.experiment.paired_tests import Choices, mcnemar, mean_of, p_loss
from promptopt.experiment.prediction import Threshold, likely_cases
from promptopt.experiment.verdict import ALPHA, ALPHA_EACH, CostChange, Difference, LikelyCases, QualityEvidence

# So many cases have an exact test of a loss; of more, the bound is as good, and takes no longer.
_MOST_EXACT = 5_000
# Predictions count what was not seen for so many cases: scores lost and won, the differences that were seen with
# either sign, and answers up to the cap.
_UNSEEN, _MIRRORED, _UNSEEN_CAP = {-1.0: 1.0, 1.0: 1.0}, 15.0, 0.05
# Costs that differ so clearly, at any number of candidates, are not looked at further.
_CLEAR = 1e-4
# What a cap is larger by, for what is lost in the last digits of a sum.
_HAIR = 1e-12


def quality_p_values(values: Floats, margin: float, accept: float = 0.0) -> dict[str, float]:
    """P-values of "no difference" (two-sided), "a loss of the margin", "a gain of it", "more lost than is accepted".

    Cases that pass or fail have exact tests, graded ones those of bounds for every distribution.

    Args:
        values: Paired differences, each between -1 and 1.
        margin: Between 0 and 1.
        accept: What may be lost for a lower cost, 0 to 1; with 0 the last p-value is 1.
    """
    if len(values) < 2:
        return dict.fromkeys(("quality", "loss", "gain", "accept"), 1.0)
    return {
        "quality": p_same(values),
        "loss": _p_loss(values, margin),
        "gain": _p_loss(-values, margin),
        "accept": _p_loss(values, accept) if accept else 1.0,
    }


def p_same(values: Floats) -> float:
    """Two-sided p-value of "no difference": exact for cases that pass or fail, else twice that of the likelier side."""
    if _is_pass_or_fail(values):
        return mcnemar(int((values > 0).sum()), int((values < 0).sum()))
    return min(1.0, 2 * min(p_mean_at_most(values, 0.0, -1.0), p_mean_at_least(values, 0.0, 1.0)))


def _p_loss(values: Floats, margin: float) -> float:
    if _is_pass_or_fail(values) and len(values) <= _MOST_EXACT:
        return p_loss(int((values > 0).sum()), int((values < 0).sum()), len(values), margin)
    return p_mean_at_most(values, -margin, -1.0)


def _is_pass_or_fail(values: Floats) -> bool:
    return bool(((values == 0) | (abs(values) == 1)).all())


def quality_difference(metric: str, values: Floats, p_value: float, level: float = ALPHA_EACH) -> Difference:
    """The mean difference with its interval, which holds for every distribution between -1 and 1.

    Args:
        p_value: Of "no difference". If it refutes that, so does the interval: the exact test of cases that pass or fail
            may say more than the bound.
        level: Of both sides of the interval together; smaller if several are to hold at once.
    """
    if not len(values):
        return Difference(metric, None)
    mean = float(values.mean())
    if len(values) < 2:
        return Difference(metric, mean, p_value=p_value)
    low, high = lower_bound(values, -1.0, level / 2), upper_bound(values, 1.0, level / 2)
    if p_value <= ALPHA_EACH:
        low, high = (max(low, 0.0), high) if mean > 0 else (low, min(high, 0.0))
    return Difference(metric, mean, low, high, p_value)


def quality_cases(values: Floats, margin: float, shared_by: int = 1) -> LikelyCases | None:
    """How many cases would show that the candidate is better, not worse by the margin, or worse.

    Args:
        shared_by: The candidates that share the level.
    """
    reach = 0.5 if _is_pass_or_fail(values) else 1.0
    better = Threshold(0.0, ALPHA_EACH / 2 / shared_by, reach)
    above = [Threshold(-margin, ALPHA / shared_by, reach), better]
    return likely_cases(values, above, [better], (-1.0, 1.0), _UNSEEN, _MIRRORED)


@dataclass(frozen=True)
class Spending:
    """What calls of a candidate cost more than the baseline's, in dollars or output tokens.

    Attributes:
        known: Mean difference of what does not vary: the input.
        varying: Difference of what varies with the length of answers, case by case.
        before: The baseline's own part of that.
        most: What ``varying`` could be at most: the candidate's output cap; ``inf`` without one.
        least: What it could be at least: minus the baseline's cap.
        baseline: Mean of the baseline, whole.
        margin: Share of it that counts as the same.
        choices: Random choices of the cases, with the sums of the whole difference, of the number of cases, and of the
            whole baseline. They are needed without output caps only.
    """

    metric: str
    known: float
    varying: Floats
    before: Floats
    most: float
    least: float
    baseline: float
    margin: float
    choices: Callable[[], Choices]

    @classmethod
    def of(
        cls,
        metric: str,
        known: tuple[Floats, Floats] | None,
        whole: tuple[Floats, Floats],
        caps: tuple[Floats, Floats],
        margin: float,
        choices: Callable[[], Choices],
    ) -> Spending:
        """Of baseline and candidate, case by case.

        Args:
            known: The part of ``whole`` that does not vary; ``None`` if that is not known, or nothing.
            caps: What the output cap allows the baseline and the candidate, ``nan`` for a case without a cap.
        """
        least, most = -_largest(caps[0]), _largest(caps[1])
        known = known or (np.zeros_like(whole[0]), np.zeros_like(whole[1]))
        inputs = known[1] - known[0]
        means = [float(values.mean()) if len(values) else 0.0 for values in (inputs, whole[0])]
        # Digits that a sum of decimals does not have would make each case a value of its own.
        digits = 12 - math.frexp(means[1])[1] * 3 // 10
        before = np.round(whole[0] - known[0], digits)
        varying = np.round(whole[1] - whole[0] - inputs, digits)
        return cls(metric, means[0], varying, before, most, least, means[1], margin, choices)

    @property
    def bounded(self) -> bool:
        """Whether output caps bound what a call of either prompt may cost."""
        return math.isfinite(self.most) and math.isfinite(self.least)

    @property
    def is_known(self) -> bool:
        """Whether nothing varies: what the input costs is all there is to know."""
        return self.most <= _HAIR and -self.least <= _HAIR

    def p_values(self) -> dict[str, float]:
        """One-sided: "it costs no less", "it costs no more", "more by the margin", "less by the margin"."""
        if len(self.varying) < 2:
            return dict.fromkeys(("cheaper", "costlier", "over", "under"), 1.0)
        within = self.margin * self.baseline
        if self.is_known:
            known = {
                "cheaper": self.known < 0,
                "costlier": self.known > 0,
                "over": self.known <= within,
                "under": self.known >= -within,
            }
            return {name: 0.0 if shown else 1.0 for name, shown in known.items()}
        shown = {"cheaper": self._p_value(1, 0.0), "costlier": self._p_value(-1, 0.0)}
        if min(shown.values()) <= _CLEAR:
            # What is cheaper costs no more by the margin either, so that its p-value holds for that, too.
            return shown | {"over": shown["cheaper"], "under": shown["costlier"]}
        return shown | {"over": self._p_value(1, self.margin), "under": self._p_value(-1, -self.margin)}

    def _p_value(self, sign: Literal[1, -1], share: float) -> float:
        """One-sided: the mean difference is at least this share of the baseline (``sign`` 1), or at most (-1).

        What is tested is the mean of the candidate less ``1 + share`` times the baseline, because the baseline's mean
        is of the same cases: as if it were known, too much would be shown of cases whose costs differ widely.
        """
        if math.isfinite(self.most if sign > 0 else self.least):
            known = share * (self.baseline - float(self.before.mean())) - self.known
            values = self.varying - share * self.before
            return (
                p_mean_at_least(values, known, self.most)
                if sign > 0
                else p_mean_at_most(values, known, (1 + share) * self.least)
            )
        choices = self.choices().less(share)
        return choices.p_value() / 2 if sign * choices.totals[0] < 0 else 1.0

    def difference(self) -> Difference:
        """The mean difference; it has no interval yet."""
        if not len(self.varying):
            return Difference(self.metric, None)
        return Difference(self.metric, self.known + float(self.varying.mean()))

    def with_interval(self, seen: Difference) -> Difference:
        """The difference with bounds by the output caps, or by flipping signs if there are none."""
        if len(self.varying) < 2:
            return seen
        if not self.bounded:
            low, high = self.choices().interval(mean_of, ALPHA_EACH) or (None, None)
            return replace(seen, low=low, high=high)
        least = lower_bound(self.varying, self.least, ALPHA_EACH / 2)
        most = upper_bound(self.varying, self.most, ALPHA_EACH / 2)
        return replace(seen, low=self.known + least, high=self.known + most)

    def cases(self, shared_by: int = 1) -> LikelyCases | None:
        """How many cases would show that the candidate is cheaper, not costlier by the margin, or costlier.

        Args:
            shared_by: The candidates that share the level.
        """
        within = self.margin * self.baseline
        ends = (self.least, self.most) if self.bounded else None
        reach = float(self.bounded)
        same = Threshold(-self.known, ALPHA_EACH / 2 / shared_by, reach)
        return likely_cases(
            self.varying,
            [same],
            [Threshold(within - self.known, ALPHA / shared_by, reach), same],
            ends,
            dict.fromkeys(ends or (), _UNSEEN_CAP),
        )


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


def _largest(caps: Floats) -> float:
    return float(caps.max()) * (1 + 1e-9) + _HAIR if len(caps) and not np.isnan(caps).any() else math.inf


def quality_evidence(values: Floats, margin: float) -> QualityEvidence:
    """What the paired differences of one candidate show.

    Args:
        values: Each between -1 and 1.
        margin: Quality (0 to 1) that may be lost.
    """
    return evidence_of(values, quality_p_values(values, margin))


def evidence_of(values: Floats, p_values: Mapping[str, float]) -> QualityEvidence:
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
    )
